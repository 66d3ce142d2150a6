//! `cargo xtask bench core`: the core in this process, on one thread, beside its peers.
//!
//! `ours` is a whole check: parsing, validating, id, name, important fields, digest. Of its peers only
//! `stack` does as much. Throughput is in bytes of payload, so a ratio above 1 is faster.

pub mod cases;
pub mod growth;
pub mod peers;
pub mod stack;

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use tidegate_core::document::Document;

use crate::measure::{Compared, Side, all_in_turn, line, seconds_each};
use cases::{Ready, Worker};
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
    /// Measure nothing, only work on this case: for a tool that counts instructions
    #[arg(long, requires_all = ["times", "side"])]
    count: Option<String>,
    /// How often
    #[arg(long)]
    times: Option<usize>,
    /// Who works
    #[arg(long)]
    side: Option<Worker>,
}

impl Arguments {
    #[cfg(test)]
    fn brief(filter: &str) -> Self {
        Self { filter: Some(filter.to_owned()), turn_ms: 0, count: None, times: None, side: None }
    }

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
/// Two sides do not agree, or there is no such case.
pub fn run() -> Result<()> {
    let arguments = Arguments::parse();
    if let (Some(case), Some(times), Some(side)) = (&arguments.count, arguments.times, arguments.side) {
        return count(case, times, side);
    }
    for case in cases::all()? {
        let parse = format!("{}-parse", case.name);
        if arguments.wants(case.name) || arguments.wants(&parse) {
            let ready = Ready::new(case)?;
            compare(&arguments, &ready)?;
        }
    }
    rejected_over_accepted(&arguments)?;
    growth::run(&arguments)
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
            let sides = vec![
                ("ours", whole(&arguments, &ready, Worker::Ours)),
                (peer, whole(&arguments, &ready, Worker::Stack)),
            ];
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
        let mut sides = vec![
            ("ours", whole(arguments, ready, Worker::Ours)),
            ("stack", whole(arguments, ready, Worker::Stack)),
        ];
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

/// What a payload with one fault takes, against the same without it.
fn rejected_over_accepted(arguments: &Arguments) -> Result<()> {
    const NAME: &str = "rejected-over-accepted";
    if !arguments.wants(NAME) {
        return Ok(());
    }
    let (rejected, accepted) = (Ready::named("rejected-1")?, Ready::named("employee")?);
    let mut sides = [whole(arguments, &rejected, Worker::Ours), whole(arguments, &accepted, Worker::Ours)];
    let times = all_in_turn(ROUNDS, &mut sides)?;
    let [ours, peer] = <[f64; 2]>::try_from(times).ok().context("two sides take two times")?;
    line(NAME, Compared { ours: ours * 1e6, peer: peer * 1e6 }, "employee", "µs");
    Ok(())
}

/// Works on a case so often, and prints how many resources that were.
///
/// What one of them takes is the difference of two runs by the difference of what they print: what
/// every run does once drops out.
fn count(case: &str, times: usize, worker: Worker) -> Result<()> {
    let ready = Ready::named(case)?;
    for _ in 0..times {
        ready.work(worker);
    }
    println!("{}", times * ready.resources());
    Ok(())
}

fn whole<'r>(arguments: &Arguments, ready: &'r Ready, worker: Worker) -> Side<'r> {
    side(arguments.turn(), move || {
        ready.work(worker);
        Ok(())
    })
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
