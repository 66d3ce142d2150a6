//! The tables of limits and codes.

use super::super::manage::{COMMAND_BYTES, DESCRIPTION, NAME};
use super::html::{code, escaped, number, rich, table};
use crate::limits;
use crate::problem::Code;
use crate::schema::ProblemCode;
use crate::violation::ViolationCode;

fn bytes(count: usize) -> String {
    const KIB: usize = 1024;
    const MIB: usize = KIB * KIB;
    let rounded = match count {
        _ if count.is_multiple_of(MIB) => format!(" ({} MiB)", count / MIB),
        _ if count.is_multiple_of(KIB) => format!(" ({} KiB)", count / KIB),
        _ => String::new(),
    };
    format!("{} bytes{rounded}", number(count))
}

fn chars(count: usize) -> String {
    format!("{} characters", number(count))
}

pub(super) fn limits() -> String {
    let rows = [
        ("one resource", bytes(limits::RESOURCE_BYTES)),
        ("one bulk request", bytes(limits::BULK_BYTES)),
        ("one command's body, below `/api/v1`", bytes(COMMAND_BYTES)),
        ("nesting of a resource", format!("{} levels", limits::DEPTH)),
        ("a resource's id", chars(limits::ID_CHARS)),
        ("`groupKey`", chars(limits::GROUP_KEY_CHARS)),
        ("`event`", chars(limits::EVENT_CHARS)),
        ("`actor`", chars(limits::ACTOR_CHARS)),
        ("violations reported for one resource", number(limits::VIOLATIONS)),
        ("faults reported for one bulk", number(limits::BULK_FAULTS)),
        ("a JSON Schema", bytes(limits::SCHEMA_BYTES)),
        ("nesting of a JSON Schema", format!("{} levels", limits::SCHEMA_DEPTH)),
        ("how often a schema may look at one place of a payload", number(limits::SCHEMA_COST)),
        ("the compiled size of a regular expression", bytes(limits::PATTERN_BYTES)),
        (
            "the list of differing fields of one change; above it, only root members are named",
            bytes(limits::FIELDS_BYTES),
        ),
        ("a name", chars(*NAME.end())),
        ("a description", chars(*DESCRIPTION.end())),
        (
            "items of a page",
            format!(
                "{}, if not said otherwise {}",
                number(limits::MOST_PAGE_ITEMS),
                number(limits::PAGE_ITEMS)
            ),
        ),
    ];
    let intro = "<p>What a client sends is refused above a limit, never cut. A body's limit holds while it is read, and one \
        that announces more in <code>Content-Length</code> is refused before.</p>\n";
    let rows = rows.into_iter().map(|(what, limit)| (None, vec![rich(what), limit]));
    format!("{intro}{}", table(&["what", "at most"], rows))
}

pub(super) fn problems() -> String {
    let intro = "<p id=\"schema-ProblemCode\">What goes wrong is answered as \
        <code>application/problem+json</code> (RFC 9457), a <a href=\"#schema-Problem\">Problem</a> with one of \
        these codes; its <code>type</code> is <code>urn:tidegate:problem:{code}</code>.</p>\n";
    let rows = Code::ALL.iter().map(|problem| {
        let cells = vec![
            code(problem.as_str()),
            problem.status().to_string(),
            escaped(problem.title()),
            rich(problem.meaning()),
        ];
        (Some(format!("problem-{problem}")), cells)
    });
    format!("{intro}{}", table(&["code", "status", "title", "meaning"], rows))
}

pub(super) fn violations() -> String {
    let intro = "<p id=\"schema-ViolationCode\">The <code>code</code> of a \
        <a href=\"#schema-Violation\">Violation</a>: one fault of a payload.</p>\n";
    let rows = (ViolationCode::ALL.iter())
        .map(|kind| (Some(format!("violation-{kind}")), vec![code(kind.as_str()), rich(kind.meaning())]));
    format!("{intro}{}", table(&["code", "meaning"], rows))
}

pub(super) fn schema_problems() -> String {
    let intro = "<p id=\"schema-SchemaProblemCode\">The <code>code</code> of a \
        <a href=\"#schema-SchemaProblem\">SchemaProblem</a>: one thing that is wrong with a schema.</p>\n";
    let rows = (ProblemCode::ALL.iter()).map(|kind| {
        (Some(format!("schema-problem-{kind}")), vec![code(kind.as_str()), rich(kind.meaning())])
    });
    format!("{intro}{}", table(&["code", "meaning"], rows))
}
