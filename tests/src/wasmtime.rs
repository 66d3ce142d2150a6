//! The guest module on wasmtime, in this process.
//!
//! Node runs the same module as a browser would; this is the engine that Spin has. What the two
//! and the native build agree on does not hang on one compiler.

use std::path::Path;

use serde_json::json;
use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc};

use crate::gate::Gate;

/// A guest module that answers requests, one after the other.
pub struct Wasmtime {
    engine: Engine,
    module: Module,
    guest: Guest,
}

impl Wasmtime {
    /// The host's name.
    pub const NAME: &'static str = "wasmtime";

    /// Compiles the module in a file, and starts it.
    ///
    /// # Errors
    /// The file is no module, or one that imports anything: the core does no IO.
    pub fn from_file(file: &Path) -> Result<Self, String> {
        let engine = Engine::default();
        let module = Module::from_file(&engine, file).map_err(|error| format!("{error:#}"))?;
        let imports: Vec<_> =
            module.imports().map(|import| format!("{}.{}", import.module(), import.name())).collect();
        if !imports.is_empty() {
            return Err(format!("the module must import nothing, but imports {}", imports.join(", ")));
        }
        let guest = Guest::start(&engine, &module).map_err(|error| format!("{error:#}"))?;
        Ok(Self { engine, module, guest })
    }
}

impl Gate for Wasmtime {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// A trap is an answer as well, as it is under Node: `{"trap": "<message>"}`. The next request
    /// meets a fresh instance.
    fn answer(&mut self, request: &[u8]) -> Result<Vec<u8>, String> {
        match self.guest.call(request) {
            Ok(answer) => Ok(answer),
            Err(trap) => {
                self.guest =
                    Guest::start(&self.engine, &self.module).map_err(|error| format!("{error:#}"))?;
                Ok(json!({ "trap": format!("{trap:#}") }).to_string().into_bytes())
            }
        }
    }
}

/// One instance, by the exports that `guest/src/abi.rs` describes.
struct Guest {
    store: Store<()>,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    run: TypedFunc<(u32, u32), u64>,
    release: TypedFunc<(u32, u32), ()>,
}

impl Guest {
    fn start(engine: &Engine, module: &Module) -> wasmtime::Result<Self> {
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, module, &[])?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or_else(|| wasmtime::Error::msg("the module exports no memory"))?;
        let alloc = instance.get_typed_func(&mut store, "alloc")?;
        let run = instance.get_typed_func(&mut store, "run")?;
        let release = instance.get_typed_func(&mut store, "release")?;
        Ok(Self { store, memory, alloc, run, release })
    }

    fn call(&mut self, request: &[u8]) -> wasmtime::Result<Vec<u8>> {
        let length = u32::try_from(request.len())?;
        let at = self.alloc.call(&mut self.store, length)?;
        self.memory.write(&mut self.store, usize::try_from(at)?, request)?;
        let packed = self.run.call(&mut self.store, (at, length))?;
        let (start, size) = (u32::try_from(packed >> 32)?, u32::try_from(packed & 0xffff_ffff)?);
        let mut answer = vec![0; usize::try_from(size)?];
        self.memory.read(&self.store, usize::try_from(start)?, &mut answer)?;
        self.release.call(&mut self.store, (at, length))?;
        self.release.call(&mut self.store, (start, size))?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate;

    const HEAD: &[u8] = b"\0asm\x01\0\0\0";

    fn module(sections: &[&[u8]]) -> Result<Wasmtime, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("guest.wasm");
        std::fs::write(&file, [&[HEAD], sections].concat().concat()).unwrap();
        Wasmtime::from_file(&file)
    }

    #[test]
    fn a_module_that_imports_is_refused() {
        let (types, imports) = (b"\x01\x04\x01\x60\0\0", b"\x02\x07\x01\x01a\x01b\0\0");
        let error = module(&[types, imports]).err().unwrap();
        assert_eq!(error, "the module must import nothing, but imports a.b");
    }

    #[test]
    fn a_trap_is_an_answer_and_the_next_request_gets_one_too() {
        // `alloc` gives 0, `run` is unreachable.
        let mut gate = module(&[
            b"\x01\x11\x03\x60\x01\x7f\x01\x7f\x60\x02\x7f\x7f\x01\x7e\x60\x02\x7f\x7f\0",
            b"\x03\x04\x03\0\x01\x02",
            b"\x05\x03\x01\0\x01",
            b"\x07\x22\x04\x06memory\x02\0\x05alloc\0\0\x03run\0\x01\x07release\0\x02",
            b"\x0a\x0d\x03\x04\0\x41\0\x0b\x03\0\0\x0b\x02\0\x0b",
        ])
        .unwrap();
        for _ in 0..2 {
            let answer = gate.answer(b"{}").unwrap();
            let said = gate::read(&answer).unwrap_err();
            assert!(said.starts_with("the host says: trap: ") && said.contains("unreachable"), "{said}");
        }
    }
}
