//! Databases of any size, as the service's own commands would have left them.
//!
//! The rows are written by SQL straight into the tables that the service's migrations made. Ten
//! million changes over the API would take an hour.

use std::path::Path;

use anyhow::{Result, ensure};
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use tidegate::{Database, SqliteOptions, SqliteStore, SystemClock, SystemRandomness};
use tidegate_core::service::{AllowedOrigins, Service, Settings};
use tidegate_core::{Digest, PreparedSchema};

/// The schema of each table.
pub const SCHEMA: &str = r#"{"type":"object","properties":{"id":{"type":"string"},"at":{"type":"integer"},"note":{"type":"string"}},"resmo":{"id":"id"}}"#;

/// How often each resource has changed since it was added.
const ROUNDS: i64 = 7;
/// Changes in a commit; each block of so many resources is of one scope.
const BLOCK: i64 = 10;

/// How much a database holds.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Resources that are there now.
    pub resources: i64,
    /// Scopes, but for two that hold three quarters of the resources.
    pub scopes: i64,
}

impl Size {
    /// Changes: ten for each resource.
    pub fn changes(self) -> i64 {
        10 * self.resources
    }

    /// Resources that ever were there: one more for each twenty that still are.
    fn ever(self) -> i64 {
        self.resources / 20 * 21
    }

    /// Changes of the one resource that changes all the time.
    fn hot(self) -> i64 {
        self.changes() - (1 + ROUNDS) * self.ever() - (self.ever() - self.resources)
    }

    /// The change in the middle of the feed.
    pub fn middle(self) -> String {
        // Before the changes of the one resource, so each commit has ten changes.
        format!("c-{:08}-0", 3 * self.ever() / BLOCK)
    }

    /// The time at which so many thousandths of the commits had been recorded. The first forty are those
    /// that added.
    pub fn time(self, thousandths: i64) -> i64 {
        let commits = (1 + ROUNDS) * self.ever() / BLOCK + self.hot() + self.ever() - self.resources;
        START + commits * thousandths / 1000
    }
}

/// When the first commit was recorded; each one after it came a millisecond later.
const START: i64 = 1_700_000_000_000;

