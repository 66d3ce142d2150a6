//! The server is killed while it writes, again and again, and nothing that it answered may be lost.
//!
//! A round: several connections send singles, bulks and deletes to scopes that they share, one manages
//! tables, integrations, keys and groups, and one reads the feed. At some moment the server gets
//! `kill -9`; or PostgreSQL does, with all its processes, under a server that goes on. Then both run
//! again over the same database, and it is checked that
//!
//! * each request that was answered 2xx is in the feed as the answer says, and the rest of it whole or not
//!   at all: after a bulk's changes the scope is the bulk;
//! * the feed goes on from what readers saw before the kill, in commits that are numbered from 0, each of
//!   one request, no request twice, and none before one that had ended when it began;
//! * each change fits on what was there before it, and the state that they lead to is what the manifests
//!   and the resources say, with digests that the gate gives to these payloads;
//! * what was answered without a change was so at some moment while the request was under way;
//! * tables, integrations, keys and groups are those that were created and not deleted; revoked keys open
//!   nothing, retired names are refused.
//!
//! What is sent and when it is interrupted follows from a seed; how far the server has come by then does
//! not.

mod check;
mod load;
mod server;
mod things;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use check::Ledger;
use load::{Outcome, Round, Sent, Target, Ticks, Wish};
use things::Things;

pub use server::{SERVER, Tidegate, program, serve};

use crate::http::Fault;
use crate::numbers::Numbers;
use crate::postgres::{self, Durability, PostgresCluster};

/// How long the server may need to work again after PostgreSQL does.
const RECOVERY: Duration = Duration::from_secs(20);

/// Where the server keeps its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// A SQLite file of its own.
    Sqlite,
    /// A PostgreSQL of its own, which is killed at times, too.
    Postgres,
    /// A PostgreSQL of its own that answers before it has written, and is killed each time: to see that
    /// it shows.
    Forgetful,
    /// The database of that URL. It is empty, and its server is left alone.
    Url(String),
}

impl std::str::FromStr for Store {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" => Ok(Self::Postgres),
            url if url.contains(':') => Ok(Self::Url(url.to_owned())),
            _ => Err("a store is `sqlite`, `postgres` or the URL of an empty database".into()),
        }
    }
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// A program that serves as `tidegate serve` does.
    pub server: PathBuf,
    /// Where the server keeps its state.
    pub store: Store,
    /// How often something is killed.
    pub kills: u32,
    /// What all choices follow from.
    pub seed: u64,
    /// How many connections write.
    pub writers: u64,
    /// The longest that the load may go on before a kill.
    pub longest: Duration,
    /// The whole feed, and all that was ever deleted, is looked at after so many kills, and at the end.
    pub whole_every: u32,
    /// Whether each kill is printed.
    pub verbose: bool,
}

/// What was done, and what was found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// How often the server was killed.
    pub server_kills: u32,
    /// How often it was killed while it started, besides.
    pub start_kills: u32,
    /// How often PostgreSQL was killed, or stopped.
    pub database_kills: u32,
    /// How often of these it was stopped, which cuts connections and loses nothing either.
    pub database_stops: u32,
    /// How many requests were answered 2xx, by what they asked for.
    pub answered: BTreeMap<&'static str, u64>,
    /// How many ingest requests were not answered, and turned out to be done, and not to be done.
    pub unanswered: [u64; 2],
    /// How many changes the feed has.
    pub changes: usize,
    /// How many deleted things were looked for in vain.
    pub buried: usize,
    /// Requests that were answered and whose effect was gone.
    pub lost: u64,
    /// The longest that the server took to work again after PostgreSQL did.
    pub longest_recovery: Duration,
    /// The longest that the server took to start.
    pub longest_start: Duration,
    /// How long everything took.
    pub took: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "kills        {} of the server, {} while it started, {} of PostgreSQL (of which {} were fast stops)",
            self.server_kills, self.start_kills, self.database_kills, self.database_stops
        )?;
        for (kind, count) in &self.answered {
            writeln!(f, "answered     {count} {kind}")?;
        }
        let [done, not] = self.unanswered;
        writeln!(f, "unanswered   {} of which {done} were done, whole, and {not} not at all", done + not)?;
        writeln!(f, "changes      {}", self.changes)?;
        writeln!(f, "buried       {} things that stay dead", self.buried)?;
        writeln!(f, "starts       {} ms at the longest", self.longest_start.as_millis())?;
        if self.database_kills > 0 {
            writeln!(f, "recoveries   {} ms at the longest", self.longest_recovery.as_millis())?;
        }
        writeln!(f, "lost         {}", self.lost)?;
        write!(f, "took         {:.0} s", self.took.as_secs_f64())
    }
}

