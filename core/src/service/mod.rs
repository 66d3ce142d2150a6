//! The HTTP service over the gate: routes, authentication, parameters, limits, commands, answers
//! and problems, and the store's SQL.
//!
//! Everything that two hosts would have to agree on is here. A host lends SQL, the time, randomness
//! and the bytes of a body ([`host`]), and passes requests to [`Service::handle`]; it holds no rule
//! of the product.
//!
//! A payload goes, file by file: `route.rs` → `mod.rs` (key, media type) → `request.rs` (parameters,
//! body) → `ingest.rs` (check, manifest, plan, commit) → `store/` → `answer.rs`.

mod answer;
mod cache;
mod docs;
mod failure;
pub mod host;
mod ingest;
mod json;
mod manage;
mod openapi;
mod origin;
mod read;
mod request;
mod route;
mod store;
mod time;
mod turns;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::http::header::{AUTHORIZATION, HeaderMap, ORIGIN};
use ::http::request::Parts;
use ::http::{Method, Response, StatusCode};
use bytes::Bytes;

use self::answer::Answer;
use self::cache::{AdmissionCache, SchemaCache};
use self::failure::{Failure, Handled};
pub use self::host::{
    Body, BodyError, Clock, Configuration, Dialect, Randomness, Row, Sql, SqlError, SqlValue,
};
use self::json::Object;
pub use self::manage::Demo;
pub use self::origin::{AllowedOrigins, CrossOrigin, OriginError};
use self::request::{Parameters, decode_segment};
use self::route::Action;
pub use self::store::{Fault, Verified};
use self::store::{Store, StoreError};
use self::turns::Turns;
use crate::digest::Digest;
use crate::problem::Code;
use crate::schema::PreparedSchema;

/// A configuration that stays as it is for as long as the process runs.
#[derive(Clone)]
pub struct Settings {
    /// The bearer token of `/api/v1`.
    pub admin_token: String,
    /// The origins whose pages may use the API.
    pub allowed_origins: AllowedOrigins,
}

impl Configuration for Settings {
    async fn admin_token(&self) -> Result<String, String> {
        Ok(self.admin_token.clone())
    }

    async fn allowed_origins(&self) -> Result<AllowedOrigins, String> {
        Ok(self.allowed_origins.clone())
    }
}

/// What the services of one process have in common, and all that is kept between requests:
/// prepared schemas, what keys were found to open, the turns of the requests that are in flight, and
/// that the tables are there.
///
/// A host that makes a service for each request makes this once. It is only a memory: without it
/// the answers are the same, and slower.
#[derive(Debug, Clone, Default)]
pub struct Shared(Arc<Common>);

#[derive(Debug, Default)]
struct Common {
    cache: SchemaCache,
    admissions: AdmissionCache,
    turns: Turns,
    migrated: AtomicBool,
}

/// What one request was about, for a host's logs and metrics. Holds no payload value and no key;
/// it is in every response's extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestFacts {
    /// The route's template (`/api/v1/groups/{prefix}`), or `unmatched`.
    pub route: &'static str,
    /// The problem's code, when the answer is a problem.
    pub code: Option<&'static str>,
    /// The integration's id, when an ingest key opened one.
    pub integration: Option<String>,
    /// The resource name, when a key opened a table.
    pub table: Option<String>,
    /// What the gate said of the payload: `passed`, or the problem's code; none where none was judged.
    pub verdict: Option<&'static str>,
    /// How many resources were added, modified, removed and left unchanged; none for a dry run.
    pub counts: Option<[u64; 4]>,
    /// Why the service could not do its work, for the log: never in an answer.
    pub fault: Option<String>,
}

