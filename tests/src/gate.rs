//! The hosts of the gate: each runs the same core and is asked the same questions.
//!
//! A request and its answer are JSON texts; the crate `tidegate-guest` says which there are. Another
//! host is another implementation of [`Gate`] and a line in [`hosts`].

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::wasm::{self, MODULE, WasmGate};
use crate::wasmtime::Wasmtime;

/// Something that runs the core and answers requests, one after the other.
pub trait Gate: Send {
    /// The host's name, as it stands in the names of the tests.
    fn name(&self) -> &'static str;

    /// Answers the text of a request with the text of its answer.
    ///
    /// # Errors
    /// Why there is no answer. What the gate refuses is an answer.
    fn answer(&mut self, request: &[u8]) -> Result<Vec<u8>, String>;

    /// Answers a request.
    ///
    /// # Errors
    /// Why there is no answer, or that the host did not understand the request.
    fn call(&mut self, request: &Value) -> Result<Value, String> {
        read(&self.answer(request.to_string().as_bytes())?)
    }
}

/// Reads the text of an answer.
///
/// # Errors
/// It is no JSON, or the host says that there is none.
pub fn read(answer: &[u8]) -> Result<Value, String> {
    let answer: Value =
        serde_json::from_slice(answer).map_err(|error| format!("the answer is not JSON: {error}"))?;
    for failure in ["trap", "error"] {
        if let Some(message) = answer.get(failure) {
            return Err(format!("the host says: {failure}: {message}"));
        }
    }
    Ok(answer)
}

/// The core in this process.
#[derive(Debug)]
pub struct Native;

impl Gate for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn answer(&mut self, request: &[u8]) -> Result<Vec<u8>, String> {
        Ok(tidegate_guest::run(request))
    }
}

/// The core as a WebAssembly module under Node.js.
#[derive(Debug)]
pub struct Wasm(WasmGate);

impl Wasm {
    const NAME: &'static str = "wasm";
}

impl Gate for Wasm {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn answer(&mut self, request: &[u8]) -> Result<Vec<u8>, String> {
        self.0.call(request).map_err(|error| error.to_string())
    }
}

/// A gate that tests share.
pub type SharedGate = Arc<Mutex<dyn Gate>>;

/// A host, and its gate if it is there.
pub struct Host {
    /// The host's name.
    pub name: &'static str,
    /// The gate, or the reason for which its tests are skipped.
    pub gate: Result<SharedGate, String>,
}

impl Host {
    fn running(gate: impl Gate + 'static) -> Self {
        Self { name: gate.name(), gate: Ok(Arc::new(Mutex::new(gate))) }
    }

    fn without_module(name: &'static str) -> Self {
        let reason = format!("{MODULE} does not name the module that `cargo xtask build guest` builds");
        Self { name, gate: Err(reason) }
    }
}

/// Every host there is.
///
/// # Errors
/// A host is asked for and does not start.
pub fn hosts() -> Result<Vec<Host>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{MODULE}: {error}");
    let wasm = WasmGate::from_env().map_err(|error| failed(&error))?;
    let wasmtime = match wasm::module() {
        Some(module) => Some(Wasmtime::from_file(&module).map_err(|error| failed(&error))?),
        None => None,
    };
    Ok(vec![
        Host::running(Native),
        wasm.map_or_else(|| Host::without_module(Wasm::NAME), |gate| Host::running(Wasm(gate))),
        wasmtime.map_or_else(|| Host::without_module(Wasmtime::NAME), Host::running),
    ])
}

/// Uses a gate that tests share.
pub fn with<T>(gate: &SharedGate, f: impl FnOnce(&mut dyn Gate) -> T) -> T {
    // What a test that panicked left behind is the next request's to find out.
    let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
    f(&mut *gate)
}
