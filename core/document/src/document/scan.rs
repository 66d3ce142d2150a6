//! Looking for the end of something, sixteen bytes at a time.

use wide::u8x16;

/// How many of the first bytes stand in a string for themselves.
#[inline(always)]
pub(super) fn plain_bytes(bytes: &[u8]) -> usize {
    count_until(
        bytes,
        |chunk| {
            let control = chunk.min(u8x16::splat(0x1f)).simd_eq(chunk);
            chunk.simd_eq(u8x16::splat(b'"')) | chunk.simd_eq(u8x16::splat(b'\\')) | control
        },
        |byte| byte == b'"' || byte == b'\\' || byte < 0x20,
    )
}

/// How many of the first bytes are white space.
pub(super) fn white_space(bytes: &[u8]) -> usize {
    count_until(
        bytes,
        |chunk| {
            let line = chunk.simd_eq(u8x16::splat(b'\n')) | chunk.simd_eq(u8x16::splat(b'\r'));
            !(chunk.simd_eq(u8x16::splat(b' ')) | chunk.simd_eq(u8x16::splat(b'\t')) | line)
        },
        |byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'),
    )
}

/// Which of the bytes open or close something or are backslashes, from the lowest bit on.
#[inline(always)]
pub(super) fn marks(bytes: [u8; 16]) -> u32 {
    let chunk = u8x16::from(bytes);
    // `[` and `]` differ from `{` and `}` in this bit.
    let folded = chunk | u8x16::splat(0x20);
    let brackets = folded.simd_eq(u8x16::splat(b'{')) | folded.simd_eq(u8x16::splat(b'}'));
    let others = chunk.simd_eq(u8x16::splat(b'"')) | chunk.simd_eq(u8x16::splat(b'\\'));
    (brackets | others).to_bitmask()
}

/// How many of the first bytes stand before the end of the line.
pub(super) fn line_bytes(bytes: &[u8]) -> usize {
    count_until(bytes, |chunk| chunk.simd_eq(u8x16::splat(b'\n')), |byte| byte == b'\n')
}

/// How many bytes stand before the first that stops; `stops` and `stop` say the same.
#[inline(always)]
fn count_until(bytes: &[u8], stops: impl Fn(u8x16) -> u8x16, stop: impl Fn(u8) -> bool) -> usize {
    let (chunks, rest) = bytes.as_chunks::<16>();
    let mut count = 0;
    for chunk in chunks {
        let found = stops(u8x16::from(*chunk)).to_bitmask();
        if found != 0 {
            return count + found.trailing_zeros() as usize;
        }
        count += 16;
    }
    count + rest.iter().position(|&byte| stop(byte)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sixteen_at_a_time_finds_what_one_at_a_time_does(
            mut bytes in prop::collection::vec(any::<u8>().prop_filter("plain", |b| *b > b'\\'), 0..70),
            at in 0..70_usize,
            stop in any::<u8>(),
        ) {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = stop;
            }
            let plain = |&byte: &u8| !(byte == b'"' || byte == b'\\' || byte < 0x20);
            prop_assert_eq!(plain_bytes(&bytes), bytes.iter().take_while(|byte| plain(byte)).count());
            let spaces: Vec<u8> = bytes.iter().map(|byte| b" \t\n\r"[usize::from(*byte) % 4]).chain([stop]).collect();
            let white = |&byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
            prop_assert_eq!(white_space(&spaces), spaces.iter().take_while(|byte| white(byte)).count());
            let chunk = <[u8; 16]>::try_from(&[&bytes[..], &[0; 16]].concat()[..16]).unwrap();
            for (place, byte) in chunk.into_iter().enumerate() {
                let mark = matches!(byte, b'"' | b'\\' | b'[' | b']' | b'{' | b'}');
                prop_assert_eq!(marks(chunk) >> place & 1 == 1, mark);
            }
            prop_assert_eq!(line_bytes(&bytes), bytes.iter().take_while(|&&byte| byte != b'\n').count());
        }
    }
}
