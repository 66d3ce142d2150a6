//! Whether what is stored agrees with itself.
//!
//! Everything is read in pages, each a statement of its own and so one snapshot, beside whatever else
//! goes on. What a page says of a row (the change before it, the one after it, what the resource is at) is
//! read in the same statement.

use serde::Serialize;

use super::changes::Query;
use super::{Columns, PAGE_BYTES, Store, StoreError, Stored, count};
use crate::digest::Digest;
use crate::schema::{PreparedSchema, quoted};
use crate::service::host::{Row, Sql};

/// Something stored that does not agree with the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where it is.
    pub place: String,
    /// What is wrong there, without any payload.
    pub detail: String,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Versions of schemas.
    pub schema_versions: u64,
    /// Scopes.
    pub scopes: u64,
    /// Commits.
    pub commits: u64,
    /// Changes.
    pub changes: u64,
    /// Resources as they are now.
    pub resources: u64,
    /// What was wrong.
    pub faults: u64,
}

/// Rows of a page.
const PAGE: usize = 500;

struct Faults<'f> {
    tell: &'f mut dyn FnMut(Fault),
    found: u64,
}

impl Faults<'_> {
    fn add(&mut self, place: &str, detail: impl Into<String>) {
        self.found += 1;
        (self.tell)(Fault { place: place.to_owned(), detail: detail.into() });
    }
}

/// One change, with what its neighbours say.
struct Change {
    seq: i64,
    scope: i64,
    kind: String,
    digest: Option<String>,
    payload: Option<String>,
    size: i64,
    previous: Option<i64>,
    /// The change before it and the one after it, of the same resource.
    before: Option<i64>,
    before_kind: Option<String>,
    later: Option<i64>,
    in_scope: bool,
    in_commit: bool,
    /// The change that its resource is at now.
    now: Option<i64>,
    first: Option<i64>,
    gone: Option<i64>,
    looked: i64,
}

impl Change {
    /// What is wrong with it.
    fn check(&self, mut fault: impl FnMut(String)) {
        let removed = self.kind == "removed";
        if !matches!(self.kind.as_str(), "added" | "modified" | "removed") {
            fault("its type is none".to_owned());
        }
        match (&self.payload, &self.digest) {
            (None, None) if removed => {}
            (Some(_), _) | (_, Some(_)) if removed => fault("it removes, and has a payload".to_owned()),
            (Some(payload), Some(stored)) => match Digest::of_text(payload.as_bytes()) {
                Some(digest) if digest.to_string() == *stored => {}
                Some(digest) => {
                    fault(format!("the digest of its payload is {digest}, and {stored} is stored"));
                }
                None => fault("its payload is no JSON".to_owned()),
            },
            _ => fault("its payload or its digest is missing".to_owned()),
        }
        let size = self.payload.as_ref().map_or(0, String::len);
        if usize::try_from(self.size) != Ok(size) {
            fault(format!("its payload has {size} bytes, and {} is stored", self.size));
        }
        if !self.in_commit {
            fault("no commit has it".to_owned());
        }
        if !self.in_scope {
            fault(format!("there is no scope {}", self.scope));
        }
        // Up to there, only the last change of a resource is kept.
        let forgotten = |row: i64| row <= self.looked;
        let before = self.before.filter(|_| self.before_kind.as_deref() != Some("removed"));
        match (self.previous, before) {
            (Some(previous), None) if forgotten(previous) => {}
            (previous, before) if previous == before => {}
            (Some(previous), _) => {
                fault(format!("the change before it is said to be row {previous}, and is not"));
            }
            (None, _) => fault("it is said to be the first, and is not".to_owned()),
        }
        if (self.kind == "added") != self.previous.is_none() {
            fault("its type does not go with the change before it".to_owned());
        }
        if self.first.is_none_or(|first| first > self.seq) {
            fault("the list of histories does not have it".to_owned());
        }
        if self.later.is_none() {
            if self.now != (!removed).then_some(self.seq) {
                fault("it is the last of its resource, and the state is another one".to_owned());
            }
            if self.gone != removed.then_some(self.seq) {
                fault("the list of histories has another end".to_owned());
            }
        }
    }
}

