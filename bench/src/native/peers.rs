//! Peers that do a part of the work: validate only, or parse only.
//!
//! The parsers are built as their crates come, without flags for one processor: `simd-json` finds at
//! run time what the processor has, `sonic-rs` keeps to what every processor of the kind has.

use std::hint::black_box;

use anyhow::{Result, anyhow};
use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde::de::IgnoredAny;
use serde_json::Value;
use tidegate_core::PreparedSchema;

/// The validator `boon`, set up for one schema.
pub struct Boon {
    schemas: Schemas,
    schema: SchemaIndex,
}

impl Boon {
    /// Compiles the schema as it is with its root closed.
    ///
    /// # Errors
    ///
    /// It cannot be compiled.
    pub fn new(schema: &PreparedSchema) -> Result<Self> {
        const PLACE: &str = "https://example.com/schema.json";
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        let fault = |error| anyhow!("boon: {error}");
        compiler.add_resource(PLACE, serde_json::from_str(schema.effective_schema())?).map_err(fault)?;
        let schema = compiler.compile(PLACE, &mut schemas).map_err(fault)?;
        Ok(Self { schemas, schema })
    }

    /// Parses a payload, or a bulk of them, and says how many pass.
    ///
    /// # Errors
    ///
    /// It is not JSON.
    pub fn passing(&self, payload: &[u8], bulk: bool) -> Result<usize> {
        let passes = |value| self.schemas.validate(value, self.schema).is_ok();
        if bulk {
            let values: Vec<Value> = serde_json::from_slice(payload)?;
            Ok(values.iter().filter(|value| passes(value)).count())
        } else {
            Ok(passes(&serde_json::from_slice(payload)?).into())
        }
    }
}

/// Parses with `sonic-rs` into its flat tree.
///
/// # Errors
///
/// It is not JSON.
pub fn sonic_rs(payload: &[u8]) -> Result<()> {
    black_box(sonic_rs::from_slice::<sonic_rs::Value>(payload)?);
    Ok(())
}

/// Parses with `simd-json` into a tape. It writes to what it reads, so that is copied first; the copy
/// and the parser's buffers are used again.
pub struct SimdJson {
    copy: Vec<u8>,
    buffers: simd_json::Buffers,
}

impl SimdJson {
    /// For payloads of about so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self { copy: Vec::with_capacity(bytes), buffers: simd_json::Buffers::new(bytes) }
    }

    /// Parses.
    ///
    /// # Errors
    ///
    /// It is not JSON.
    pub fn parse(&mut self, payload: &[u8]) -> Result<()> {
        self.copy.clear();
        self.copy.extend_from_slice(payload);
        black_box(simd_json::to_tape_with_buffers(&mut self.copy, &mut self.buffers)?);
        Ok(())
    }
}

/// Reads JSON with `serde_json` and keeps nothing of it.
///
/// # Errors
///
/// It is not JSON.
pub fn serde_ignored(payload: &[u8]) -> Result<()> {
    black_box(serde_json::from_slice::<IgnoredAny>(payload)?);
    Ok(())
}

/// Builds the tree of `serde_json`.
///
/// # Errors
///
/// It is not JSON.
pub fn serde_value(payload: &[u8]) -> Result<()> {
    black_box(serde_json::from_slice::<Value>(payload)?);
    Ok(())
}