/// Kills and checks, up to the first thing that is wrong.
///
/// # Errors
///
/// Something is wrong: with the seed, and with where the database is left for a look.
pub fn run(options: &Options) -> Result<Report, Fault> {
    let begun = Instant::now();
    let directory =
        tempfile::Builder::new().prefix("tidegate-crash-").tempdir().map_err(|e| e.to_string())?;
    let cluster = match options.store {
        Store::Postgres => Some(PostgresCluster::new(Durability::Full)?),
        Store::Forgetful => Some(PostgresCluster::new(Durability::None)?),
        Store::Sqlite | Store::Url(_) => None,
    };
    let database = match (&options.store, &cluster) {
        (Store::Url(url), _) => url.clone(),
        (_, Some(cluster)) => cluster.fresh_database()?,
        (_, None) => format!("sqlite:{}", directory.path().join("tidegate.db").display()),
    };
    let mut run = Run {
        options,
        cluster,
        database,
        report: Report::default(),
        ledger: Ledger::new()?,
        things: Things::default(),
        ticks: Ticks::default(),
        targets: Vec::new(),
        numbers: Numbers::new(options.seed),
    };
    let outcome = run.all();
    let mut report = run.report;
    report.lost = run.ledger.lost;
    report.unanswered = run.ledger.unanswered;
    report.changes = run.ledger.changes();
    report.buried = run.things.buried();
    for (kind, count) in run.things.answered {
        *report.answered.entry(kind).or_default() += count;
    }
    report.took = begun.elapsed();
    match outcome {
        Ok(()) => Ok(report),
        Err(fault) => {
            let kills = report.server_kills + report.database_kills;
            // A cluster's files end with it.
            let kept = (options.store == Store::Sqlite).then(|| directory.keep());
            let kept = kept.map(|kept| format!("\nfiles: {}", kept.display())).unwrap_or_default();
            Err(format!("seed {}, kill {kills}: {fault}{kept}\n{report}", options.seed))
        }
    }
}

struct Run<'a> {
    options: &'a Options,
    cluster: Option<PostgresCluster>,
    database: String,
    report: Report,
    ledger: Ledger,
    things: Things,
    ticks: Ticks,
    targets: Vec<Target>,
    numbers: Numbers,
}

/// What a round's threads bring home.
struct Brought {
    sent: Vec<Sent>,
    seen: Vec<crate::feed::Change>,
}

