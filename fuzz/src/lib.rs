//! Fuzz targets: bytes in, a panic where the gate and another reading of the bytes disagree.
//!
//! A target is a plain function. `cargo xtask fuzz` runs it under libFuzzer, with coverage;
//! `cargo test` runs it over the seeds and some thousand mutations of them, the same in every run.
//! They use the core's public interface only, so that they outlive whatever is behind it.

mod accept;
mod bulk;
mod document;
mod instance;
#[cfg(test)]
mod mutations;
mod reference;
mod schema;
pub mod seeds;

pub use accept::{Tally, accept};
pub use bulk::bulk;
pub use document::document;

/// Runs a target over the files that the command line names: a finding, without libFuzzer.
///
/// # Errors
/// A file cannot be read.
pub fn replay(target: fn(&[u8])) -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        target(&std::fs::read(&path)?);
        println!("{}: nothing found", path.display());
    }
    Ok(())
}
