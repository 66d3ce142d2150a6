//! Each vector on each host, and each host's complete answers compared with those of this process.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use tidegate_tests::gate::{self, Gate, Host, Native};
use tidegate_tests::vector::Vector;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    match trials() {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn trials() -> Result<Vec<Trial>, String> {
    let vectors: Arc<[Vector]> = Vector::load()?.into();
    let mut trials = Vec::new();
    for host in gate::hosts()? {
        if let Err(reason) = &host.gate {
            println!("the host `{}` is skipped: {reason}", host.name);
        }
        for at in 0..vectors.len() {
            trials.extend(on_host(&vectors, at, &host));
        }
        if host.name != Native.name() {
            trials.push(same_answers(&vectors, &host));
        }
    }
    Ok(trials)
}

fn on_host(vectors: &Arc<[Vector]>, at: usize, host: &Host) -> Option<Trial> {
    let name = format!("{}::{}", vectors.get(at)?.name, host.name);
    let (vectors, gate) = (Arc::clone(vectors), host.gate.clone());
    let skipped = gate.is_err();
    let run = move || -> Result<(), Failed> {
        let vector = vectors.get(at).ok_or("no such vector")?;
        Ok(gate::with(&gate?, |gate| vector.run(gate))?)
    };
    Some(Trial::test(name, run).with_ignored_flag(skipped))
}

fn same_answers(vectors: &Arc<[Vector]>, host: &Host) -> Trial {
    let (vectors, gate) = (Arc::clone(vectors), host.gate.clone());
    let skipped = gate.is_err();
    let run = move || -> Result<(), Failed> {
        let gate = gate?;
        let mut different = Vec::new();
        for vector in vectors.iter() {
            for request in &vector.requests {
                let expected = Native.answer(request)?;
                let found = gate::with(&gate, |gate| gate.answer(request))?;
                if found != expected {
                    let text = |answer: &[u8]| -> String {
                        String::from_utf8_lossy(answer).chars().take(1000).collect()
                    };
                    different.push(format!(
                        "{}:\n  native: {}\n  here:   {}",
                        vector.name,
                        text(&expected),
                        text(&found)
                    ));
                }
            }
        }
        if different.is_empty() { Ok(()) } else { Err(different.join("\n").into()) }
    };
    Trial::test(format!("same-answers-as-native::{}", host.name), run).with_ignored_flag(skipped)
}
