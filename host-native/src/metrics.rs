//! What `/metrics` says, in Prometheus's text format.
//!
//! Every label has a bounded set of values: routes are templates, methods and statuses are HTTP's,
//! tables are those that schemas declare.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tidegate_core::service::RequestFacts;

/// The media type of [`Metrics::render`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A single event takes a fraction of a millisecond without its sync, a full bulk some seconds.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The order of [`RequestFacts::counts`].
const CHANGES: [&str; 4] = ["added", "modified", "removed", "unchanged"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Change {
    table: String,
    change: &'static str,
}

/// The counters of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    problems: Family<Code, Counter>,
    changes: Family<Change, Counter>,
    in_flight: Gauge,
    connections: Gauge,
}

/// One more of something, as long as this lives.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("tidegate");
        let requests = Family::default();
        registry.register("http_requests", "Requests that were answered", requests.clone());
        let seconds = Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> _);
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's headers to its answer",
            Unit::Seconds,
            seconds.clone(),
        );
        let problems = Family::default();
        registry.register("problems", "Answers that were problems", problems.clone());
        let changes = Family::default();
        registry.register(
            "resources",
            "Resources that requests added, modified, removed or left unchanged",
            changes.clone(),
        );
        let in_flight = Gauge::default();
        registry.register("http_requests_in_flight", "Requests that are being answered", in_flight.clone());
        let connections = Gauge::default();
        registry.register("connections", "Open connections", connections.clone());
        Self { registry, requests, seconds, problems, changes, in_flight, connections }
    }

    pub(crate) fn request_begins(&self) -> Counted {
        Counted::new(&self.in_flight)
    }

    pub(crate) fn connection_opens(&self) -> Counted {
        Counted::new(&self.connections)
    }

    pub(crate) fn answered(
        &self,
        method: &'static str,
        status: StatusCode,
        took: Duration,
        facts: &RequestFacts,
    ) {
        let route = facts.route;
        self.requests.get_or_create(&Answered { route, method, status: status.as_u16() }).inc();
        self.seconds.get_or_create(&Route { route }).observe(took.as_secs_f64());
        if let Some(code) = facts.code {
            self.problems.get_or_create(&Code { code }).inc();
        }
        if let (Some(table), Some(counts)) = (&facts.table, &facts.counts) {
            for (change, count) in CHANGES.into_iter().zip(counts) {
                let labels = Change { table: table.clone(), change };
                self.changes.get_or_create(&labels).inc_by(*count);
            }
        }
    }

    /// All of it as text.
    pub(crate) fn render(&self) -> Result<Bytes, std::fmt::Error> {
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page.into())
    }
}

/// A method as a label: clients may invent any number of others.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_become_samples() {
        let metrics = Metrics::new();
        let facts = RequestFacts {
            route: "/things/{id}",
            code: Some("too-large"),
            table: Some("_directory_employee".into()),
            counts: Some([3, 2, 1, 0]),
            fault: None,
        };
        let _in_flight = metrics.request_begins();
        drop(metrics.connection_opens());
        metrics.answered("PUT", StatusCode::OK, Duration::from_millis(3), &facts);
        let page = String::from_utf8(metrics.render().unwrap().to_vec()).unwrap();
        for line in [
            r#"tidegate_http_requests_total{route="/things/{id}",method="PUT",status="200"} 1"#,
            r#"tidegate_http_request_duration_seconds_count{route="/things/{id}"} 1"#,
            r#"tidegate_problems_total{code="too-large"} 1"#,
            r#"tidegate_resources_total{table="_directory_employee",change="added"} 3"#,
            r#"tidegate_resources_total{table="_directory_employee",change="unchanged"} 0"#,
            "tidegate_http_requests_in_flight 1",
            "tidegate_connections 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
