//! Deterministic CBOR (RFC 8949 §4.2.1), written: what is hashed for a digest.

use half::f16;

use crate::document::Number;

pub(crate) const NULL: u8 = 0xf6;
pub(crate) const FALSE: u8 = 0xf4;
pub(crate) const TRUE: u8 = 0xf5;

/// A major type (RFC 8949 §3.1), in the place it has in an item's first byte.
#[derive(Clone, Copy)]
pub(crate) enum Major {
    Unsigned = 0x00,
    Negative = 0x20,
    Text = 0x60,
    Array = 0x80,
    Map = 0xa0,
}

/// An item's head: its major type and its argument, in the shortest form.
#[inline(always)]
pub(crate) fn head(out: &mut Vec<u8>, major: Major, argument: u64) {
    let major = major as u8;
    if let Ok(small @ ..24) = u8::try_from(argument) {
        out.push(major | small);
    } else {
        long_head(out, major, argument);
    }
}

#[inline(never)]
fn long_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    if let Ok(argument) = u8::try_from(argument) {
        out.extend_from_slice(&[major | 24, argument]);
    } else if let Ok(argument) = u16::try_from(argument) {
        out.push(major | 25);
        out.extend_from_slice(&argument.to_be_bytes());
    } else if let Ok(argument) = u32::try_from(argument) {
        out.push(major | 26);
        out.extend_from_slice(&argument.to_be_bytes());
    } else {
        out.push(major | 27);
        out.extend_from_slice(&argument.to_be_bytes());
    }
}

/// A piece of an encoding that is written often.
#[derive(Debug)]
pub(crate) struct Short {
    /// With zeros up to sixteen bytes, as those are copied without a call.
    bytes: Box<[u8]>,
    len: usize,
}

impl From<Vec<u8>> for Short {
    fn from(mut bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        bytes.resize(len.max(16), 0);
        Self { bytes: bytes.into(), len }
    }
}

impl Short {
    #[inline(always)]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        copy(out, &self.bytes, self.len);
    }
}

/// Appends the first `len` bytes; there may be more of them.
#[inline(always)]
fn copy(out: &mut Vec<u8>, bytes: &[u8], len: usize) {
    match bytes.first_chunk::<16>() {
        // A constant length is copied without a call.
        Some(chunk) if len <= 16 => {
            let end = out.len() + len;
            out.extend_from_slice(chunk);
            out.truncate(end);
        }
        _ => out.extend_from_slice(bytes.get(..len).unwrap_or_default()),
    }
}

/// The text of that many bytes at the beginning of `bytes`.
#[inline(always)]
pub(crate) fn text(out: &mut Vec<u8>, bytes: &[u8], len: usize) {
    head(out, Major::Text, len as u64);
    copy(out, bytes, len);
}

#[inline]
pub(crate) fn number(out: &mut Vec<u8>, number: Number) {
    match number {
        Number::Integer(integer) => match u64::try_from(integer) {
            Ok(integer) => head(out, Major::Unsigned, integer),
            // −1 is 0 here, −2 is 1.
            Err(_) => head(out, Major::Negative, u64::try_from(-1 - integer).unwrap_or_default()),
        },
        Number::Double(double) => float(out, double),
    }
}

fn float(out: &mut Vec<u8>, double: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "it is used only if it is the same value")]
    let single = double as f32;
    if f64::from(single).to_bits() != double.to_bits() {
        out.push(0xfb);
        out.extend_from_slice(&double.to_be_bytes());
        return;
    }
    let half = f16::from_f32(single);
    if half.to_f32().to_bits() == single.to_bits() {
        out.push(0xf9);
        out.extend_from_slice(&half.to_be_bytes());
    } else {
        out.push(0xfa);
        out.extend_from_slice(&single.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        out.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The examples of RFC 8949, appendix A.
    #[test]
    fn writes_the_examples_of_the_standard() {
        for (integer, expected) in [
            (0, "00"),
            (23, "17"),
            (24, "1818"),
            (100, "1864"),
            (1000, "1903e8"),
            (1_000_000, "1a000f4240"),
            (1_000_000_000_000, "1b000000e8d4a51000"),
            (i128::from(u64::MAX), "1bffffffffffffffff"),
            (-1, "20"),
            (-100, "3863"),
            (-1000, "3903e7"),
            (i128::from(i64::MIN), "3b7fffffffffffffff"),
        ] {
            assert_eq!(hex(|out| number(out, Number::Integer(integer))), expected);
        }
        for (double, expected) in [
            (1.1, "fb3ff199999999999a"),
            (1.5, "f93e00"),
            (-4.1, "fbc010666666666666"),
            (5.960_464_477_539_063e-8, "f90001"),
            (0.000_061_035_156_25, "f90400"),
            (1.0e300, "fb7e37e43c8800759c"),
            (3.402_823_466_385_288_6e38, "fa7f7fffff"),
        ] {
            assert_eq!(hex(|out| number(out, Number::Double(double))), expected);
        }
        assert_eq!(hex(|out| text(out, b"", 0)), "60");
        assert_eq!(hex(|out| text(out, "\u{6c34}".as_bytes(), 3)), "63e6b0b4");
        assert_eq!(hex(|out| head(out, Major::Array, 25)), "9819");
    }
}
