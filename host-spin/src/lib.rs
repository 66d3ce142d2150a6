#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod body;
mod database;
mod log;
mod postgres;
mod sqlite;
mod system;

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};
use http_body_util::Full;
use spin_sdk::http::Request;
use spin_sdk::http_service;
use tidegate_core::service::{Randomness, RequestFacts, Service, Shared};

use self::body::RequestBody;
use self::database::Database;
use self::system::{SpinClock, SpinRandomness, SpinVariables};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What stays from one request to the next while Spin keeps the instance, and the URL of the database
/// that it is about.
static SHARED: Mutex<Option<(String, Shared)>> = Mutex::new(None);

/// Answers one request. Spin runs several of them at a time in one instance, and others in other
/// instances; each has a connection of its own.
#[http_service]
async fn handle(request: Request) -> Response<Full<Bytes>> {
    let (parts, incoming) = request.into_parts();
    let mut body = RequestBody::new(incoming);
    let (database, url) = Database::named().await;
    let service = Service::sharing(&shared(url), database, SpinClock, SpinRandomness, SpinVariables);
    let mut response = service.handle(parts, &mut body).await;

    let id = request_id();
    if let Some(facts) = response.extensions_mut().remove::<RequestFacts>() {
        log::fault(&id, &facts);
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    response.map(Full::new)
}

/// What is shared by the requests over one database. That its tables are there says nothing of another.
fn shared(url: String) -> Shared {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    match &*shared {
        Some((of, shared)) if *of == url => shared.clone(),
        _ => shared.insert((url, Shared::default())).1.clone(),
    }
}

/// Names a request in the log and in its answer.
fn request_id() -> String {
    let mut random = [0; 8];
    SpinRandomness.fill(&mut random);
    format!("{:016x}", u64::from_be_bytes(random))
}
