#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod bulk;
pub mod check;
mod desk;
pub mod diff;
mod explain;
pub mod form;
pub mod limits;
pub mod plan;
pub mod problem;
pub mod report;
pub mod schema;
pub mod stream;
pub mod violation;

#[cfg(feature = "service")]
pub mod service;

pub use check::{CheckOptions, Checked, CheckedItem, Rejection};
pub use form::{Form, array_of_lines};
pub use plan::{ChangeType, Manifest, ManifestError, Plan, read_manifest};
pub use report::{
    BulkReport, CompareReport, PayloadReport, PlanReport, PlannedReport, ProblemDetails, RejectionReport,
    SchemaReport, StreamReport,
};
pub use schema::{PreparedSchema, Problem, ProblemCode};
pub use stream::{StreamCheck, StreamRead, StreamedItem};
pub use tidegate_document::digest::{self, Digest};
pub use tidegate_document::{document, pointer};
pub use violation::{Violation, ViolationCode, Violations};
