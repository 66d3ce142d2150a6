//! One corpus for every host: schemas, payloads and bulks, made from a seed, and the vectors.
//!
//! Equality is shown and not assumed. What the hosts say of the vectors is what somebody thought of;
//! the corpus asks what nobody thought of. It is the same in every run, as it is made from a fixed
//! seed; a case depends on the seed and its number alone.
//!
//! * `json`, `words`: what it is written in, and what it is made of.
//! * `shape`, `paths`, `broken`: schemas. `sample`, `mutate`: payloads. `generate`: cases from them.
//!   `edges`: cases at the gate's budgets.
//! * [`gate`]: a case as requests to a [`Gate`](crate::gate::Gate).
//! * [`script`]: a case as HTTP requests, with what the core says of each; [`talk`]: the requests
//!   sent, and [`normal`], what is left of an answer when ids and times are taken out.

mod broken;
mod edges;
pub mod gate;
mod generate;
mod json;
mod mutate;
pub mod normal;
mod paths;
mod sample;
pub mod script;
mod shape;
pub mod talk;
pub mod tally;
mod words;

use std::collections::BTreeMap;

use serde_json::Value;

use self::generate::case;
use crate::vector::Vector;

/// The seed of the default run.
pub const SEED: u64 = 20_260_101;
/// How many cases the default run makes.
pub const CASES: u64 = 2000;
/// The environment variables that ask for another run.
pub const ASKED: (&str, &str) = ("TIDEGATE_EQUALITY_SEED", "TIDEGATE_EQUALITY_CASES");

/// A schema, and what is sent to it.
#[derive(Debug, Clone, Default)]
pub struct Case {
    /// `generated/<number>`, `edges/<what>`, or the name of a vector.
    pub name: String,
    /// The schema's text.
    pub schema: Vec<u8>,
    /// Single resources.
    pub payloads: Vec<Vec<u8>>,
    /// Snapshots in pairs: one, and the one that comes after it.
    pub bulks: Vec<(Vec<u8>, Vec<u8>)>,
}

/// All cases, and how they were made.
#[derive(Debug)]
pub struct Corpus {
    /// The seed.
    pub seed: u64,
    /// How many cases were generated.
    pub generated: u64,
    /// The generated cases, those at the budgets' edges, and those of the vectors.
    pub cases: Vec<Case>,
    /// The vectors, which have questions of their own.
    pub vectors: Vec<Vector>,
}

impl Corpus {
    /// The corpus that the environment asks for.
    ///
    /// # Errors
    /// A variable is no number, or the vectors cannot be read.
    pub fn load() -> Result<Self, String> {
        let asked = |name: &str, otherwise: u64| match std::env::var(name) {
            Ok(text) => text.parse().map_err(|_| format!("{name} is a number, found `{text}`")),
            Err(_) => Ok(otherwise),
        };
        let (seed, generated) = (asked(ASKED.0, SEED)?, asked(ASKED.1, CASES)?);
        let vectors = Vector::load()?;
        let mut cases: Vec<Case> = (0..generated).map(|number| case(seed, number)).collect();
        cases.extend(edges::cases());
        cases.extend(of_vectors(&vectors));
        Ok(Self { seed, generated, cases, vectors })
    }

    /// Whether it is what the default run makes.
    pub fn is_default(&self) -> bool {
        (self.seed, self.generated) == (SEED, CASES)
    }
}

/// What the vectors ask of schemas, as cases that can go to every host: one for each schema, named
/// for the first that has it.
fn of_vectors(vectors: &[Vector]) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut places: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for vector in vectors {
        for request in &vector.requests {
            let Ok(request) = serde_json::from_slice::<Value>(request) else { continue };
            let text = |name: &str| text_of(request.get(name)?);
            let Some(schema) = text("schema") else { continue };
            let place = *places.entry(schema.clone()).or_insert(cases.len());
            if place == cases.len() {
                cases.push(Case { name: vector.name.clone(), schema, ..Case::default() });
            }
            let Some(case) = cases.get_mut(place) else { continue };
            match request.get("op").and_then(Value::as_str) {
                Some("check") => case.payloads.extend(text("payload")),
                Some("bulk") => case.bulks.extend(text("payload").map(|bulk| (b"[]".to_vec(), bulk))),
                Some("plan") => case.bulks.extend(text("before").zip(text("after"))),
                _ => {}
            }
        }
    }
    cases
}

/// The bytes that a member of a request stands for.
fn text_of(member: &Value) -> Option<Vec<u8>> {
    match member {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Array(bytes) => bytes.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect(),
        _ => None,
    }
}
