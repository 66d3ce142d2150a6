//! The store's statements in PostgreSQL's dialect.
//!
//! Every command is one call of a function, `SELECT tidegate.command(…)`, so it is one statement, one
//! round trip and atomic. A function refuses by what it returns, `tidegate:…`, before it has written
//! anything; [`Refusal`](super::Refusal) reads that text.
//!
//! # One order
//!
//! Each command first locks the one row of `tidegate.feed` and holds it until its transaction has
//! committed: commands run one after the other, as they do in SQLite. So what a function reads after
//! that lock is the latest that is committed (each of its statements has a snapshot of its own), the
//! row numbers of changes are given out in the order of the commits, and whoever reads the feed in that
//! order misses nothing. A reader takes no lock and waits for nobody.
//!
//! # What a `text` cannot hold
//!
//! U+0000, and in an index more than some 2,700 bytes. [`escaped`] stands between: it writes U+0000 as
//! two characters, in an order that stays the same. An id that is too long for an index is looked up by
//! its beginning and its digest ([`key`]) and stands whole in `long_id`.

use std::borrow::Cow;

use super::Statements;

/// The longest key of a resource, in bytes as they are stored.
const KEY_BYTES: usize = 1900;

/// What U+0000 and U+0001 become: this and one of the two characters behind it. Neither stands in JSON
/// text, so JSON passes unchanged.
const ESCAPE: char = '\u{1}';

/// A text as PostgreSQL can store it. The order of texts stays what it is.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut stored = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => stored.extend([ESCAPE, '\u{1}']),
            ESCAPE => stored.extend([ESCAPE, '\u{2}']),
            other => stored.push(other),
        }
    }
    Cow::Owned(stored)
}

/// The text that [`escaped`] has made into `stored`.
pub(super) fn unescaped(stored: String) -> String {
    if !stored.contains(ESCAPE) {
        return stored;
    }
    let mut text = String::with_capacity(stored.len());
    let mut characters = stored.chars();
    while let Some(character) = characters.next() {
        match character {
            ESCAPE => text.push(if characters.next() == Some('\u{1}') { '\0' } else { ESCAPE }),
            other => text.push(other),
        }
    }
    text
}

/// What a resource is looked up by: its id, or where that is too long for an index its beginning and
/// its digest. Such a key is longer than any id that is its own key, so the two never meet.
pub(super) fn key(id: &str) -> Cow<'_, str> {
    let mut stored = 0;
    for (at, character) in id.char_indices() {
        let before = stored;
        stored += if matches!(character, '\0' | ESCAPE) { 2 } else { character.len_utf8() };
        if stored > KEY_BYTES {
            let beginning = id.get(..at).unwrap_or_default();
            // With the digest's 64 digits it is longer than `KEY_BYTES`.
            debug_assert!(before + 64 > KEY_BYTES);
            return Cow::Owned(format!("{beginning}{}", blake3::hash(id.as_bytes()).to_hex()));
        }
    }
    Cow::Borrowed(id)
}

/// The tables that statements put together at run time may name.
const TABLES: [&str; 12] = [
    "groups",
    "schemas",
    "schema_versions",
    "integrations",
    "ingest_keys",
    "scopes",
    "commits",
    "changes",
    "resources",
    "histories",
    "horizon",
    "forgotten",
];

/// A statement that is put together at run time, with its tables named in full: which schema a bare
/// name would be looked up in is a setting of the connection.
pub(super) fn qualified(statement: &str) -> String {
    let mut text = String::with_capacity(statement.len() + 128);
    let mut previous = "";
    for word in statement.split_inclusive([' ', '\n', '(', ')']) {
        let bare = word.trim_end_matches([' ', '\n', '(', ')']);
        if matches!(previous, "FROM" | "JOIN") && TABLES.contains(&bare) {
            text.push_str("tidegate.");
        }
        text.push_str(word);
        if !bare.is_empty() {
            previous = bare;
        }
    }
    text
}

/// The number of the advisory lock that a migration holds, so that instances that start together run
/// one after the other: `tidegate` in ASCII.
macro_rules! one_at_a_time {
    () => {
        "PERFORM pg_advisory_xact_lock(8388346167643173989);"
    };
}

