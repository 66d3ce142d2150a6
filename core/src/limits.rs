//! Every limit of the gate, in one place.
//!
//! The numbers are part of the product's contract: the hosts, the documentation and the OpenAPI
//! description read them from here.

pub use tidegate_document::limits::{DEPTH, POINTER_BYTES, QUOTED_BYTES};

/// The largest resource, in bytes of its JSON text.
pub const RESOURCE_BYTES: usize = 1024 * 1024;
/// The largest bulk request, in bytes.
pub const BULK_BYTES: usize = 4 * 1024 * 1024;
/// The longest text of NDJSON that is read as one bulk, in bytes. It may be longer than the bulk that it
/// becomes, by its blank lines and white space.
pub const LINES_BYTES: usize = 4 * BULK_BYTES;
/// The longest id, in Unicode characters.
pub const ID_CHARS: usize = 1000;
/// The most violations reported for one resource.
pub const VIOLATIONS: usize = 100;
/// The most faults reported for one bulk.
pub const BULK_FAULTS: usize = 1000;
/// The largest JSON Schema, in bytes of its text.
pub const SCHEMA_BYTES: usize = 256 * 1024;
/// The deepest nesting of a JSON Schema.
pub const SCHEMA_DEPTH: usize = 64;
/// How often the sub-schemas of a schema may look at one and the same place of a payload.
///
/// Chains of references through `allOf`, `anyOf`, … double that number with each link; without a
/// bound a few hundred bytes of schema keep a validator busy for hours.
pub const SCHEMA_COST: u64 = 10_000;
/// The compiled size of one regular expression, in bytes.
pub const PATTERN_BYTES: usize = 256 * 1024;
/// The most bytes that the list of differing fields of one change takes.
pub const FIELDS_BYTES: usize = 64 * 1024;

/// The longest `groupKey`, in Unicode characters after percent-decoding.
pub const GROUP_KEY_CHARS: usize = 100;
/// The longest `event`, likewise.
pub const EVENT_CHARS: usize = 100;
/// The longest `actor`, likewise.
pub const ACTOR_CHARS: usize = 1000;
/// The longest name of a table or an integration in a filter, likewise.
pub const FILTER_CHARS: usize = 200;
/// How many items a page of a list holds if nothing is said.
pub const PAGE_ITEMS: usize = 100;
/// The most items a page of a list holds.
pub const MOST_PAGE_ITEMS: usize = 1000;

/// What validating may spend on one payload: a fixed part and a part for each of its values.
///
/// One unit is one look at a value. The budget only ends evaluations that would otherwise take
/// exponentially long; what ordinary schemas spend is a few units a value.
pub(crate) const VALIDATION_FUEL: (u64, u64) = (10_000_000, 64);
/// Likewise for collecting the violations of a payload that did not pass.
pub(crate) const EXPLANATION_FUEL: (u64, u64) = (200_000, 8);
