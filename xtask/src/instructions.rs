//! How many instructions a payload takes, counted by callgrind.
//!
//! Times differ from run to run and from machine to machine; instructions hardly do. Valgrind stands in
//! for a processor without AVX-512, so BLAKE3 takes its way with AVX2 there, on either side.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;
use crate::{process, tools};

/// A case, and how often it is worked on in the shorter and in the longer run.
const CASES: [(&str, [u32; 2]); 2] = [("employee", [1_000, 21_000]), ("bulk-1MiB", [1, 5])];

/// Counts for the cases whose names hold `filter`, with the program `core`.
pub(crate) fn run(workspace: &Workspace, program: &Path, filter: Option<&str>) -> Result<()> {
    let names = CASES.map(|(case, times)| (format!("{case}-instructions"), case, times));
    let wanted = names.iter().filter(|(name, ..)| filter.is_none_or(|filter| name.contains(filter)));
    for (name, case, times) in wanted {
        let Some(valgrind) = tools::valgrind(workspace) else { return Ok(()) };
        let count = |side| per_resource(workspace, &valgrind, program, case, *times, side);
        let (ours, stack) = (count("ours")?, count("stack")?);
        let ratio = ours / stack;
        println!("bench {name} ours={ours:.0} peer=stack:{stack:.0} ratio={ratio:.2} unit=instructions");
    }
    Ok(())
}

/// The instructions for one resource: what the longer run takes more, by what it does more.
fn per_resource(
    workspace: &Workspace,
    valgrind: &tools::Valgrind,
    program: &Path,
    case: &str,
    times: [u32; 2],
    side: &str,
) -> Result<f64> {
    let file = workspace.target.join("xtask/callgrind.out");
    let [shorter, longer] = times.map(|times| {
        let mut command = valgrind.command();
        command.args(["--quiet", "--tool=callgrind"]);
        command.arg(format!("--callgrind-out-file={}", file.display()));
        command.arg(program).args(["--count", case, "--times", &times.to_string(), "--side", side]);
        counted(&mut command, &file)
    });
    let (shorter, longer) = (shorter?, longer?);
    ensure!(longer.resources > shorter.resources, "{case}: the longer run does no more than the shorter");
    Ok((longer.instructions - shorter.instructions) / (longer.resources - shorter.resources))
}

struct Counted {
    resources: f64,
    instructions: f64,
}

fn counted(command: &mut Command, file: &Path) -> Result<Counted> {
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let resources = process::text(command)?.trim().parse().context("the program counts no resources")?;
    let report = std::fs::read_to_string(file).context("callgrind wrote no report")?;
    let instructions = total(&report).context("callgrind's report has no total")?;
    Ok(Counted { resources, instructions })
}

/// The total of a report of callgrind.
fn total(report: &str) -> Option<f64> {
    report.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found() {
        let report = "events: Ir\n\nfn=(1) main\n1 20\n\ntotals: 12345\n";
        assert_eq!(total(report), Some(12345.0));
        assert_eq!(total("events: Ir\n"), None);
    }
}
