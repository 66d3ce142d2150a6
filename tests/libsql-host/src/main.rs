//! Serves the service over libSQL, so that the tests can show that the store's statements run there
//! as they are and depend on nothing that a connection keeps.
//!
//! Spin speaks to libSQL over the network, where each statement may run on another connection. Here
//! each does: on one that was opened for it, whose settings are others than the last one's
//! (`settings.rs`), and which refuses what would outlive the statement (`sql.rs`). What it runs is what
//! libSQL's server would make of the statement (`server.rs`).
//!
//! It is a program of its own because libSQL and SQLite export the same symbols, so that no program
//! can be linked with both. It serves on loopback, for tests.

#![forbid(unsafe_code)]

mod server;
mod settings;
mod sql;
mod system;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use clap::Parser;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tidegate_core::service::{AllowedOrigins, Body, RequestFacts, Service, Settings};
use tokio::net::TcpListener;

use self::sql::LibsqlStore;
use self::system::{RequestBody, SystemClock, SystemRandomness};

/// The environment variable with the admin token. It is no argument, as every user of a machine can
/// list those.
const ADMIN_TOKEN: &str = "TIDEGATE_ADMIN_TOKEN";

/// Serves Tidegate over a libSQL file on loopback, for tests
#[derive(Parser)]
struct Arguments {
    /// The database's file; it need not exist
    #[arg(long)]
    database: PathBuf,
    /// Where to listen; it has to be loopback
    #[arg(long, default_value = "127.0.0.1:0")]
    addr: SocketAddr,
    /// The origins whose web pages may use the API, separated by commas
    #[arg(long, default_value = "")]
    allow_origin: AllowedOrigins,
}

type LibsqlService = Service<LibsqlStore, SystemClock, SystemRandomness>;

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { database, addr, allow_origin } = Arguments::parse();
    ensure!(addr.ip().is_loopback(), "this host is for tests and serves loopback only");
    let admin_token = std::env::var(ADMIN_TOKEN).context(ADMIN_TOKEN)?;
    let settings = Settings { admin_token, allowed_origins: allow_origin };
    let service = Service::new(LibsqlStore::new(database), SystemClock, SystemRandomness, settings);
    service.migrate().await?;
    let listener = TcpListener::bind(addr).await?;
    println!("http://{}", listener.local_addr()?);
    serve(Arc::new(service), &listener).await
}

async fn serve(service: Arc<LibsqlService>, listener: &TcpListener) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let answers = service_fn(move |request| answer(Arc::clone(&service), request));
            // A client that goes away is no failure.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answers)
                .await;
        });
    }
}

async fn answer(
    service: Arc<LibsqlService>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, incoming) = request.into_parts();
    let mut body = RequestBody(incoming);
    let response = service.handle(parts, &mut body).await;
    // What nobody reads would end the connection without a word, and the client keeps it open.
    tokio::spawn(async move { while let Ok(Some(_)) = body.next_chunk().await {} });
    if let Some(fault) = response.extensions().get::<RequestFacts>().and_then(|facts| facts.fault.as_ref()) {
        eprintln!("libsql-host: a request could not be answered: {fault}");
    }
    Ok(response.map(Full::new))
}
