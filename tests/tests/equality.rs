//! One corpus through every host, and every answer compared byte by byte: the native core, the core
//! as WebAssembly on two engines, the native server, the service on libSQL, and the component.
//!
//! `TIDEGATE_EQUALITY_SEED` and `TIDEGATE_EQUALITY_CASES` ask for another and a larger corpus.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;

use libtest_mimic::{Arguments, Failed, Trial};
use tidegate_tests::corpus::gate::{self as questions, Question};
use tidegate_tests::corpus::script::{LANES, Step, script};
use tidegate_tests::corpus::talk::{self, Heard};
use tidegate_tests::corpus::tally::Tally;
use tidegate_tests::corpus::{ASKED, Corpus};
use tidegate_tests::gate::{self, Gate, Native, SharedGate};
use tidegate_tests::http::Fault;
use tidegate_tests::http::libsql::{self, LibsqlServer};
use tidegate_tests::http::native::NativeServer;
use tidegate_tests::http::spin::{self, SpinServer};

/// How many differences are written out.
const SHOWN: usize = 5;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let hosts = match gate::hosts() {
        Ok(hosts) => hosts,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let run = Arc::new(Run::default());
    let mut trials = vec![run.trial("the-corpus-says-something", false, |run| run.corpus_says_something())];
    for host in hosts.into_iter().filter(|host| host.name != Native.name()) {
        if let Err(reason) = &host.gate {
            println!("the host `{}` is skipped: {reason}", host.name);
        }
        let name = format!("gate::{}", host.name);
        trials
            .push(run.trial(&name, host.gate.is_err(), move |run| run.gate(host.name, &host.gate.clone()?)));
    }
    trials.push(run.trial("http::native", false, Run::native_server));
    let program = libsql::program().err();
    if let Some(reason) = &program {
        println!("the host `libsql` is skipped: {reason}");
    }
    trials.push(run.trial("http::libsql", program.is_some(), Run::libsql_server));
    let component = spin::component().err();
    if let Some(reason) = &component {
        println!("the host `spin` is skipped: {reason}");
    }
    trials.push(run.trial("http::spin", component.is_some(), Run::spin_server));
    let conclusion = libtest_mimic::run(&arguments, trials);
    let summary = run.summary.lock().unwrap_or_else(PoisonError::into_inner);
    if !summary.is_empty() {
        let lines: Vec<&str> = summary.values().map(String::as_str).collect();
        println!("equality: {}", lines.join("; "));
    }
    conclusion.exit_code()
}

/// What the trials share. Each part is made by the first that needs it.
#[derive(Default)]
struct Run {
    corpus: Made<Corpus>,
    questions: Made<Vec<Question>>,
    native_gate: Made<Vec<Vec<u8>>>,
    lanes: [Lane; LANES],
    /// What each trial has to say, by its name.
    summary: Mutex<BTreeMap<String, String>>,
}

/// A part of the corpus as requests, and what the native server says of them.
#[derive(Default)]
struct Lane {
    script: Made<Vec<Step>>,
    native: Made<Vec<Heard>>,
}

type Made<T> = OnceLock<Result<T, Fault>>;

fn made<T>(place: &Made<T>, make: impl FnOnce() -> Result<T, Fault>) -> Result<&T, Fault> {
    place.get_or_init(make).as_ref().map_err(Clone::clone)
}

impl Run {
    fn trial(
        self: &Arc<Self>,
        name: &str,
        skipped: bool,
        test: impl FnOnce(&Self) -> Result<(), Fault> + Send + 'static,
    ) -> Trial {
        let run = Arc::clone(self);
        let test = move || test(&run).map_err(Failed::from);
        Trial::test(format!("equality/{name}"), test).with_ignored_flag(skipped)
    }

    fn corpus(&self) -> Result<&Corpus, Fault> {
        made(&self.corpus, Corpus::load)
    }

    fn questions(&self) -> Result<&Vec<Question>, Fault> {
        made(&self.questions, || Ok(questions::questions(self.corpus()?)))
    }

    fn native_gate(&self) -> Result<&Vec<Vec<u8>>, Fault> {
        made(&self.native_gate, || questions::answers(self.questions()?, &mut Native))
    }

    fn script(&self, lane: usize) -> Result<&[Step], Fault> {
        let place = self.lanes.get(lane).ok_or("there is no such lane")?;
        made(&place.script, || Ok(script(self.corpus()?, lane))).map(Vec::as_slice)
    }

    fn native_answers(&self, lane: usize) -> Result<&[Heard], Fault> {
        let place = self.lanes.get(lane).ok_or("there is no such lane")?;
        let talk = || talk::talk(self.script(lane)?, &mut NativeServer::start(1)?.client());
        made(&place.native, talk).map(Vec::as_slice)
    }