impl<S: Sql> Store<S> {
    /// Looks at everything, and tells what is wrong.
    pub(in crate::service) async fn verify(&self, tell: &mut dyn FnMut(Fault)) -> Stored<Verified> {
        let statements = self.statements();
        let rows = self.read(statements.read_version, Vec::new()).await?;
        let version = rows.first().map_or(0, |row| Columns::of(row).integer());
        if usize::try_from(version) != Ok(statements.migrations.len()) {
            let why = "the tables are of another version; start a server of this version on them first";
            return Err(StoreError::Unavailable(why.to_owned()));
        }
        let mut faults = Faults { tell, found: 0 };
        let mut verified = Verified {
            schema_versions: self.verify_schemas(&mut faults).await?,
            scopes: self.verify_scopes(&mut faults).await?,
            commits: self.verify_commits(&mut faults).await?,
            changes: self.verify_changes(&mut faults).await?,
            resources: self.verify_resources(&mut faults).await?,
            faults: 0,
        };
        verified.faults = faults.found;
        Ok(verified)
    }

    async fn page_of(&self, query: Query, statement: String) -> Stored<Vec<Row>> {
        self.read(&query.statement(statement), query.parameters).await
    }

    async fn verify_schemas(&self, faults: &mut Faults<'_>) -> Stored<u64> {
        const SCHEMAS: usize = 4;
        let mut seen = 0;
        let mut after = (String::new(), 0);
        loop {
            let mut query = Query::new(self.dialect);
            let (name, version) = (query.bind(after.0.as_str()), query.bind(after.1));
            let limit = query.bind(count(SCHEMAS));
            let statement = format!(
                "SELECT v.resource_name, v.version, v.schema, v.digest, s.version, s.digest, s.schema
                FROM schema_versions v LEFT JOIN schemas s ON s.resource_name = v.resource_name
                WHERE (v.resource_name, v.version) > ({name}, {version})
                ORDER BY v.resource_name, v.version LIMIT {limit}"
            );
            let rows = self.page_of(query, statement).await?;
            for row in &rows {
                let mut columns = Columns::of(row);
                after = (columns.text(), columns.integer());
                let place = format!("version {} of the schema of {}", after.1, quoted(&after.0));
                let (schema, digest) = (columns.text(), columns.text());
                seen += 1;
                match PreparedSchema::prepare(schema.as_bytes()) {
                    Ok(prepared) if prepared.digest().to_string() == digest => {}
                    Ok(prepared) => {
                        faults.add(
                            &place,
                            format!("its digest is {}, and {digest} is stored", prepared.digest()),
                        );
                    }
                    Err(_) => faults.add(&place, "it cannot be prepared"),
                }
                match columns.optional_integer() {
                    None => faults.add(&place, "there is no such table"),
                    Some(current) if current < after.1 => {
                        faults.add(&place, format!("the table is said to be at version {current}"));
                    }
                    Some(current) if current == after.1 => {
                        if columns.text() != digest || columns.text() != schema {
                            faults.add(&place, "the table's current schema is another one");
                        }
                    }
                    Some(_) => {}
                }
            }
            if rows.is_empty() {
                break;
            }
        }
        let statement = "SELECT s.resource_name, s.version FROM schemas s
            LEFT JOIN schema_versions v ON v.resource_name = s.resource_name AND v.version = s.version
            WHERE v.version IS NULL ORDER BY s.resource_name";
        let query = Query::new(self.dialect);
        for row in &self.page_of(query, statement.to_owned()).await? {
            let mut columns = Columns::of(row);
            let (name, version) = (columns.text(), columns.integer());
            faults.add(
                &format!("the schema of {}", quoted(&name)),
                format!("its version {version} is missing"),
            );
        }
        Ok(seen)
    }