/// The service: requests in, answers out.
///
/// ```
/// use bytes::Bytes;
/// use tidegate_core::service::{
///     AllowedOrigins, Clock, Randomness, Row, Service, Settings, Sql, SqlError, SqlValue,
/// };
///
/// struct Nothing;
/// impl Sql for Nothing {
///     async fn read(&self, _: &str, _: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
///         Err(SqlError::Unavailable("there is none".to_owned()))
///     }
///     async fn write(&self, _: &str, _: Vec<SqlValue>) -> Result<Vec<Row>, SqlError> {
///         Err(SqlError::Unavailable("there is none".to_owned()))
///     }
/// }
/// impl Clock for Nothing {
///     fn now_unix_millis(&self) -> i64 { 0 }
///     async fn pause(&self, _: u64) {}
/// }
/// impl Randomness for Nothing {
///     fn fill(&self, _: &mut [u8]) {}
/// }
///
/// let settings =
///     Settings { admin_token: "a long secret".to_owned(), allowed_origins: AllowedOrigins::default() };
/// let service = Service::new(Nothing, Nothing, Nothing, settings);
/// let (request, ()) = http::Request::get("/readyz").body(()).unwrap().into_parts();
/// let mut body = Bytes::new();
/// let mut answer = std::pin::pin!(service.handle(request, &mut body));
/// let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// let std::task::Poll::Ready(answer) = answer.as_mut().poll(&mut context) else { unreachable!() };
/// assert_eq!(answer.status(), 503);
/// ```
pub struct Service<S, C, R, T = Settings> {
    store: Store<S>,
    clock: C,
    randomness: R,
    configuration: T,
    common: Arc<Common>,
}

/// The hash of a secret; comparing two takes the same time whatever they are.
struct Secret(blake3::Hash);

impl Secret {
    fn of(text: &[u8]) -> Self {
        Self(blake3::hash(text))
    }

    fn matches(&self, other: &Self) -> bool {
        // `blake3::Hash` compares in constant time.
        self.0 == other.0
    }

    fn to_hex(&self) -> String {
        self.0.to_hex().to_string()
    }
}

impl<S: Sql, C: Clock, R: Randomness, T: Configuration> Service<S, C, R, T> {
    /// A service over a database, a clock, a source of randomness and its configuration.
    pub fn new(sql: S, clock: C, randomness: R, configuration: T) -> Self {
        Self::sharing(&Shared::default(), sql, clock, randomness, configuration)
    }

    /// A service that has `shared` in common with others of this process over the same database.
    pub fn sharing(shared: &Shared, sql: S, clock: C, randomness: R, configuration: T) -> Self {
        Self { store: Store::new(sql), clock, randomness, configuration, common: Arc::clone(&shared.0) }
    }

    /// Creates or migrates the tables, unless a service with the same [`Shared`] has done it.
    ///
    /// To be called before the first request. A host that has no moment before it need not:
    /// [`handle`](Self::handle) sees to it.
    ///
    /// # Errors
    ///
    /// The database's. Calling it again goes on where it broke off. Instances that start at the
    /// same time do each other no harm.
    pub async fn migrate(&self) -> Result<(), SqlError> {
        if !self.common.migrated.load(Ordering::Relaxed) {
            self.store.migrate().await?;
            self.common.migrated.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Forgets a little of what was recorded until then and is not needed for what came later: a change
    /// after which the same resource was changed again by that time, and a removal. `false` if there is
    /// nothing to forget any more.
    ///
    /// Each call is one short write, so a host calls it again and again, with pauses. What is now, what
    /// was at any time since then, and every change since then with what was before it stay as they
    /// are.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn forget(&self, recorded_until_unix_millis: i64) -> Result<bool, SqlError> {
        /// Changes that one call looks at.
        const STEP: i64 = 256;
        self.migrate().await?;
        self.store.forget(recorded_until_unix_millis, STEP).await
    }

    /// Whether what is stored agrees with itself: each payload with its digest, each schema with its own,
    /// each change with the one before it, the state with the feed, each commit with its changes. Each
    /// fault is told as it is found, so that nothing has to be kept.
    ///
    /// Reads everything, in pages. A server may go on using the database meanwhile.
    ///
    /// # Errors
    ///
    /// The database's, also where its tables are of another version.
    pub async fn verify(&self, mut fault: impl FnMut(Fault)) -> Result<Verified, SqlError> {
        self.store.verify(&mut fault).await.map_err(|error| match error {
            StoreError::Unavailable(why) | StoreError::Unanswered(why) | StoreError::Broken(why) => {
                SqlError::Unavailable(why)
            }
            StoreError::Refused(refusal) => SqlError::Refused(refusal.what),
        })
    }

    /// The host's own database handle.
    pub fn sql(&self) -> &S {
        &self.store.sql
    }

    /// What the host has configured.
    pub fn configuration(&self) -> &T {
        &self.configuration
    }

    /// Answers one request. `body` is read only as far as the route and the limits allow.
    pub async fn handle<B: Body>(&self, request: Parts, body: &mut B) -> Response<Bytes> {
        let mut facts = RequestFacts { route: "unmatched", ..RequestFacts::default() };
        let (cross_origin, answer) = match self.cross_origin(&request).await {
            Ok(cross_origin) => {
                let answer = self.answer(&request, &cross_origin, body, &mut facts).await;
                (cross_origin, answer)
            }
            Err(failure) => (CrossOrigin::default(), Err(failure)),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                facts.code = Some(failure.problem.code.as_str());
                facts.fault.clone_from(&failure.fault);
                Answer::from(failure)
            }
        };
        let mut response = answer.into_response(facts);
        cross_origin.tell(response.headers_mut());
        response
    }