/// The migrations, oldest first, each one statement: all of it or nothing. A landed migration never
/// changes; they only add. A function that has to work otherwise gets another name, as an instance of
/// the version before may still be calling the old one.
const MIGRATIONS: &[&[&str]] = &[
    &[concat!(
        "DO $migration$ BEGIN ",
        one_at_a_time!(),
        r#"
    IF EXISTS (SELECT 1 FROM tidegate.schema_version WHERE version = 1) THEN RETURN; END IF;

    -- The one row that every command locks first. `generation` moves with every change of a key, an
    -- integration or a schema that could make an admission another one.
    CREATE TABLE tidegate.feed (
        one bigint PRIMARY KEY DEFAULT 1 CHECK (one = 1),
        next_change bigint NOT NULL,
        recorded_at bigint NOT NULL,
        generation bigint NOT NULL
    ) WITH (fillfactor = 10);
    INSERT INTO tidegate.feed (next_change, recorded_at, generation) VALUES (1, 0, 0);

    CREATE TABLE tidegate.groups (
        seq bigint PRIMARY KEY,
        id text NOT NULL UNIQUE,
        prefix text NOT NULL UNIQUE,
        name text NOT NULL UNIQUE,
        description text,
        created_at bigint NOT NULL
    );
    CREATE TABLE tidegate.schemas (
        seq bigint PRIMARY KEY,
        id text NOT NULL UNIQUE,
        resource_name text NOT NULL UNIQUE,
        group_prefix text NOT NULL,
        table_name text NOT NULL,
        name text NOT NULL,
        version bigint NOT NULL,
        schema text NOT NULL,
        test_data text,
        digest text NOT NULL,
        created_at bigint NOT NULL,
        updated_at bigint NOT NULL,
        retired_at bigint
    );
    CREATE INDEX schemas_by_group ON tidegate.schemas (group_prefix, table_name);
    CREATE INDEX schemas_by_table ON tidegate.schemas (table_name);
    CREATE UNIQUE INDEX schemas_by_name ON tidegate.schemas (name) WHERE retired_at IS NULL;
    CREATE TABLE tidegate.schema_versions (
        resource_name text NOT NULL,
        version bigint NOT NULL,
        schema text NOT NULL,
        digest text NOT NULL,
        created_at bigint NOT NULL,
        PRIMARY KEY (resource_name, version)
    );
    CREATE TABLE tidegate.integrations (
        seq bigint PRIMARY KEY,
        id text NOT NULL UNIQUE,
        name text NOT NULL,
        description text,
        tags text NOT NULL,
        group_prefix text NOT NULL,
        enabled bigint NOT NULL,
        created_at bigint NOT NULL,
        deleted_at bigint
    );
    CREATE INDEX integrations_by_name ON tidegate.integrations (name);
    CREATE UNIQUE INDEX integrations_by_live_name ON tidegate.integrations (name) WHERE deleted_at IS NULL;
    CREATE INDEX integrations_by_group ON tidegate.integrations (group_prefix);
    CREATE TABLE tidegate.ingest_keys (
        seq bigint PRIMARY KEY,
        id text NOT NULL UNIQUE,
        integration_id text NOT NULL,
        hash text NOT NULL UNIQUE,
        created_at bigint NOT NULL,
        last_used_at bigint,
        revoked_at bigint
    );
    CREATE INDEX ingest_keys_by_integration ON tidegate.ingest_keys (integration_id);
    CREATE TABLE tidegate.scopes (
        scope bigint PRIMARY KEY,
        integration_id text NOT NULL,
        resource_name text NOT NULL,
        group_key text NOT NULL,
        revision bigint NOT NULL,
        UNIQUE (integration_id, resource_name, group_key)
    );
    CREATE INDEX scopes_by_resource ON tidegate.scopes (resource_name);
    -- A commit is numbered as its first change.
    CREATE TABLE tidegate.commits (
        seq bigint PRIMARY KEY,
        id text NOT NULL UNIQUE,
        first_change bigint NOT NULL,
        changes bigint NOT NULL,
        recorded_at bigint NOT NULL,
        event text,
        actor text
    );
    CREATE INDEX commits_by_time ON tidegate.commits (recorded_at, seq);
    CREATE TABLE tidegate.changes (
        seq bigint PRIMARY KEY,
        commit_seq bigint NOT NULL,
        scope bigint NOT NULL,
        resource_id text COLLATE "C" NOT NULL,
        long_id text,
        type text NOT NULL,
        digest text,
        name text,
        schema_version bigint NOT NULL,
        fields text NOT NULL,
        payload text,
        size bigint NOT NULL,
        previous bigint
    );
    CREATE INDEX changes_by_resource ON tidegate.changes (scope, resource_id, seq);
    CREATE INDEX changes_by_scope ON tidegate.changes (scope, seq);
    CREATE TABLE tidegate.resources (
        scope bigint NOT NULL,
        resource_id text COLLATE "C" NOT NULL,
        long_id text,
        digest text NOT NULL,
        change_seq bigint NOT NULL,
        size bigint NOT NULL,
        PRIMARY KEY (scope, resource_id)
    );

    -- Groups.
    CREATE FUNCTION tidegate.create_group(a_id text, a_prefix text, a_name text, a_description text, a_now bigint)
    RETURNS text LANGUAGE plpgsql AS $f$
    BEGIN
        PERFORM 1 FROM tidegate.feed FOR UPDATE;
        IF EXISTS (SELECT 1 FROM tidegate.groups WHERE prefix = a_prefix) THEN
            RETURN 'tidegate:name-taken:prefix';
        END IF;
        IF EXISTS (SELECT 1 FROM tidegate.groups WHERE name = a_name) THEN
            RETURN 'tidegate:name-taken:name';
        END IF;
        INSERT INTO tidegate.groups (seq, id, prefix, name, description, created_at)
            SELECT coalesce(max(seq), 0) + 1, a_id, a_prefix, a_name, a_description, a_now
            FROM tidegate.groups;
        RETURN NULL;
    END $f$;
    CREATE FUNCTION tidegate.change_group(a_prefix text, a_name text, a_description text)
    RETURNS text LANGUAGE plpgsql AS $f$
    BEGIN
        PERFORM 1 FROM tidegate.feed FOR UPDATE;
        IF NOT EXISTS (SELECT 1 FROM tidegate.groups WHERE prefix = a_prefix) THEN
            RETURN 'tidegate:not-found:group';
        END IF;
        IF EXISTS (SELECT 1 FROM tidegate.groups WHERE name = a_name AND prefix <> a_prefix) THEN
            RETURN 'tidegate:name-taken:name';
        END IF;
        UPDATE tidegate.groups SET name = a_name, description = a_description WHERE prefix = a_prefix;
        RETURN NULL;
    END $f$;
    CREATE FUNCTION tidegate.delete_group(a_prefix text)
    RETURNS text LANGUAGE plpgsql AS $f$
    BEGIN
        PERFORM 1 FROM tidegate.feed FOR UPDATE;
        IF NOT EXISTS (SELECT 1 FROM tidegate.groups WHERE prefix = a_prefix) THEN
            RETURN 'tidegate:not-found:group';
        END IF;
        IF EXISTS (SELECT 1 FROM tidegate.schemas WHERE group_prefix = a_prefix AND retired_at IS NULL) THEN
            RETURN 'tidegate:in-use:schema';
        END IF;
        IF EXISTS (SELECT 1 FROM tidegate.integrations
            WHERE group_prefix = a_prefix AND deleted_at IS NULL)
        THEN
            RETURN 'tidegate:in-use:integration';
        END IF;
        DELETE FROM tidegate.groups WHERE prefix = a_prefix;
        RETURN NULL;
    END $f$;

    -- Schemas.
    CREATE FUNCTION tidegate.create_schema(a_id text, a_resource_name text, a_group_prefix text,
        a_table_name text, a_name text, a_schema text, a_test_data text, a_digest text, a_now bigint)
    RETURNS text LANGUAGE plpgsql AS $f$
    BEGIN
        PERFORM 1 FROM tidegate.feed FOR UPDATE;
        IF NOT EXISTS (SELECT 1 FROM tidegate.groups WHERE prefix = a_group_prefix) THEN
            RETURN 'tidegate:not-found:group';
        END IF;
        IF EXISTS (SELECT 1 FROM tidegate.schemas
            WHERE resource_name = a_resource_name AND retired_at IS NOT NULL)
        THEN
            RETURN 'tidegate:name-retired:table';
        END IF;
        IF EXISTS (SELECT 1 FROM tidegate.schemas WHERE resource_name = a_resource_name) THEN
            RETURN 'tidegate:name-taken:table';
        END IF;
        IF EXISTS (SELECT 1 FROM tidegate.schemas WHERE name = a_name AND retired_at IS NULL) THEN
            RETURN 'tidegate:name-taken:name';
        END IF;
        INSERT INTO tidegate.schemas (seq, id, resource_name, group_prefix, table_name, name, version, schema,
                test_data, digest, created_at, updated_at)
            SELECT coalesce(max(seq), 0) + 1, a_id, a_resource_name, a_group_prefix, a_table_name, a_name, 1,
                a_schema, a_test_data, a_digest, a_now, a_now
            FROM tidegate.schemas;
        INSERT INTO tidegate.schema_versions (resource_name, version, schema, digest, created_at)
            VALUES (a_resource_name, 1, a_schema, a_digest, a_now);
        UPDATE tidegate.feed SET generation = generation + 1;
        RETURN NULL;
    END $f$;
    CREATE FUNCTION tidegate.replace_schema(a_resource_name text, a_name text, a_schema text,
        a_test_data text, a_digest text, a_now bigint)
    RETURNS text LANGUAGE plpgsql AS $f$
    BEGIN
        PERFORM 1 FROM tidegate.feed FOR UPDATE;
        IF NOT EXISTS (SELECT 1 FROM tidegate.schemas WHERE resource_name = a_resource_name) THEN
            RETURN 'tidegate:not-found:schema';
        END IF;
        IF EXISTS (SELECT 1 FROM tidegate.schemas
            WHERE resource_name = a_resource_name AND retired_at IS NOT NULL)
        THEN
            RETURN 'tidegate:table-retired:schema';
        END IF;
        IF EXISTS (SELECT 1 FROM tidegate.schemas
            WHERE name = a_name AND retired_at IS NULL AND resource_name <> a_resource_name)
        THEN
            RETURN 'tidegate:name-taken:name';
        END IF;
        UPDATE tidegate.schemas SET name = a_name, version = version + 1, schema = a_schema,
                test_data = a_test_data, digest = a_digest, updated_at = a_now
            WHERE resource_name = a_resource_name;
        INSERT INTO tidegate.schema_versions (resource_name, version, schema, digest, created_at)
            SELECT resource_name, version, schema, digest, a_now
            FROM tidegate.schemas WHERE resource_name = a_resource_name;
        UPDATE tidegate.feed SET generation = generation + 1;
        RETURN NULL;
    END $f$;
    -- Removes all resources of an integration, or of a table, in one commit. The feed is locked.
    CREATE FUNCTION tidegate.clear_scopes(a_commit_id text, a_integration_id text, a_resource_name text,
        a_event text, a_now bigint)
    RETURNS void LANGUAGE plpgsql AS $f$
    DECLARE
        v_first bigint;
        v_at bigint;
        v_changes bigint;
    BEGIN
        SELECT next_change, greatest(recorded_at, a_now) INTO v_first, v_at FROM tidegate.feed;
        SELECT count(*) INTO v_changes
            FROM tidegate.scopes s JOIN tidegate.resources r ON r.scope = s.scope
            WHERE s.integration_id = a_integration_id OR s.resource_name = a_resource_name;
        UPDATE tidegate.scopes SET revision = revision + 1
            WHERE integration_id = a_integration_id OR resource_name = a_resource_name;
        IF v_changes > 0 THEN
            INSERT INTO tidegate.changes (seq, commit_seq, scope, resource_id, long_id, type, name,
                    schema_version, fields, size, previous)
                SELECT v_first + row_number() OVER (ORDER BY r.scope, r.resource_id) - 1, v_first,
                    r.scope, r.resource_id, r.long_id, 'removed', c.name, c.schema_version, '[]', 0,
                    r.change_seq
                FROM tidegate.scopes s
                JOIN tidegate.resources r ON r.scope = s.scope
                JOIN tidegate.changes c ON c.seq = r.change_seq
                WHERE s.integration_id = a_integration_id OR s.resource_name = a_resource_name;
            INSERT INTO tidegate.commits (seq, id, first_change, changes, recorded_at, event)
                VALUES (v_first, a_commit_id, v_first, v_changes, v_at, a_event);
            DELETE FROM tidegate.resources WHERE scope IN (
                SELECT scope FROM tidegate.scopes
                WHERE integration_id = a_integration_id OR resource_name = a_resource_name);
            UPDATE tidegate.feed SET next_change = v_first + v_changes, recorded_at = v_at;
        END IF;
    END $f$;
    CREATE FUNCTION tidegate.retire_schema(a_resource_name text, a_force bigint, a_commit_id text, a_now bigint)
    RETURNS text LANGUAGE plpgsql AS $f$
    BEGIN
        PERFORM 1 FROM tidegate.feed FOR UPDATE;
        IF NOT EXISTS (SELECT 1 FROM tidegate.schemas WHERE resource_name = a_resource_name) THEN
            RETURN 'tidegate:not-found:schema';
        END IF;
        IF EXISTS (SELECT 1 FROM tidegate.schemas
            WHERE resource_name = a_resource_name AND retired_at IS NOT NULL)
        THEN
            RETURN 'tidegate:table-retired:schema';
        END IF;
        IF a_force = 0 AND EXISTS (
            SELECT 1 FROM tidegate.scopes s JOIN tidegate.resources r ON r.scope = s.scope
            WHERE s.resource_name = a_resource_name)
        THEN
            RETURN 'tidegate:in-use:resources';
        END IF;
        UPDATE tidegate.schemas SET retired_at = a_now, updated_at = a_now
            WHERE resource_name = a_resource_name;
        UPDATE tidegate.feed SET generation = generation + 1;
        PERFORM tidegate.clear_scopes(a_commit_id, NULL, a_resource_name, 'schema-deleted', a_now);
        RETURN NULL;
    END $f$;

    -- Integrations and keys.
    CREATE FUNCTION tidegate.create_integration(a_id text, a_name text, a_description text, a_tags text,
        a_group_prefix text, a_enabled bigint, a_key_id text, a_key_hash text, a_now bigint)
    RETURNS text LANGUAGE plpgsql AS $f$
    BEGIN
        PERFORM 1 FROM tidegate.feed FOR UPDATE;
        IF NOT EXISTS (SELECT 1 FROM tidegate.groups WHERE prefix = a_group_prefix) THEN
            RETURN 'tidegate:not-found:group';
        END IF;
        IF NOT EXISTS (SELECT 1 FROM tidegate.schemas
            WHERE group_prefix = a_group_prefix AND retired_at IS NULL)
        THEN
            RETURN 'tidegate:group-without-schemas:group';
        END IF;
        IF EXISTS (SELECT 1 FROM tidegate.integrations WHERE name = a_name AND deleted_at IS NULL) THEN
            RETURN 'tidegate:name-taken:name';
        END IF;
        INSERT INTO tidegate.integrations (seq, id, name, description, tags, group_prefix, enabled, created_at)
            SELECT coalesce(max(seq), 0) + 1, a_id, a_name, a_description, a_tags, a_group_prefix, a_enabled,
                a_now
            FROM tidegate.integrations;
        INSERT INTO tidegate.ingest_keys (seq, id, integration_id, hash, created_at)
            SELECT coalesce(max(seq), 0) + 1, a_key_id, a_id, a_key_hash, a_now FROM tidegate.ingest_keys;
        RETURN NULL;
    END $f$;
    CREATE FUNCTION tidegate.change_integration(a_id text, a_name text, a_description text, a_tags text,
        a_enabled bigint)
    RETURNS text LANGUAGE plpgsql AS $f$
    BEGIN
        PERFORM 1 FROM tidegate.feed FOR UPDATE;
        IF NOT EXISTS (SELECT 1 FROM tidegate.integrations WHERE id = a_id AND deleted_at IS NULL) THEN
            RETURN 'tidegate:not-found:integration';
        END IF;
        IF EXISTS (SELECT 1 FROM tidegate.integrations
            WHERE name = a_name AND deleted_at IS NULL AND id <> a_id)
        THEN
            RETURN 'tidegate:name-taken:name';
        END IF;
        UPDATE tidegate.integrations SET name = a_name, description = a_description, tags = a_tags,
                enabled = a_enabled
            WHERE id = a_id;
        UPDATE tidegate.feed SET generation = generation + 1;
        RETURN NULL;
    END $f$;
    CREATE FUNCTION tidegate.delete_integration(a_id text, a_commit_id text, a_now bigint)
    RETURNS text LANGUAGE plpgsql AS $f$
    BEGIN
        PERFORM 1 FROM tidegate.feed FOR UPDATE;
        IF NOT EXISTS (SELECT 1 FROM tidegate.integrations WHERE id = a_id AND deleted_at IS NULL) THEN
            RETURN 'tidegate:not-found:integration';
        END IF;
        UPDATE tidegate.ingest_keys SET revoked_at = a_now
            WHERE integration_id = a_id AND revoked_at IS NULL;
        UPDATE tidegate.integrations SET deleted_at = a_now WHERE id = a_id;
        UPDATE tidegate.feed SET generation = generation + 1;
        PERFORM tidegate.clear_scopes(a_commit_id, a_id, NULL, 'integration-deleted', a_now);
        RETURN NULL;
    END $f$;
    CREATE FUNCTION tidegate.create_key(a_id text, a_integration_id text, a_hash text, a_now bigint)
    RETURNS text LANGUAGE plpgsql AS $f$
    BEGIN
        PERFORM 1 FROM tidegate.feed FOR UPDATE;
        IF NOT EXISTS (SELECT 1 FROM tidegate.integrations
            WHERE id = a_integration_id AND deleted_at IS NULL)
        THEN
            RETURN 'tidegate:not-found:integration';
        END IF;
        IF 2 <= (SELECT count(*) FROM tidegate.ingest_keys
            WHERE integration_id = a_integration_id AND revoked_at IS NULL)
        THEN
            RETURN 'tidegate:conflict:keys';
        END IF;
        INSERT INTO tidegate.ingest_keys (seq, id, integration_id, hash, created_at)
            SELECT coalesce(max(seq), 0) + 1, a_id, a_integration_id, a_hash, a_now FROM tidegate.ingest_keys;
        RETURN NULL;
    END $f$;
    -- The key's id, where there was such a live key.
    CREATE FUNCTION tidegate.revoke_key(a_integration_id text, a_id text, a_now bigint)
    RETURNS SETOF text LANGUAGE plpgsql AS $f$
    BEGIN
        PERFORM 1 FROM tidegate.feed FOR UPDATE;
        UPDATE tidegate.feed SET generation = generation + 1;
        RETURN QUERY UPDATE tidegate.ingest_keys SET revoked_at = a_now
            WHERE id = a_id AND integration_id = a_integration_id AND revoked_at IS NULL RETURNING id;
    END $f$;

    -- The commit of an ingest: the plan is what was read off one revision of the scope, or, without
    -- a revision, off the current change of each of its resources (`b`).
    CREATE FUNCTION tidegate.commit_plan(a_commit_id text, a_key_id text, a_integration_id text,
        a_resource_name text, a_schema_version bigint, a_group_key text, a_revision bigint, a_now bigint,
        a_event text, a_actor text, a_plan text)
    RETURNS text LANGUAGE plpgsql
    -- A session keeps its plans, also those that it made while the tables were all but empty.
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $f$
    DECLARE
        v_first bigint;
        v_at bigint;
        v_scope bigint;
        v_revision bigint;
        v_plan json := a_plan::json;
        v_changes bigint := json_array_length(v_plan);
    BEGIN
        SELECT next_change, greatest(recorded_at, a_now) INTO v_first, v_at FROM tidegate.feed FOR UPDATE;
        IF NOT EXISTS (
            SELECT 1 FROM tidegate.ingest_keys k
            JOIN tidegate.integrations i ON i.id = k.integration_id
            JOIN tidegate.schemas s ON s.resource_name = a_resource_name
            WHERE k.id = a_key_id AND k.revoked_at IS NULL
                AND i.id = a_integration_id AND i.enabled = 1 AND i.deleted_at IS NULL
                AND s.retired_at IS NULL AND s.version = a_schema_version)
        THEN
            RETURN 'tidegate:stale:';
        END IF;
        SELECT scope, revision INTO v_scope, v_revision FROM tidegate.scopes
            WHERE integration_id = a_integration_id AND resource_name = a_resource_name
                AND group_key = a_group_key;
        IF a_revision <> coalesce(v_revision, 0) THEN
            RETURN 'tidegate:stale:';
        END IF;
        IF a_revision IS NULL AND EXISTS (
            SELECT 1 FROM json_to_recordset(v_plan) AS p(i text, b bigint)
            LEFT JOIN tidegate.resources r ON r.scope = v_scope AND r.resource_id = p.i
            WHERE r.change_seq IS DISTINCT FROM p.b)
        THEN
            RETURN 'tidegate:stale:';
        END IF;
        IF v_scope IS NULL THEN
            INSERT INTO tidegate.scopes (scope, integration_id, resource_name, group_key, revision)
                SELECT coalesce(max(scope), 0) + 1, a_integration_id, a_resource_name, a_group_key, 1
                FROM tidegate.scopes
                RETURNING scope INTO v_scope;
        ELSE
            UPDATE tidegate.scopes SET revision = revision + 1 WHERE scope = v_scope;
        END IF;
        INSERT INTO tidegate.changes (seq, commit_seq, scope, resource_id, long_id, type, digest, name,
                schema_version, fields, payload, size, previous)
            SELECT v_first + p.number - 1, v_first, v_scope, p.i, p.l, p.t, p.d, p.n, a_schema_version,
                p.f::text, p.p, coalesce(p.s, 0), r.change_seq
            FROM ROWS FROM (json_to_recordset(v_plan)
                AS (t text, i text, l text, d text, n text, f json, p text, s bigint)) WITH ORDINALITY
                AS p(t, i, l, d, n, f, p, s, number)
            LEFT JOIN tidegate.resources r ON r.scope = v_scope AND r.resource_id = p.i;
        INSERT INTO tidegate.commits (seq, id, first_change, changes, recorded_at, event, actor)
            VALUES (v_first, a_commit_id, v_first, v_changes, v_at, a_event, a_actor);
        DELETE FROM tidegate.resources r USING tidegate.changes c
            WHERE c.seq >= v_first AND c.seq < v_first + v_changes AND c.type = 'removed'
                AND r.scope = c.scope AND r.resource_id = c.resource_id;
        INSERT INTO tidegate.resources (scope, resource_id, long_id, digest, change_seq, size)
            SELECT c.scope, c.resource_id, c.long_id, c.digest, c.seq, c.size FROM tidegate.changes c
            WHERE c.seq >= v_first AND c.seq < v_first + v_changes AND c.type <> 'removed'
            ON CONFLICT (scope, resource_id) DO UPDATE
                SET digest = excluded.digest, change_seq = excluded.change_seq, size = excluded.size;
        UPDATE tidegate.feed SET next_change = v_first + v_changes, recorded_at = v_at;
        RETURN NULL;
    END $f$;

    -- The same for one change that adds or modifies, which is what a single event is.
    CREATE FUNCTION tidegate.commit_one(a_commit_id text, a_key_id text, a_integration_id text,
        a_resource_name text, a_schema_version bigint, a_group_key text, a_now bigint, a_event text,
        a_actor text, a_type text, a_resource_id text, a_base bigint, a_digest text, a_name text,
        a_fields text, a_payload text, a_size bigint, a_long_id text)
    RETURNS text LANGUAGE plpgsql AS $f$
    DECLARE
        v_seq bigint;
        v_at bigint;
        v_scope bigint;
        v_base bigint;
    BEGIN
        SELECT next_change, greatest(recorded_at, a_now) INTO v_seq, v_at FROM tidegate.feed FOR UPDATE;
        IF NOT EXISTS (
            SELECT 1 FROM tidegate.ingest_keys k
            JOIN tidegate.integrations i ON i.id = k.integration_id
            JOIN tidegate.schemas s ON s.resource_name = a_resource_name
            WHERE k.id = a_key_id AND k.revoked_at IS NULL
                AND i.id = a_integration_id AND i.enabled = 1 AND i.deleted_at IS NULL
                AND s.retired_at IS NULL AND s.version = a_schema_version)
        THEN
            RETURN 'tidegate:stale:';
        END IF;
        SELECT scope INTO v_scope FROM tidegate.scopes
            WHERE integration_id = a_integration_id AND resource_name = a_resource_name
                AND group_key = a_group_key;
        SELECT change_seq INTO v_base FROM tidegate.resources
            WHERE scope = v_scope AND resource_id = a_resource_id;
        IF v_base IS DISTINCT FROM a_base THEN
            RETURN 'tidegate:stale:';
        END IF;
        IF v_scope IS NULL THEN
            INSERT INTO tidegate.scopes (scope, integration_id, resource_name, group_key, revision)
                SELECT coalesce(max(scope), 0) + 1, a_integration_id, a_resource_name, a_group_key, 1
                FROM tidegate.scopes
                RETURNING scope INTO v_scope;
        ELSE
            UPDATE tidegate.scopes SET revision = revision + 1 WHERE scope = v_scope;
        END IF;
        INSERT INTO tidegate.changes (seq, commit_seq, scope, resource_id, long_id, type, digest, name,
                schema_version, fields, payload, size, previous)
            VALUES (v_seq, v_seq, v_scope, a_resource_id, a_long_id, a_type, a_digest, a_name,
                a_schema_version, a_fields, a_payload, a_size, a_base);
        INSERT INTO tidegate.commits (seq, id, first_change, changes, recorded_at, event, actor)
            VALUES (v_seq, a_commit_id, v_seq, 1, v_at, a_event, a_actor);
        INSERT INTO tidegate.resources (scope, resource_id, long_id, digest, change_seq, size)
            VALUES (v_scope, a_resource_id, a_long_id, a_digest, v_seq, a_size)
            ON CONFLICT (scope, resource_id) DO UPDATE
                SET digest = excluded.digest, change_seq = excluded.change_seq, size = excluded.size;
        UPDATE tidegate.feed SET next_change = v_seq + 1, recorded_at = v_at;
        RETURN NULL;
    END $f$;

    INSERT INTO tidegate.schema_version (version) VALUES (1);
END $migration$"#
    )],
    &[concat!(
        "DO $migration$ BEGIN ",
        one_at_a_time!(),
        r#"
    IF EXISTS (SELECT 1 FROM tidegate.schema_version WHERE version = 2) THEN RETURN; END IF;

    CREATE INDEX changes_of_resource ON tidegate.changes (scope, resource_id, type, seq);
    CREATE INDEX changes_of_scope ON tidegate.changes (scope, type, seq);
    CREATE INDEX changes_of_type ON tidegate.changes (type, seq, scope);
    CREATE INDEX changes_in_order ON tidegate.changes (seq, scope);
    DROP INDEX tidegate.changes_by_resource;
    DROP INDEX tidegate.changes_by_scope;
    CREATE INDEX schemas_live ON tidegate.schemas (seq) WHERE retired_at IS NULL;
    CREATE INDEX integrations_live ON tidegate.integrations (seq) WHERE deleted_at IS NULL;
    CREATE INDEX scopes_by_group_key ON tidegate.scopes (group_key);

    CREATE TABLE tidegate.histories (
        scope bigint NOT NULL,
        resource_id text COLLATE "C" NOT NULL,
        first bigint NOT NULL,
        gone bigint,
        PRIMARY KEY (scope, resource_id)
    );
    CREATE INDEX histories_by_id ON tidegate.histories (resource_id, scope);
    CREATE TABLE tidegate.horizon (
        one bigint PRIMARY KEY DEFAULT 1 CHECK (one = 1),
        looked bigint NOT NULL,
        recorded_at bigint NOT NULL
    );
    INSERT INTO tidegate.horizon (looked, recorded_at) VALUES (0, 0);
    CREATE TABLE tidegate.forgotten (
        scope bigint PRIMARY KEY,
        seq bigint NOT NULL,
        removal bigint NOT NULL
    );

    -- Triggers of the table, so that an instance of the version before keeps the histories, too. A
    -- statement has at most one change of a resource.
    CREATE FUNCTION tidegate.changes_added() RETURNS trigger LANGUAGE plpgsql AS $f$
    BEGIN
        INSERT INTO tidegate.histories AS h (scope, resource_id, first, gone)
            SELECT scope, resource_id, seq, CASE type WHEN 'removed' THEN seq END FROM added
            ON CONFLICT (scope, resource_id) DO UPDATE SET gone = excluded.gone
                WHERE h.gone IS DISTINCT FROM excluded.gone;
        RETURN NULL;
    END $f$;
    LOCK TABLE tidegate.changes IN SHARE ROW EXCLUSIVE MODE;
    CREATE TRIGGER changes_added AFTER INSERT ON tidegate.changes
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tidegate.changes_added();
    INSERT INTO tidegate.histories (scope, resource_id, first, gone)
        SELECT c.scope, c.resource_id, min(c.seq),
            CASE WHEN NOT EXISTS (SELECT 1 FROM tidegate.resources r
                WHERE r.scope = c.scope AND r.resource_id = c.resource_id) THEN max(c.seq) END
        FROM tidegate.changes c GROUP BY c.scope, c.resource_id;

    CREATE FUNCTION tidegate.changes_forgotten() RETURNS trigger LANGUAGE plpgsql AS $f$
    BEGIN
        INSERT INTO tidegate.forgotten AS f (scope, seq, removal)
            SELECT scope, max(seq), max(CASE type WHEN 'removed' THEN seq ELSE 0 END) FROM removed GROUP BY scope
            ON CONFLICT (scope) DO UPDATE
                SET seq = greatest(f.seq, excluded.seq), removal = greatest(f.removal, excluded.removal);
        DELETE FROM tidegate.histories h USING removed r
            WHERE h.scope = r.scope AND h.resource_id = r.resource_id AND h.gone = r.seq;
        DELETE FROM tidegate.commits k
            WHERE k.seq IN (SELECT commit_seq FROM removed)
                AND k.seq < (SELECT max(seq) FROM tidegate.commits)
                AND NOT EXISTS (SELECT 1 FROM tidegate.changes c
                    WHERE c.seq >= k.first_change AND c.seq < k.first_change + k.changes);
        RETURN NULL;
    END $f$;
    CREATE TRIGGER changes_forgotten AFTER DELETE ON tidegate.changes
        REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION tidegate.changes_forgotten();
    CREATE FUNCTION tidegate.forget(a_recorded_until bigint, a_most bigint)
    RETURNS text LANGUAGE plpgsql AS $f$
    DECLARE
        v_looked bigint;
        v_target bigint;
        v_at bigint;
    BEGIN
        PERFORM 1 FROM tidegate.feed FOR UPDATE;
        SELECT looked INTO v_looked FROM tidegate.horizon;
        SELECT first_change + changes - 1 INTO v_target FROM tidegate.commits
            WHERE recorded_at <= a_recorded_until ORDER BY recorded_at DESC, seq DESC LIMIT 1;
        IF v_target IS NULL OR v_target <= v_looked THEN
            RETURN NULL;
        END IF;
        v_target := least(v_looked + a_most, v_target);
        SELECT k.recorded_at INTO v_at FROM tidegate.changes c
            JOIN tidegate.commits k ON k.seq = c.commit_seq WHERE c.seq = v_target;
        DELETE FROM tidegate.changes WHERE seq IN (
            SELECT c.previous FROM tidegate.changes c
            WHERE c.seq > v_looked AND c.seq <= v_target AND c.previous IS NOT NULL);
        DELETE FROM tidegate.changes WHERE seq > v_looked AND seq <= v_target AND type = 'removed';
        UPDATE tidegate.horizon SET looked = v_target, recorded_at = coalesce(v_at, recorded_at);
        RETURN NULL;
    END $f$;

    INSERT INTO tidegate.schema_version (version) VALUES (2);
END $migration$"#
    )],
];