    fn says(&self, trial: &str, line: String) {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner).insert(trial.to_owned(), line);
    }

    /// What the run found different, with what makes it found again.
    fn outcome(
        &self,
        trial: &str,
        begun: Instant,
        (asked, compared): (usize, usize),
        different: &[String],
    ) -> Result<(), Fault> {
        let (differ, took) = (different.len(), begun.elapsed());
        let line = format!("{trial}: {asked} requests, {compared} compared, {differ} differ, {took:.0?}");
        self.says(trial, line);
        if different.is_empty() {
            return Ok(());
        }
        let corpus = self.corpus()?;
        let shown: Vec<_> = different.iter().take(SHOWN).map(String::as_str).collect();
        Err(format!(
            "{} answers differ; {}={} {}={}\n{}",
            different.len(),
            ASKED.0,
            corpus.seed,
            ASKED.1,
            corpus.generated,
            shown.join("\n")
        ))
    }

    /// A corpus whose payloads all fail for one reason would agree everywhere and show nothing.
    fn corpus_says_something(&self) -> Result<(), Fault> {
        let tally = Tally::of(self.questions()?, self.native_gate()?);
        self.says("corpus", tally.to_string());
        if !self.corpus()?.is_default() {
            return Ok(());
        }
        let share = |[yes, no]: [u64; 2]| yes * 100 / (yes + no).max(1);
        let floors = [
            ("schemas", tally.schemas.iter().sum(), 2000),
            ("valid schemas in a hundred", share(tally.schemas), 60),
            ("invalid schemas in a hundred", 100 - share(tally.schemas), 15),
            ("payloads", tally.payloads.iter().sum(), 6000),
            ("accepted payloads in a hundred", share(tally.payloads), 45),
            ("rejected payloads in a hundred", 100 - share(tally.payloads), 35),
            ("accepted bulks in a hundred", share(tally.bulks), 60),
            ("plans", tally.plans[0], 700),
            ("codes of schemas", tally.schema_codes.len() as u64, 20),
            ("codes of problems", tally.problem_codes.len() as u64, 6),
            ("codes of violations", tally.violation_codes.len() as u64, 21),
        ];
        let low = floors.iter().filter(|(_, found, least)| found < least);
        let low: Vec<String> =
            low.map(|(what, found, least)| format!("{what}: {found}, at least {least}")).collect();
        if low.is_empty() { Ok(()) } else { Err(format!("{}\n{tally:#?}", low.join("\n"))) }
    }

    fn gate(&self, host: &str, gate: &SharedGate) -> Result<(), Fault> {
        let begun = Instant::now();
        let questions = self.questions()?;
        let found = gate::with(gate, |gate| questions::answers(questions, gate))?;
        let native = self.native_gate()?;
        let different: Vec<String> = questions
            .iter()
            .zip(native.iter().zip(&found))
            .filter_map(|(question, (native, found))| questions::difference(question, native, found))
            .collect();
        self.outcome(&format!("gate::{host}"), begun, (questions.len(), questions.len()), &different)
    }

    fn native_server(&self) -> Result<(), Fault> {
        let begun = Instant::now();
        let lanes = in_lanes(|lane| {
            let (script, answers) = (self.script(lane)?, self.native_answers(lane)?);
            let pairs = script.iter().zip(answers);
            let different: Vec<String> =
                pairs.filter_map(|(step, heard)| talk::unlike_the_core(step, heard)).collect();
            let expected = script.iter().filter(|step| step.expected.is_some()).count();
            Ok((script.len(), expected, different))
        })?;
        let requests: usize = lanes.iter().map(|(requests, ..)| requests).sum();
        let expected = lanes.iter().map(|(_, expected, _)| expected).sum();
        let different: Vec<String> = lanes.into_iter().flat_map(|(.., different)| different).collect();
        self.outcome("http::native", begun, (requests, expected), &different)
    }

    fn libsql_server(&self) -> Result<(), Fault> {
        self.like_native("http::libsql", |script| {
            let server = LibsqlServer::start()?;
            talk::talk(script, &mut server.client())
        })
    }

    fn spin_server(&self) -> Result<(), Fault> {
        self.like_native("http::spin", |script| {
            let server = SpinServer::start(1)?;
            talk::talk(script, &mut server.client())
        })
    }

    /// Whether another server answers as the native one does.
    fn like_native(
        &self,
        trial: &str,
        talk: impl Fn(&[Step]) -> Result<Vec<Heard>, Fault> + Sync,
    ) -> Result<(), Fault> {
        let begun = Instant::now();
        let lanes = in_lanes(|lane| {
            let script = self.script(lane)?;
            let answers = talk(script)?;
            let pairs = self.native_answers(lane)?.iter().zip(&answers);
            let different: Vec<String> = script
                .iter()
                .zip(pairs)
                .filter_map(|(step, (native, found))| talk::difference(step, native, found))
                .collect();
            Ok((script.len(), different))
        })?;
        let requests = lanes.iter().map(|(requests, _)| requests).sum();
        let different: Vec<String> = lanes.into_iter().flat_map(|(_, different)| different).collect();
        self.outcome(trial, begun, (requests, requests), &different)
    }
}

/// Does the same for each lane, side by side: most of the time goes by until a disk has written.
fn in_lanes<T: Send>(f: impl Fn(usize) -> Result<T, Fault> + Sync) -> Result<Vec<T>, Fault> {
    let f = &f;
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|lane| scope.spawn(move || f(lane))).collect();
        let joined =
            lanes.into_iter().map(|lane| lane.join().unwrap_or_else(|_| Err("a lane panicked".into())));
        joined.collect()
    })
}