    /// What the answer says to a browser. When that cannot be told, nothing is done: the page could
    /// not learn of it.
    async fn cross_origin(&self, request: &Parts) -> Handled<CrossOrigin> {
        if !request.headers.contains_key(ORIGIN) {
            return Ok(CrossOrigin::default());
        }
        let allowed = self.configuration.allowed_origins().await;
        let allowed = allowed.map_err(|why| Failure::not_configured("allowed origins are", why))?;
        Ok(allowed.judge(request))
    }

    async fn answer<B: Body>(
        &self,
        request: &Parts,
        cross_origin: &CrossOrigin,
        body: &mut B,
        facts: &mut RequestFacts,
    ) -> Handled<Answer> {
        let path = request.uri.path();
        let Some((route, raw)) = route::find(path) else { return Err(Failure::not_found("address")) };
        facts.route = route.template;
        let method = if request.method == Method::HEAD { &Method::GET } else { &request.method };
        let Some((_, action)) = route.actions.iter().find(|(other, _)| other == method) else {
            let allow: Vec<_> = route.actions.iter().map(|(method, _)| method.as_str()).collect();
            let allow = allow.join(", ");
            return cross_origin.preflight(&allow).ok_or_else(|| Failure::method_not_allowed(&allow));
        };
        let action = *action;
        if action.is_admin() {
            self.require_admin(&request.headers).await?;
        }
        if action.needs_store() {
            self.migrate().await.map_err(StoreError::from)?;
        }
        let mut segments = Vec::new();
        for segment in raw {
            segments.push(decode_segment(segment).ok_or_else(|| Failure::not_found("address"))?);
        }
        let mut segments = segments.into_iter();
        let mut segment = || segments.next().unwrap_or_default();
        let parameters = Parameters::parse(request.uri.query());
        let headers = &request.headers;
        if action.is_admin() && action.has_body() {
            request::require_json(headers)?;
        }
        match action {
            Action::Console => Ok(Answer::html(docs::front_page())),
            Action::Docs => Ok(Answer::html(docs::page())),
            Action::OpenApi => Ok(Answer::ok(openapi::text())),
            Action::Health => Ok(Answer::ok(Object::new().with("status", "ok").finish())),
            Action::Ready => {
                self.store.ping().await?;
                Ok(Answer::ok(Object::new().with("status", "ready").finish()))
            }
            Action::CreateGroup => self.create_group(headers, body).await,
            Action::ListGroups => self.list_groups(&parameters).await,
            Action::ReadGroup => self.read_group(&segment()).await,
            Action::ChangeGroup => self.change_group(&segment(), headers, body).await,
            Action::DeleteGroup => self.delete_group(&segment()).await,
            Action::CheckSchema => self.check_schema(headers, body).await,
            Action::CreateSchema => self.create_schema(headers, body).await,
            Action::ListSchemas => self.list_schemas(&parameters).await,
            Action::ReadSchema => self.read_schema(&segment()).await,
            Action::ReplaceSchema => self.replace_schema(&segment(), headers, body).await,
            Action::DeleteSchema => self.delete_schema(&segment(), &parameters).await,
            Action::CreateIntegration => self.create_integration(headers, body).await,
            Action::ListIntegrations => self.list_integrations(&parameters).await,
            Action::ReadIntegration => self.read_integration(&segment()).await,
            Action::ChangeIntegration => self.change_integration(&segment(), headers, body).await,
            Action::DeleteIntegration => self.delete_integration(&segment()).await,
            Action::CreateKey => self.create_key(&segment()).await,
            Action::DeleteKey => self.delete_key(&segment(), &segment()).await,
            Action::ListResources => self.list_resources(&parameters).await,
            Action::ReadResource => self.read_resource(&segment(), &segment(), &parameters).await,
            Action::ListChanges => self.list_changes(&parameters).await,
            Action::Event | Action::Bulk | Action::Delete | Action::Manifest => {
                self.ingest(action, &segment(), &parameters, headers, body, facts).await
            }
        }
    }

