//! Times: RFC 3339 outside, Unix milliseconds inside.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// RFC 3339, UTC, with milliseconds.
pub(super) fn format(unix_millis: i64) -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_millis) * 1_000_000)
        .ok()
        .and_then(|time| time.format(form).ok())
        .unwrap_or_default()
}

/// Any RFC 3339 time, cut to milliseconds.
pub(super) fn parse(text: &str) -> Option<i64> {
    // An unescaped `+` of an offset arrives as a space.
    let time = OffsetDateTime::parse(&text.replace(' ', "+"), &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        assert_eq!(format(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(parse("2023-11-14T22:13:20.123Z"), Some(1_700_000_000_123));
        assert_eq!(parse("2023-11-14T23:13:20.1239+01:00"), Some(1_700_000_000_123));
        assert_eq!(parse("2023-11-14T23:13:20.123 01:00"), Some(1_700_000_000_123));
        assert_eq!(parse("yesterday"), None);
    }
}
