//! The store's statements in SQLite's dialect (libSQL's too).
//!
//! Every command is one `INSERT` into a view whose trigger does the work, so it is atomic on every
//! host, also where each statement is a call over the network. Nothing depends on a connection's
//! state. A trigger refuses with `RAISE(ABORT, 'tidegate:…')`; [`Refusal`](super::Refusal) reads
//! that text.
//!
//! Payloads live once, in `changes`; `resources` says which change a resource is at. The row
//! numbers of changes follow the order of the commits, as SQLite has one writer at a time: whoever
//! reads the feed in that order misses nothing.

use super::Statements;

/// The migrations, oldest first. Each is a list of statements that can be repeated, so that a
/// migration that broke off is simply run again, and two instances may run it side by side. A
/// landed migration never changes.
///
/// They only add. A command that has to work otherwise gets a view of another name: an instance of
/// the version before may still be using the old one, and between a `DROP` and a `CREATE` there
/// would be none.
pub(super) const MIGRATIONS: &[&[&str]] = &[
    &[
        "CREATE TABLE IF NOT EXISTS groups (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        prefix TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL UNIQUE,
        description TEXT,
        created_at INTEGER NOT NULL
    )",
        "CREATE TABLE IF NOT EXISTS schemas (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        resource_name TEXT NOT NULL UNIQUE,
        group_prefix TEXT NOT NULL,
        table_name TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        schema TEXT NOT NULL,
        test_data TEXT,
        digest TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        retired_at INTEGER
    )",
        "CREATE INDEX IF NOT EXISTS schemas_by_group ON schemas (group_prefix, table_name)",
        "CREATE UNIQUE INDEX IF NOT EXISTS schemas_by_name ON schemas (name) WHERE retired_at IS NULL",
        "CREATE TABLE IF NOT EXISTS schema_versions (
        resource_name TEXT NOT NULL,
        version INTEGER NOT NULL,
        schema TEXT NOT NULL,
        digest TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (resource_name, version)
    ) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS integrations (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        description TEXT,
        tags TEXT NOT NULL,
        group_prefix TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        deleted_at INTEGER
    )",
        "CREATE UNIQUE INDEX IF NOT EXISTS integrations_by_name ON integrations (name) WHERE deleted_at IS NULL",
        "CREATE TABLE IF NOT EXISTS ingest_keys (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        integration_id TEXT NOT NULL,
        hash TEXT NOT NULL UNIQUE,
        created_at INTEGER NOT NULL,
        last_used_at INTEGER,
        revoked_at INTEGER
    )",
        "CREATE INDEX IF NOT EXISTS ingest_keys_by_integration ON ingest_keys (integration_id)",
        "CREATE TABLE IF NOT EXISTS scopes (
        scope INTEGER PRIMARY KEY,
        integration_id TEXT NOT NULL,
        resource_name TEXT NOT NULL,
        group_key TEXT NOT NULL,
        revision INTEGER NOT NULL,
        UNIQUE (integration_id, resource_name, group_key)
    )",
        "CREATE INDEX IF NOT EXISTS scopes_by_resource ON scopes (resource_name)",
        "CREATE TABLE IF NOT EXISTS commits (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        first_change INTEGER NOT NULL,
        changes INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL,
        event TEXT,
        actor TEXT
    )",
        "CREATE INDEX IF NOT EXISTS commits_by_time ON commits (recorded_at, seq)",
        "CREATE TABLE IF NOT EXISTS changes (
        seq INTEGER PRIMARY KEY,
        commit_seq INTEGER NOT NULL,
        scope INTEGER NOT NULL,
        resource_id TEXT NOT NULL,
        type TEXT NOT NULL,
        digest TEXT,
        name TEXT,
        schema_version INTEGER NOT NULL,
        fields TEXT NOT NULL,
        payload TEXT,
        size INTEGER NOT NULL,
        previous INTEGER
    )",
        "CREATE INDEX IF NOT EXISTS changes_by_resource ON changes (scope, resource_id, seq)",
        "CREATE INDEX IF NOT EXISTS changes_by_scope ON changes (scope, seq)",
        "CREATE TABLE IF NOT EXISTS resources (
        scope INTEGER NOT NULL,
        resource_id TEXT NOT NULL,
        digest TEXT NOT NULL,
        change_seq INTEGER NOT NULL,
        size INTEGER NOT NULL,
        PRIMARY KEY (scope, resource_id)
    ) WITHOUT ROWID",
        // Groups.
        "CREATE VIEW IF NOT EXISTS create_group AS
        SELECT '' AS id, '' AS prefix, '' AS name, '' AS description, 0 AS now",
        "CREATE TRIGGER IF NOT EXISTS create_group_run INSTEAD OF INSERT ON create_group BEGIN
        SELECT RAISE(ABORT, 'tidegate:name-taken:prefix') FROM groups WHERE prefix = NEW.prefix;
        SELECT RAISE(ABORT, 'tidegate:name-taken:name') FROM groups WHERE name = NEW.name;
        INSERT INTO groups (id, prefix, name, description, created_at)
            VALUES (NEW.id, NEW.prefix, NEW.name, NEW.description, NEW.now);
    END",
        "CREATE VIEW IF NOT EXISTS change_group AS SELECT '' AS prefix, '' AS name, '' AS description",
        "CREATE TRIGGER IF NOT EXISTS change_group_run INSTEAD OF INSERT ON change_group BEGIN
        SELECT RAISE(ABORT, 'tidegate:not-found:group')
            WHERE NOT EXISTS (SELECT 1 FROM groups WHERE prefix = NEW.prefix);
        SELECT RAISE(ABORT, 'tidegate:name-taken:name')
            FROM groups WHERE name = NEW.name AND prefix <> NEW.prefix;
        UPDATE groups SET name = NEW.name, description = NEW.description WHERE prefix = NEW.prefix;
    END",
        "CREATE VIEW IF NOT EXISTS delete_group AS SELECT '' AS prefix",
        "CREATE TRIGGER IF NOT EXISTS delete_group_run INSTEAD OF INSERT ON delete_group BEGIN
        SELECT RAISE(ABORT, 'tidegate:not-found:group')
            WHERE NOT EXISTS (SELECT 1 FROM groups WHERE prefix = NEW.prefix);
        SELECT RAISE(ABORT, 'tidegate:in-use:schema')
            FROM schemas WHERE group_prefix = NEW.prefix AND retired_at IS NULL;
        SELECT RAISE(ABORT, 'tidegate:in-use:integration')
            FROM integrations WHERE group_prefix = NEW.prefix AND deleted_at IS NULL;
        DELETE FROM groups WHERE prefix = NEW.prefix;
    END",
        // Schemas.
        "CREATE VIEW IF NOT EXISTS create_schema AS
        SELECT '' AS id, '' AS resource_name, '' AS group_prefix, '' AS table_name, '' AS name,
            '' AS schema, '' AS test_data, '' AS digest, 0 AS now",
        "CREATE TRIGGER IF NOT EXISTS create_schema_run INSTEAD OF INSERT ON create_schema BEGIN
        SELECT RAISE(ABORT, 'tidegate:not-found:group')
            WHERE NOT EXISTS (SELECT 1 FROM groups WHERE prefix = NEW.group_prefix);
        SELECT RAISE(ABORT, 'tidegate:name-retired:table')
            FROM schemas WHERE resource_name = NEW.resource_name AND retired_at IS NOT NULL;
        SELECT RAISE(ABORT, 'tidegate:name-taken:table')
            FROM schemas WHERE resource_name = NEW.resource_name;
        SELECT RAISE(ABORT, 'tidegate:name-taken:name')
            FROM schemas WHERE name = NEW.name AND retired_at IS NULL;
        INSERT INTO schemas (id, resource_name, group_prefix, table_name, name, version, schema,
                test_data, digest, created_at, updated_at)
            VALUES (NEW.id, NEW.resource_name, NEW.group_prefix, NEW.table_name, NEW.name, 1, NEW.schema,
                NEW.test_data, NEW.digest, NEW.now, NEW.now);
        INSERT INTO schema_versions (resource_name, version, schema, digest, created_at)
            VALUES (NEW.resource_name, 1, NEW.schema, NEW.digest, NEW.now);
    END",
        "CREATE VIEW IF NOT EXISTS replace_schema AS
        SELECT '' AS resource_name, '' AS name, '' AS schema, '' AS test_data, '' AS digest, 0 AS now",
        "CREATE TRIGGER IF NOT EXISTS replace_schema_run INSTEAD OF INSERT ON replace_schema BEGIN
        SELECT RAISE(ABORT, 'tidegate:not-found:schema')
            WHERE NOT EXISTS (SELECT 1 FROM schemas WHERE resource_name = NEW.resource_name);
        SELECT RAISE(ABORT, 'tidegate:table-retired:schema')
            FROM schemas WHERE resource_name = NEW.resource_name AND retired_at IS NOT NULL;
        SELECT RAISE(ABORT, 'tidegate:name-taken:name')
            FROM schemas
            WHERE name = NEW.name AND retired_at IS NULL AND resource_name <> NEW.resource_name;
        UPDATE schemas SET name = NEW.name, version = version + 1, schema = NEW.schema,
                test_data = NEW.test_data, digest = NEW.digest, updated_at = NEW.now
            WHERE resource_name = NEW.resource_name;
        INSERT INTO schema_versions (resource_name, version, schema, digest, created_at)
            SELECT resource_name, version, schema, digest, NEW.now
            FROM schemas WHERE resource_name = NEW.resource_name;
    END",
        // Removes all resources of an integration, or of a table, in one commit. The grouping makes none
        // where there is nothing to remove; libSQL's server knows no `HAVING` without a `GROUP BY`.
        "CREATE VIEW IF NOT EXISTS clear_scopes AS
        SELECT '' AS commit_id, '' AS integration_id, '' AS resource_name, '' AS event, 0 AS now",
        "CREATE TRIGGER IF NOT EXISTS clear_scopes_run INSTEAD OF INSERT ON clear_scopes BEGIN
        UPDATE scopes SET revision = revision + 1
            WHERE integration_id = NEW.integration_id OR resource_name = NEW.resource_name;
        INSERT INTO commits (id, first_change, changes, recorded_at, event)
            SELECT NEW.commit_id,
                coalesce((SELECT first_change + changes FROM commits ORDER BY seq DESC LIMIT 1), 1),
                count(*),
                max(NEW.now, coalesce((SELECT recorded_at FROM commits ORDER BY seq DESC LIMIT 1), 0)),
                NEW.event
            FROM resources r JOIN scopes s ON s.scope = r.scope
            WHERE s.integration_id = NEW.integration_id OR s.resource_name = NEW.resource_name
            GROUP BY NEW.commit_id;
        INSERT INTO changes (seq, commit_seq, scope, resource_id, type, name, schema_version, fields,
                size, previous)
            SELECT k.first_change + row_number() OVER (ORDER BY r.scope, r.resource_id) - 1, k.seq,
                r.scope, r.resource_id, 'removed', c.name, c.schema_version, '[]', 0, r.change_seq
            FROM commits k
            JOIN scopes s ON s.integration_id = NEW.integration_id OR s.resource_name = NEW.resource_name
            JOIN resources r ON r.scope = s.scope
            JOIN changes c ON c.seq = r.change_seq
            WHERE k.id = NEW.commit_id;
        DELETE FROM resources WHERE scope IN (
            SELECT scope FROM scopes
            WHERE integration_id = NEW.integration_id OR resource_name = NEW.resource_name);
    END",
        "CREATE VIEW IF NOT EXISTS retire_schema AS
        SELECT '' AS resource_name, 0 AS force, '' AS commit_id, 0 AS now",
        "CREATE TRIGGER IF NOT EXISTS retire_schema_run INSTEAD OF INSERT ON retire_schema BEGIN
        SELECT RAISE(ABORT, 'tidegate:not-found:schema')
            WHERE NOT EXISTS (SELECT 1 FROM schemas WHERE resource_name = NEW.resource_name);
        SELECT RAISE(ABORT, 'tidegate:table-retired:schema')
            FROM schemas WHERE resource_name = NEW.resource_name AND retired_at IS NOT NULL;
        SELECT RAISE(ABORT, 'tidegate:in-use:resources')
            WHERE NEW.force = 0 AND EXISTS (
                SELECT 1 FROM scopes s JOIN resources r ON r.scope = s.scope
                WHERE s.resource_name = NEW.resource_name);
        UPDATE schemas SET retired_at = NEW.now, updated_at = NEW.now
            WHERE resource_name = NEW.resource_name;
        INSERT INTO clear_scopes (commit_id, integration_id, resource_name, event, now)
            VALUES (NEW.commit_id, NULL, NEW.resource_name, 'schema-deleted', NEW.now);
    END",
        // Integrations and keys.
        "CREATE VIEW IF NOT EXISTS create_integration AS
        SELECT '' AS id, '' AS name, '' AS description, '' AS tags, '' AS group_prefix, 1 AS enabled,
            '' AS key_id, '' AS key_hash, 0 AS now",
        "CREATE TRIGGER IF NOT EXISTS create_integration_run INSTEAD OF INSERT ON create_integration BEGIN
        SELECT RAISE(ABORT, 'tidegate:not-found:group')
            WHERE NOT EXISTS (SELECT 1 FROM groups WHERE prefix = NEW.group_prefix);
        SELECT RAISE(ABORT, 'tidegate:group-without-schemas:group')
            WHERE NOT EXISTS (
                SELECT 1 FROM schemas WHERE group_prefix = NEW.group_prefix AND retired_at IS NULL);
        SELECT RAISE(ABORT, 'tidegate:name-taken:name')
            FROM integrations WHERE name = NEW.name AND deleted_at IS NULL;
        INSERT INTO integrations (id, name, description, tags, group_prefix, enabled, created_at)
            VALUES (NEW.id, NEW.name, NEW.description, NEW.tags, NEW.group_prefix, NEW.enabled, NEW.now);
        INSERT INTO ingest_keys (id, integration_id, hash, created_at)
            VALUES (NEW.key_id, NEW.id, NEW.key_hash, NEW.now);
    END",
        "CREATE VIEW IF NOT EXISTS change_integration AS
        SELECT '' AS id, '' AS name, '' AS description, '' AS tags, 1 AS enabled",
        "CREATE TRIGGER IF NOT EXISTS change_integration_run INSTEAD OF INSERT ON change_integration BEGIN
        SELECT RAISE(ABORT, 'tidegate:not-found:integration')
            WHERE NOT EXISTS (SELECT 1 FROM integrations WHERE id = NEW.id AND deleted_at IS NULL);
        SELECT RAISE(ABORT, 'tidegate:name-taken:name')
            FROM integrations WHERE name = NEW.name AND deleted_at IS NULL AND id <> NEW.id;
        UPDATE integrations SET name = NEW.name, description = NEW.description, tags = NEW.tags,
                enabled = NEW.enabled
            WHERE id = NEW.id;
    END",
        "CREATE VIEW IF NOT EXISTS delete_integration AS SELECT '' AS id, '' AS commit_id, 0 AS now",
        "CREATE TRIGGER IF NOT EXISTS delete_integration_run INSTEAD OF INSERT ON delete_integration BEGIN
        SELECT RAISE(ABORT, 'tidegate:not-found:integration')
            WHERE NOT EXISTS (SELECT 1 FROM integrations WHERE id = NEW.id AND deleted_at IS NULL);
        UPDATE ingest_keys SET revoked_at = NEW.now WHERE integration_id = NEW.id AND revoked_at IS NULL;
        UPDATE integrations SET deleted_at = NEW.now WHERE id = NEW.id;
        INSERT INTO clear_scopes (commit_id, integration_id, resource_name, event, now)
            VALUES (NEW.commit_id, NEW.id, NULL, 'integration-deleted', NEW.now);
    END",
        "CREATE VIEW IF NOT EXISTS create_key AS
        SELECT '' AS id, '' AS integration_id, '' AS hash, 0 AS now",
        "CREATE TRIGGER IF NOT EXISTS create_key_run INSTEAD OF INSERT ON create_key BEGIN
        SELECT RAISE(ABORT, 'tidegate:not-found:integration')
            WHERE NOT EXISTS (
                SELECT 1 FROM integrations WHERE id = NEW.integration_id AND deleted_at IS NULL);
        SELECT RAISE(ABORT, 'tidegate:conflict:keys')
            WHERE 2 <= (SELECT count(*) FROM ingest_keys
                WHERE integration_id = NEW.integration_id AND revoked_at IS NULL);
        INSERT INTO ingest_keys (id, integration_id, hash, created_at)
            VALUES (NEW.id, NEW.integration_id, NEW.hash, NEW.now);
    END",
        // The commit of an ingest: the plan is what was read off one revision of the scope, or, without
        // a revision, off the current change of each of its resources (`b`).
        //
        // `changes()` is about the trigger's own `UPDATE` and begins anew with each run of the trigger, so
        // nothing of it comes from another statement of the connection.
        "CREATE VIEW IF NOT EXISTS commit_plan AS
        SELECT '' AS commit_id, '' AS key_id, '' AS integration_id, '' AS resource_name,
            0 AS schema_version, '' AS group_key, 0 AS revision, 0 AS now, '' AS event, '' AS actor,
            '' AS plan",
        "CREATE TRIGGER IF NOT EXISTS commit_plan_run INSTEAD OF INSERT ON commit_plan BEGIN
        SELECT RAISE(ABORT, 'tidegate:stale:')
            WHERE NOT EXISTS (
                SELECT 1 FROM ingest_keys k
                JOIN integrations i ON i.id = k.integration_id
                JOIN schemas s ON s.resource_name = NEW.resource_name
                WHERE k.id = NEW.key_id AND k.revoked_at IS NULL
                    AND i.id = NEW.integration_id AND i.enabled = 1 AND i.deleted_at IS NULL
                    AND s.retired_at IS NULL AND s.version = NEW.schema_version);
        INSERT INTO scopes (integration_id, resource_name, group_key, revision)
            SELECT NEW.integration_id, NEW.resource_name, NEW.group_key, 0
            WHERE NOT EXISTS (SELECT 1 FROM scopes
                WHERE integration_id = NEW.integration_id AND resource_name = NEW.resource_name
                    AND group_key = NEW.group_key);
        UPDATE scopes SET revision = revision + 1
            WHERE integration_id = NEW.integration_id AND resource_name = NEW.resource_name
                AND group_key = NEW.group_key
                AND (NEW.revision IS NULL OR revision = NEW.revision);
        SELECT RAISE(ABORT, 'tidegate:stale:') WHERE changes() = 0;
        SELECT RAISE(ABORT, 'tidegate:stale:')
            FROM scopes s, json_each(NEW.plan) p
            LEFT JOIN resources r ON r.scope = s.scope AND r.resource_id = p.value ->> 'i'
            WHERE NEW.revision IS NULL
                AND s.integration_id = NEW.integration_id AND s.resource_name = NEW.resource_name
                AND s.group_key = NEW.group_key
                AND r.change_seq IS NOT (p.value ->> 'b');
        INSERT INTO commits (id, first_change, changes, recorded_at, event, actor)
            VALUES (NEW.commit_id,
                coalesce((SELECT first_change + changes FROM commits ORDER BY seq DESC LIMIT 1), 1),
                json_array_length(NEW.plan),
                max(NEW.now, coalesce((SELECT recorded_at FROM commits ORDER BY seq DESC LIMIT 1), 0)),
                NEW.event, NEW.actor);
        INSERT INTO changes (seq, commit_seq, scope, resource_id, type, digest, name, schema_version,
                fields, payload, size, previous)
            SELECT k.first_change + p.key, k.seq, s.scope, p.value ->> 'i', p.value ->> 't',
                p.value ->> 'd', p.value ->> 'n', NEW.schema_version, p.value ->> 'f',
                p.value ->> 'p', coalesce(p.value ->> 's', 0), r.change_seq
            FROM commits k, scopes s, json_each(NEW.plan) p
            LEFT JOIN resources r ON r.scope = s.scope AND r.resource_id = p.value ->> 'i'
            WHERE k.id = NEW.commit_id
                AND s.integration_id = NEW.integration_id AND s.resource_name = NEW.resource_name
                AND s.group_key = NEW.group_key
            ORDER BY p.key;
        DELETE FROM resources WHERE (scope, resource_id) IN (
            SELECT c.scope, c.resource_id FROM commits k
            JOIN changes c ON c.seq >= k.first_change AND c.seq < k.first_change + k.changes
            WHERE k.id = NEW.commit_id AND c.type = 'removed');
        INSERT INTO resources (scope, resource_id, digest, change_seq, size)
            SELECT c.scope, c.resource_id, c.digest, c.seq, c.size FROM commits k
            JOIN changes c ON c.seq >= k.first_change AND c.seq < k.first_change + k.changes
            WHERE k.id = NEW.commit_id AND c.type <> 'removed'
            ON CONFLICT (scope, resource_id) DO UPDATE
                SET digest = excluded.digest, change_seq = excluded.change_seq, size = excluded.size;
    END",
    ],
    &[
        // A column of its own type in the middle: one rare type is found without walking the others, and
        // who wants all three types merges three streams.
        "CREATE INDEX IF NOT EXISTS changes_of_resource ON changes (scope, resource_id, type, seq)",
        "CREATE INDEX IF NOT EXISTS changes_of_scope ON changes (scope, type, seq)",
        "CREATE INDEX IF NOT EXISTS changes_of_type ON changes (type, seq, scope)",
        // Far narrower than the table: to walk it and look at the scopes costs next to nothing.
        "CREATE INDEX IF NOT EXISTS changes_in_order ON changes (seq, scope)",
        "DROP INDEX IF EXISTS changes_by_resource",
        "DROP INDEX IF EXISTS changes_by_scope",
        "CREATE INDEX IF NOT EXISTS schemas_by_table ON schemas (table_name)",
        "CREATE INDEX IF NOT EXISTS schemas_live ON schemas (seq) WHERE retired_at IS NULL",
        "CREATE INDEX IF NOT EXISTS integrations_of_name ON integrations (name)",
        "CREATE INDEX IF NOT EXISTS integrations_live ON integrations (seq) WHERE deleted_at IS NULL",
        "CREATE INDEX IF NOT EXISTS scopes_by_group_key ON scopes (group_key)",
        // Every resource of which there are changes: the first of them, and the one that removed it, for
        // as long as it is removed. A page of resources as of a time walks these, not the changes.
        "CREATE TABLE IF NOT EXISTS histories (
        scope INTEGER NOT NULL,
        resource_id TEXT NOT NULL,
        first INTEGER NOT NULL,
        gone INTEGER,
        PRIMARY KEY (scope, resource_id)
    ) WITHOUT ROWID",
        "CREATE INDEX IF NOT EXISTS histories_by_id ON histories (resource_id, scope)",
        // A trigger of the table, so that an instance of the version before keeps them, too.
        "CREATE TRIGGER IF NOT EXISTS changes_added AFTER INSERT ON changes BEGIN
        INSERT INTO histories (scope, resource_id, first, gone)
            VALUES (NEW.scope, NEW.resource_id, NEW.seq, CASE NEW.type WHEN 'removed' THEN NEW.seq END)
            ON CONFLICT (scope, resource_id) DO UPDATE SET gone = excluded.gone
                WHERE gone IS NOT excluded.gone;
    END",
        "INSERT INTO histories (scope, resource_id, first, gone)
        SELECT c.scope, c.resource_id, min(c.seq),
            CASE WHEN NOT EXISTS (SELECT 1 FROM resources r
                WHERE r.scope = c.scope AND r.resource_id = c.resource_id) THEN max(c.seq) END
        FROM changes c GROUP BY c.scope, c.resource_id
        ON CONFLICT (scope, resource_id) DO UPDATE SET first = min(first, excluded.first)",
        // A number that moves with every change of a key, an integration or a schema that could make an
        // admission another one. Triggers of the tables, so that an instance of the version before moves
        // it, too.
        "CREATE TABLE IF NOT EXISTS declarations (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        generation INTEGER NOT NULL
    )",
        "INSERT OR IGNORE INTO declarations (one, generation) VALUES (1, 0)",
        "CREATE TRIGGER IF NOT EXISTS schemas_declared AFTER UPDATE ON schemas BEGIN
        UPDATE declarations SET generation = generation + 1;
    END",
        "CREATE TRIGGER IF NOT EXISTS integrations_declared AFTER UPDATE ON integrations BEGIN
        UPDATE declarations SET generation = generation + 1;
    END",
        "CREATE TRIGGER IF NOT EXISTS keys_declared AFTER UPDATE OF revoked_at ON ingest_keys BEGIN
        UPDATE declarations SET generation = generation + 1;
    END",
        // What was forgotten: all changes up to `looked` have been looked at, and of each resource only
        // the last one up to there is kept. `target` is where the step under way ends.
        "CREATE TABLE IF NOT EXISTS horizon (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        looked INTEGER NOT NULL,
        target INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL
    )",
        "INSERT OR IGNORE INTO horizon (one, looked, target, recorded_at) VALUES (1, 0, 0, 0)",
        // The last change that was forgotten in a scope, and the last removal.
        "CREATE TABLE IF NOT EXISTS forgotten (
        scope INTEGER PRIMARY KEY,
        seq INTEGER NOT NULL,
        removal INTEGER NOT NULL
    )",
        // The last commit stays: the numbers of the next one follow from it.
        "CREATE TRIGGER IF NOT EXISTS changes_forgotten AFTER DELETE ON changes BEGIN
        INSERT INTO forgotten (scope, seq, removal)
            VALUES (OLD.scope, OLD.seq, CASE OLD.type WHEN 'removed' THEN OLD.seq ELSE 0 END)
            ON CONFLICT (scope) DO UPDATE
                SET seq = max(seq, excluded.seq), removal = max(removal, excluded.removal);
        DELETE FROM histories WHERE scope = OLD.scope AND resource_id = OLD.resource_id AND gone = OLD.seq;
        DELETE FROM commits WHERE seq = OLD.commit_seq
            AND seq < (SELECT max(seq) FROM commits)
            AND NOT EXISTS (SELECT 1 FROM changes c
                WHERE c.seq >= commits.first_change AND c.seq < commits.first_change + commits.changes);
    END",
        // Where the next change of a resource is old enough, the one before it goes; so does a removal,
        // which has none before it any more by then. Changes are looked at in their order, so each
        // step knows by `previous` all that it makes superfluous.
        "CREATE VIEW IF NOT EXISTS forget AS SELECT 0 AS recorded_until, 0 AS most",
        "CREATE TRIGGER IF NOT EXISTS forget_run INSTEAD OF INSERT ON forget BEGIN
        UPDATE horizon SET target = min(looked + NEW.most, max(looked, coalesce((
            SELECT first_change + changes - 1 FROM commits WHERE recorded_at <= NEW.recorded_until
                ORDER BY recorded_at DESC, seq DESC LIMIT 1), 0)));
        UPDATE horizon SET recorded_at = coalesce((
            SELECT k.recorded_at FROM changes c JOIN commits k ON k.seq = c.commit_seq
                WHERE c.seq = horizon.target), recorded_at)
            WHERE target > looked;
        DELETE FROM changes WHERE seq IN (
            SELECT c.previous FROM horizon h JOIN changes c ON c.seq > h.looked AND c.seq <= h.target
                WHERE c.previous IS NOT NULL);
        DELETE FROM changes WHERE seq > (SELECT looked FROM horizon) AND seq <= (SELECT target FROM horizon)
            AND type = 'removed';
        UPDATE horizon SET looked = target;
    END",
    ],
    COMMIT_ONE,
];

