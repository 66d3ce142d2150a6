//! The gate's verdict beside that of a plain validator over a plain value.

use std::ops::AddAssign;

use arbitrary::{Result, Unstructured};
use jsonschema::json::SerdeJson;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;
use tidegate_core::schema::RESERVED_MEMBER;
use tidegate_core::{CheckOptions, PreparedSchema, Rejection, ViolationCode, limits};

use crate::instance::instance;
use crate::schema::schema;

/// How many payloads are made for one schema at the most; it costs far more than they do.
const PAYLOADS: usize = 20;

/// What became of schemas and payloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Schemas that the gate does not let in, so that nothing is compared.
    pub refused_schemas: u32,
    /// Payloads that both let pass.
    pub accepted: u32,
    /// Payloads that neither lets pass.
    pub rejected: u32,
    /// Payloads that cost more than is spent on one, so that the gate gives no verdict.
    pub too_complex: u32,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.refused_schemas += other.refused_schemas;
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.too_complex += other.too_complex;
    }
}

/// Makes a schema and payloads from the bytes, and judges the payloads in both ways.
///
/// # Panics
/// The verdicts differ.
pub fn accept(bytes: &[u8]) -> Tally {
    let mut tally = Tally::default();
    // The bytes never say that there are too few of them: what is missing is zeros.
    let _ = compare(&mut Unstructured::new(bytes), &mut tally);
    tally
}

fn compare(u: &mut Unstructured<'_>, tally: &mut Tally) -> Result<()> {
    let schema = schema(u)?;
    let Ok(prepared) = PreparedSchema::prepare(schema.to_string().as_bytes()) else {
        tally.refused_schemas += 1;
        return Ok(());
    };
    let effective: Value = serde_json::from_str(prepared.effective_schema()).unwrap_or_default();
    let plain = plain(&effective);
    for number in 0..PAYLOADS {
        // Without bytes they would all be the same.
        if number > 0 && u.is_empty() {
            break;
        }
        let payload = instance(u, &schema)?;
        let expected = plain.is_valid(&payload) && has_id(&payload) && payload.get(RESERVED_MEMBER).is_none();
        match verdict(&prepared, &payload.to_string()) {
            None => tally.too_complex += 1,
            Some(found) => {
                assert_eq!(
                    found,
                    expected,
                    "the gate's verdict on {payload} by {}",
                    prepared.effective_schema()
                );
                *(if found { &mut tally.accepted } else { &mut tally.rejected }) += 1;
            }
        }
    }
    Ok(())
}

/// A validator as the gate's own are set up, but for the representation of payloads.
#[expect(clippy::panic, reason = "a panic is how a target reports")]
fn plain(effective: &Value) -> Validator<SerdeJson> {
    jsonschema::options_for::<SerdeJson>()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(limits::PATTERN_BYTES))
        .build(effective)
        .unwrap_or_else(|error| panic!("let in by the gate, refused by the validator: {error}: {effective}"))
}

/// The rule of ids, for the one path that these schemas have.
fn has_id(payload: &Value) -> bool {
    payload
        .get("id")
        .and_then(Value::as_str)
        .is_some_and(|id| !id.is_empty() && id.chars().count() <= limits::ID_CHARS)
}

/// What the gate says, in each way of asking it; `None` where it says that it costs too much.
fn verdict(prepared: &PreparedSchema, payload: &str) -> Option<bool> {
    let options = CheckOptions::default();
    let checked = prepared.check(payload.as_bytes(), options);
    let only = prepared.validate(payload.as_bytes(), options);
    match (checked, only) {
        (Ok(_), only) => {
            assert_eq!(only, Ok(()), "passes a check and no validation: {payload}");
            Some(true)
        }
        (Err(rejection), only) => {
            assert_eq!(only.as_ref(), Err(&rejection), "other reasons in a validation: {payload}");
            assert!(matches!(rejection, Rejection::Invalid(_)), "{rejection:?}: {payload}");
            let violations = rejection.violations();
            assert!(
                !violations.is_empty(),
                "no reason is given: {payload} by {}",
                prepared.effective_schema()
            );
            let complex = violations.iter().any(|violation| violation.code == ViolationCode::TooComplex);
            (!complex).then_some(false)
        }
    }
}
