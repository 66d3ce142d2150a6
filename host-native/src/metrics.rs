//! What `/metrics` says, in Prometheus's text format.
//!
//! Every label has a bounded set of values: routes are templates, methods and statuses are HTTP's,
//! codes are the service's, tables and integrations are those that were declared.

use std::time::{Duration, SystemTime};

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

/// How many writes share a commit.
const WRITES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// The order of [`RequestFacts::counts`].
const CHANGES: [&str; 4] = ["added", "modified", "removed", "unchanged"];

/// Why a store answers nothing when too many wait for it. Every store uses these texts, and
/// `tidegate_storage_unavailable` tells them from a database that fails.
pub(crate) const TOO_MANY_WRITES: &str = "too many writes are waiting";
/// The same for reads.
pub(crate) const TOO_MANY_READS: &str = "too many reads are waiting";

/// The labels that [`reason`] gives.
const REASONS: [&str; 3] = ["too-many-writes", "too-many-reads", "database"];

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
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Verdict {
    table: String,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Change {
    table: String,
    change: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Integration {
    integration: String,
}

/// The counters of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    problems: Family<Code, Counter>,
    verdicts: Family<Verdict, Counter>,
    changes: Family<Change, Counter>,
    last_success: Family<Integration, Gauge>,
    unavailable: Family<Reason, Counter>,
    in_flight: Gauge,
    connections: Gauge,
    store: StoreMetrics,
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

/// What a store tells of its writes. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct StoreMetrics {
    waiting: Gauge,
    waiting_bytes: Gauge,
    waiting_limit: Gauge,
    waiting_bytes_limit: Gauge,
    commit_writes: Histogram,
    commit_seconds: Histogram,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        Self {
            waiting: Gauge::default(),
            waiting_bytes: Gauge::default(),
            waiting_limit: Gauge::default(),
            waiting_bytes_limit: Gauge::default(),
            commit_writes: Histogram::new(WRITES),
            commit_seconds: Histogram::new(SECONDS),
        }
    }
}

impl StoreMetrics {
    /// How many writes may wait, and how many bytes of parameters they may hold.
    pub(crate) fn bounded(&self, writes: usize, bytes: usize) {
        self.waiting_limit.set(signed(writes));
        self.waiting_bytes_limit.set(signed(bytes));
    }

    /// A write waits, as long as what is returned lives.
    pub(crate) fn waits(&self, bytes: usize) -> Waiting {
        let bytes = signed(bytes);
        self.waiting_bytes.inc_by(bytes);
        Waiting { _one: Counted::new(&self.waiting), total: self.waiting_bytes.clone(), bytes }
    }

    /// A transaction was committed.
    pub(crate) fn committed(&self, writes: u32, took: Duration) {
        self.commit_writes.observe(f64::from(writes));
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// How many transactions were committed, and how many writes those held.
    #[cfg(test)]
    pub(crate) fn commits(&self) -> (f64, f64) {
        let mut registry = Registry::default();
        registry.register("writes", "", self.commit_writes.clone());
        let mut page = String::new();
        text::encode(&mut page, &registry).unwrap();
        let value = |name| page.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap();
        (value("writes_count "), value("writes_sum "))
    }

    /// How many writes wait, and how many bytes they hold.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> (i64, i64) {
        (self.waiting.get(), self.waiting_bytes.get())
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("write_queue_writes", "Writes that wait for their turn", self.waiting.clone());
        registry.register(
            "write_queue_writes_limit",
            "As many writes may wait; one more is answered with 503",
            self.waiting_limit.clone(),
        );
        registry.register_with_unit(
            "write_queue",
            "What the writes hold that wait for their turn",
            Unit::Bytes,
            self.waiting_bytes.clone(),
        );
        registry.register_with_unit(
            "write_queue_limit",
            "As much may the writes hold that wait; more is answered with 503",
            Unit::Bytes,
            self.waiting_bytes_limit.clone(),
        );
        registry.register("commit_writes", "Writes that shared a commit", self.commit_writes.clone());
        registry.register_with_unit(
            "commit_duration",
            "Time from the end of a transaction's writes to its commit, the sync included",
            Unit::Seconds,
            self.commit_seconds.clone(),
        );
    }
}

