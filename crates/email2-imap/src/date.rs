//! Dates of IMAP and of mail, from and to Unix seconds; no clock, no zones.

use crate::grammar::{Bad, Cursor, Parsed};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAY: i64 = 86_400;

/// Days since 1970-01-01 of a day in the Gregorian calendar; `month` from 1.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years are counted from March, so that the leap day is their last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month (from 1) and day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The day, since 1970-01-01, on which a moment lies in UTC.
pub(crate) fn day_of(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX) / DAY
}

/// INTERNALDATE in UTC: `"02-Mar-2026 10:00:00 +0000"`, with its quotes.
pub(crate) fn internal_date(seconds: u64) -> String {
    let (year, month, day) = civil_from_days(day_of(seconds));
    let month = usize::try_from(month - 1).ok().and_then(|m| MONTHS.get(m));
    let month = month.copied().unwrap_or_default();
    let second = seconds % DAY.unsigned_abs();
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("\"{day:02}-{month}-{year:04} {hour:02}:{minute:02}:{second:02} +0000\"")
}

/// Reads the date-time of APPEND; Unix seconds.
pub(crate) fn parse_date_time(cursor: &mut Cursor<'_>) -> Parsed<u64> {
    const WRONG: &str = "a date-time is dd-Mon-yyyy hh:mm:ss +zzzz in quotes";
    let text = cursor.string()?;
    let text = std::str::from_utf8(&text).map_err(|_| Bad(WRONG))?;
    let mut words = text.split_ascii_whitespace();
    let mut next = || words.next().ok_or(Bad(WRONG));
    let (date, time, zone) = (next()?, next()?, next()?);
    let day = day_of_date(date).ok_or(Bad(WRONG))?;
    let time = seconds_of_time(time).ok_or(Bad(WRONG))?;
    let zone = seconds_of_zone(zone).ok_or(Bad(WRONG))?;
    u64::try_from(day * DAY + time - zone).map_err(|_| Bad("a date lies before 1970"))
}

/// Reads the date of a SEARCH key, quoted or not; days since 1970-01-01.
pub(crate) fn parse_date(cursor: &mut Cursor<'_>) -> Parsed<i64> {
    let text = cursor.astring_text()?;
    day_of_date(&text).ok_or(Bad("a date is dd-Mon-yyyy"))
}

/// The day of a Date field in its own zone (RFC 9051 §6.4.4: SENTON looks at
/// neither time nor zone); days since 1970-01-01.
pub(crate) fn day_of_field(value: &str) -> Option<i64> {
    let date = value.split_once(',').map_or(value, |(_, date)| date);
    let mut words = date.split_ascii_whitespace();
    civil(words.next()?, words.next()?, words.next()?)
}

fn day_of_date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let day = civil(parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(day)?
}

fn civil(day: &str, month: &str, year: &str) -> Option<i64> {
    let month = MONTHS
        .iter()
        .position(|name| name.eq_ignore_ascii_case(month))?;
    let (day, year) = (number(day, 31)?, number(year, 9_999)?);
    Some(days_from_civil(year, i64::try_from(month).ok()? + 1, day))
}

fn seconds_of_time(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let (hour, minute) = (number(parts.next()?, 23)?, number(parts.next()?, 59)?);
    let second = number(parts.next()?, 60)?;
    parts
        .next()
        .is_none()
        .then_some(hour * 3_600 + minute * 60 + second)
}

fn seconds_of_zone(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-'])?;
    let (hours, minutes) = digits.split_at_checked(2)?;
    let seconds = number(hours, 23)? * 3_600 + number(minutes, 59)? * 60;
    Some(if text.starts_with('-') {
        -seconds
    } else {
        seconds
    })
}

fn number(digits: &str, most: i64) -> Option<i64> {
    let plain = digits.len() <= 4 && digits.bytes().all(|octet| octet.is_ascii_digit());
    let number = plain.then(|| digits.parse().ok())??;
    (number <= most).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_back() {
        for seconds in [0, 951_826_500, 1_772_445_600, 4_102_444_799] {
            let text = internal_date(seconds);
            let read = parse_date_time(&mut Cursor::new(text.as_bytes()));
            assert_eq!(read, Ok(seconds), "{text}");
        }
        assert_eq!(
            internal_date(1_772_445_600),
            "\"02-Mar-2026 10:00:00 +0000\""
        );
    }

    #[test]
    fn zones_count() {
        let text = b"\" 2-Mar-2026 12:00:00 +0200\"";
        assert_eq!(parse_date_time(&mut Cursor::new(text)), Ok(1_772_445_600));
        assert!(parse_date_time(&mut Cursor::new(b"\"2-Mar\"")).is_err());
    }

    #[test]
    fn a_date_field_gives_its_day() {
        let day = day_of_field("Mon, 02 Mar 2026 10:00:00 +0000");
        assert_eq!(day, Some(day_of(1_772_445_600)));
        assert_eq!(day_of_field("yesterday"), None);
    }
}