/// Makes a database of that size.
///
/// # Errors
///
/// The file system's or the database's.
pub fn fill(path: &Path, size: Size) -> Result<()> {
    ensure!(size.resources % 200 == 0, "a size is a multiple of 200");
    migrate(path)?;
    let connection = Connection::open(path)?;
    // Nothing is lost with a file that can be made again.
    connection.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; PRAGMA temp_store = MEMORY",
    )?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("digest_of", 1, flags, |context| {
        let text =
            context.get_raw(0).as_str().map_err(|error| rusqlite::Error::UserFunctionError(error.into()))?;
        Digest::of_text(text.as_bytes())
            .map(|digest| digest.to_string())
            .ok_or_else(|| rusqlite::Error::UserFunctionError("a payload is no JSON".into()))
    })?;
    // Indexes are made at the end, and what triggers do is done at once.
    let later = aside(&connection)?;
    let ever = size.ever();
    declare(&connection, size)?;
    resources(&connection, size)?;
    let mut feed = Feed { connection: &connection, change: 1, commit: 1 };
    let mut before = 0;
    for round in 0..=ROUNDS {
        let begun = feed.change;
        let (change, previous) =
            if round == 0 { ("added", "NULL".to_owned()) } else { ("modified", format!("{before} + p")) };
        let fields = if round == 0 { "[]" } else { r#"["at"]"# };
        feed.add(
            &format!(
                "SELECT {{change}} + p, {{commit}} + p / {BLOCK}, scope, id, '{change}', digest_of(payload), NULL, 1, '{fields}',
                    payload, length(payload), {previous}
                FROM (SELECT p, scope, id, {PAYLOAD} AS payload FROM place JOIN seed USING (n) ORDER BY p)",
                PAYLOAD = payload(&round.to_string()),
            ),
            ever,
            BLOCK,
        )?;
        before = begun;
        if round == 3 {
            let hot = feed.change;
            let first = connection
                .query_row("SELECT p FROM place WHERE n = 1", [], |row| row.get::<_, i64>(0))?
                + begun;
            feed.add(
                &format!(
                    "WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < {} - 1)
                    SELECT {{change}} + i, {{commit}} + i, scope, id, 'modified', digest_of(payload), NULL, 1, '[\"at\"]',
                        payload, length(payload), CASE i WHEN 0 THEN {first} ELSE {{change}} + i - 1 END
                    FROM (SELECT i, scope, id, {} AS payload FROM k JOIN seed ON n = 1)",
                    size.hot(),
                    payload("i + 10"),
                ),
                size.hot(),
                1,
            )?;
            let last = feed.change - 1;
            connection.execute("CREATE TEMP TABLE hot AS SELECT ?1 AS first, ?2 AS last", [hot, last])?;
        }
        if round == 4 {
            connection.execute(
                "UPDATE changes SET previous = (SELECT last FROM hot)
                    WHERE seq = ?1 + (SELECT p FROM place WHERE n = 1)",
                [begun],
            )?;
        }
    }
    feed.add(
        &format!(
            "SELECT {{change}} + row_number() OVER (ORDER BY p) - 1, {{commit}} + row_number() OVER (ORDER BY p) - 1, scope, id,
                'removed', NULL, NULL, 1, '[]', NULL, 0, {before} + p
            FROM place JOIN seed USING (n) WHERE gone ORDER BY p"
        ),
        ever - size.resources,
        1,
    )?;
    ensure!(feed.change == size.changes() + 1, "{} changes", feed.change - 1);
    connection.execute(
        "INSERT INTO resources (scope, resource_id, digest, change_seq, size)
            SELECT c.scope, c.resource_id, c.digest, c.seq, c.size
            FROM place p JOIN seed s USING (n) JOIN changes c ON c.seq = ?1 + p.p
            WHERE NOT s.gone ORDER BY c.scope, c.resource_id",
        [before],
    )?;
    connection.execute(
        "INSERT INTO histories (scope, resource_id, first, gone)
            SELECT scope, resource_id, min(seq), max(CASE type WHEN 'removed' THEN seq END)
            FROM changes GROUP BY scope, resource_id ORDER BY scope, resource_id",
        [],
    )?;
    for statement in later {
        connection.execute_batch(&statement)?;
    }
    connection.pragma_update(None, "journal_mode", "wal")?;
    Ok(())
}

fn migrate(path: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = SqliteStore::open(&Database::File(path.to_owned()), &SqliteOptions::default())?;
    let settings = Settings { admin_token: String::new(), allowed_origins: AllowedOrigins::default() };
    let service = Service::new(store, SystemClock, SystemRandomness, settings);
    runtime.block_on(async {
        let migrated = service.migrate().await;
        service.sql().close().await;
        migrated
    })?;
    Ok(())
}

/// Drops the indexes and triggers of the large tables, and gives the statements that make them again.
fn aside(connection: &Connection) -> Result<Vec<String>> {
    let mut all = connection.prepare(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL
            AND tbl_name IN ('changes', 'commits', 'histories', 'resources')",
    )?;
    let all: Vec<(String, String, String)> = all
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (kind, name, _) in &all {
        connection.execute_batch(&format!("DROP {kind} {name}"))?;
    }
    Ok(all.into_iter().map(|(_, _, sql)| sql).collect())
}

