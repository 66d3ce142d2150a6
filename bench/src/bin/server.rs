//! `cargo xtask bench server`: the native server under load, beside what a user would write, and beside
//! what the databases take without a server.
//!
//! Everything runs on this machine, and the sides take turns: a server that has no requests takes no time.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use tidegate_bench::data::{employee, servers};
use tidegate_bench::measure::{Compared, line, median};
use tidegate_bench::server::inserts::Sqlite;
use tidegate_bench::server::load::{Load, Measured};
use tidegate_bench::server::messages::Requests;
use tidegate_bench::server::processes::{Server, processor_seconds};

/// The connections of the cases.
const CONNECTIONS: [usize; 3] = [1, 16, 256];
const MOST_CONNECTIONS: usize = 256;
/// How many events a transaction has where they are grouped.
const GROUPS: [usize; 2] = [64, 256];
/// The resources of a bulk: just less than 4 MiB.
const RESOURCES: usize = 18_000;
/// No turn sends more.
const MOST_REQUESTS: usize = 1_000_000;

#[derive(Parser)]
struct Arguments {
    /// The binary `tidegate`
    #[arg(long)]
    tidegate: PathBuf,
    /// What a user would write; without it, ours is measured alone
    #[arg(long)]
    fastify: Option<PathBuf>,
    /// Where the databases are; on a disk, or syncing says nothing
    #[arg(long)]
    directory: PathBuf,
    /// Only see that all of it works
    #[arg(long)]
    quick: bool,
}

/// How long and how often things are measured.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    turn: Duration,
}

/// What is measured.
struct Side {
    name: &'static str,
    server: Server,
    /// The number of the next event that nobody has sent.
    next: RefCell<usize>,
}

/// What all turns of a side found.
#[derive(Default)]
struct Found {
    rates: Vec<f64>,
    measured: Measured,
    server_seconds: f64,
    own_seconds: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let effort = if arguments.quick {
        Effort { rounds: 1, turn: Duration::from_millis(400) }
    } else {
        Effort { rounds: 5, turn: Duration::from_secs(2) }
    };
    std::fs::create_dir_all(&arguments.directory)?;
    let directory = tempfile::tempdir_in(&arguments.directory)?;
    let sides = start(&arguments, directory.path())?;
    let mut goals = Goals::default();

    let mut top = f64::NAN;
    for connections in CONNECTIONS {
        let found = added(&sides, connections, effort)?;
        report(&format!("events-{connections}"), &sides, &found);
        if let [ours, rest @ ..] = &*found {
            top = ours.rate();
            if let (MOST_CONNECTIONS, [peer, ..]) = (connections, rest) {
                goals.at_least("events at 256 connections beside Fastify's", ours.rate() / peer.rate(), 5.0);
            }
        }
    }
    for what in ["modified", "unchanged"] {
        let found = again(&sides, what, effort)?;
        report(&format!("events-{what}-{MOST_CONNECTIONS}"), &sides, &found);
    }
    paced(&sides, top / 2.0, effort, &mut goals)?;
    bulks(&sides, effort, &mut goals)?;
    inserts(&arguments, directory.path(), effort, top, &mut goals)?;
    goals.print();
    Ok(())
}

fn start(arguments: &Arguments, directory: &Path) -> Result<Vec<Side>> {
    let database = format!("sqlite:{}", directory.join("tidegate.db").display());
    let ours = Server::tidegate(&arguments.tidegate, &database, directory)?;
    let mut sides = vec![Side { name: "ours", server: ours, next: RefCell::new(0) }];
    if let Some(script) = &arguments.fastify {
        let server = Server::fastify(script, directory)?;
        sides.push(Side { name: "fastify", server, next: RefCell::new(0) });
    }
    Ok(sides)
}

impl Side {
    /// The numbers of events that nobody has sent, from the one that is given on.
    fn new_numbers(&self, sent: usize) {
        *self.next.borrow_mut() += sent;
    }