    async fn verify_scopes(&self, faults: &mut Faults<'_>) -> Stored<u64> {
        let (mut seen, mut after) = (0, 0);
        loop {
            let mut query = Query::new(self.dialect);
            let (scope, limit) = (query.bind(after), query.bind(count(PAGE)));
            let statement = format!(
                "SELECT s.scope, i.id, d.resource_name FROM scopes s
                LEFT JOIN integrations i ON i.id = s.integration_id
                LEFT JOIN schemas d ON d.resource_name = s.resource_name
                WHERE s.scope > {scope} ORDER BY s.scope LIMIT {limit}"
            );
            let rows = self.page_of(query, statement).await?;
            for row in &rows {
                let mut columns = Columns::of(row);
                after = columns.integer();
                seen += 1;
                if columns.optional_text().is_none() {
                    faults.add(&format!("scope {after}"), "there is no such integration");
                }
                if columns.optional_text().is_none() {
                    faults.add(&format!("scope {after}"), "there is no such table");
                }
            }
            if rows.is_empty() {
                return Ok(seen);
            }
        }
    }

    async fn verify_commits(&self, faults: &mut Faults<'_>) -> Stored<u64> {
        let (mut seen, mut after, mut next, mut recorded) = (0, 0, 1, i64::MIN);
        loop {
            let mut query = Query::new(self.dialect);
            let (commit, limit) = (query.bind(after), query.bind(count(PAGE)));
            let statement = format!(
                "SELECT k.seq, k.id, k.first_change, k.changes, k.recorded_at, h.looked,
                    (SELECT count(*) FROM changes c
                        WHERE c.seq >= k.first_change AND c.seq < k.first_change + k.changes)
                FROM commits k CROSS JOIN horizon h WHERE k.seq > {commit} ORDER BY k.seq LIMIT {limit}"
            );
            let rows = self.page_of(query, statement).await?;
            for row in &rows {
                let mut columns = Columns::of(row);
                after = columns.integer();
                let place = format!("commit {}", quoted(&columns.text()));
                let (first, changes, at) = (columns.integer(), columns.integer(), columns.integer());
                let (looked, there) = (columns.integer(), columns.integer());
                seen += 1;
                if first != next && first > looked.saturating_add(1) {
                    faults
                        .add(&place, format!("its changes begin with row {first}, and not with row {next}"));
                }
                if there != changes && first > looked {
                    faults.add(&place, format!("{there} of its {changes} changes are there"));
                }
                if at < recorded {
                    faults.add(&place, "it was recorded before the commit before it");
                }
                (next, recorded) = (first.saturating_add(changes), at);
            }
            if rows.is_empty() {
                return Ok(seen);
            }
        }
    }

