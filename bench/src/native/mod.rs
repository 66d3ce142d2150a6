//! `cargo xtask bench core`: the core in this process, on one thread, beside its peers.
//!
//! `ours` is a whole check: parsing, validating, id, name, important fields, digest. Of its peers only
//! `stack` does as much. Throughput is in bytes of payload, so a ratio above 1 is faster.

pub mod cases;
pub mod peers;
pub mod stack;

use std::hint::black_box;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use tidegate_core::CheckOptions;
use tidegate_core::document::Document;

use crate::measure::{Compared, Side, all_in_turn, line, seconds_each};
use cases::Ready;
use peers::SimdJson;

/// How often each side of a case has its turn.
const ROUNDS: usize = 11;

/// What the programs are asked for.
#[derive(Parser)]
pub struct Arguments {
    /// Only the cases whose names hold this
    filter: Option<String>,
    /// How long one turn of a side takes, in milliseconds
    #[arg(long, default_value_t = 50)]
    turn_ms: u64,
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.filter.as_deref().is_none_or(|filter| name.contains(filter))
    }

    fn turn(&self) -> Duration {
        Duration::from_millis(self.turn_ms)
    }
}

/// Everything, with the system's allocator.
///
/// # Errors
///
/// Two sides do not agree, or a line of arguments is not understood.
pub fn run() -> Result<()> {
    let arguments = Arguments::parse();
    for case in cases::all()? {
        let parse = format!("{}-parse", case.name);
        if arguments.wants(case.name) || arguments.wants(&parse) {
            let ready = Ready::new(case)?;
            compare(&arguments, &ready)?;
        }
    }
    Ok(())
}

/// The cases once more, in a program with another allocator.
///
/// # Errors
///
/// As [`run`].
pub fn run_with_allocator(peer: &str) -> Result<()> {
    let arguments = Arguments::parse();
    for case in cases::all()? {
        if arguments.wants(case.name) {
            let ready = Ready::new(case)?;
            let sides = vec![("ours", ours(&arguments, &ready)), (peer, stack(&arguments, &ready))];
            throughput(ready.case.name, ready.bytes().len(), sides)?;
        }
    }
    Ok(())
}

fn compare(arguments: &Arguments, ready: &Ready) -> Result<()> {
    let (name, bytes, bulk) = (ready.case.name, ready.bytes(), ready.case.bulk);
    let turn = arguments.turn();
    let (mut simd_json, mut other) = (SimdJson::new(bytes.len()), SimdJson::new(bytes.len()));
    if arguments.wants(name) {
        let mut sides = vec![("ours", ours(arguments, ready)), ("stack", stack(arguments, ready))];
        if ready.case.accepted {
            let boon = || ready.boon.passing(bytes, bulk).map(|passing| _ = black_box(passing));
            sides.push(("boon", side(turn, boon)));
        }
        sides.push(("sonic-rs-parse", side(turn, || peers::sonic_rs(bytes))));
        sides.push(("simd-json-parse", side(turn, || simd_json.parse(bytes))));
        throughput(name, bytes.len(), sides)?;
    }
    let name = format!("{name}-parse");
    if ready.case.accepted && arguments.wants(&name) {
        let document = || {
            black_box(Document::parse(bytes)?);
            Ok(())
        };
        let sides = vec![
            ("ours", side(turn, document)),
            ("serde-ignored", side(turn, || peers::serde_ignored(bytes))),
            ("serde-value", side(turn, || peers::serde_value(bytes))),
            ("sonic-rs-parse", side(turn, || peers::sonic_rs(bytes))),
            ("simd-json-parse", side(turn, || other.parse(bytes))),
        ];
        throughput(&name, bytes.len(), sides)?;
    }
    Ok(())
}

fn ours<'r>(arguments: &Arguments, ready: &'r Ready) -> Side<'r> {
    let (schema, bytes, options) = (&ready.schema, ready.bytes(), CheckOptions::default());
    if ready.case.bulk {
        side(arguments.turn(), move || {
            _ = black_box(schema.check_bulk(bytes, options));
            Ok(())
        })
    } else {
        side(arguments.turn(), move || {
            _ = black_box(schema.check(bytes, options));
            Ok(())
        })
    }
}

fn stack<'r>(arguments: &Arguments, ready: &'r Ready) -> Side<'r> {
    let (stack, bytes) = (&ready.stack, ready.bytes());
    if ready.case.bulk {
        side(arguments.turn(), move || {
            _ = black_box(stack.check_bulk(bytes));
            Ok(())
        })
    } else {
        side(arguments.turn(), move || {
            _ = black_box(stack.check(bytes));
            Ok(())
        })
    }
}

fn side<'s>(turn: Duration, mut call: impl FnMut() -> Result<()> + 's) -> Side<'s> {
    Box::new(move || seconds_each(turn, &mut call))
}

/// Measures the sides in turn and prints a line for each but the first, which is ours.
fn throughput(name: &str, bytes: usize, sides: Vec<(&str, Side<'_>)>) -> Result<()> {
    let (names, mut sides): (Vec<_>, Vec<_>) = sides.into_iter().unzip();
    let rates = all_in_turn(ROUNDS, &mut sides)?.into_iter().map(|seconds| bytes as f64 / 1e6 / seconds);
    let mut rates = names.into_iter().zip(rates);
    let Some((_, ours)) = rates.next() else { return Ok(()) };
    for (peer, rate) in rates {
        line(name, Compared { ours, peer: rate }, peer, "MB/s");
    }
    Ok(())
}
