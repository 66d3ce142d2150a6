//! One request and its answer.

use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use tidegate_core::ProblemDetails;
use tidegate_core::problem::Code;
use tidegate_core::service::RequestFacts;

use crate::body::{RequestBody, Rest, drain};
use crate::config::ConnectionLimits;
use crate::metrics::{self, Metrics, method_label};
use crate::server::Application;
use crate::wire::{Activity, Busy};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The route of a request that the application said nothing about.
const UNMATCHED: &str = "unmatched";

/// What all requests of a server share.
#[derive(Debug)]
pub(crate) struct Shared<A> {
    pub(crate) application: A,
    pub(crate) limits: ConnectionLimits,
    pub(crate) metrics: Metrics,
    ids: RequestIds,
}

impl<A> Shared<A> {
    pub(crate) fn new(application: A, limits: ConnectionLimits, metrics: Metrics) -> Self {
        Self { application, limits, metrics, ids: RequestIds::new() }
    }
}

/// Answers one request, counts it and logs it.
pub(crate) async fn respond<A: Application>(
    shared: Arc<Shared<A>>,
    activity: Activity,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let started = Instant::now();
    let busy = activity.begin();
    let _in_flight = shared.metrics.request_begins();
    let id = shared.ids.next();
    let (parts, incoming) = request.into_parts();
    let method = method_label(&parts.method);
    let awaits_permission = awaits_permission(&parts.headers);
    let cross_origin = shared.application.cross_origin(&parts);
    let mut body = RequestBody::new(incoming, &shared.limits);

    let answer = if parts.uri.path() == "/metrics" {
        Some(metrics_page(&shared.metrics, &parts.method))
    } else {
        unless_panics(shared.application.answer(parts, &mut body)).await
    };
    let mut response = answer.unwrap_or_else(|| {
        tracing::error!(id, "answering a request panicked");
        problem(
            Code::Internal,
            "the server failed; it has logged this request under its `X-Request-Id`",
            UNMATCHED,
        )
    });

    // The service has told it by itself; this is for the answers above.
    cross_origin.tell(response.headers_mut());
    let facts = response
        .extensions_mut()
        .remove::<RequestFacts>()
        .unwrap_or_else(|| RequestFacts { route: UNMATCHED, ..RequestFacts::default() });
    let took = started.elapsed();
    shared.metrics.answered(method, response.status(), took, &facts);
    if let Some(fault) = &facts.fault {
        tracing::error!(id, route = facts.route, fault, "a request could not be answered");
    }
    tracing::info!(
        method,
        route = facts.route,
        status = response.status().as_u16(),
        code = facts.code,
        ms = (took.as_secs_f64() * 1e5).round() / 1e2,
        bytes_in = body.received(),
        bytes_out = response.body().len(),
        id,
        "request"
    );
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    finish_body(&shared, &activity, busy, body.into_rest(awaits_permission), response.headers_mut());
    Ok(response.map(Full::new))
}

/// Sees to it that the answer reaches a client that is still sending.
fn finish_body<A: Application>(
    shared: &Arc<Shared<A>>,
    activity: &Activity,
    busy: Busy,
    rest: Rest<Incoming>,
    headers: &mut HeaderMap,
) {
    let close = HeaderValue::from_static("close");
    match rest {
        Rest::Nothing => {}
        Rest::Unwanted => {
            activity.leave_unread();
            headers.insert(CONNECTION, close);
        }
        Rest::UnderWay(incoming) => {
            if incoming.size_hint().lower() > shared.limits.drain_bytes {
                headers.insert(CONNECTION, close);
            }
            let shared = Arc::clone(shared);
            tokio::spawn(async move {
                drain(incoming, &shared.limits).await;
                drop(busy);
            });
        }
    }
}

/// RFC 9110 §10.1.1: the client sends its body when a `100` has come.
fn awaits_permission(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// The future's output, or `None` when it panics.
async fn unless_panics<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // The future is never polled again, and what it shares with others are locks and the
        // database, which survive a panic.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

fn metrics_page(metrics: &Metrics, method: &Method) -> Response<Bytes> {
    const ROUTE: &str = "/metrics";
    if method != Method::GET && method != Method::HEAD {
        let mut refusal = problem(Code::MethodNotAllowed, "`/metrics` answers `GET` and `HEAD`", ROUTE);
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    let Ok(page) = metrics.render() else {
        let detail = "the metrics could not be written";
        return problem(Code::Internal, detail, ROUTE);
    };
    let mut response = Response::new(page);
    let media_type = HeaderValue::from_static(metrics::CONTENT_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response.extensions_mut().insert(RequestFacts { route: ROUTE, ..RequestFacts::default() });
    response
}

/// A problem of the host's own (RFC 9457).
fn problem(code: Code, detail: &str, route: &'static str) -> Response<Bytes> {
    // A code and two texts: it always serialises.
    let body = serde_json::to_vec(&ProblemDetails::new(code, detail)).unwrap_or_default();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let media_type = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response.extensions_mut().insert(RequestFacts {
        route,
        code: Some(code.as_str()),
        ..RequestFacts::default()
    });
    response
}

/// Gives each request an id: unique among all processes, with great likelihood, and cheap.
#[derive(Debug)]
struct RequestIds {
    process: u64,
    count: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        // Without randomness the ids of two processes are alike, which only a log would show.
        Self { process: getrandom::u64().unwrap_or_default(), count: AtomicU64::new(1) }
    }

    fn next(&self) -> String {
        format!("{:016x}-{:x}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }
}
