#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod acceptor;
mod cbor;
pub mod check;
mod desk;
pub mod diff;
pub mod digest;
pub mod document;
mod explain;
pub mod limits;
pub mod plan;
pub mod pointer;
pub mod problem;
pub mod report;
pub mod schema;
pub mod violation;

#[cfg(feature = "service")]
pub mod service;

pub use check::{CheckOptions, Checked, CheckedItem, Rejection};
pub use digest::Digest;
pub use plan::{ChangeType, Manifest, Plan};
pub use report::{PayloadReport, PlanReport, ProblemDetails, SchemaReport};
pub use schema::{PreparedSchema, Problem, ProblemCode};
pub use violation::{Violation, ViolationCode, Violations};
