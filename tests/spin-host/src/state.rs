//! What a store holds for one instance.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::postgres::Postgres;

/// What all instances of a host have in common.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) database: PathBuf,
    pub(crate) databases: Vec<String>,
    pub(crate) postgres: Postgres,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) faults: Faults,
    pub(crate) counts: Counts,
}

/// What a test can make go wrong.
#[derive(Debug, Default)]
pub struct Faults {
    /// The next read of a variable traps, and with it the instance that reads.
    pub trap_next_variable: AtomicBool,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// How many instances were started.
    pub instances: AtomicUsize,
    /// How many of them ended in a trap.
    pub traps: AtomicUsize,
    /// How many times a variable was read.
    pub variables: AtomicUsize,
    /// How many requests instances were given.
    pub requests: AtomicUsize,
    /// How many requests one instance was seen to answer at the same time, at the most.
    pub most_at_once: AtomicUsize,
}

/// The state of one instance.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(crate) shared: Arc<Shared>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoOutboundHttp,
}

impl State {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        // No files, no environment, no network; standard error is where a component logs.
        let wasi = WasiCtx::builder().inherit_stderr().build();
        Self { table: ResourceTable::new(), shared, wasi, http: WasiHttpCtx::new(), hooks: NoOutboundHttp }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

struct NoOutboundHttp;

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for NoOutboundHttp {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