/// One write that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    _one: Counted,
    total: Gauge,
    bytes: i64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.total.dec_by(self.bytes);
    }
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
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
        let verdicts = Family::default();
        registry.register(
            "verdicts",
            "Payloads that were judged, by `passed` or the problem's code; dry runs too",
            verdicts.clone(),
        );
        let changes = Family::default();
        registry.register(
            "resources",
            "Resources that requests added, modified, removed or left unchanged",
            changes.clone(),
        );
        let last_success = Family::default();
        registry.register_with_unit(
            "integration_last_success_timestamp",
            "When an integration last had a payload or a delete carried out, since the process began",
            Unit::Seconds,
            last_success.clone(),
        );
        let unavailable = Family::<Reason, Counter>::default();
        for reason in REASONS {
            // At 0 from the beginning, so that the first one shows as a rise.
            drop(unavailable.get_or_create(&Reason { reason }));
        }
        registry.register(
            "storage_unavailable",
            "Requests that were answered with 503 on account of the database",
            unavailable.clone(),
        );
        let in_flight = Gauge::default();
        registry.register("http_requests_in_flight", "Requests that are being answered", in_flight.clone());
        let connections = Gauge::default();
        registry.register("connections", "Open connections", connections.clone());
        let store = StoreMetrics::default();
        store.register(&mut registry);
        Self {
            registry,
            requests,
            seconds,
            problems,
            verdicts,
            changes,
            last_success,
            unavailable,
            in_flight,
            connections,
            store,
        }
    }

    /// What the store behind the server counts with.
    pub(crate) fn store(&self) -> &StoreMetrics {
        &self.store
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
        if let (Some(table), Some(code)) = (&facts.table, facts.verdict) {
            self.verdicts.get_or_create(&Verdict { table: table.clone(), code }).inc();
        }
        if let (Some(table), Some(counts)) = (&facts.table, &facts.counts) {
            for (change, count) in CHANGES.into_iter().zip(counts) {
                let labels = Change { table: table.clone(), change };
                self.changes.get_or_create(&labels).inc_by(*count);
            }
        }
        // Only what was carried out has counts.
        if let (Some(integration), Some(_)) = (&facts.integration, &facts.counts) {
            let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
            let labels = Integration { integration: integration.clone() };
            self.last_success.get_or_create(&labels).set(i64::try_from(now).unwrap_or(i64::MAX));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            self.unavailable.get_or_create(&Reason { reason: reason(facts.fault.as_deref()) }).inc();
        }
    }

    /// All of it as text.
    pub(crate) fn render(&self) -> Result<Bytes, std::fmt::Error> {
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page.into())
    }
}