    async fn verify_changes(&self, faults: &mut Faults<'_>) -> Stored<u64> {
        let neighbour = |best: &str, beyond: &str| {
            let of = |kind: &str| {
                format!(
                    "SELECT (SELECT {best}(a.seq) FROM changes a WHERE a.scope = c.scope AND a.resource_id = c.resource_id
                        AND a.type = '{kind}' AND a.seq {beyond} c.seq) AS seq"
                )
            };
            format!(
                "(SELECT {best}(x.seq) FROM ({} UNION ALL {} UNION ALL {}) AS x)",
                of("added"),
                of("modified"),
                of("removed")
            )
        };
        let (mut seen, mut after) = (0, 0);
        loop {
            let mut query = Query::new(self.dialect);
            let (change, limit) = (query.bind(after), query.bind(count(PAGE)));
            let (bytes, id) = (query.bind(PAGE_BYTES), query.id_of("c"));
            let statement = format!(
                "SELECT c.seq, {id}, c.scope, c.type, c.digest, c.payload, c.size, c.previous, b.seq, b.type, {later},
                    s.scope, k.id, k.first_change, k.changes, r.change_seq, y.first, y.gone, h.looked
                FROM (
                    SELECT seq, sum(bytes) OVER (ORDER BY seq) AS bytes, row_number() OVER (ORDER BY seq) AS number
                    FROM (SELECT seq, coalesce(length(payload), 0) AS bytes FROM changes
                        WHERE seq > {change} ORDER BY seq LIMIT {limit}) AS listed
                ) AS page
                CROSS JOIN horizon h
                JOIN changes c ON c.seq = page.seq
                LEFT JOIN changes b ON b.seq = {before}
                LEFT JOIN scopes s ON s.scope = c.scope
                LEFT JOIN commits k ON k.seq = c.commit_seq
                LEFT JOIN resources r ON r.scope = c.scope AND r.resource_id = c.resource_id
                LEFT JOIN histories y ON y.scope = c.scope AND y.resource_id = c.resource_id
                WHERE page.number = 1 OR page.bytes <= {bytes}
                ORDER BY c.seq",
                later = neighbour("min", ">"),
                before = neighbour("max", "<"),
            );
            let rows = self.page_of(query, statement).await?;
            for row in &rows {
                let mut columns = Columns::of(row);
                after = columns.integer();
                seen += 1;
                let id = columns.text();
                let mut change = Change {
                    seq: after,
                    scope: columns.integer(),
                    kind: columns.text(),
                    digest: columns.optional_text(),
                    payload: columns.optional_text(),
                    size: columns.integer(),
                    previous: columns.optional_integer(),
                    before: columns.optional_integer(),
                    before_kind: columns.optional_text(),
                    later: columns.optional_integer(),
                    in_scope: columns.optional_integer().is_some(),
                    in_commit: false,
                    now: None,
                    first: None,
                    gone: None,
                    looked: 0,
                };
                let commit = columns.optional_text();
                let (first, changes) = (columns.integer(), columns.integer());
                change.in_commit =
                    commit.is_some() && (first..first.saturating_add(changes)).contains(&after);
                change.now = columns.optional_integer();
                change.first = columns.optional_integer();
                change.gone = columns.optional_integer();
                change.looked = columns.integer();
                change.check(|detail| {
                    let name = commit.as_ref().map_or_else(String::new, |commit| {
                        format!(" ({})", quoted(&format!("{commit}-{}", after.saturating_sub(first))))
                    });
                    let place = format!("change in row {after}{name} of the resource {}", quoted(&id));
                    faults.add(&place, detail);
                });
            }
            if rows.is_empty() {
                return Ok(seen);
            }
        }
    }

    async fn verify_resources(&self, faults: &mut Faults<'_>) -> Stored<u64> {
        let (mut seen, mut after) = (0, (0, String::new()));
        loop {
            let mut query = Query::new(self.dialect);
            let (scope, key) = (query.bind(after.0), query.bind(after.1.as_str()));
            let (limit, id) = (query.bind(count(PAGE)), query.id_of("r"));
            let statement = format!(
                "SELECT r.scope, r.resource_id, {id}, r.digest, r.size, c.scope, c.resource_id, c.type, c.digest, c.size
                FROM resources r LEFT JOIN changes c ON c.seq = r.change_seq
                WHERE (r.scope, r.resource_id) > ({scope}, {key})
                ORDER BY r.scope, r.resource_id LIMIT {limit}"
            );
            let rows = self.page_of(query, statement).await?;
            for row in &rows {
                let mut columns = Columns::of(row);
                after = (columns.integer(), columns.text());
                seen += 1;
                let id = columns.text();
                let (digest, size) = (columns.text(), columns.integer());
                let of = (columns.optional_integer(), columns.optional_text());
                let (kind, its_digest, its_size) = (columns.text(), columns.text(), columns.integer());
                let fault = if of.0.is_none() {
                    "the change that it is at is missing"
                } else if (of.0, of.1.as_deref()) != (Some(after.0), Some(after.1.as_str())) {
                    "the change that it is at is another resource's"
                } else if kind == "removed" {
                    "the change that it is at removes it"
                } else if digest != its_digest {
                    "its digest is not that of the change that it is at"
                } else if size != its_size {
                    "its size is not that of the change that it is at"
                } else {
                    continue;
                };
                faults.add(&format!("resource {} of scope {}", quoted(&id), after.0), fault);
            }
            if rows.is_empty() {
                return Ok(seen);
            }
        }
    }
}