    async fn require_admin(&self, headers: &HeaderMap) -> Handled<()> {
        let expected = self.configuration.admin_token().await;
        let expected = expected.map_err(|why| Failure::not_configured("admin token is", why))?;
        let header = headers.get(AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
        let (scheme, token) = header.split_at_checked(7).unwrap_or_default();
        let right = Secret::of(expected.as_bytes()).matches(&Secret::of(token.trim_ascii()));
        if scheme.eq_ignore_ascii_case(b"bearer ") && right && !expected.is_empty() {
            Ok(())
        } else {
            Err(Failure::unauthorized(
                "Bearer realm=\"tidegate\"",
                "this address takes `Authorization: Bearer` with the admin token",
            ))
        }
    }

    /// A new identifier: a UUID whose order is that of time (version 7).
    fn new_id(&self) -> String {
        let mut random = [0; 10];
        self.randomness.fill(&mut random);
        let now = u64::try_from(self.clock.now_unix_millis()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(now, &random).into_uuid().to_string()
    }

    /// A new ingest key: 256 random bits.
    fn new_key(&self) -> String {
        let mut random = [0; 32];
        self.randomness.fill(&mut random);
        format!("tgk_{}", blake3::Hash::from_bytes(random).to_hex())
    }

    /// The prepared schema of that digest, from the cache or from the text that `load` gives.
    async fn prepared(
        &self,
        digest: &str,
        load: impl AsyncFnOnce() -> Handled<Option<String>>,
    ) -> Handled<Arc<PreparedSchema>> {
        if let Some(schema) = self.common.cache.find(digest) {
            return Ok(schema);
        }
        let text = load().await?.unwrap_or_default();
        match PreparedSchema::prepare(text.as_bytes()) {
            Ok(schema) => {
                let schema = Arc::new(schema);
                self.common.cache.keep(digest.to_owned(), Arc::clone(&schema));
                Ok(schema)
            }
            Err(_) => Err(Failure::new(Code::Internal, "the stored schema cannot be prepared any more")),
        }
    }
}

/// A `Digest` in an entity tag, of whatever identifies a version of an answer.
fn entity_tag(of: &str) -> String {
    let digest = Digest::of_bytes(of.as_bytes()).to_string();
    format!("\"{}\"", digest.get(..32).unwrap_or_default())
}

/// An answer without a body.
fn no_content() -> Answer {
    Answer::empty(StatusCode::NO_CONTENT)
}
