#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod body;
mod log;
mod sql;
mod system;

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};
use http_body_util::Full;
use spin_sdk::http::Request;
use spin_sdk::http_service;
use tidegate_core::service::{Randomness, RequestFacts, Service, Shared};

use self::body::RequestBody;
use self::sql::SpinSql;
use self::system::{SpinClock, SpinRandomness, SpinVariables};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What stays from one request to the next while Spin keeps the instance.
static SHARED: LazyLock<Shared> = LazyLock::new(Shared::default);

/// Answers one request. Spin runs several of them at a time in one instance, and others in other
/// instances; each has a connection of its own.
#[http_service]
async fn handle(request: Request) -> Response<Full<Bytes>> {
    let (parts, incoming) = request.into_parts();
    let mut body = RequestBody::new(incoming);
    let service = Service::sharing(&SHARED, SpinSql::default(), SpinClock, SpinRandomness, SpinVariables);
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

/// Names a request in the log and in its answer.
fn request_id() -> String {
    let mut random = [0; 8];
    SpinRandomness.fill(&mut random);
    format!("{:016x}", u64::from_be_bytes(random))
}