/// A database's own words as one of a few labels.
fn reason(fault: Option<&str>) -> &'static str {
    let [writes, reads, database] = REASONS;
    match fault {
        Some(TOO_MANY_WRITES) => writes,
        Some(TOO_MANY_READS) => reads,
        _ => database,
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

    fn page(metrics: &Metrics) -> String {
        String::from_utf8(metrics.render().unwrap().to_vec()).unwrap()
    }

    fn assert_samples(metrics: &Metrics, samples: &[&str]) {
        let page = page(metrics);
        for sample in samples {
            assert!(page.lines().any(|found| found == *sample), "{sample}\n{page}");
        }
    }

    #[test]
    fn facts_become_samples() {
        let metrics = Metrics::new();
        let facts = RequestFacts {
            route: "/things/{id}",
            code: Some("too-large"),
            integration: Some("0192".into()),
            table: Some("_directory_employee".into()),
            verdict: Some("passed"),
            counts: Some([3, 2, 1, 0]),
            fault: None,
        };
        let _in_flight = metrics.request_begins();
        drop(metrics.connection_opens());
        metrics.answered("PUT", StatusCode::OK, Duration::from_millis(3), &facts);
        let samples = [
            r#"tidegate_http_requests_total{route="/things/{id}",method="PUT",status="200"} 1"#,
            r#"tidegate_http_request_duration_seconds_count{route="/things/{id}"} 1"#,
            r#"tidegate_problems_total{code="too-large"} 1"#,
            r#"tidegate_verdicts_total{table="_directory_employee",code="passed"} 1"#,
            r#"tidegate_resources_total{table="_directory_employee",change="added"} 3"#,
            r#"tidegate_resources_total{table="_directory_employee",change="unchanged"} 0"#,
            "tidegate_http_requests_in_flight 1",
            "tidegate_connections 0",
        ];
        assert_samples(&metrics, &samples);

        let page = page(&metrics);
        let last = "tidegate_integration_last_success_timestamp_seconds{integration=\"0192\"} ";
        let last: u64 = page.lines().find_map(|line| line.strip_prefix(last)).unwrap().parse().unwrap();
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        assert!((now - 60..=now).contains(&last), "{last} {now}");
    }

    #[test]
    fn what_was_not_carried_out_is_no_success() {
        let metrics = Metrics::new();
        let judged = |verdict, code| RequestFacts {
            route: "/",
            code,
            integration: Some("0192".into()),
            table: Some("t".into()),
            verdict: Some(verdict),
            ..RequestFacts::default()
        };
        let took = Duration::ZERO;
        metrics.answered("POST", StatusCode::OK, took, &judged("passed", None));
        let invalid = judged("payload-invalid", Some("payload-invalid"));
        metrics.answered("POST", StatusCode::UNPROCESSABLE_ENTITY, took, &invalid);
        let samples = [
            r#"tidegate_verdicts_total{table="t",code="passed"} 1"#,
            r#"tidegate_verdicts_total{table="t",code="payload-invalid"} 1"#,
        ];
        assert_samples(&metrics, &samples);
        assert!(!page(&metrics).contains("0192"));
    }

    #[test]
    fn reasons_are_few() {
        let metrics = Metrics::new();
        for fault in [Some(TOO_MANY_WRITES), Some(TOO_MANY_READS), Some("disk I/O error"), None] {
            let facts =
                RequestFacts { route: "/", fault: fault.map(str::to_owned), ..RequestFacts::default() };
            metrics.answered("GET", StatusCode::SERVICE_UNAVAILABLE, Duration::ZERO, &facts);
        }
        let samples = [
            r#"tidegate_storage_unavailable_total{reason="too-many-writes"} 1"#,
            r#"tidegate_storage_unavailable_total{reason="too-many-reads"} 1"#,
            r#"tidegate_storage_unavailable_total{reason="database"} 2"#,
        ];
        assert_samples(&metrics, &samples);
    }

    #[test]
    fn a_store_tells_of_its_queue_and_its_commits() {
        let metrics = Metrics::new();
        let store = metrics.store().clone();
        store.bounded(8, 1000);
        let waiting = (store.waits(100), store.waits(20));
        drop(waiting.0);
        store.committed(3, Duration::from_millis(2));
        let samples = [
            "tidegate_write_queue_writes 1",
            "tidegate_write_queue_writes_limit 8",
            "tidegate_write_queue_bytes 20",
            "tidegate_write_queue_limit_bytes 1000",
            r#"tidegate_commit_writes_bucket{le="2.0"} 0"#,
            r#"tidegate_commit_writes_bucket{le="4.0"} 1"#,
            "tidegate_commit_writes_sum 3.0",
            r#"tidegate_commit_duration_seconds_bucket{le="0.0025"} 1"#,
        ];
        assert_samples(&metrics, &samples);
    }
}
