//! Runs a Spin component without Spin: the interfaces that it imports, on wasmtime, over a real
//! SQLite file or a real PostgreSQL, with Spin's rules.
//!
//! The rules are those of Spin 4: each `Connection::open` is a connection of its own; an instance
//! answers up to 16 requests at a time and 128 in all, and goes away after a second without work; a
//! trap ends the instance that trapped, with the requests in it, and no other. A component is
//! offered WASI, three Spin interfaces (see `bindings.rs`) and nothing else.
//!
//! It serves on loopback, for tests and benchmarks. It is no replacement for Spin.

mod bindings;
mod instances;
mod manifest;
pub mod postgres;
mod rows;
pub mod sqlite;
mod state;
mod variables;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{ProxyHandler, ProxyPre};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use self::instances::Instances;
use self::postgres::{Permitted, Postgres};
pub use self::state::{Counts, Faults};
use self::state::{Shared, State};

/// A component, compiled once for all the hosts that run it.
#[derive(Clone)]
pub struct Compiled {
    engine: Engine,
    component: Component,
}

impl Compiled {
    /// Compiles the component in a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no component.
    pub fn from_file(file: &Path) -> anyhow::Result<Self> {
        let engine = engine()?;
        let bytes = std::fs::read(file).with_context(|| format!("`{}`", file.display()))?;
        let component = Component::new(&engine, &bytes)?;
        Ok(Self { engine, component })
    }

    /// Writes what was compiled to a file, for processes that are to start at once.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn save(&self, file: &Path) -> anyhow::Result<()> {
        Ok(std::fs::write(file, self.component.serialize()?)?)
    }

    /// Loads what [`save`](Self::save) wrote.
    ///
    /// # Safety
    ///
    /// The file is machine code that will be run: it is as `save` left it.
    ///
    /// # Errors
    ///
    /// The file is not there, or from another build of this program.
    pub unsafe fn load(file: &Path) -> anyhow::Result<Self> {
        let engine = engine()?;
        // SAFETY: the caller vouches for the file.
        let component = unsafe { Component::deserialize_file(&engine, file)? };
        Ok(Self { engine, component })
    }

    /// The names of everything that the component asks its host for.
    pub fn imports(&self) -> Vec<String> {
        let component = self.component.component_type();
        component.imports(&self.engine).map(|(name, _)| name.to_owned()).collect()
    }
}

/// An engine with Spin's settings, as far as they matter here.
fn engine() -> anyhow::Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    // By which Spin can end a request that takes too long. It costs some time in each loop.
    config.epoch_interruption(true);
    let mut pool = wasmtime::PoolingAllocationConfig::default();
    pool.total_memories(256).total_tables(512).total_core_instances(1024).total_component_instances(256);
    pool.total_stacks(2048).max_memory_size(1 << 32);
    config.allocation_strategy(wasmtime::InstanceAllocationStrategy::Pooling(pool));
    Ok(Engine::new(&config)?)
}

/// How a host runs its component.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The file of the database. It need not exist.
    pub database: PathBuf,
    /// The names under which the component may open it.
    pub databases: Vec<String>,
    /// What the component may connect to, as `allowed_outbound_hosts` has it: PostgreSQL servers.
    pub outbound_hosts: Vec<String>,
    /// The component's variables.
    pub variables: BTreeMap<String, String>,
    /// How many requests an instance answers; without it as many as Spin has it answer.
    pub most_requests: Option<usize>,
}

/// A host for one component and one database.
#[derive(Clone)]
pub struct SpinHost {
    shared: Arc<Shared>,
    handler: ProxyHandler<Instances>,
}

impl SpinHost {
    /// Links the component with what this host offers.
    ///
    /// # Errors
    ///
    /// The component imports something else, or exports no HTTP handler of WASI 0.3; or it may connect
    /// to what is not here.
    pub fn new(compiled: &Compiled, options: Options) -> anyhow::Result<Self> {
        let Options { database, databases, outbound_hosts, variables, most_requests } = options;
        let permitted = outbound_hosts.iter().map(|host| Permitted::parse(host)).collect::<Result<_, _>>()?;
        let postgres = Postgres::new(permitted);
        let shared = Arc::new(Shared { database, databases, postgres, variables, ..Shared::default() });
        let mut linker = Linker::<State>::new(&compiled.engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
        bindings::Spin::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
        let component = ServicePre::new(linker.instantiate_pre(&compiled.component)?)?;
        let instances = Instances {
            engine: compiled.engine.clone(),
            component: ProxyPre::P3(component),
            shared: Arc::clone(&shared),
            most_requests,
        };
        Ok(Self { shared, handler: ProxyHandler::new(instances) })
    }

    /// What a test can make go wrong.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// What has happened so far.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Answers HTTP on a listener, until the future is dropped.
    ///
    /// # Errors
    ///
    /// The listener broke.
    pub async fn serve(self, listener: TcpListener) -> anyhow::Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            // What waits for the other side's acknowledgement would be measured, not the component.
            stream.set_nodelay(true)?;
            let host = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| host.clone().answer(request));
                // A client that goes away is no failure.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }

    /// Answers one request. A request that its instance cannot answer is answered as Spin does:
    /// with 500 and nothing in it.
    async fn answer(self, request: Request<Incoming>) -> anyhow::Result<Response<WasiBody>> {
        let request = with_absolute_uri(request)?;
        let request = request.map(|body| body.map_err(wasmtime_wasi_http::Error::from).boxed_unsync());
        match self.handler.handle((), request).await {
            Ok(response) => Ok(response),
            Err(error) => {
                eprintln!("spin-host: a request got no answer: {error:?}");
                let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
                let mut response = Response::new(body);
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                Ok(response)
            }
        }
    }
}

/// A component is told the whole address, as Spin tells it.
fn with_absolute_uri(mut request: Request<Incoming>) -> anyhow::Result<Request<Incoming>> {
    let host = request.headers().get(http::header::HOST).map(HeaderValue::to_str);
    let authority = host.context("the request has no `Host`")??.parse()?;
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(http::uri::Scheme::HTTP);
    parts.authority = Some(authority);
    *request.uri_mut() = Uri::from_parts(parts)?;
    Ok(request)
}

/// A listener on an address of loopback, and that address with its real port.
///
/// # Errors
///
/// It is no loopback address, as this host is for tests and nobody else; or it cannot be had.
pub async fn loopback(address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    ensure!(address.ip().is_loopback(), "this host is for tests and serves loopback only");
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
