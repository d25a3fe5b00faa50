//! Dates as mail writes them (RFC 5322 §3.3), in UTC.

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAY: u64 = 86_400;

/// `Thu, 26 Nov 2026 16:00:00 +0000` for Unix seconds. Only UTC: a time zone
/// would say where the author is (spec §5.2.1).
pub fn format_date(at: u64) -> String {
    let (year, month, day) = civil(at / DAY);
    let weekday = pick(&DAYS, at / DAY % 7);
    let (hour, minute, second) = (at / 3_600 % 24, at / 60 % 60, at % 60);
    let month = pick(&MONTHS, month);
    format!("{weekday}, {day} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

fn pick<'a>(names: &[&'a str], index: u64) -> &'a str {
    let index = usize::try_from(index).unwrap_or(0);
    names.get(index).copied().unwrap_or("")
}

/// Year, month from 0 and day from 1 of a day after 1970-01-01. Years are
/// counted from March, so that the leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        let known = [
            (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (1_795_705_199, "Thu, 26 Nov 2026 14:59:59 +0000"),
            (4_107_542_400, "Mon, 1 Mar 2100 00:00:00 +0000"),
        ];
        for (at, text) in known {
            assert_eq!(format_date(at), text);
        }
    }
}