pub(super) const STATEMENTS: Statements = Statements {
    migrations: MIGRATIONS,
    create_version_table: concat!(
        "DO $migration$ BEGIN ",
        one_at_a_time!(),
        "CREATE SCHEMA IF NOT EXISTS tidegate;
        CREATE TABLE IF NOT EXISTS tidegate.schema_version (version bigint PRIMARY KEY);
        END $migration$"
    ),
    read_version: "SELECT coalesce(max(version), 0) FROM tidegate.schema_version",
    write_version: "INSERT INTO tidegate.schema_version (version) VALUES ($1) ON CONFLICT DO NOTHING",
    ping: "SELECT 1::bigint",

    create_group: "SELECT tidegate.create_group($1, $2, $3, $4, $5)",
    change_group: "SELECT tidegate.change_group($1, $2, $3)",
    delete_group: "SELECT tidegate.delete_group($1)",
    group: "SELECT seq, id, prefix, name, description, created_at FROM tidegate.groups WHERE prefix = $1",
    groups: "SELECT seq, id, prefix, name, description, created_at FROM tidegate.groups
        WHERE seq > $1 ORDER BY seq LIMIT $2",

    create_schema: "SELECT tidegate.create_schema($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    replace_schema: "SELECT tidegate.replace_schema($1, $2, $3, $4, $5, $6)",
    retire_schema: "SELECT tidegate.retire_schema($1, $2, $3, $4)",
    schema: "SELECT seq, id, resource_name, group_prefix, table_name, name, version, schema, test_data,
            digest, created_at, updated_at, retired_at
        FROM tidegate.schemas WHERE resource_name = $1",
    schemas: "SELECT s.seq, s.id, s.resource_name, s.group_prefix, s.table_name, s.name, s.version, s.schema,
            s.test_data, s.digest, s.created_at, s.updated_at, s.retired_at, page.total
        FROM (
            SELECT seq, count(*) OVER () AS total,
                sum(size) OVER (ORDER BY seq) AS bytes,
                row_number() OVER (ORDER BY seq) AS number
            FROM (
                SELECT seq, length(schema) + coalesce(length(test_data), 0) AS size
                FROM tidegate.schemas WHERE seq > $1 AND retired_at IS NULL ORDER BY seq LIMIT $2
            ) AS listed
        ) AS page
        JOIN tidegate.schemas s ON s.seq = page.seq
        WHERE page.number = 1 OR page.bytes <= $3::bigint
        ORDER BY s.seq",
    schema_version: "SELECT schema FROM tidegate.schema_versions WHERE resource_name = $1 AND version = $2",

    create_integration: "SELECT tidegate.create_integration($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    change_integration: "SELECT tidegate.change_integration($1, $2, $3, $4, $5)",
    delete_integration: "SELECT tidegate.delete_integration($1, $2, $3)",
    integration: "SELECT seq, id, name, description, tags, group_prefix, enabled, created_at
        FROM tidegate.integrations WHERE id = $1 AND deleted_at IS NULL",
    integrations: "SELECT seq, id, name, description, tags, group_prefix, enabled, created_at
        FROM tidegate.integrations WHERE deleted_at IS NULL AND seq > $1 ORDER BY seq LIMIT $2",
    keys: "SELECT id, created_at, last_used_at FROM tidegate.ingest_keys
        WHERE integration_id = $1 AND revoked_at IS NULL ORDER BY seq",
    create_key: "SELECT tidegate.create_key($1, $2, $3, $4)",
    revoke_key: "SELECT id FROM tidegate.revoke_key($1, $2, $3) AS id",
    // Holds no lock that a command waits for with the feed's: this is no command.
    touch_key: "UPDATE tidegate.ingest_keys SET last_used_at = $2
        WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)",

    admit: "SELECT k.id, k.hash, k.last_used_at, i.id, i.enabled, f.generation,
            s.resource_name, s.version, s.digest, s.retired_at
        FROM tidegate.feed f
        CROSS JOIN tidegate.ingest_keys k
        JOIN tidegate.integrations i ON i.id = k.integration_id
        LEFT JOIN tidegate.schemas s
            ON s.group_prefix = i.group_prefix AND (s.table_name = $2 OR s.resource_name = $2)
        WHERE k.hash = $1 AND k.revoked_at IS NULL AND i.deleted_at IS NULL
        ORDER BY s.retired_at IS NOT NULL LIMIT 1",
    current: "SELECT s.revision, r.digest, r.change_seq, c.payload, f.generation
        FROM tidegate.feed f
        LEFT JOIN tidegate.scopes s
            ON s.integration_id = $1 AND s.resource_name = $2 AND s.group_key = $3
        LEFT JOIN tidegate.resources r ON r.scope = s.scope AND r.resource_id = $4
        LEFT JOIN tidegate.changes c ON c.seq = r.change_seq",
    scope: "SELECT scope, revision FROM tidegate.scopes
        WHERE integration_id = $1 AND resource_name = $2 AND group_key = $3",
    manifest_page: "SELECT (SELECT revision FROM tidegate.scopes WHERE scope = $1),
            coalesce(json_agg(coalesce(long_id, resource_id) ORDER BY resource_id)::text, '[]'),
            coalesce(string_agg(digest, '' ORDER BY resource_id), '')
        FROM (SELECT resource_id, long_id, digest FROM tidegate.resources
            WHERE scope = $1 AND resource_id > $2 ORDER BY resource_id LIMIT $3) AS page",
    manifest_of: "SELECT coalesce(r.long_id, r.resource_id), r.digest
        FROM json_array_elements_text($2::text::json) AS j(id)
        JOIN tidegate.resources r ON r.scope = $1 AND r.resource_id = j.id",
    sizes: "SELECT coalesce(r.long_id, r.resource_id), r.size
        FROM json_array_elements_text($2::text::json) AS j(id)
        JOIN tidegate.resources r ON r.scope = $1 AND r.resource_id = j.id",
    payloads: "SELECT coalesce(r.long_id, r.resource_id), c.payload
        FROM json_array_elements_text($2::text::json) AS j(id)
        JOIN tidegate.resources r ON r.scope = $1 AND r.resource_id = j.id
        JOIN tidegate.changes c ON c.seq = r.change_seq",
    commit_plan: "SELECT tidegate.commit_plan($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    commit_one: Some(
        "SELECT tidegate.commit_one($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    ),

    cut_at: "SELECT first_change + changes - 1 FROM tidegate.commits WHERE recorded_at <= $1
        ORDER BY recorded_at DESC, seq DESC LIMIT 1",
    change_seq: "SELECT first_change, changes FROM tidegate.commits WHERE id = $1",

    horizon: "SELECT looked, recorded_at FROM tidegate.horizon",
    forget: "SELECT tidegate.forget($1, $2)",
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_come_back_and_keep_their_order(
            a in "[\0\u{1}\u{2}a\u{10ffff}]{0,6}",
            b in "[\0\u{1}\u{2}a\u{10ffff}]{0,6}",
        ) {
            prop_assert!(!escaped(&a).contains('\0'));
            prop_assert_eq!(&unescaped(escaped(&a).into_owned()), &a);
            prop_assert_eq!(escaped(&a).cmp(&escaped(&b)), a.cmp(&b));
        }
    }

    #[test]
    fn a_key_fits_an_index_and_is_one_resource_s_alone() {
        assert_eq!(key("plain"), "plain");
        let longest = "a".repeat(KEY_BYTES);
        assert_eq!(key(&longest), longest);
        let mut keys = std::collections::BTreeSet::from([longest]);
        for character in ["a", "é", "語", "😀", "\0"] {
            for end in ["x", "y"] {
                let id = character.repeat(KEY_BYTES / character.len() + 1) + end;
                let key = key(&id).into_owned();
                assert!((KEY_BYTES + 1..2_000).contains(&escaped(&key).len()), "{}", escaped(&key).len());
                assert!(keys.insert(key));
            }
        }
    }

    #[test]
    fn tables_are_named_in_full() {
        let statement =
            "SELECT c.changes FROM changes c JOIN (SELECT seq FROM commits\n) AS k LEFT JOIN scopes";
        let expected = "SELECT c.changes FROM tidegate.changes c JOIN (SELECT seq FROM tidegate.commits\n) AS k \
            LEFT JOIN tidegate.scopes";
        assert_eq!(qualified(statement), expected);
    }
}