/// A commit with one change that adds or modifies, which is what a single event is: `commit_plan` without
/// the JSON, and in two thirds of its time.
const COMMIT_ONE: &[&str] = &[
    "CREATE VIEW IF NOT EXISTS commit_one AS
        SELECT '' AS commit_id, '' AS key_id, '' AS integration_id, '' AS resource_name,
            0 AS schema_version, '' AS group_key, 0 AS now, '' AS event, '' AS actor, '' AS type,
            '' AS resource_id, 0 AS base, '' AS digest, '' AS name, '' AS fields, '' AS payload, 0 AS size",
    "CREATE TRIGGER IF NOT EXISTS commit_one_run INSTEAD OF INSERT ON commit_one BEGIN
        SELECT RAISE(ABORT, 'tidegate:stale:')
            WHERE NOT EXISTS (
                SELECT 1 FROM ingest_keys k
                JOIN integrations i ON i.id = k.integration_id
                JOIN schemas s ON s.resource_name = NEW.resource_name
                WHERE k.id = NEW.key_id AND k.revoked_at IS NULL
                    AND i.id = NEW.integration_id AND i.enabled = 1 AND i.deleted_at IS NULL
                    AND s.retired_at IS NULL AND s.version = NEW.schema_version);
        INSERT INTO scopes (integration_id, resource_name, group_key, revision)
            VALUES (NEW.integration_id, NEW.resource_name, NEW.group_key, 1)
            ON CONFLICT (integration_id, resource_name, group_key) DO UPDATE SET revision = revision + 1;
        INSERT INTO commits (id, first_change, changes, recorded_at, event, actor)
            SELECT NEW.commit_id, coalesce(max(first_change + changes), 1), 1,
                max(NEW.now, coalesce(max(recorded_at), 0)), NEW.event, NEW.actor
            FROM (SELECT first_change, changes, recorded_at FROM commits ORDER BY seq DESC LIMIT 1) AS last;
        INSERT INTO changes (seq, commit_seq, scope, resource_id, type, digest, name, schema_version,
                fields, payload, size, previous)
            SELECT k.first_change, k.seq, s.scope, NEW.resource_id, NEW.type, NEW.digest, NEW.name,
                NEW.schema_version, NEW.fields, NEW.payload, NEW.size, NEW.base
            FROM (SELECT seq, first_change FROM commits ORDER BY seq DESC LIMIT 1) AS k, scopes s
            WHERE s.integration_id = NEW.integration_id AND s.resource_name = NEW.resource_name
                AND s.group_key = NEW.group_key
                AND NEW.base IS (SELECT r.change_seq FROM resources r
                    WHERE r.scope = s.scope AND r.resource_id = NEW.resource_id);
        SELECT RAISE(ABORT, 'tidegate:stale:') WHERE changes() = 0;
        INSERT INTO resources (scope, resource_id, digest, change_seq, size)
            SELECT c.scope, c.resource_id, c.digest, c.seq, c.size
            FROM (SELECT scope, resource_id, digest, seq, size FROM changes ORDER BY seq DESC LIMIT 1) AS c
            WHERE true
            ON CONFLICT (scope, resource_id) DO UPDATE
                SET digest = excluded.digest, change_seq = excluded.change_seq, size = excluded.size;
    END",
];

