#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod embedded;

/// Compiles the code in the project's own README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct ProjectReadme;
