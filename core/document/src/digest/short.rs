//! BLAKE3 of short messages.
//!
//! The hash of one message is a chain in which each step waits for the one before it. The `blake3`
//! crate has vector instructions for the parts of one long message; a resource is mostly shorter than
//! that, and on one block after the other they cost more than they bring: plain words take two thirds
//! of the crate's time natively and half of it in V8. And the resources of a bulk do not wait for each
//! other: four of them go through the vector registers side by side, in less than half the time
//! again. The result is what the crate gives.

use std::ops::BitXor;

use wide::u32x4;

use super::Digest;

/// How many messages are hashed at once.
pub(super) const LANES: usize = 4;
/// The longest message: BLAKE3's chunk. What is longer is a tree of chunks.
pub(super) const LONGEST: usize = 1024;

const BLOCK: usize = 64;
const IV: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 2;
const ROOT: u32 = 8;

/// The order of a block's words in each of the seven rounds.
const SCHEDULE: [[usize; 16]; 7] = schedule();

const fn schedule() -> [[usize; 16]; 7] {
    const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
    let mut rounds = [[0; 16]; 7];
    let mut round = 0;
    while round < 7 {
        let mut word = 0;
        while word < 16 {
            #[expect(clippy::indexing_slicing, reason = "computed when this is compiled")]
            {
                rounds[round][word] = if round == 0 { word } else { rounds[round - 1][PERMUTATION[word]] };
            }
            word += 1;
        }
        round += 1;
    }
    rounds
}

/// The hash of a message of at most [`LONGEST`] bytes.
pub(super) fn hash(message: &[u8]) -> Digest {
    let mut state = IV.map(Plain);
    let blocks = blocks(message);
    for number in 0..blocks {
        let (words, len) = block(message, number);
        state = compress(&state, &words.map(Plain), Plain(len), Plain(flags(number, blocks)));
    }
    digest(state.map(|Plain(word)| word))
}

/// The hashes of messages of at most [`LONGEST`] bytes.
pub(super) fn hash_several(messages: [&[u8]; LANES]) -> [Digest; LANES] {
    let mut state: [u32x4; 8] = IV.map(u32x4::splat);
    let counts = messages.map(blocks);
    for number in 0..counts.into_iter().max().unwrap_or_default() {
        let read = messages.map(|message| block(message, number));
        let lens = read.map(|(_, len)| len);
        let [a, b, c, d] = read.map(|(words, _)| words);
        let mut words = [u32x4::splat(0); 16];
        for (word, (((a, b), c), d)) in words.iter_mut().zip(a.into_iter().zip(b).zip(c).zip(d)) {
            *word = u32x4::from([a, b, c, d]);
        }
        let flags = counts.map(|count| flags(number, count));
        let next = compress(&state, &words, u32x4::from(lens), u32x4::from(flags));
        // Messages that have ended keep what they have.
        let live = u32x4::from(counts.map(|count| if number < count { u32::MAX } else { 0 }));
        for (state, next) in state.iter_mut().zip(next) {
            *state = (next & live) | (*state & !live);
        }
    }
    let state = state.map(u32x4::to_array);
    [0, 1, 2, 3].map(|lane| digest(state.map(|word| word.get(lane).copied().unwrap_or_default())))
}

/// How many blocks a message has; the empty one has one, too.
fn blocks(message: &[u8]) -> usize {
    message.len().div_ceil(BLOCK).max(1)
}

fn flags(number: usize, blocks: usize) -> u32 {
    let start = if number == 0 { CHUNK_START } else { 0 };
    if number + 1 == blocks { start | CHUNK_END | ROOT } else { start }
}

/// The words of a block, with zeros behind the message's end, and how many bytes are the message's.
#[inline(always)]
fn block(message: &[u8], number: usize) -> ([u32; 16], u32) {
    let rest = message.get(number * BLOCK..).unwrap_or_default();
    let mut padded = [0; BLOCK];
    let block = match rest.first_chunk::<BLOCK>() {
        Some(block) => block,
        None => {
            if let Some(start) = padded.get_mut(..rest.len()) {
                start.copy_from_slice(rest);
            }
            &padded
        }
    };
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    (words, u32::try_from(rest.len().min(BLOCK)).unwrap_or_default())
}

fn digest(state: [u32; 8]) -> Digest {
    let mut bytes = [0; Digest::BYTES];
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_le_bytes();
    }
    Digest(bytes)
}

