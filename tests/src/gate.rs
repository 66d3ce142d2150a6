//! The hosts of the gate: each runs the same core and is asked the same questions.
//!
//! A request and its answer are JSON texts; the crate `tidegate-guest` says which there are. Another
//! host is another implementation of [`Gate`] and a line in [`hosts`].

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::wasm::{self, CHROMIUM, MODULE, PACKAGE, WasmGate};
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

/// The core as WebAssembly, called from JavaScript.
#[derive(Debug)]
pub struct Wasm {
    name: &'static str,
    gate: WasmGate,
}

impl Wasm {
    /// The guest module under Node.js.
    const GUEST: &'static str = "wasm";
    /// The npm package under Node.js.
    const PACKAGE: &'static str = "npm-node";
    /// The npm package in a page of Chromium.
    const PAGE: &'static str = "npm-chromium";
}

impl Gate for Wasm {
    fn name(&self) -> &'static str {
        self.name
    }

    fn answer(&mut self, request: &[u8]) -> Result<Vec<u8>, String> {
        let answer = self.gate.call(request).map_err(|error| error.to_string())?;
        if self.name == Self::GUEST {
            return Ok(answer);
        }
        // The package's answers have their members in the order in which the core writes them; those of the
        // guest module are sorted.
        let sorted: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        Ok(sorted.to_string().into_bytes())
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

    fn skipped(name: &'static str, reason: impl Into<String>) -> Self {
        Self { name, gate: Err(reason.into()) }
    }

    fn in_javascript(
        name: &'static str,
        gate: io::Result<Option<WasmGate>>,
        reason: &str,
    ) -> Result<Self, String> {
        match gate {
            Ok(Some(gate)) => Ok(Self::running(Wasm { name, gate })),
            Ok(None) => Ok(Self::skipped(name, reason)),
            Err(error) => Err(format!("{name}: {error}")),
        }
    }
}

/// Every host there is.
///
/// # Errors
/// A host is asked for and does not start.
pub fn hosts() -> Result<Vec<Host>, String> {
    let no_module = format!("{MODULE} does not name the module that `cargo xtask build guest` builds");
    let no_package = format!("{PACKAGE} does not name the package that `cargo xtask build npm` builds");
    let no_page = format!("{PACKAGE} and {CHROMIUM} do not name a package and a Chromium");
    let wasmtime = match wasm::module() {
        Some(module) => {
            Host::running(Wasmtime::from_file(&module).map_err(|error| format!("{MODULE}: {error}"))?)
        }
        None => Host::skipped(Wasmtime::NAME, no_module.clone()),
    };
    Ok(vec![
        Host::running(Native),
        Host::in_javascript(Wasm::GUEST, WasmGate::from_env(), &no_module)?,
        wasmtime,
        Host::in_javascript(Wasm::PACKAGE, WasmGate::of_package(false), &no_package)?,
        Host::in_javascript(Wasm::PAGE, WasmGate::of_package(true), &no_page)?,
    ])
}

/// Uses a gate that tests share.
pub fn with<T>(gate: &SharedGate, f: impl FnOnce(&mut dyn Gate) -> T) -> T {
    // What a test that panicked left behind is the next request's to find out.
    let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
    f(&mut *gate)
}