    fn load<'r>(&'r self, requests: Requests<'r>, statuses: &'r [u16]) -> Load<'r> {
        Load {
            address: self.server.address,
            connections: 1,
            time: Duration::from_secs(60),
            most: MOST_REQUESTS,
            pace: None,
            requests,
            first: 0,
            statuses,
        }
    }

    fn requests<'r>(&'r self, target: &'r str, body: &'r dyn Fn(usize, &mut Vec<u8>)) -> Requests<'r> {
        Requests { target, key: &self.server.key, body }
    }
}

impl Found {
    /// Measures one turn, and who takes how much of the processors meanwhile.
    fn turn(&mut self, side: &Side, load: &Load<'_>) -> Result<usize> {
        let used = || [side.server.pid(), std::process::id()].map(processor_seconds);
        let before = used();
        let measured = load.run()?;
        let after = used();
        let [server, own] = [0, 1].map(|at| match (before.get(at), after.get(at)) {
            (Some(Some(before)), Some(Some(after))) => after - before,
            _ => f64::NAN,
        });
        self.server_seconds += server;
        self.own_seconds += own;
        self.rates.push(measured.per_second);
        let sent = measured.sent;
        self.measured.add(measured);
        Ok(sent)
    }

    fn rate(&self) -> f64 {
        median(self.rates.clone())
    }
}

/// All sides in turn.
fn in_turn(
    sides: &[Side],
    rounds: usize,
    mut turn: impl FnMut(&Side, &mut Found) -> Result<()>,
) -> Result<Vec<Found>> {
    let mut found: Vec<Found> = sides.iter().map(|_| Found::default()).collect();
    for _ in 0..rounds {
        for (side, found) in sides.iter().zip(&mut found) {
            turn(side, found)?;
        }
    }
    Ok(found)
}

/// Events with resources that are not there yet.
fn added(sides: &[Side], connections: usize, effort: Effort) -> Result<Vec<Found>> {
    let body = |number, body: &mut Vec<u8>| write_employee(number, 0, body);
    in_turn(sides, effort.rounds, |side, found| {
        let first = *side.next.borrow();
        let load = side.load(side.requests("event/employee", &body), &[201]);
        let sent = found.turn(side, &Load { connections, first, time: effort.turn, ..load })?;
        side.new_numbers(sent);
        Ok(())
    })
}

/// Events with resources that are there, changed or as they are.
fn again(sides: &[Side], what: &str, effort: Effort) -> Result<Vec<Found>> {
    let mut round = 0;
    in_turn(sides, effort.rounds, |side, found| {
        let there = *side.next.borrow();
        round += usize::from(what == "modified");
        let raise = round;
        let body = move |number: usize, body: &mut Vec<u8>| write_employee(number % there, raise, body);
        let load = side.load(side.requests("event/employee", &body), &[200]);
        // Not more than there are: one that is sent twice does not change twice.
        let most = if what == "modified" { there } else { MOST_REQUESTS };
        let load = Load { connections: MOST_CONNECTIONS, time: effort.turn, most, ..load };
        found.turn(side, &load)?;
        Ok(())
    })
}

/// How long events take at half of what our server can take.
fn paced(sides: &[Side], pace: f64, effort: Effort, goals: &mut Goals) -> Result<()> {
    let body = |number, body: &mut Vec<u8>| write_employee(number, 0, body);
    let ours = sides.get(..1).unwrap_or_default();
    let found = in_turn(ours, effort.rounds, |side, found| {
        let first = *side.next.borrow();
        let load = side.load(side.requests("event/employee", &body), &[201]);
        let (connections, pace) = (MOST_CONNECTIONS, Some(pace));
        let sent = found.turn(side, &Load { connections, first, time: effort.turn, pace, ..load })?;
        side.new_numbers(sent);
        Ok(())
    })?;
    for found in found {
        let (middle, high) = (found.measured.milliseconds(500), found.measured.milliseconds(990));
        println!("bench events-{MOST_CONNECTIONS}-half p50={middle:.2} p99={high:.2} at={pace:.0}/s unit=ms");
        goals.at_most("p99 of events at half the top rate, in ms", high, 20.0);
    }
    Ok(())
}

