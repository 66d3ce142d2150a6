//! The core as a WebAssembly module, run by the engine that Spin has.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use wasmtime::{Config, Engine, Instance, Memory, Module, Store, TypedFunc};

/// The guest module of the tests, with one schema kept.
pub struct CoreModule {
    store: Store<()>,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    release: TypedFunc<(u32, u32), ()>,
    prepare: TypedFunc<(u32, u32), u32>,
    check: TypedFunc<(u32, u32, u32), u32>,
}

impl CoreModule {
    /// Loads the module in a file.
    ///
    /// # Errors
    ///
    /// It is not there, imports something, or lacks a function.
    pub fn load(file: &Path) -> Result<Self> {
        let mut config = Config::new();
        // As Spin has it, which costs some time in each loop.
        config.epoch_interruption(true);
        let engine = Engine::new(&config)?;
        let module = Module::from_file(&engine, file)?;
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = Instance::new(&mut store, &module, &[])?;
        Ok(Self {
            memory: instance.get_memory(&mut store, "memory").context("the module has no memory")?,
            alloc: instance.get_typed_func(&mut store, "alloc")?,
            release: instance.get_typed_func(&mut store, "release")?,
            prepare: instance.get_typed_func(&mut store, "kept_prepare")?,
            check: instance.get_typed_func(&mut store, "kept_check")?,
            store,
        })
    }

    /// Prepares a schema and keeps it.
    ///
    /// # Errors
    ///
    /// It is refused, or the module traps.
    pub fn prepare(&mut self, schema: &[u8]) -> Result<()> {
        let (at, len) = self.put(schema)?;
        let done = self.prepare.call(&mut self.store, (at, len))?;
        self.release.call(&mut self.store, (at, len))?;
        ensure!(done == 1, "the schema was refused");
        Ok(())
    }

    /// Checks a payload, or a bulk of them, and says how many passed. The bytes are copied in, as
    /// every host has to.
    ///
    /// # Errors
    ///
    /// The module traps.
    pub fn check(&mut self, payload: &[u8], bulk: bool) -> Result<usize> {
        let (at, len) = self.put(payload)?;
        let passed = self.check.call(&mut self.store, (at, len, bulk.into()))?;
        self.release.call(&mut self.store, (at, len))?;
        Ok(usize::try_from(passed)?)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(u32, u32)> {
        let len = u32::try_from(bytes.len())?;
        let at = self.alloc.call(&mut self.store, len)?;
        self.memory.write(&mut self.store, usize::try_from(at)?, bytes)?;
        Ok((at, len))
    }
}