/// A word of one block, or that word of several blocks.
trait Word: Copy + BitXor<Output = Self> {
    fn splat(word: u32) -> Self;
    fn plus(self, other: Self) -> Self;
    fn rotate_right<const RIGHT: u32, const LEFT: u32>(self) -> Self;
}

#[derive(Clone, Copy)]
struct Plain(u32);

impl BitXor for Plain {
    type Output = Self;

    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }
}

impl Word for Plain {
    #[inline(always)]
    fn splat(word: u32) -> Self {
        Self(word)
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    #[inline(always)]
    fn rotate_right<const RIGHT: u32, const LEFT: u32>(self) -> Self {
        Self(self.0.rotate_right(RIGHT))
    }
}

impl Word for u32x4 {
    #[inline(always)]
    fn splat(word: u32) -> Self {
        Self::splat(word)
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    fn rotate_right<const RIGHT: u32, const LEFT: u32>(self) -> Self {
        (self >> RIGHT) | (self << LEFT)
    }
}

/// The compression function (BLAKE3 §2.2), for chunk number 0.
#[inline(always)]
fn compress<W: Word>(state: &[W; 8], m: &[W; 16], len: W, flags: W) -> [W; 8] {
    let [h0, h1, h2, h3, h4, h5, h6, h7] = *state;
    let [i0, i1, i2, i3, ..] = IV.map(W::splat);
    let zero = W::splat(0);
    let mut v = [h0, h1, h2, h3, h4, h5, h6, h7, i0, i1, i2, i3, zero, zero, len, flags];
    let [first, second, third, fourth, fifth, sixth, seventh] = &SCHEDULE;
    round(&mut v, m, first);
    round(&mut v, m, second);
    round(&mut v, m, third);
    round(&mut v, m, fourth);
    round(&mut v, m, fifth);
    round(&mut v, m, sixth);
    round(&mut v, m, seventh);
    let [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7] = v;
    [a0 ^ b0, a1 ^ b1, a2 ^ b2, a3 ^ b3, a4 ^ b4, a5 ^ b5, a6 ^ b6, a7 ^ b7]
}

#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "words are numbered from 0 to 15")]
fn round<W: Word>(v: &mut [W; 16], m: &[W; 16], order: &[usize; 16]) {
    mix(v, [0, 4, 8, 12], m[order[0]], m[order[1]]);
    mix(v, [1, 5, 9, 13], m[order[2]], m[order[3]]);
    mix(v, [2, 6, 10, 14], m[order[4]], m[order[5]]);
    mix(v, [3, 7, 11, 15], m[order[6]], m[order[7]]);
    mix(v, [0, 5, 10, 15], m[order[8]], m[order[9]]);
    mix(v, [1, 6, 11, 12], m[order[10]], m[order[11]]);
    mix(v, [2, 7, 8, 13], m[order[12]], m[order[13]]);
    mix(v, [3, 4, 9, 14], m[order[14]], m[order[15]]);
}

#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "words are numbered from 0 to 15")]
fn mix<W: Word>(v: &mut [W; 16], [a, b, c, d]: [usize; 4], x: W, y: W) {
    v[a] = v[a].plus(v[b]).plus(x);
    v[d] = (v[d] ^ v[a]).rotate_right::<16, 16>();
    v[c] = v[c].plus(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right::<12, 20>();
    v[a] = v[a].plus(v[b]).plus(y);
    v[d] = (v[d] ^ v[a]).rotate_right::<8, 24>();
    v[c] = v[c].plus(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right::<7, 25>();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expected(message: &[u8]) -> Digest {
        Digest(*blake3::hash(message).as_bytes())
    }

    #[test]
    fn every_length_is_hashed_as_by_itself() {
        let bytes: Vec<u8> = (0..LONGEST).map(|at| u8::try_from(at % 251).unwrap()).collect();
        for len in 0..=LONGEST {
            // Neighbours that end earlier and later.
            let lens = [len, LONGEST - len, len / 2, (len + 63).min(LONGEST)];
            let messages = lens.map(|len| &bytes[..len]);
            assert_eq!(hash_several(messages), messages.map(expected), "{lens:?}");
            assert_eq!(hash(messages[0]), expected(messages[0]), "{len}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_hashed_as_by_themselves(
            messages in prop::array::uniform4(prop::collection::vec(any::<u8>(), 0..=LONGEST))
        ) {
            let messages = messages.each_ref().map(Vec::as_slice);
            prop_assert_eq!(hash_several(messages), messages.map(expected));
            prop_assert_eq!(messages.map(hash), messages.map(expected));
        }
    }
}