impl Run<'_> {
    fn all(&mut self) -> Result<(), Fault> {
        // The tables are made by a server that is killed meanwhile.
        for _ in 0..3 {
            self.kill_while_starting()?;
        }
        let mut server = self.start()?;
        self.targets = self.things.declare(&mut server.speaker(""))?;
        for kill in 1..=self.options.kills {
            let of_database = match self.options.store {
                Store::Forgetful => true,
                _ => self.cluster.is_some() && self.numbers.percent(40),
            };
            let brought = if of_database {
                self.report.database_kills += 1;
                self.round_with_database_kill(&mut server)?
            } else {
                self.report.server_kills += 1;
                self.round_with_server_kill(&mut server)?
            };
            self.count(&brought.sent);
            let last = kill == self.options.kills;
            self.check(&mut server, brought, last || kill % self.options.whole_every.max(1) == 0)?;
            if self.options.verbose {
                let who = if of_database { "PostgreSQL" } else { "the server" };
                println!("kill {kill} of {who}: {} changes", self.ledger.changes());
            }
        }
        Ok(())
    }

    fn start(&mut self) -> Result<Tidegate, Fault> {
        let begun = Instant::now();
        let server = Tidegate::start(&self.options.server, &self.database)?;
        self.report.longest_start = self.report.longest_start.max(begun.elapsed());
        Ok(server)
    }

    fn kill_while_starting(&mut self) -> Result<(), Fault> {
        self.report.start_kills += 1;
        let after = Duration::from_micros(self.numbers.below(60_000));
        Tidegate::start_and_kill(&self.options.server, &self.database, after)
    }

    /// The server dies at some moment, and is started again.
    fn round_with_server_kill(&mut self, server: &mut Tidegate) -> Result<Brought, Fault> {
        let after = self.moment();
        let mut old = Vec::new();
        let brought = self.load(server, |server, dying| {
            thread::sleep(after);
            dying.store(true, Ordering::Release);
            server.kill();
            Ok(())
        })?;
        if matches!(self.options.store, Store::Postgres | Store::Url(_))
            && self.database.starts_with("postgres")
        {
            old = postgres::sessions(&self.database)?;
        }
        if self.numbers.percent(15) {
            self.kill_while_starting()?;
        }
        *server = self.start()?;
        // What the dead server had begun, PostgreSQL may still finish.
        postgres::wait_for_end(&self.database, &old)?;
        Ok(brought)
    }

    /// PostgreSQL dies at some moment, and is started again, under a server that goes on.
    fn round_with_database_kill(&mut self, server: &mut Tidegate) -> Result<Brought, Fault> {
        let (after, pause, rest) = (self.moment(), self.moment(), self.moment());
        let Some(mut cluster) = self.cluster.take() else { return Err("there is no cluster".into()) };
        let stopped = self.options.store == Store::Postgres && self.numbers.percent(25);
        self.report.database_stops += u32::from(stopped);
        let mut recovery = Duration::ZERO;
        let brought = self.load(server, |server, _| {
            thread::sleep(after);
            if stopped {
                cluster.stop()?;
            } else {
                cluster.kill();
            }
            thread::sleep(pause);
            cluster.start()?;
            let begun = Instant::now();
            let mut speaker = server.speaker("");
            while !speaker.send("GET", "/readyz", None).is_ok_and(|answer| answer.status == 200) {
                if begun.elapsed() > RECOVERY {
                    return Err("the server does not find PostgreSQL again".into());
                }
                thread::sleep(Duration::from_millis(10));
            }
            recovery = begun.elapsed();
            // It is used again, by connections that saw it die.
            thread::sleep(rest);
            Ok(())
        });
        self.cluster = Some(cluster);
        self.report.longest_recovery = self.report.longest_recovery.max(recovery);
        brought
    }

    fn moment(&mut self) -> Duration {
        let longest = u64::try_from(self.options.longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.numbers.below(longest))
    }

    /// Lets everybody loose on a server until `end` has done what ends it.
    fn load(
        &mut self,
        server: &mut Tidegate,
        end: impl FnOnce(&mut Tidegate, &AtomicBool) -> Result<(), Fault>,
    ) -> Result<Brought, Fault> {
        let (over, dying) = (AtomicBool::new(false), AtomicBool::new(false));
        let round = Round { ticks: &self.ticks, over: &over, dying: &dying };
        let number = u64::from(self.report.server_kills + self.report.database_kills);
        let numbers = |part: u64| Numbers::nth(self.options.seed, number * 1000 + part);
        let (targets, things, last) = (&self.targets, &mut self.things, self.ledger.last());
        thread::scope(|scope| {
            let round = &round;
            let mut threads = Vec::new();
            for writer in 0..self.options.writers {
                let mut speaker = server.speaker("");
                let numbers = numbers(writer);
                threads.push(scope.spawn(move || {
                    load::write(round, &mut speaker, targets, numbers, &format!("r{number}w{writer}"))
                }));
            }
            let (mut managing, mut reading) = (server.speaker(""), server.speaker(""));
            let numbers = numbers(999);
            threads.push(
                scope.spawn(move || things.manage(round, &mut managing, numbers, &format!("r{number}m"))),
            );
            let reader = scope.spawn(move || load::follow(round, &mut reading, last));
            let ended = end(server, &dying);
            over.store(true, Ordering::Release);
            let mut sent = Vec::new();
            let mut fault = ended.err();
            for thread in threads {
                match thread.join().unwrap_or_else(|_| Err("a thread panicked".into())) {
                    Ok(all) => sent.extend(all),
                    Err(why) => fault = fault.or(Some(why)),
                }
            }
            match reader.join().unwrap_or_else(|_| Err("a thread panicked".into())) {
                Ok(seen) if fault.is_none() => return Ok(Brought { sent, seen }),
                Ok(_) => {}
                Err(why) => fault = fault.or(Some(why)),
            }
            Err(format!("{}\n{}", fault.unwrap_or_default(), server.last_words()))
        })
    }

    fn check(&mut self, server: &mut Tidegate, brought: Brought, whole: bool) -> Result<(), Fault> {
        let mut speaker = server.speaker("");
        let check = || {
            self.things.resolve(&mut speaker)?;
            self.ledger.check_round(&mut speaker, &self.things, brought.sent, &brought.seen)?;
            self.ledger.check_state(&mut speaker, &self.targets)?;
            self.things.check(&mut speaker, &mut self.numbers, whole)?;
            if whole { self.ledger.check_feed(&mut speaker) } else { Ok(()) }
        };
        check().map_err(|fault| format!("{fault}\n{}", server.last_words()))?;
        if server.has_said("panicked") {
            return Err(format!("the server panicked:\n{}", server.last_words()));
        }
        Ok(())
    }

    fn count(&mut self, sent: &[Sent]) {
        for request in sent.iter().filter(|request| matches!(request.outcome, Outcome::Answered(..))) {
            let kind = match request.wish {
                Wish::Single(..) => "singles",
                Wish::Bulk(_) => "bulks",
                Wish::Delete(_) => "deletes",
            };
            *self.report.answered.entry(kind).or_default() += 1;
        }
    }
}
