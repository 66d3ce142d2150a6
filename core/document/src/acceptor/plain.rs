//! Plain forms of formats: strings that every reading of a format lets pass.
//!
//! The validator judges formats after their standards, which takes a while. What people send has
//! mostly one of a few plain forms, and those are told at a glance. A string that has none of them
//! may pass all the same: the validator says.

/// The plain form of a format, if it has one.
pub fn of(format: &str) -> Option<fn(&[u8]) -> bool> {
    Some(match format {
        "email" => email,
        "date" => date,
        "date-time" => date_time,
        "uuid" => uuid,
        "hostname" => hostname,
        _ => return None,
    })
}

/// `first.last+tag@example.com`: words between single dots, on a plain host name.
fn email(text: &[u8]) -> bool {
    let Some(at) = text.iter().position(|&byte| byte == b'@') else { return false };
    let (local, host) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+');
    text.len() <= 200 && local.len() <= 64 && parts(local, word) && hostname(host) && host.contains(&b'.')
}

/// Labels of letters and digits, with single hyphens inside; the last one begins with a letter.
fn hostname(text: &[u8]) -> bool {
    if text.len() > 200 {
        return false;
    }
    let (mut label, mut before) = (0, b'.');
    let mut letter_first = false;
    for &byte in text {
        match byte {
            b'.' | b'-' => {
                if before == b'.' || before == b'-' {
                    return false;
                }
                if byte == b'.' {
                    label = 0;
                    before = byte;
                    continue;
                }
            }
            byte if byte.is_ascii_alphanumeric() => {
                if label == 0 {
                    letter_first = byte.is_ascii_alphabetic();
                }
            }
            _ => return false,
        }
        before = byte;
        label += 1;
        if label > 60 {
            return false;
        }
    }
    letter_first && before != b'.' && before != b'-'
}

/// Non-empty parts between single dots.
fn parts(text: &[u8], allowed: impl Fn(u8) -> bool) -> bool {
    let mut before = b'.';
    for &byte in text {
        if byte == b'.' && before == b'.' || byte != b'.' && !allowed(byte) {
            return false;
        }
        before = byte;
    }
    before != b'.'
}

/// A two-digit number in a range.
fn pair(text: &[u8], at: usize, least: u8, most: u8) -> bool {
    match text.get(at..at + 2) {
        Some(&[tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => {
            let number = (tens - b'0') * 10 + (ones - b'0');
            (least..=most).contains(&number)
        }
        _ => false,
    }
}

/// `2026-01-28`: a day that every month has.
fn date(text: &[u8]) -> bool {
    text.len() == 10
        && pair(text, 0, 19, 99)
        && pair(text, 2, 0, 99)
        && text.get(4) == Some(&b'-')
        && pair(text, 5, 1, 12)
        && text.get(7) == Some(&b'-')
        && pair(text, 8, 1, 28)
}

/// `2026-01-28T12:30:00Z`, with up to nine digits of a second.
fn date_time(text: &[u8]) -> bool {
    text.get(..10).is_some_and(date)
        && text.get(10) == Some(&b'T')
        && pair(text, 11, 0, 23)
        && text.get(13) == Some(&b':')
        && pair(text, 14, 0, 59)
        && text.get(16) == Some(&b':')
        && pair(text, 17, 0, 59)
        && match text.get(19..).unwrap_or_default() {
            b"Z" => true,
            [b'.', digits @ .., b'Z'] => {
                (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
            }
            _ => false,
        }
}

/// `123e4567-e89b-12d3-a456-426614174000`
fn uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const FORMATS: [&str; 5] = ["email", "date", "date-time", "uuid", "hostname"];

    fn passes(format: &str, text: &str) -> bool {
        let schema = json!({ "format": format });
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap().is_valid(&json!(text))
    }

    #[test]
    fn tells_common_forms() {
        for (format, text) in [
            ("email", "first.last+tag@mail.example.com"),
            ("date", "2026-11-24"),
            ("date-time", "2026-11-24T09:30:00Z"),
            ("date-time", "2026-11-24T09:30:00.123456Z"),
            ("uuid", "123e4567-e89b-12d3-a456-426614174000"),
            ("hostname", "a1.example.com"),
        ] {
            assert!(of(format).unwrap()(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        /// Strings that are nearly of a form, and those that are.
        #[test]
        fn says_yes_only_where_the_validator_does(
            text in prop_oneof![
                "[a-z0-9._+-]{0,8}@[A-Za-z0-9.-]{0,12}",
                "[a-z.]{1,3}@[a-z]{50,70}\\.c",
                "[a-z0-9]{60,66}@[a-z]{1,3}\\.[a-z]{1,3}",
                "[0-9]{2,4}-[0-9]{2}-[0-9]{2}",
                "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,11})?[Zz+]",
                "[0-9a-fA-Fg]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
                "([a-z0-9-]{1,5}\\.){0,3}[a-z0-9-]{0,4}",
                "(xn--|a-|ab--)[a-z0-9]{0,5}(\\.[a-z]{2})?",
            ]
        ) {
            for format in FORMATS {
                if of(format).unwrap()(text.as_bytes()) {
                    prop_assert!(passes(format, &text), "{}: {}", format, text);
                }
            }
        }
    }
}
