//! A number's value, whatever its spelling.

/// The value of a JSON number after I-JSON (RFC 7493 §2.2): an exact integer where it is one in
/// the range of `i64` or `u64`, else an IEEE 754 double.
///
/// Two literals of the same value give equal `Number`s: `1230.0`, `1230` and `1.23e3`; `-0` and
/// `0`; `9007199254740993.0` and `9007199254740993`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An integer from −2⁶³ to 2⁶⁴ − 1.
    Integer(i128),
    /// Everything else. Never an integer in that range, never infinite, never a NaN.
    Double(f64),
}

const SMALLEST: i128 = i64::MIN as i128;
const LARGEST: i128 = u64::MAX as i128;

impl Number {
    /// The value of a literal that follows JSON's grammar.
    #[inline]
    pub(crate) fn from_literal(literal: &str) -> Self {
        // Eighteen digits are always in range.
        let (negative, digits) = match literal.as_bytes() {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        if digits.len() <= 18 {
            let value = digits.iter().try_fold(0_i64, |value, byte| {
                byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
            });
            if let Some(value) = value {
                return Self::Integer(i128::from(if negative { -value } else { value }));
            }
        }
        if let Some(integer) = integer(literal) {
            return Self::Integer(integer);
        }
        Self::from_double(literal.parse().unwrap_or(f64::MAX))
    }

    /// The value of a double; one that is an integer in range becomes one.
    pub fn from_double(double: f64) -> Self {
        // 2⁶⁴ itself is out of range, and exact as a double.
        if double.fract() == 0.0
            && (-9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0).contains(&double)
        {
            #[expect(clippy::cast_possible_truncation, reason = "it is an integer in range")]
            return Self::Integer(double as i128);
        }
        Self::Double(double)
    }

    /// The value nearest to this one among the doubles.
    #[expect(clippy::cast_precision_loss, reason = "that is what is asked for")]
    pub fn to_double(self) -> f64 {
        match self {
            Self::Integer(integer) => integer as f64,
            Self::Double(double) => double,
        }
    }

    /// Whether the value is an integer, of whatever size.
    pub(crate) fn is_integer(self) -> bool {
        match self {
            Self::Integer(_) => true,
            Self::Double(double) => double.fract() == 0.0,
        }
    }

    /// The same value as serde_json knows it.
    pub fn to_serde(self) -> serde_json::Number {
        match self {
            Self::Integer(integer) => u64::try_from(integer)
                .map(serde_json::Number::from)
                .or_else(|_| i64::try_from(integer).map(serde_json::Number::from))
                .unwrap_or_else(|_| serde_json::Number::from(0)),
            Self::Double(double) => {
                serde_json::Number::from_f64(double).unwrap_or_else(|| serde_json::Number::from(0))
            }
        }
    }
}

impl From<&serde_json::Number> for Number {
    fn from(number: &serde_json::Number) -> Self {
        if let Some(integer) = number.as_u64() {
            Self::Integer(i128::from(integer))
        } else if let Some(integer) = number.as_i64() {
            Self::Integer(i128::from(integer))
        } else {
            Self::from_double(number.as_f64().unwrap_or_default())
        }
    }
}

/// Whether the literal is beyond what a double can hold.
pub(super) fn overflows(literal: &str) -> bool {
    literal.parse::<f64>().is_ok_and(f64::is_infinite)
}

/// The literal's exact value, if that is an integer in range.
fn integer(literal: &str) -> Option<i128> {
    let (negative, digits) = match literal.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, literal),
    };
    let magnitude = if digits.len() <= 20 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        digits.parse::<i128>().ok()?
    } else {
        decimal_integer(digits)?
    };
    let value = if negative { -magnitude } else { magnitude };
    (SMALLEST..=LARGEST).contains(&value).then_some(value)
}

/// The value of an unsigned literal with a fraction or an exponent, if it is an integer of at most
/// 20 digits.
fn decimal_integer(literal: &str) -> Option<i128> {
    let (mantissa, exponent) = match literal.split_once(['e', 'E']) {
        // An exponent beyond `i64` is beyond any integer in range, unless the mantissa is zero.
        Some((mantissa, exponent)) => (
            mantissa,
            exponent
                .parse::<i64>()
                .unwrap_or_else(|_| if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 }),
        ),
        None => (literal, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = || whole.bytes().chain(fraction.bytes());
    let significant = digits().skip_while(|&digit| digit == b'0').count();
    if significant == 0 {
        return Some(0);
    }
    // The value is `digits × 10^shift`; an integer if the zeros at its end make up for a negative shift.
    let shift = exponent.saturating_sub(i64::try_from(fraction.len()).ok()?);
    let zeros = digits().rev().take_while(|&digit| digit == b'0').count();
    let zeros = i64::try_from(zeros).ok()?.min(shift.saturating_neg().max(0));
    let shift = shift.saturating_add(zeros);
    let kept = i64::try_from(significant).ok()? - zeros;
    if shift < 0 || kept.saturating_add(shift) > 20 {
        return None;
    }
    let mut value: i128 = 0;
    let skip = digits().count() - significant;
    for digit in digits().skip(skip).take(usize::try_from(kept).ok()?) {
        value = value * 10 + i128::from(digit - b'0');
    }
    for _ in 0..shift {
        value *= 10;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(literal: &str) -> Number {
        Number::from_literal(literal)
    }

    #[test]
    fn spellings_of_one_value_are_equal() {
        for spellings in [
            &["1230", "1230.0", "1.23e3", "12300e-1", "0.123E+4", "1230.000e0"][..],
            &["0", "-0", "0.0", "-0.0e5", "0e99999999999999999999", "0.000e-7"],
            &["9007199254740993", "9007199254740993.0", "9.007199254740993e15"],
            &["18446744073709551615", "1.8446744073709551615e19"],
            &["-9223372036854775808", "-9.223372036854775808E18"],
            &["18446744073709551616", "1.8446744073709551616e19", "184467440737095516160e-1"],
            &["0.1", "1e-1", "0.10"],
        ] {
            for spelling in spellings {
                assert_eq!(value(spelling), value(spellings[0]), "{spelling}");
            }
        }
    }

    #[test]
    fn neighbours_differ() {
        assert_ne!(value("9007199254740992"), value("9007199254740993"));
        assert_ne!(value("18446744073709551615"), value("18446744073709551614"));
        assert_ne!(value("0.1"), value("0.2"));
        assert_eq!(value("18446744073709551616"), Number::Double(18_446_744_073_709_551_616.0));
        assert_eq!(value("1.5"), Number::Double(1.5));
        assert_eq!(value("1e19"), Number::Integer(10_000_000_000_000_000_000));
    }

    #[test]
    fn overflow_is_seen() {
        assert!(overflows("1e309"));
        assert!(overflows(&"9".repeat(400)));
        assert!(!overflows("1e308"));
        assert!(!overflows("1e-999"));
    }
}
