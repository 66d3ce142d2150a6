//! Which problems the conversations show on a host, against the contract's table.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Fault;
use super::conversation::Conversation;

/// Every status of a refused request and the codes that come with it.
pub const PROBLEMS: &[(u16, &[&str])] = &[
    (400, &["malformed-json", "duplicate-member", "bad-parameter"]),
    (401, &["unauthorized"]),
    (403, &["integration-disabled"]),
    (404, &["unknown-table", "not-found"]),
    (405, &["method-not-allowed"]),
    (409, &["name-taken", "name-retired", "in-use", "group-without-schemas", "removal-guard", "conflict"]),
    (410, &["table-retired"]),
    (413, &["too-large"]),
    (415, &["unsupported-media-type"]),
    (422, &["payload-invalid", "missing-id", "duplicate-id", "schema-invalid", "test-data-invalid"]),
    (503, &["storage-unavailable"]),
];

/// Checks that the conversations expect every one of [`PROBLEMS`] on that host.
///
/// # Errors
///
/// The ones that no conversation shows.
pub fn every_problem_is_shown(conversations: &[Arc<Conversation>], host: &str) -> Result<(), Fault> {
    let shown: BTreeSet<(u16, &str)> = conversations
        .iter()
        .filter(|conversation| conversation.runs_on(host))
        .flat_map(|conversation| &conversation.steps)
        .filter(|step| step.runs_on(host))
        .filter_map(|step| step.expect.as_ref())
        .filter_map(|expected| Some((expected.status, expected.problem.as_deref()?)))
        .collect();
    let missing: Vec<String> = PROBLEMS
        .iter()
        .flat_map(|(status, codes)| codes.iter().map(move |code| (*status, *code)))
        .filter(|problem| !shown.contains(problem))
        .map(|(status, code)| format!("{status} `{code}`"))
        .collect();
    match missing.as_slice() {
        [] => Ok(()),
        missing => Err(format!("no conversation shows {} on the host `{host}`", missing.join(", "))),
    }
}
