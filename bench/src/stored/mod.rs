//! What a request costs beside little and beside much that is stored.

mod cases;
mod fill;
mod server;
#[cfg(test)]
mod steps;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use self::cases::{Case, Kind};
pub use self::fill::{SCHEMA, Size, fill};
use self::server::Server;
use crate::measure::{Side, all_in_turn, seconds, seconds_each};

/// What a request may cost at the most beside much, where it costs one beside little.
const MOST: f64 = 1.5;

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// What is little.
    pub small: Size,
    /// What is much.
    pub large: Size,
    /// How often each side has its turn.
    rounds: usize,
    /// How long one takes at least.
    turn: Duration,
}

impl Sizes {
    /// A thousand resources, and a million.
    pub const WHOLE: Self = Self {
        rounds: 9,
        turn: Duration::from_millis(12),
        ..Self::QUICK.beside(Size { resources: 1_000_000, scopes: 1_000 })
    };
    /// A thousand resources, and ten thousand; each request once, to see that it works.
    pub const QUICK: Self = Self {
        small: Size { resources: 1_000, scopes: 10 },
        large: Size { resources: 10_000, scopes: 100 },
        rounds: 1,
        turn: Duration::ZERO,
    };

    const fn beside(self, large: Size) -> Self {
        Self { large, ..self }
    }
}

/// Fills both databases below `directory`, measures a server on each in turn, and prints a table.
///
/// # Errors
///
/// What goes wrong on the way. That something costs too much is no error, but said.
pub fn run(program: &Path, directory: &Path, sizes: Sizes) -> Result<()> {
    fs::create_dir_all(directory)?;
    let room = Room::new(directory)?;
    let mut databases = Vec::new();
    for (name, size) in [("small", sizes.small), ("large", sizes.large)] {
        let path = room.0.join(format!("{name}.db"));
        let (filling, ()) = (seconds(|| fill(&path, size))?, ());
        let bytes = fs::metadata(&path)?.len();
        println!(
            "{name}: {} resources, {} changes, {} scopes, {} MB; filled in {filling:.1} s",
            size.resources,
            size.changes(),
            size.scopes + 2,
            bytes / 1_000_000
        );
        databases.push((path, size));
    }
    // When both are filled: a server does not wait that long for a client to go on.
    let mut sites = databases
        .into_iter()
        .map(|(path, size)| Ok((Server::start(program, &path)?, size)))
        .collect::<Result<Vec<_>>>()?;
    let [small, large] = sites.as_mut_slice() else { bail!("there are two databases") };
    let mut table = Table::default();
    for case in cases::pages().into_iter().chain(cases::writes()) {
        let ratio = compare(&case, &sizes, small, large).with_context(|| case.name.clone())?;
        table.add(&case, ratio);
    }
    table.finish();
    Ok(())
}

/// The milliseconds that a case takes on either.
fn compare(
    case: &Case,
    sizes: &Sizes,
    (small, small_size): &mut (Server, Size),
    (large, large_size): &mut (Server, Size),
) -> Result<[f64; 2]> {
    let mut sides: Vec<Side<'_>> =
        vec![side(case, sizes.turn, small, *small_size)?, side(case, sizes.turn, large, *large_size)?];
    let medians = all_in_turn(sizes.rounds, &mut sides)?;
    let [small, large] = medians.as_slice() else { bail!("two sides have two medians") };
    Ok([small * 1e3, large * 1e3])
}

fn side<'s>(case: &'s Case, turn: Duration, server: &'s mut Server, size: Size) -> Result<Side<'s>> {
    Ok(match &case.kind {
        Kind::Page(target) => {
            let target = server.page(target, size)?;
            let answer = server.get(&target)?;
            ensure!(answer.contains("\"items\":["), "{target}: {answer}");
            Box::new(move || seconds_each(turn, || server.get(&target).map(|_| ())))
        }
        Kind::Event => {
            let mut number = 0;
            Box::new(move || {
                seconds_each(turn, || {
                    number += 1;
                    let body = format!(r#"{{"id":"event-{}","at":{number},"note":"n"}}"#, number % 100);
                    server.ingest("event/t0", &body).map(|_| ())
                })
            })
        }
        Kind::Bulk(items) => {
            let items: Vec<_> = (0..*items)
                .map(|item| format!(r#"{{"id":"item-{item:05}","at":{item},"note":"n"}}"#))
                .collect();
            let body = format!("[{}]", items.join(","));
            let target = "bulk-event/t0?groupKey=bulk";
            server.ingest(target, &body)?;
            Box::new(move || {
                seconds(|| {
                    let answer = server.ingest(target, &body)?;
                    ensure!(answer.contains("\"modified\":0"), "{answer}");
                    Ok(())
                })
            })
        }
    })
}

/// The lines of a report: each family's middle and worst, and all that cost too much.
#[derive(Default)]
struct Table {
    families: Vec<(&'static str, Vec<(f64, String)>)>,
    exceeding: Vec<String>,
    cases: usize,
}

impl Table {
    fn add(&mut self, case: &Case, [small, large]: [f64; 2]) {
        let ratio = large / small;
        let line = format!("{:<78} {small:>8.2} {large:>8.2} {ratio:>6.2}", case.name);
        println!("growth-of-store {line}");
        if ratio > MOST {
            self.exceeding.push(line.clone());
        }
        self.cases += 1;
        match self.families.iter_mut().find(|(family, _)| *family == case.family) {
            Some((_, lines)) => lines.push((ratio, line)),
            None => self.families.push((case.family, vec![(ratio, line)])),
        }
    }

    fn finish(mut self) {
        println!("\n| requests | cases | median ratio | worst ratio | the worst: small ms, large ms |");
        println!("| --- | --- | --- | --- | --- |");
        for (family, lines) in &mut self.families {
            lines.sort_by(|one, other| one.0.total_cmp(&other.0));
            let (Some(middle), Some(worst)) = (lines.get(lines.len() / 2), lines.last()) else { continue };
            let words: Vec<_> = worst.1.split_whitespace().collect();
            println!(
                "| {family} | {} | {:.2} | {:.2} | {} |",
                lines.len(),
                middle.0,
                worst.0,
                words.join(" ")
            );
        }
        println!("\n{} of {} cases cost more than {MOST} times as much", self.exceeding.len(), self.cases);
        for line in self.exceeding {
            println!("exceeds {line}");
        }
    }
}

/// A directory that goes away with its databases.
struct Room(PathBuf);

impl Room {
    fn new(parent: &Path) -> Result<Self> {
        let directory = parent.join(format!("growth-{}", std::process::id()));
        fs::create_dir(&directory)?;
        Ok(Self(directory))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What is left of it is below `target/`.
        let _ = fs::remove_dir_all(&self.0);
    }
}