/// Tables, integrations and scopes: two large ones, and many that share tables, integrations and
/// group keys in all ways.
fn declare(connection: &Connection, size: Size) -> Result<()> {
    let schema = PreparedSchema::prepare(SCHEMA.as_bytes());
    let schema = schema.map_err(|_| anyhow::anyhow!("the schema cannot be prepared"))?.digest();
    connection.execute_batch(&format!(
        "INSERT INTO groups (id, prefix, name, created_at) VALUES ('group', 'bench', 'Bench', {START});
        INSERT INTO schemas (id, resource_name, group_prefix, table_name, name, version, schema, digest, created_at,
                updated_at)
            WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < 6)
            SELECT 'table-' || i, '_bench_t' || i, 'bench', 't' || i, 'Table ' || i, 1, '{SCHEMA}', '{schema}', {START}, {START}
            FROM k;
        INSERT INTO schema_versions (resource_name, version, schema, digest, created_at)
            SELECT resource_name, 1, schema, digest, created_at FROM schemas;
        INSERT INTO integrations (id, name, tags, group_prefix, enabled, created_at)
            WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < 21)
            SELECT 'integration-' || i, 'Integration ' || i, '[]', 'bench', 1, {START} FROM k;
        INSERT INTO scopes (scope, integration_id, resource_name, group_key, revision)
            SELECT 1, 'integration-0', '_bench_t0', '', 1 UNION ALL SELECT 2, 'integration-1', '_bench_t1', '', 1;
        INSERT INTO scopes (scope, integration_id, resource_name, group_key, revision)
            WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < {} - 1)
            SELECT 3 + i, 'integration-' || (2 + i % 20), '_bench_t' || (2 + i / 20 % 5), 'key-' || (i / 100), 1 FROM k;",
        size.scopes
    ))?;
    Ok(())
}

/// Which resources there are, and in which order each round changes them.
fn resources(connection: &Connection, size: Size) -> Result<()> {
    let (ever, scopes) = (size.ever(), size.scopes);
    let blocks = ever / BLOCK;
    connection.execute_batch(&format!(
        "CREATE TEMP TABLE seed (n INTEGER PRIMARY KEY, scope INTEGER, id TEXT, gone INTEGER);
        INSERT INTO seed
            WITH RECURSIVE k(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM k WHERE n < {ever} - 1)
            SELECT n,
                CASE WHEN n / {BLOCK} < {blocks} / 2 THEN 1
                    WHEN n / {BLOCK} < {blocks} * 3 / 4 THEN 2
                    ELSE 3 + n / {BLOCK} % {scopes} END,
                CASE WHEN n % {BLOCK} = 0 AND n / {BLOCK} >= {blocks} * 3 / 4 AND n / {BLOCK} < {blocks} * 3 / 4 + {scopes}
                    THEN 'shared' ELSE printf('resource-%07d', n) END,
                n % 21 = 20
            FROM k;
        CREATE TEMP TABLE place (p INTEGER PRIMARY KEY, n INTEGER);
        INSERT INTO place SELECT n, (n / {BLOCK} * 7919 % {blocks}) * {BLOCK} + n % {BLOCK} FROM seed;"
    ))?;
    Ok(())
}

/// The payload of the resource `id`, as an SQL expression.
fn payload(at: &str) -> String {
    let note = "n".repeat(60);
    format!(r#"'{{"id":"' || id || '","at":' || ({at}) || ',"note":"{note}"}}'"#)
}

struct Feed<'c> {
    connection: &'c Connection,
    /// The next one's number.
    change: i64,
    commit: i64,
}

impl Feed<'_> {
    /// Adds the changes that a query gives, so many, `each` in a commit.
    fn add(&mut self, query: &str, changes: i64, each: i64) -> Result<()> {
        let Self { connection, change, commit } = *self;
        let query = query.replace("{change}", &change.to_string()).replace("{commit}", &commit.to_string());
        connection.execute_batch(&format!(
            "INSERT INTO changes (seq, commit_seq, scope, resource_id, type, digest, name, schema_version, fields,
                payload, size, previous) {query}"
        ))?;
        let commits = changes / each;
        connection.execute_batch(&format!(
            "INSERT INTO commits (seq, id, first_change, changes, recorded_at)
                WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < {commits} - 1)
                SELECT {commit} + i, printf('c-%08d', {commit} + i), {change} + i * {each}, {each}, {START} + {commit} + i
                FROM k"
        ))?;
        self.change += changes;
        self.commit += commits;
        Ok(())
    }
}
