//! Until when a certificate is valid: the one thing that TLS libraries check and do not tell.

use rustls_pki_types::CertificateDer;

/// DER tags (X.690 §8).
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

const DAY: u64 = 86_400;

/// The end of validity (RFC 5280 §4.1.2.5), Unix seconds; `None` when it cannot be read.
pub(super) fn not_after(certificate: &CertificateDer<'_>) -> Option<u64> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (tag, validity, _) = element(fields)?;
    let (_, _, after) = element(validity)?;
    let (kind, time, _) = element(after)?;
    (tag == SEQUENCE).then(|| seconds(kind, time))?
}

/// The element at the front: its tag, its content, and what stands behind it.
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length = digits.iter().try_fold(0_usize, |length, &digit| {
            Some(length.checked_mul(256)? + usize::from(digit))
        })?;
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` in Unix seconds.
fn seconds(kind: u8, time: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(time.strip_suffix(b"Z")?).ok()?;
    let (year, rest) = match kind {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: u64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let mut parts = [0_u64; 5];
    let mut rest = rest;
    for part in &mut parts {
        let (digits, behind) = rest.split_at_checked(2)?;
        *part = digits.parse().ok()?;
        rest = behind;
    }
    let [month, day, hour, minute, second] = parts;
    let days = days_since_1970(year, month, day)?;
    Some(days * DAY + hour * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, counted in years that begin in March,
/// so that the leap day is their last.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    let since_0 = 365 * year + year / 4 - year / 100 + year / 400 + of_year;
    since_0.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_unix_seconds() {
        assert_eq!(seconds(UTC_TIME, b"700101000000Z"), Some(0));
        assert_eq!(seconds(UTC_TIME, b"260228235959Z"), Some(1_772_323_199));
        assert_eq!(
            seconds(GENERALIZED_TIME, b"20240229120000Z"),
            Some(1_709_208_000)
        );
        assert_eq!(seconds(GENERALIZED_TIME, b"20241332000000Z"), None);
        assert_eq!(seconds(UTC_TIME, b"26022823"), None);
    }

    #[test]
    fn the_end_is_read_from_a_certificate() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["mx.example.org".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2031, 2, 3);
        let certificate = params.self_signed(&key).unwrap();
        assert_eq!(not_after(certificate.der()), Some(1_927_843_200));
        let broken = CertificateDer::from(vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(not_after(&broken), None);
    }
}
