//! What is checked, by which schema, and that everybody who is measured says the same of it.

use std::hint::black_box;

use anyhow::{Context, Result, anyhow, ensure};
use clap::ValueEnum;
use tidegate_core::{CheckOptions, PreparedSchema};

use super::peers::Boon;
use super::stack::Stack;
use crate::data::{self, EMPLOYEE_SCHEMA};
use crate::kubernetes;

const MEBIBYTE: usize = 1024 * 1024;

/// One payload and its schema.
pub struct Case {
    /// Stable, for whoever compares runs.
    pub name: &'static str,
    /// The schema's text.
    pub schema: String,
    /// The payload's text.
    pub payload: String,
    /// The payload is an array of resources.
    pub bulk: bool,
    /// The payload passes.
    pub accepted: bool,
}

impl Case {
    fn new(name: &'static str, schema: String, payload: String) -> Self {
        Self { name, schema, payload, bulk: false, accepted: true }
    }

    fn rejected(self) -> Self {
        Self { accepted: false, ..self }
    }

    fn bulk(self) -> Self {
        Self { bulk: true, ..self }
    }
}

/// All of them.
///
/// # Errors
///
/// A schema cannot be made.
pub fn all() -> Result<Vec<Case>> {
    let employee = || EMPLOYEE_SCHEMA.to_owned();
    Ok(vec![
        Case::new("employee", employee(), data::employee(1).to_string()),
        Case::new("kubernetes", kubernetes::deployment_schema()?, kubernetes::deployment().to_string()),
        Case::new("document-1MiB", data::catalogue_schema().to_string(), data::catalogue(MEBIBYTE)),
        Case::new("bulk-1MiB", employee(), data::employees(MEBIBYTE)).bulk(),
        Case::new("bulk-4MiB", employee(), data::employees(4 * MEBIBYTE)).bulk(),
        Case::new("rejected-1", employee(), data::rejected_employee(1).to_string()).rejected(),
        Case::new("rejected-100", data::list_schema().to_string(), data::wrong_list(100).to_string())
            .rejected(),
    ])
}

/// Prepares a schema.
///
/// # Errors
///
/// All that is wrong with it.
pub fn prepare(schema: &str) -> Result<PreparedSchema> {
    PreparedSchema::prepare(schema.as_bytes())
        .map_err(|problems| anyhow!("the schema is refused: {problems:?}"))
}

/// A case with everybody set up for it.
pub struct Ready {
    /// The case.
    pub case: Case,
    /// Ours.
    pub schema: PreparedSchema,
    /// What a user would write.
    pub stack: Stack,
    /// Another validator.
    pub boon: Boon,
}

/// Who does all of the work.
#[derive(Clone, Copy, ValueEnum)]
pub enum Worker {
    /// Tidegate's core
    Ours,
    /// What a user would write
    Stack,
}

/// What one side says of a payload: the ids of what passes, or how many faults there are.
type Verdict = std::result::Result<Vec<String>, usize>;

impl Ready {
    /// The case of that name.
    ///
    /// # Errors
    ///
    /// There is none, or as [`new`](Self::new).
    pub fn named(name: &str) -> Result<Self> {
        let case = all()?.into_iter().find(|case| case.name == name);
        Self::new(case.with_context(|| format!("there is no case {name}"))?)
    }

    /// Sets everybody up, and sees to it that they agree.
    ///
    /// # Errors
    ///
    /// A schema is refused, or two do not agree.
    pub fn new(case: Case) -> Result<Self> {
        let schema = prepare(&case.schema)?;
        let (stack, boon) = (Stack::new(&schema)?, Boon::new(&schema)?);
        let ready = Self { case, schema, stack, boon };
        let (ours, theirs, name) = (ready.ours(), ready.theirs(), ready.case.name);
        ensure!(ours == theirs, "{name}: ours says {ours:?}, the stack {theirs:?}");
        ensure!(ours.is_ok() == ready.case.accepted, "{name}: the payload has another verdict: {ours:?}");
        let passing = ready.boon.passing(ready.bytes(), ready.case.bulk)?;
        ensure!(passing == ours.map_or(0, |ids| ids.len()), "{name}: boon lets {passing} pass");
        Ok(ready)
    }

    /// Checks the payload once, and drops what comes of it.
    pub fn work(&self, worker: Worker) {
        let (bytes, options) = (black_box(self.bytes()), CheckOptions::default());
        match (worker, self.case.bulk) {
            (Worker::Ours, true) => drop(black_box(self.schema.check_bulk(bytes, options))),
            (Worker::Ours, false) => drop(black_box(self.schema.check(bytes, options))),
            (Worker::Stack, true) => drop(black_box(self.stack.check_bulk(bytes))),
            (Worker::Stack, false) => drop(black_box(self.stack.check(bytes))),
        }
    }

    /// The payload.
    pub fn bytes(&self) -> &[u8] {
        self.case.payload.as_bytes()
    }

    /// How many resources the payload holds.
    pub fn resources(&self) -> usize {
        if self.case.bulk { self.ours().map_or(1, |ids| ids.len()) } else { 1 }
    }

    fn ours(&self) -> Verdict {
        let options = CheckOptions::default();
        let checked = if self.case.bulk {
            self.schema
                .check_bulk(self.bytes(), options)
                .map(|items| items.into_iter().map(|item| item.id.into_owned()).collect())
        } else {
            self.schema.check(self.bytes(), options).map(|checked| vec![checked.id.into_owned()])
        };
        checked.map_err(|rejection| rejection.violations().len())
    }

    fn theirs(&self) -> Verdict {
        let checked = if self.case.bulk {
            self.stack.check_bulk(self.bytes()).map(|items| items.into_iter().map(|item| item.id).collect())
        } else {
            self.stack.check(self.bytes()).map(|(item, _)| vec![item.id])
        };
        checked.map_err(|faults| faults.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_agrees_on_every_case() {
        for case in all().unwrap() {
            let (name, bytes) = (case.name, case.payload.len());
            assert!(bytes <= 4 * MEBIBYTE && (case.bulk || bytes <= MEBIBYTE), "{name}: {bytes} bytes");
            Ready::new(case).unwrap();
        }
    }
}
