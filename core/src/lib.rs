#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod check;
mod desk;
pub mod diff;
mod explain;
pub mod limits;
pub mod plan;
pub mod problem;
pub mod report;
pub mod schema;
pub mod violation;

#[cfg(feature = "service")]
pub mod service;

pub use check::{CheckOptions, Checked, CheckedItem, Rejection};
pub use plan::{ChangeType, Manifest, Plan};
pub use report::{PayloadReport, PlanReport, ProblemDetails, SchemaReport};
pub use schema::{PreparedSchema, Problem, ProblemCode};
pub use tidegate_document::digest::{self, Digest};
pub use tidegate_document::{document, pointer};
pub use violation::{Violation, ViolationCode, Violations};