/// Bulks into a scope that is empty, and then as it is.
fn bulks(sides: &[Side], effort: Effort, goals: &mut Goals) -> Result<()> {
    let text = servers(RESOURCES);
    let body = |_, body: &mut Vec<u8>| body.extend(text.as_bytes());
    let mut found: [Vec<Found>; 2] = [0, 1].map(|_| sides.iter().map(|_| Found::default()).collect());
    for round in 0..effort.rounds {
        for (at, side) in sides.iter().enumerate() {
            let target = format!("bulk-event/server?groupKey={round}");
            let load = Load { most: 1, ..side.load(side.requests(&target, &body), &[200]) };
            for found in &mut found {
                if let Some(found) = found.get_mut(at) {
                    found.turn(side, &load)?;
                }
            }
        }
    }
    for (name, found) in ["bulk-4MiB-first", "bulk-4MiB-unchanged"].into_iter().zip(&found) {
        let milliseconds = |found: &Found| found.measured.milliseconds(500);
        match &**found {
            [ours, peer, ..] => {
                let compared = Compared { ours: milliseconds(ours), peer: milliseconds(peer) };
                line(name, compared, "fastify", "ms");
                let goal = format!("{name} beside Fastify's");
                goals.at_least(&goal, compared.peer / compared.ours, 4.0);
            }
            [ours] => println!("bench {name} ours={:.2} unit=ms", milliseconds(ours)),
            [] => {}
        }
    }
    Ok(())
}

/// What the database takes at most, in a file that the server has made.
fn inserts(
    arguments: &Arguments,
    directory: &Path,
    effort: Effort,
    top: f64,
    goals: &mut Goals,
) -> Result<()> {
    let file = directory.join("inserts.db");
    drop(Server::tidegate(&arguments.tidegate, &format!("sqlite:{}", file.display()), directory)?);
    let mut sqlite = Sqlite::open(&file)?;
    let mut best = 0.0;
    for group in [1].into_iter().chain(GROUPS) {
        let rates = (0..effort.rounds).map(|_| sqlite.per_second(effort.turn, group));
        let peer = median(rates.collect::<Result<_>>()?);
        let name = format!("events-{MOST_CONNECTIONS}-beside-groups-of-{group}");
        line(&name, Compared { ours: top, peer }, "inserts", "events/s");
        if peer > best {
            best = peer;
        }
    }
    goals.at_least("events at 256 connections beside prepared inserts in groups", top / best, 0.5);
    Ok(())
}

/// An employee as a request's body; `raise` makes it another one.
fn write_employee(number: usize, raise: usize, body: &mut Vec<u8>) {
    let mut employee = employee(number);
    if let Some(salary) = employee.get_mut("salary").filter(|_| raise > 0) {
        *salary = (10_000 + raise).into();
    }
    // Writing into memory does not fail.
    let _ = serde_json::to_writer(body, &employee);
}

fn report(name: &str, sides: &[Side], found: &[Found]) {
    if let [ours, peer, ..] = found {
        line(name, Compared { ours: ours.rate(), peer: peer.rate() }, "fastify", "events/s");
    } else if let [ours] = found {
        println!("bench {name} ours={:.2} unit=events/s", ours.rate());
    }
    for (side, found) in sides.iter().zip(found) {
        let each = |seconds: f64| seconds * 1e6 / found.measured.sent as f64;
        println!(
            "      {name} {}: p50 {:.2} ms, p99 {:.2} ms; of the processors an event takes {:.0} µs there and {:.0} here",
            side.name,
            found.measured.milliseconds(500),
            found.measured.milliseconds(990),
            each(found.server_seconds),
            each(found.own_seconds),
        );
    }
}

/// What the product is meant to reach, and what it has.
#[derive(Default)]
struct Goals(Vec<String>);

impl Goals {
    fn at_least(&mut self, what: &str, found: f64, goal: f64) {
        self.add(what, found, "at least", goal, found >= goal);
    }

    fn at_most(&mut self, what: &str, found: f64, goal: f64) {
        self.add(what, found, "at most", goal, found <= goal);
    }

    fn add(&mut self, what: &str, found: f64, how: &str, goal: f64, holds: bool) {
        let verdict = if holds { "holds" } else { "does not hold" };
        self.0.push(format!("goal {what}: {found:.2}, {how} {goal}: {verdict}"));
    }

    fn print(&self) {
        for goal in &self.0 {
            println!("{goal}");
        }
    }
}
