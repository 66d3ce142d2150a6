//! Each target over its seeds and over mutations of them: the same in every run, and quick.

use crate::{Tally, accept, bulk, document, seeds};

/// What mutations put in: pieces that mean something in JSON.
const PIECES: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u",
    "\\ud83d",
    "\\ude00",
    "\\ud800\\udc00",
    "\\udbff\\udfff",
    "\\udc00",
    "\\u0061",
    "\\u001f",
    "\\n",
    "\\/",
    "true",
    "false",
    "null",
    "0",
    "-",
    "-0",
    "1.0",
    "1e5",
    "e",
    ".",
    "1e400",
    "9007199254740993",
    "18446744073709551616",
    "123456789012345678901234567890",
    "2.2250738585072011e-308",
    "\"id\"",
    "\"a\":",
    "{\"a\":1}",
    "{\"b\":1,\"c\":2,\"c\":3,\"b\":4}",
    "[[",
    "]]",
    "\n",
    " ",
    "\u{0}",
    "\u{1f}",
    "\u{7f}",
    "\"\u{1f}\"",
    "é",
    "😀",
    "\u{feff}",
];

/// splitmix64
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % (end.max(1) as u64)).unwrap()
    }
}

/// One of the seeds, changed in one to four places.
fn mutation(seeds: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seeds[numbers.below(seeds.len())].clone();
    for _ in 0..=numbers.below(4) {
        let (a, b) = (numbers.below(bytes.len() + 1), numbers.below(bytes.len() + 1));
        let (start, end) = (a.min(b), a.max(b).min(a.min(b) + 16));
        match numbers.below(7) {
            0 => drop(bytes.drain(start..end)),
            1 => {
                let part = bytes[start..end].to_vec();
                bytes.splice(a..a, part);
            }
            2 => {
                let other = &seeds[numbers.below(seeds.len())];
                let at = numbers.below(other.len() + 1);
                bytes.truncate(a);
                bytes.extend_from_slice(&other[at..]);
            }
            3 if a < bytes.len() => bytes[a] ^= 1 << numbers.below(8),
            4 => bytes.truncate(a),
            _ => {
                let piece = PIECES[numbers.below(PIECES.len())].bytes();
                bytes.splice(a..a, piece);
            }
        }
        bytes.truncate(8192);
    }
    bytes
}

fn run(target: fn(&[u8]), seeds: &[Vec<u8>], mutations: u64) {
    assert!(seeds.len() > 100, "only {} seeds are found", seeds.len());
    seeds.iter().for_each(|seed| target(seed));
    for number in 0..mutations {
        target(&mutation(seeds, &mut Numbers(number << 32)));
    }
}

#[test]
fn the_gate_reads_what_serde_json_reads() {
    run(document, &seeds::document(), 20_000);
}

#[test]
fn a_bulk_is_its_items() {
    run(bulk, &seeds::bulk(), 10_000);
}

/// Both verdicts have to occur often, and few schemas may be of no use, for this to say anything.
#[test]
fn verdicts_are_those_of_a_plain_validator() {
    let mut tally = Tally::default();
    for seed in seeds::accept() {
        tally += accept(&seed);
    }
    println!("{tally:?}");
    let judged = tally.accepted + tally.rejected;
    assert!(judged >= 500 && tally.too_complex == 0, "{tally:?}");
    assert!(tally.accepted * 5 >= judged && tally.rejected * 5 >= judged, "{tally:?}");
    assert!(u64::from(tally.refused_schemas) * 5 <= seeds::accept().len() as u64, "{tally:?}");
}