pub(super) const STATEMENTS: Statements = Statements {
    migrations: MIGRATIONS,
    create_version_table: "CREATE TABLE IF NOT EXISTS tidegate_schema_version (version INTEGER PRIMARY KEY)",
    read_version: "SELECT coalesce(max(version), 0) FROM tidegate_schema_version",
    write_version: "INSERT OR IGNORE INTO tidegate_schema_version (version) VALUES (?1)",
    ping: "SELECT 1",

    create_group: "INSERT INTO create_group (id, prefix, name, description, now) VALUES (?1, ?2, ?3, ?4, ?5)",
    change_group: "INSERT INTO change_group (prefix, name, description) VALUES (?1, ?2, ?3)",
    delete_group: "INSERT INTO delete_group (prefix) VALUES (?1)",
    group: "SELECT seq, id, prefix, name, description, created_at FROM groups WHERE prefix = ?1",
    groups: "SELECT seq, id, prefix, name, description, created_at FROM groups WHERE seq > ?1 ORDER BY seq LIMIT ?2",

    create_schema: "INSERT INTO create_schema
        (id, resource_name, group_prefix, table_name, name, schema, test_data, digest, now)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    replace_schema: "INSERT INTO replace_schema (resource_name, name, schema, test_data, digest, now)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    retire_schema: "INSERT INTO retire_schema (resource_name, force, commit_id, now) VALUES (?1, ?2, ?3, ?4)",
    schema: "SELECT seq, id, resource_name, group_prefix, table_name, name, version, schema, test_data,
            digest, created_at, updated_at, retired_at
        FROM schemas WHERE resource_name = ?1",
    schemas: "SELECT s.seq, s.id, s.resource_name, s.group_prefix, s.table_name, s.name, s.version, s.schema,
            s.test_data, s.digest, s.created_at, s.updated_at, s.retired_at, page.total
        FROM (
            SELECT seq, count(*) OVER () AS total,
                sum(size) OVER (ORDER BY seq) AS bytes,
                row_number() OVER (ORDER BY seq) AS number
            FROM (
                SELECT seq, length(schema) + coalesce(length(test_data), 0) AS size
                FROM schemas WHERE seq > ?1 AND retired_at IS NULL ORDER BY seq LIMIT ?2
            ) AS listed
        ) AS page
        JOIN schemas s ON s.seq = page.seq
        WHERE page.number = 1 OR page.bytes <= ?3
        ORDER BY s.seq",
    schema_version: "SELECT schema FROM schema_versions WHERE resource_name = ?1 AND version = ?2",

    create_integration: "INSERT INTO create_integration
        (id, name, description, tags, group_prefix, enabled, key_id, key_hash, now)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    change_integration: "INSERT INTO change_integration (id, name, description, tags, enabled)
        VALUES (?1, ?2, ?3, ?4, ?5)",
    delete_integration: "INSERT INTO delete_integration (id, commit_id, now) VALUES (?1, ?2, ?3)",
    integration: "SELECT seq, id, name, description, tags, group_prefix, enabled, created_at
        FROM integrations WHERE id = ?1 AND deleted_at IS NULL",
    integrations: "SELECT seq, id, name, description, tags, group_prefix, enabled, created_at
        FROM integrations WHERE deleted_at IS NULL AND seq > ?1 ORDER BY seq LIMIT ?2",
    keys: "SELECT id, created_at, last_used_at FROM ingest_keys
        WHERE integration_id = ?1 AND revoked_at IS NULL ORDER BY seq",
    create_key: "INSERT INTO create_key (id, integration_id, hash, now) VALUES (?1, ?2, ?3, ?4)",
    revoke_key: "UPDATE ingest_keys SET revoked_at = ?3
        WHERE id = ?2 AND integration_id = ?1 AND revoked_at IS NULL RETURNING id",
    touch_key: "UPDATE ingest_keys SET last_used_at = ?2
        WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at <= ?3)",

    admit: "SELECT k.id, k.hash, k.last_used_at, i.id, i.enabled, d.generation,
            s.resource_name, s.version, s.digest, s.retired_at
        FROM declarations d
        CROSS JOIN ingest_keys k
        JOIN integrations i ON i.id = k.integration_id
        LEFT JOIN schemas s ON s.group_prefix = i.group_prefix AND (s.table_name = ?2 OR s.resource_name = ?2)
        WHERE k.hash = ?1 AND k.revoked_at IS NULL AND i.deleted_at IS NULL
        ORDER BY s.retired_at IS NOT NULL LIMIT 1",
    current: "SELECT s.revision, r.digest, r.change_seq, c.payload, d.generation
        FROM declarations d
        LEFT JOIN scopes s ON s.integration_id = ?1 AND s.resource_name = ?2 AND s.group_key = ?3
        LEFT JOIN resources r ON r.scope = s.scope AND r.resource_id = ?4
        LEFT JOIN changes c ON c.seq = r.change_seq",
    scope: "SELECT scope, revision FROM scopes
        WHERE integration_id = ?1 AND resource_name = ?2 AND group_key = ?3",
    // A whole page in one row: some hosts hand over a row at a time, each with a call.
    manifest_page: "SELECT (SELECT revision FROM scopes WHERE scope = ?1),
            json_group_array(resource_id), group_concat(digest, '')
        FROM (SELECT resource_id, digest FROM resources
            WHERE scope = ?1 AND resource_id > ?2 ORDER BY resource_id LIMIT ?3)",
    // `CROSS JOIN` keeps the list outermost: SQLite takes it for short, and would walk it once for
    // each resource of the scope.
    manifest_of: "SELECT r.resource_id, r.digest FROM json_each(?2) j
        CROSS JOIN resources r ON r.scope = ?1 AND r.resource_id = j.value",
    sizes: "SELECT r.resource_id, r.size FROM json_each(?2) j
        CROSS JOIN resources r ON r.scope = ?1 AND r.resource_id = j.value",
    payloads: "SELECT r.resource_id, c.payload FROM json_each(?2) j
        CROSS JOIN resources r ON r.scope = ?1 AND r.resource_id = j.value
        CROSS JOIN changes c ON c.seq = r.change_seq",
    commit_plan: "INSERT INTO commit_plan (commit_id, key_id, integration_id, resource_name, schema_version,
            group_key, revision, now, event, actor, plan)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    commit_one: Some(
        "INSERT INTO commit_one (commit_id, key_id, integration_id, resource_name, schema_version, group_key,
            now, event, actor, type, resource_id, base, digest, name, fields, payload, size)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    ),

    cut_at: "SELECT first_change + changes - 1 FROM commits WHERE recorded_at <= ?1
        ORDER BY recorded_at DESC, seq DESC LIMIT 1",
    change_seq: "SELECT first_change, changes FROM commits WHERE id = ?1",

    horizon: "SELECT looked, recorded_at FROM horizon",
    forget: "INSERT INTO forget (recorded_until, most) VALUES (?1, ?2)",
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Every statement but those that are put together from a request's filters (`changes.rs`).
    fn all() -> Vec<&'static str> {
        macro_rules! named {
            ($($name:ident)*) => {{
                // Without `..`, so that a new one is not forgotten.
                let Statements { migrations, commit_one, $($name),* } = STATEMENTS;
                [migrations.concat(), Vec::from_iter(commit_one), vec![$($name),*]].concat()
            }};
        }
        named! {
            create_version_table read_version write_version ping create_group change_group
            delete_group group groups create_schema replace_schema retire_schema schema schemas
            schema_version create_integration change_integration delete_integration integration
            integrations keys create_key revoke_key touch_key admit current scope manifest_page
            manifest_of sizes payloads commit_plan cut_at change_seq horizon forget
        }
    }

    /// The words and signs of a statement, in upper case, without texts and comments.
    fn tokens(statement: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        let mut rest = statement.chars().peekable();
        while let Some(sign) = rest.next() {
            if sign == '\'' {
                // A doubled quote ends one text and begins the next.
                while rest.next().is_some_and(|other| other != '\'') {}
            } else if sign == '-' && rest.peek() == Some(&'-') {
                while rest.next().is_some_and(|other| other != '\n') {}
            } else if sign.is_alphanumeric() || sign == '_' {
                let mut word = sign.to_string();
                while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || *next == '_') {
                    word.push(next);
                }
                tokens.push(word.to_uppercase());
            } else if !sign.is_whitespace() {
                tokens.push(sign.to_string());
            }
        }
        tokens
    }

    /// What in a statement depends on its connection, or is no part of one statement.
    fn fault(statement: &str) -> Option<String> {
        const BEGINNINGS: &str = "ALTER CREATE DELETE DROP INSERT SELECT UPDATE";
        const WORDS: &str = "ATTACH BEGIN COMMIT DETACH LAST_INSERT_ROWID RELEASE ROLLBACK SAVEPOINT \
            TEMP TEMPORARY TOTAL_CHANGES TRANSACTION VACUUM";
        const BEGINNINGS_OF_WORDS: &str = "PRAGMA SQLITE_TEMP";
        let one_of = |words: &str, token: &str| words.split(' ').any(|word| word == token);

        let tokens = tokens(statement);
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        // A trigger's own statements each end with `;`, the last one before its `END`.
        let is_trigger = tokens.starts_with(&["CREATE", "TRIGGER"]);
        let begin = tokens.iter().position(|token| is_trigger && *token == "BEGIN");
        let (outside, inside) = match begin {
            Some(begin) => match tokens[begin + 1..].strip_suffix(&[";", "END"]) {
                Some(inside) => (&tokens[..begin], inside.split(|token| *token == ";").collect()),
                None => return Some("a trigger does not end with `; END`".to_owned()),
            },
            None => (&tokens[..], Vec::new()),
        };
        if outside.contains(&";") {
            return Some(";".to_owned());
        }
        // Whether the trigger has changed something itself, which is what `changes()` is about then.
        let mut changed = false;
        for part in std::iter::once(outside).chain(inside) {
            let first = *part.first().unwrap_or(&"");
            if !one_of(BEGINNINGS, first) {
                return Some(first.to_owned());
            }
            if let Some(word) = part.iter().find(|token| {
                one_of(WORDS, token) || BEGINNINGS_OF_WORDS.split(' ').any(|start| token.starts_with(start))
            }) {
                return Some((*word).to_owned());
            }
            if !changed && part.windows(3).any(|three| three == ["CHANGES", "(", ")"]) {
                return Some("CHANGES()".to_owned());
            }
            // How a subquery's columns are called then is a setting of the connection.
            if part.windows(2).any(|two| ["SELECT", ",", "."].contains(&two[0]) && two[1] == "*") {
                return Some("*".to_owned());
            }
            changed |= one_of("DELETE INSERT UPDATE", first);
        }
        None
    }

    #[test]
    fn no_statement_depends_on_its_connection() {
        for statement in all() {
            assert_eq!(fault(statement), None, "{statement}");
        }
    }

    #[test]
    fn statements_that_depend_on_their_connection_are_found() {
        for (statement, expected) in [
            ("BEGIN IMMEDIATE", "BEGIN"),
            ("END", "END"),
            ("SELECT 1;", ";"),
            ("SELECT ';' -- ;\n; COMMIT", ";"),
            ("SELECT user_version FROM pragma_user_version", "PRAGMA_USER_VERSION"),
            ("CREATE TEMP TABLE t (a)", "TEMP"),
            ("INSERT INTO temp.t VALUES (1)", "TEMP"),
            ("INSERT OR ROLLBACK INTO t VALUES (1)", "ROLLBACK"),
            ("SELECT last_insert_rowid()", "LAST_INSERT_ROWID"),
            ("UPDATE t SET a = 1 WHERE changes() = 0", "CHANGES()"),
            ("SELECT a FROM (SELECT t.* FROM t)", "*"),
            ("CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT changes(); END", "CHANGES()"),
            ("CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t; PRAGMA x; END", "PRAGMA"),
            (
                "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END; SELECT 1",
                "a trigger does not end with `; END`",
            ),
        ] {
            assert_eq!(fault(statement).as_deref(), Some(expected), "{statement}");
        }
        let trigger = "CREATE TRIGGER r AFTER INSERT ON t BEGIN
            UPDATE t SET a = CASE a WHEN 1 THEN 2 END; SELECT count(*), 'it''s; BEGIN' WHERE changes() = 0; END";
        assert_eq!(fault(trigger), None);
    }
}
