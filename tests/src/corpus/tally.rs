//! What the corpus turned out to hold, so that it stays one that says something.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::gate::Question;

/// Counts over the native core's answers.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Schemas that can be used, and that cannot.
    pub schemas: [u64; 2],
    /// Single resources that pass, and that do not; only those for schemas that can be used.
    pub payloads: [u64; 2],
    /// Snapshots, likewise.
    pub bulks: [u64; 2],
    /// Pairs of snapshots that could be planned, and the changes in them.
    pub plans: [u64; 2],
    /// Codes of problems of schemas.
    pub schema_codes: BTreeSet<String>,
    /// Codes of problems of payloads.
    pub problem_codes: BTreeSet<String>,
    /// Codes of violations.
    pub violation_codes: BTreeSet<String>,
}

impl Tally {
    /// Counts what the answers to those questions say.
    pub fn of(questions: &[Question], answers: &[Vec<u8>]) -> Self {
        let mut tally = Self::default();
        for (question, answer) in questions.iter().zip(answers) {
            let read = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap_or_default();
            let (request, answer) = (read(&question.request), read(answer));
            let asked = request.get("requests").and_then(Value::as_array);
            let answers = answer.get("answers").and_then(Value::as_array);
            for (request, answer) in asked.into_iter().flatten().zip(answers.into_iter().flatten()) {
                tally.count(request, answer);
            }
        }
        tally
    }

    fn count(&mut self, request: &Value, answer: &Value) {
        let code = |of: &Value| of.get("code").and_then(Value::as_str).map(str::to_owned);
        let codes = |name: &str| {
            answer
                .get(name)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(code)
                .collect::<Vec<_>>()
        };
        let operation = request.get("op").and_then(Value::as_str).unwrap_or_default();
        if operation == "prepare" {
            self.schemas = counted(self.schemas, answer);
            self.schema_codes.extend(codes("problems"));
            self.schema_codes.extend(codes("warnings"));
            return;
        }
        let problem = code(answer);
        if problem.as_deref() == Some("schema-invalid") {
            return;
        }
        match operation {
            // Each payload is asked about twice.
            "check" if request.get("showValues").is_none() => self.payloads = counted(self.payloads, answer),
            "bulk" => self.bulks = counted(self.bulks, answer),
            "plan" if problem.is_none() => {
                let changes = answer.get("changes").and_then(Value::as_array).map_or(0, Vec::len);
                let [plans, all] = self.plans;
                self.plans = [plans + 1, all + changes as u64];
            }
            _ => {}
        }
        self.problem_codes.extend(problem);
        self.violation_codes.extend(codes("violations"));
        self.violation_codes.extend(codes("errors"));
    }

    /// How many different codes there are of all three kinds.
    pub fn codes(&self) -> usize {
        self.schema_codes.len() + self.problem_codes.len() + self.violation_codes.len()
    }
}

fn counted([yes, no]: [u64; 2], answer: &Value) -> [u64; 2] {
    if answer.get("valid") == Some(&Value::Bool(true)) { [yes + 1, no] } else { [yes, no + 1] }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [usable, unusable] = self.schemas;
        let [accepted, rejected] = self.payloads;
        let [taken, refused] = self.bulks;
        let [plans, changes] = self.plans;
        write!(
            f,
            "{} schemas ({usable} valid, {unusable} invalid), {} payloads ({accepted} accepted, {rejected} \
             rejected), {} bulks ({taken} accepted, {refused} rejected), {plans} plans ({changes} changes), \
             {} codes ({} of schemas, {} of problems, {} of violations)",
            usable + unusable,
            accepted + rejected,
            taken + refused,
            self.codes(),
            self.schema_codes.len(),
            self.problem_codes.len(),
            self.violation_codes.len()
        )
    }
}
