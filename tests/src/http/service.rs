//! The host `service`: the service over SQLite in memory, called in process.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tidegate::{Database, SqliteOptions, SqliteStore, SystemClock, SystemRandomness};
use tidegate_core::service::{Body, BodyError, OriginError, Row, Service, Settings, Sql, SqlError, SqlValue};
use tokio::runtime::Runtime;

use super::conversation::Storage;
use super::host::{HttpHost, Instance};
use super::message::{Request, RequestBody, Response};
use super::{ADMIN_TOKEN, Fault};

/// How much more of a body than its limit may be asked for before it is refused.
const READ_AT_MOST: usize = 5 * 1024 * 1024;
const PIECE: usize = 64 * 1024;

/// The service alone, without any socket.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServiceHost;

struct InProcess {
    runtime: Runtime,
    service: Service<BreakableStore, SystemClock, SystemRandomness>,
}

impl HttpHost for ServiceHost {
    fn name(&self) -> &'static str {
        "service"
    }

    fn start(&self, allow_origins: &str) -> Result<Box<dyn Instance>, Fault> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let store = SqliteStore::open(&Database::Memory, &SqliteOptions::default())
            .map_err(|error| error.to_string())?;
        let allowed_origins = allow_origins.parse().map_err(|error: OriginError| error.to_string())?;
        let settings = Settings { admin_token: ADMIN_TOKEN.to_owned(), allowed_origins };
        let store = BreakableStore { store, state: Mutex::new(Storage::Whole) };
        let service = Service::new(store, SystemClock, SystemRandomness, settings);
        runtime.block_on(service.migrate()).map_err(|error| error.to_string())?;
        Ok(Box::new(InProcess { runtime, service }))
    }
}

impl Instance for InProcess {
    fn send(&mut self, request: &Request) -> Result<Response, Fault> {
        let mut builder = http::Request::builder().method(request.method.as_str()).uri(&request.target);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        match &request.body {
            RequestBody::None => {}
            RequestBody::Whole(bytes) => builder = builder.header("content-length", bytes.len()),
            RequestBody::Announced(length) => builder = builder.header("content-length", *length),
            RequestBody::Chunked(_) => builder = builder.header("transfer-encoding", "chunked"),
        }
        let (parts, ()) = builder.body(()).map_err(|error| error.to_string())?.into_parts();
        let mut body = match &request.body {
            RequestBody::None => Pieces::Whole(Bytes::new()),
            RequestBody::Whole(bytes) => Pieces::Whole(Bytes::copy_from_slice(bytes)),
            RequestBody::Chunked(bytes) => Pieces::Streamed { rest: Bytes::copy_from_slice(bytes), read: 0 },
            RequestBody::Announced(_) => Pieces::NeverSent { asked: false },
        };
        let response = self.runtime.block_on(self.service.handle(parts, &mut body));
        match body {
            Pieces::NeverSent { asked: true } => {
                return Err("the body was read although it was announced as too large".into());
            }
            Pieces::Streamed { read, .. } if read > READ_AT_MOST => {
                return Err(format!("{read} bytes of the body were read"));
            }
            _ => {}
        }
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        Ok(Response { status: response.status().as_u16(), headers, body: response.into_body().to_vec() })
    }

    fn set_storage(&mut self, storage: Storage) -> Result<bool, Fault> {
        *self.service.sql().state.lock().unwrap_or_else(PoisonError::into_inner) = storage;
        Ok(true)
    }
}

/// A body that knows how far it was read.
enum Pieces {
    Whole(Bytes),
    Streamed { rest: Bytes, read: usize },
    NeverSent { asked: bool },
}

impl Body for Pieces {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self {
            Self::Whole(bytes) => bytes.next_chunk().await,
            Self::Streamed { rest, .. } if rest.is_empty() => Ok(None),
            Self::Streamed { rest, read } => {
                let piece = rest.split_to(PIECE.min(rest.len()));
                *read += piece.len();
                Ok(Some(piece))
            }
            Self::NeverSent { asked } => {
                *asked = true;
                Err(BodyError::TimedOut)
            }
        }
    }
}

/// A store that can be made to fail.
struct BreakableStore {
    store: SqliteStore,
    state: Mutex<Storage>,
}

impl BreakableStore {
    fn state(&self) -> Storage {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store, unless it is in one of these states.
    fn unless(&self, broken: &[Storage]) -> Result<&SqliteStore, SqlError> {
        if broken.contains(&self.state()) {
            return Err(SqlError::Unavailable("the test broke it".into()));
        }
        Ok(&self.store)
    }
}

impl Sql for BreakableStore {
    async fn read(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        self.unless(&[Storage::Broken, Storage::Unreadable])?.read(statement, parameters).await
    }

    async fn write(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
        let rows = self.unless(&[Storage::Broken])?.write(statement, parameters).await?;
        match self.state() {
            Storage::Unanswering => Err(SqlError::Unavailable("the test lost the answer".into())),
            Storage::Broken | Storage::Unreadable | Storage::Whole => Ok(rows),
        }
    }
}
