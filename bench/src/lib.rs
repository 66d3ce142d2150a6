//! What the benchmarks share: payloads, sites to send them to, interleaved measurements, lines.
//!
//! Machines are noisy and not alike, so only ratios of one run mean anything. What is compared is
//! measured in turn, and of each the median counts.

#![forbid(unsafe_code)]

pub mod data;
#[cfg(feature = "core")]
pub mod kubernetes;
#[cfg(feature = "edge")]
pub mod load;
pub mod measure;
#[cfg(feature = "edge")]
pub mod module;
#[cfg(feature = "core")]
pub mod native;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "edge")]
pub mod site;
#[cfg(feature = "growth")]
pub mod stored;
