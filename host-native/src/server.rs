//! A server that can be embedded: it binds, answers until it is told to stop, and stops cleanly.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tidegate_core::service::{CrossOrigin, Demo, Service, Settings, SqlError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::body::RequestBody;
use crate::config::{Config, ConnectionLimits};
use crate::exchange::{Shared, respond};
use crate::history;
use crate::metrics::Metrics;
use crate::store::NativeStore;
use crate::system::{NativeService, SystemClock, SystemRandomness};
use crate::wire::{Activity, Wire};

/// Answers a server's requests; everything but `/metrics` comes here.
///
/// [`NativeService`] is the one that matters. The trait is here so that a test or a program around
/// Tidegate can put something of its own behind the same front.
pub trait Application: Send + Sync + 'static {
    /// Answers one request. Need not read the body, or all of it.
    fn answer(&self, request: Parts, body: &mut RequestBody) -> impl Future<Output = Response<Bytes>> + Send;

    /// What the server's own answers say to the browser of whoever sent this request: `/metrics`,
    /// and the 500 after a panic.
    fn cross_origin(&self, _request: &Parts) -> CrossOrigin {
        CrossOrigin::default()
    }

    /// Called once, after the last answer.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on `{addr}`: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The database cannot be opened or migrated.
    #[error("cannot use the database: {0}")]
    Database(#[from] SqlError),
}

/// A server that listens, and answers from [`run_until`](Self::run_until) on.
///
/// # Examples
///
/// ```
/// use tidegate::{AdminToken, Config, Database, Server};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = Config::new(Database::Memory, AdminToken::new("a-token-for-examples")?);
/// config.addr.set_port(0);
/// let server = Server::bind(config).await?;
/// println!("http://{}/", server.local_addr());
/// let stop = std::future::ready(()); // tokio::signal::ctrl_c(), …
/// server.run_until(stop).await;
/// # Ok(()) }
/// ```
pub struct Server<A = NativeService> {
    listener: TcpListener,
    local_addr: SocketAddr,
    shared: Arc<Shared<A>>,
    demo: Option<Demo>,
    /// What goes on beside the requests.
    background: JoinSet<()>,
}

impl<A> fmt::Debug for Server<A> {
    // What the application holds is not for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("local_addr", &self.local_addr).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens, opens the database and migrates it.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on, or the database not used.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        // First, so that a second server on one address leaves the database alone.
        let (listener, local_addr) = listen(config.addr).await?;
        let metrics = Metrics::new();
        let store = NativeStore::measured(&config.database, metrics.store().clone())?;
        let settings = Settings {
            admin_token: config.admin_token.reveal().to_owned(),
            allowed_origins: config.allowed_origins,
        };
        let service = Service::new(store, SystemClock, SystemRandomness, settings);
        service.migrate().await?;
        let demo = if config.demo { service.install_demo().await? } else { None };
        let shared = Arc::new(Shared::new(service, config.limits, metrics));
        let mut background = JoinSet::new();
        if let Some(keep) = config.keep_history {
            background.spawn(history::keep(Arc::clone(&shared), keep));
        }
        Ok(Self { listener, local_addr, shared, demo, background })
    }

    /// The worked example, when the configuration asked for it and the database holds nothing
    /// else.
    pub fn demo(&self) -> Option<&Demo> {
        self.demo.as_ref()
    }
}

impl<A: Application> Server<A> {
    /// Listens for an application of one's own.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on.
    pub async fn with_application(
        application: A,
        addr: SocketAddr,
        limits: ConnectionLimits,
    ) -> Result<Self, StartError> {
        let (listener, local_addr) = listen(addr).await?;
        let shared = Arc::new(Shared::new(application, limits, Metrics::new()));
        Ok(Self { listener, local_addr, shared, demo: None, background: JoinSet::new() })
    }

    /// The address it listens on, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Answers requests until `shutdown` resolves; then accepts no more, finishes what is in
    /// flight, and closes the application.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, shared, mut background, .. } = self;
        let permits = Arc::new(Semaphore::new(shared.limits.connections.max(1)));
        let (stop, stopping) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                (stream, permit) = accept(&listener, &permits) => {
                    let connection = serve(stream, Arc::clone(&shared), stopping.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
            }
        }
        drop(listener);
        tracing::info!(connections = connections.len(), "shutting down");
        background.shutdown().await;
        stop.send_replace(true);
        let finish = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(shared.limits.shutdown_timeout, finish).await.is_err() {
            tracing::warn!(connections = connections.len(), "requests were cut off");
            connections.shutdown().await;
        }
        shared.application.close().await;
    }
}

async fn listen(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Bind { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let local_addr = listener.local_addr().map_err(failed)?;
    Ok((listener, local_addr))
}

/// The next connection, as soon as there may be one more.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                // Out of file descriptors, most likely: the same error would come at once again.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Serves one connection to its end.
async fn serve<A: Application>(
    stream: TcpStream,
    shared: Arc<Shared<A>>,
    mut stopping: watch::Receiver<bool>,
) {
    let _open = shared.metrics.connection_opens();
    // Answers are written whole, so there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    let activity = Activity::new();
    let wire = TokioIo::new(Wire::new(stream, activity.clone(), &shared.limits));
    let header_bytes = shared.limits.header_bytes;
    let service = service_fn(move |request| respond(Arc::clone(&shared), activity.clone(), request));
    let mut connection = pin!(
        http1::Builder::new()
            // The wire has its own, which tells an idle client from a slow one.
            .header_read_timeout(None)
            .max_header_size(header_bytes)
            // A client may end its side after the request and still wait for the answer.
            .half_close(true)
            .serve_connection(wire, service)
    );
    let stopped = async { drop(stopping.wait_for(|stop| *stop).await) };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}
