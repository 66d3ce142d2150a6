//! Reading: resources, now or at a time, and the feed of changes.
//!
//! These statements are put together from the filters that were given, so that each uses the index
//! that fits. None walks or sorts what is stored: a page costs what it holds, and a little for each
//! scope that its filter reaches. They are plain SQL that both dialects share, but for two places
//! where each has its own words for "of each scope the first so many". A subquery names its columns:
//! what a `*` would call them depends on settings of the connection.

use super::{Columns, PAGE_BYTES, Page, Store, StoreError, Stored, count, parameters, postgres};
use crate::digest::Digest;
use crate::service::host::{Dialect, Row, Sql, SqlValue};

/// Which scopes, and which id in them.
#[derive(Debug, Default, Clone)]
pub(in crate::service) struct ScopeFilter {
    /// A resource name, or a table's name.
    pub(in crate::service) table: Option<String>,
    /// An integration's id, or its name.
    pub(in crate::service) integration: Option<String>,
    pub(in crate::service) group_key: Option<String>,
    pub(in crate::service) id: Option<String>,
}

/// Which resources to list.
#[derive(Debug, Default, Clone)]
pub(in crate::service) struct ResourceFilter {
    pub(in crate::service) scopes: ScopeFilter,
    /// As of this row number of the changes.
    pub(in crate::service) cut: Option<i64>,
    /// Behind the resource with this key of this scope.
    pub(in crate::service) after: Option<(i64, String)>,
}

/// Which changes to list.
#[derive(Debug, Default, Clone)]
pub(in crate::service) struct ChangeFilter {
    pub(in crate::service) scopes: ScopeFilter,
    pub(in crate::service) change: Option<&'static str>,
    /// Only changes behind this row number.
    pub(in crate::service) after: Option<i64>,
    /// Only changes before this row number, for pages in descending order.
    pub(in crate::service) before: Option<i64>,
    pub(in crate::service) descending: bool,
}

/// The integration that a resource or change came by, deleted or not.
#[derive(Debug, Clone)]
pub(in crate::service) struct Source {
    pub(in crate::service) id: String,
    pub(in crate::service) name: String,
    /// A JSON array of strings.
    pub(in crate::service) tags: String,
}

/// Where a resource or change belongs, and who made it when.
#[derive(Debug, Clone)]
pub(in crate::service) struct Provenance {
    pub(in crate::service) group_key: String,
    pub(in crate::service) resource_name: String,
    pub(in crate::service) recorded_at: i64,
    pub(in crate::service) event: Option<String>,
    /// JSON text.
    pub(in crate::service) actor: Option<String>,
    pub(in crate::service) source: Source,
}

impl Provenance {
    /// The columns that [`COLUMNS`](Self::COLUMNS) names.
    fn of(columns: &mut Columns<'_>) -> Self {
        Self {
            group_key: columns.text(),
            resource_name: columns.text(),
            recorded_at: columns.integer(),
            event: columns.optional_text(),
            actor: columns.optional_text(),
            source: Source { id: columns.text(), name: columns.text(), tags: columns.text() },
        }
    }

    const COLUMNS: &str =
        "s.group_key, s.resource_name, k.recorded_at, k.event, k.actor, i.id, i.name, i.tags";
}

/// A resource with all that its answer holds.
#[derive(Debug, Clone)]
pub(in crate::service) struct StoredResource {
    pub(in crate::service) id: String,
    pub(in crate::service) payload: String,
    pub(in crate::service) name: Option<String>,
    pub(in crate::service) digest: String,
    pub(in crate::service) schema_version: i64,
    pub(in crate::service) provenance: Provenance,
}

/// One change record.
#[derive(Debug, Clone)]
pub(in crate::service) struct StoredChange {
    pub(in crate::service) seq: i64,
    pub(in crate::service) commit_id: String,
    /// Its place in the commit.
    pub(in crate::service) number: i64,
    pub(in crate::service) id: String,
    pub(in crate::service) change: String,
    /// A JSON array of strings.
    pub(in crate::service) fields: String,
    pub(in crate::service) before: Option<String>,
    pub(in crate::service) after: Option<String>,
    pub(in crate::service) provenance: Provenance,
}

/// The three types of changes, as rows.
const TYPES: &str = "(SELECT 'added' AS type UNION ALL SELECT 'modified' UNION ALL SELECT 'removed')";

/// A page of resources, and the scope and key of the resource behind which the next one begins.
#[derive(Debug)]
pub(in crate::service) struct Resources {
    pub(in crate::service) items: Vec<StoredResource>,
    pub(in crate::service) next: Option<(i64, String)>,
}

/// How many scopes a filter reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Every one there is.
    All,
    /// None or some: each can be asked for its latest change.
    Few,
    /// More than that.
    Many,
}

/// A statement's parameters, while its text is put together.
pub(super) struct Query {
    dialect: Dialect,
    pub(super) parameters: Vec<SqlValue>,
}

impl Query {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, parameters: Vec::new() }
    }

    /// Adds a parameter, and gives the text that stands for it.
    pub(super) fn bind(&mut self, value: impl Into<SqlValue>) -> String {
        let value = value.into();
        let number = self.parameters.len() + 1;
        let text = match (self.dialect, &value) {
            (Dialect::Sqlite, _) => format!("?{number}"),
            (Dialect::Postgres, SqlValue::Integer(_)) => format!("${number}::bigint"),
            (Dialect::Postgres, _) => format!("${number}::text"),
        };
        self.parameters.push(value);
        text
    }

    /// Adds what a resource is looked up by.
    fn key(&mut self, id: &str) -> String {
        let key = self.dialect.key(id).into_owned();
        self.bind(key)
    }

    /// The column of a resource's id, as it is told.
    pub(super) fn id_of(&self, table: &str) -> String {
        match self.dialect {
            Dialect::Sqlite => format!("{table}.resource_id"),
            Dialect::Postgres => format!("coalesce({table}.long_id, {table}.resource_id)"),
        }
    }

    /// The statement as the dialect wants it.
    pub(super) fn statement(&self, text: String) -> String {
        match self.dialect {
            Dialect::Sqlite => text,
            Dialect::Postgres => postgres::qualified(&text),
        }
    }

    /// The scopes that a filter reaches, as a subquery; `None` if it takes any.
    pub(super) fn scopes(&mut self, filter: &ScopeFilter) -> Option<String> {
        let mut conditions = Vec::new();
        if let Some(table) = filter.table.as_deref() {
            let bound = self.bind(table);
            conditions.push(format!(
                "s.resource_name IN (SELECT resource_name FROM schemas WHERE resource_name = {bound} OR table_name = {bound})"
            ));
        }
        if let Some(integration) = filter.integration.as_deref() {
            let bound = self.bind(integration);
            conditions.push(format!(
                "s.integration_id IN (SELECT id FROM integrations WHERE id = {bound} OR name = {bound})"
            ));
        }
        if let Some(group_key) = filter.group_key.as_deref() {
            let bound = self.bind(group_key);
            conditions.push(format!("s.group_key = {bound}"));
        }
        let all = conditions.is_empty();
        (!all).then(|| format!("SELECT s.scope FROM scopes s WHERE {}", conditions.join(" AND ")))
    }
}

impl ScopeFilter {
    fn reaches_all(&self) -> bool {
        self.table.is_none() && self.integration.is_none() && self.group_key.is_none()
    }
}

impl ResourceFilter {
    /// Rows of a table that has its resources in the order of scope and id, from behind `after` on,
    /// `limit` of them at the most.
    ///
    /// Each part is read off an index in its order and ends at the limit, so nothing is sorted but
    /// what two such parts hold.
    fn walk(
        &self,
        query: &mut Query,
        columns: &str,
        table: &str,
        after: Option<&(i64, String)>,
        limit: &str,
    ) -> String {
        let scopes = query.scopes(&self.scopes);
        let after = after.map(|(scope, id)| (query.bind(*scope), query.bind(id.as_str())));
        if let Some(id) = self.scopes.id.as_deref() {
            // Found by its id, in the scopes that have it; `+` keeps the index of the others out.
            let mut conditions = format!("r.resource_id = {}", query.key(id));
            if let Some(scopes) = scopes {
                conditions.push_str(&format!(" AND +r.scope IN ({scopes})"));
            }
            if let Some((scope, id)) = after {
                conditions.push_str(&format!(
                    " AND r.scope >= {scope} AND (r.scope > {scope} OR r.resource_id > {id})"
                ));
            }
            return format!(
                "SELECT {columns} FROM {table} r WHERE {conditions} ORDER BY r.scope, r.resource_id LIMIT {limit}"
            );
        }
        let Some(scopes) = scopes else {
            let behind = match after {
                Some((scope, id)) => format!("WHERE (r.scope, r.resource_id) > ({scope}, {id})"),
                None => String::new(),
            };
            return format!(
                "SELECT {columns} FROM {table} r {behind} ORDER BY r.scope, r.resource_id LIMIT {limit}"
            );
        };
        let each = |scopes: &str| {
            match query.dialect {
            // SQLite goes through such a list in its order.
            Dialect::Sqlite => format!(
                "SELECT {columns} FROM {table} r WHERE r.scope IN ({scopes}) ORDER BY r.scope, r.resource_id LIMIT {limit}"
            ),
            Dialect::Postgres => format!(
                "SELECT {columns} FROM ({scopes} ORDER BY s.scope) AS s CROSS JOIN LATERAL (
                    SELECT {columns} FROM {table} r WHERE r.scope = s.scope ORDER BY r.resource_id LIMIT {limit}
                ) AS r ORDER BY s.scope, r.resource_id LIMIT {limit}"
            ),
        }
        };
        let Some((scope, id)) = after else { return each(&scopes) };
        let later = each(&format!("{scopes} AND s.scope > {scope}"));
        let columns_out = columns.replace("r.", "");
        format!(
            "SELECT {columns_out} FROM (
                SELECT {columns_out} FROM (
                    SELECT {columns} FROM {table} r WHERE r.scope = {scope} AND r.resource_id > {id}
                        AND EXISTS ({scopes} AND s.scope = {scope})
                    ORDER BY r.resource_id LIMIT {limit}) AS same
                UNION ALL SELECT {columns_out} FROM ({later}) AS later
            ) AS both_parts ORDER BY scope, resource_id LIMIT {limit}"
        )
    }

    /// The resources of a page: scope, id, the change that each is at, and its size. `walked` says how
    /// many rows of the walk may be looked at for a page as of a time; a resource that was not there at
    /// that time may be among the answers, without a change.
    fn listed(
        &self,
        query: &mut Query,
        after: Option<&(i64, String)>,
        limit: usize,
        walked: usize,
    ) -> String {
        let limit = query.bind(count(limit));
        let Some(cut) = self.cut else {
            if self.scopes.id.is_none() {
                let columns = "r.scope, r.resource_id, r.change_seq, r.size";
                return self.walk(query, columns, "resources", after, &limit);
            }
            let walk = self.walk(query, "r.scope, r.resource_id", "histories", after, ALL);
            return format!(
                "SELECT r.scope, r.resource_id, r.change_seq, r.size FROM ({walk}) AS h CROSS JOIN resources r
                WHERE r.scope = h.scope AND r.resource_id = h.resource_id ORDER BY r.scope, r.resource_id LIMIT {limit}"
            );
        };
        let cut = query.bind(cut);
        let walked = query.bind(count(walked));
        let walk = self.walk(query, "r.scope, r.resource_id, r.first, r.gone", "histories", after, &walked);
        let last = |change: &str| {
            format!(
                "SELECT (SELECT max(a.seq) FROM changes a WHERE a.scope = h.scope AND a.resource_id = h.resource_id
                    AND a.type = '{change}' AND a.seq <= {cut}) AS seq"
            )
        };
        format!(
            "SELECT h.scope, h.resource_id, CASE WHEN c.type <> 'removed' THEN c.seq END AS change_seq,
                coalesce(c.size, 0) AS size
            FROM (
                SELECT scope, resource_id FROM ({walk}) AS walked
                WHERE first <= {cut} AND (gone IS NULL OR gone > {cut})
                ORDER BY scope, resource_id LIMIT {limit}
            ) AS h LEFT JOIN changes c ON c.seq = (SELECT max(x.seq) FROM ({} UNION ALL {} UNION ALL {}) AS x)",
            last("added"),
            last("modified"),
            last("removed"),
        )
    }
}

/// A limit that is none.
const ALL: &str = "9223372036854775807";

impl ChangeFilter {
    fn order(&self) -> &'static str {
        if self.descending { "DESC" } else { "ASC" }
    }

    /// The bounds of the row number of `x`.
    fn range(&self, query: &mut Query) -> String {
        self.lower(query) + &self.upper(query)
    }

    fn lower(&self, query: &mut Query) -> String {
        self.after.map_or_else(String::new, |after| format!(" AND x.seq > {}", query.bind(after)))
    }

    fn upper(&self, query: &mut Query) -> String {
        self.before.map_or_else(String::new, |before| format!(" AND x.seq < {}", query.bind(before)))
    }

    /// The changes of any scope, or of any type, in their order.
    fn in_order(&self, query: &mut Query, limit: &str) -> String {
        let order = self.order();
        // One bound on a side: of two, an index may be followed from the wrong one on.
        let of = match self.change {
            Some(change) => format!("x.type = {}{}", query.bind(change), self.range(query)),
            // Something to begin with; and no other index than that of the order.
            None => format!("x.seq > {}{}", query.bind(self.after.unwrap_or_default()), self.upper(query)),
        };
        format!("SELECT x.seq, x.scope FROM changes x WHERE {of} ORDER BY x.seq {order} LIMIT {limit}")
    }

    /// Those of a walk in their order that are in one of the scopes.
    fn walked(&self, query: &mut Query, scopes: &str, limit: &str) -> String {
        const WALKED: usize = 4_000;
        let bound = query.bind(count(WALKED));
        let walk = self.in_order(query, &bound);
        let order = self.order();
        format!(
            "SELECT w.seq FROM ({walk}) AS w WHERE w.scope IN ({scopes}) ORDER BY w.seq {order} LIMIT {limit}"
        )
    }

    /// The streams of each scope, type by type, merged: as many rows are read as there are streams,
    /// and as the page holds.
    fn merged(&self, query: &mut Query, scopes: Option<String>, limit: &str) -> String {
        let range = self.range(query);
        let order = self.order();
        let types = match self.change {
            Some(change) => format!("(SELECT {} AS type)", query.bind(change)),
            None => TYPES.to_owned(),
        };
        let (scopes, of) = match self.scopes.id.as_deref() {
            None => (scopes.unwrap_or_else(|| "SELECT s.scope FROM scopes s".to_owned()), String::new()),
            Some(id) => {
                let id = query.key(id);
                let among = scopes.map_or_else(String::new, |scopes| format!(" AND +h.scope IN ({scopes})"));
                let scopes = format!("SELECT h.scope FROM histories h WHERE h.resource_id = {id}{among}");
                (scopes, format!(" AND x.resource_id = {id}"))
            }
        };
        match query.dialect {
            // The queue of the recursion is the heap of the merge.
            Dialect::Sqlite => {
                let (best, beyond, end) = match self.descending {
                    true => ("max", "<", self.lower(query)),
                    false => ("min", ">", self.upper(query)),
                };
                format!(
                    "WITH RECURSIVE merge(scope, type, seq) AS (
                        SELECT scope, type, seq FROM (
                            SELECT s.scope AS scope, t.type AS type, (
                                SELECT {best}(x.seq) FROM changes x
                                WHERE x.scope = s.scope{of} AND x.type = t.type{range}) AS seq
                            FROM ({scopes}) AS s CROSS JOIN {types} AS t LIMIT {ALL}
                        ) WHERE seq IS NOT NULL
                        UNION ALL
                        SELECT m.scope, m.type, c.seq FROM merge m CROSS JOIN changes c
                        WHERE c.seq = (
                            SELECT {best}(x.seq) FROM changes x
                            WHERE x.scope = m.scope{of} AND x.type = m.type AND x.seq {beyond} m.seq{end})
                        ORDER BY 3 {order} LIMIT {limit}
                    ) SELECT seq FROM merge"
                )
            }
            // Only the streams with the best heads can have a row in the page.
            Dialect::Postgres => {
                let rows = |limit: &str| {
                    format!(
                        "CROSS JOIN LATERAL (SELECT x.seq FROM changes x
                            WHERE x.scope = s.scope{of} AND x.type = s.type{range} ORDER BY x.seq {order} LIMIT {limit}
                        ) AS c"
                    )
                };
                format!(
                    "SELECT c.seq FROM (
                        SELECT s.scope, s.type FROM (
                            SELECT s.scope, t.type FROM ({scopes}) AS s CROSS JOIN {types} AS t
                        ) AS s {} ORDER BY c.seq {order} LIMIT {limit}
                    ) AS s {} ORDER BY c.seq {order} LIMIT {limit}",
                    rows("1"),
                    rows(limit),
                )
            }
        }
    }
}

impl<S: Sql> Store<S> {
    /// The last change recorded at or before that time, as a row number.
    pub(in crate::service) async fn cut_at(&self, unix_millis: i64) -> Stored<i64> {
        let rows = self.read(self.statements().cut_at, parameters![unix_millis]).await?;
        Ok(rows.first().map_or(0, |row| Columns::of(row).integer()))
    }

    /// The row number of the change with that place in that commit.
    pub(in crate::service) async fn change_seq(&self, commit_id: &str, number: i64) -> Stored<Option<i64>> {
        let rows = self.read(self.statements().change_seq, parameters![commit_id]).await?;
        Ok(rows.first().and_then(|row| {
            let mut columns = Columns::of(row);
            let (first, changes) = (columns.integer(), columns.integer());
            (0..changes).contains(&number).then_some(first + number)
        }))
    }

    /// A page of resources, by scope and id.
    ///
    /// As of a time, resources that were not there at that time are walked over. That has an end, also
    /// where there are many of them: the page is then shorter than it could be.
    pub(in crate::service) async fn resources(
        &self,
        filter: &ResourceFilter,
        limit: usize,
    ) -> Stored<Resources> {
        const ROUNDS: usize = 3;
        const LATER_ROUNDS: usize = 5_000;
        let mut after = filter.after.clone();
        let mut walked = 2 * limit + 64;
        for _ in 0..ROUNDS {
            let page = self.resource_page(filter, after.as_ref(), limit, walked).await?;
            if page.next.is_some() || filter.cut.is_none() {
                return Ok(page);
            }
            match self.walked_to(filter, after.as_ref(), walked).await? {
                Some(next) if page.items.is_empty() => after = Some(next),
                next => return Ok(Resources { items: page.items, next }),
            }
            walked = LATER_ROUNDS;
        }
        Ok(Resources { items: Vec::new(), next: after })
    }

    /// The resource that a walk of so many rows ends with; `None` if there are fewer.
    async fn walked_to(
        &self,
        filter: &ResourceFilter,
        after: Option<&(i64, String)>,
        walked: usize,
    ) -> Stored<Option<(i64, String)>> {
        let mut query = Query::new(self.dialect);
        let bound = query.bind(count(walked));
        let walk = filter.walk(&mut query, "r.scope, r.resource_id", "histories", after, &bound);
        let before = query.bind(count(walked.saturating_sub(1)));
        let statement = format!(
            "SELECT scope, resource_id FROM ({walk}) AS walked ORDER BY scope, resource_id LIMIT 1 OFFSET {before}"
        );
        let rows = self.read(&query.statement(statement), query.parameters).await?;
        Ok(rows.first().map(|row| {
            let mut columns = Columns::of(row);
            (columns.integer(), columns.text())
        }))
    }

    async fn resource_page(
        &self,
        filter: &ResourceFilter,
        after: Option<&(i64, String)>,
        limit: usize,
        walked: usize,
    ) -> Stored<Resources> {
        let mut query = Query::new(self.dialect);
        let listed = filter.listed(&mut query, after, limit + 1, walked);
        let bytes = query.bind(PAGE_BYTES);
        let (id, provenance) = (query.id_of("c"), Provenance::COLUMNS);
        let statement = format!(
            "SELECT page.total, page.scope, page.resource_id, {id}, c.payload, c.name, c.digest, c.schema_version,
                {provenance}
            FROM (
                SELECT scope, resource_id, change_seq, count(*) OVER () AS total,
                    sum(size) OVER (ORDER BY scope, resource_id) AS bytes,
                    row_number() OVER (ORDER BY scope, resource_id) AS number
                FROM ({listed}) AS listed
            ) AS page
            CROSS JOIN scopes s CROSS JOIN integrations i
            LEFT JOIN changes c ON c.seq = page.change_seq
            LEFT JOIN commits k ON k.seq = c.commit_seq
            WHERE s.scope = page.scope AND i.id = s.integration_id
                AND (page.number = 1 OR page.bytes <= {bytes})
            ORDER BY page.number"
        );
        let rows = self.read(&query.statement(statement), query.parameters).await?;
        let page = cut_page(&rows, limit, |columns| {
            let (scope, key) = (columns.integer(), columns.text());
            let id = columns.text();
            let resource = columns.optional_text().map(|payload| StoredResource {
                id,
                payload,
                name: columns.optional_text(),
                digest: columns.text(),
                schema_version: columns.integer(),
                provenance: Provenance::of(columns),
            });
            ((scope, key), resource)
        });
        let intact = |resource: &StoredResource| intact(Some(&resource.payload), Some(&resource.digest));
        if !page.items.iter().filter_map(|(_, resource)| resource.as_ref()).all(intact) {
            return Err(damaged());
        }
        let next = page.items.last().filter(|_| page.more).map(|(place, _)| place.clone());
        Ok(Resources { items: page.items.into_iter().filter_map(|(_, resource)| resource).collect(), next })
    }

    /// A page of the feed.
    pub(in crate::service) async fn changes(
        &self,
        filter: &ChangeFilter,
        limit: usize,
    ) -> Stored<Page<StoredChange>> {
        let reach = self.reach(&filter.scopes).await?;
        if reach == Reach::Many && filter.scopes.id.is_none() {
            // What reaches many scopes is likely to be met with soon.
            let page = self.change_page(filter, limit, Reach::Many).await?;
            if page.more {
                return Ok(page);
            }
        }
        self.change_page(filter, limit, if reach == Reach::All { reach } else { Reach::Few }).await
    }

    /// How many scopes a filter reaches, as far as that makes a difference.
    async fn reach(&self, filter: &ScopeFilter) -> Stored<Reach> {
        const FEW: usize = 200;
        let mut query = Query::new(self.dialect);
        if filter.id.is_some() {
            return Ok(if filter.reaches_all() { Reach::All } else { Reach::Few });
        }
        let Some(scopes) = query.scopes(filter) else { return Ok(Reach::All) };
        let limit = query.bind(count(FEW + 1));
        let statement = format!("SELECT count(*) FROM ({scopes} LIMIT {limit}) AS reached");
        let rows = self.read(&query.statement(statement), query.parameters).await?;
        let reached = rows.first().map_or(0, |row| Columns::of(row).integer());
        Ok(if usize::try_from(reached).is_ok_and(|reached| reached > FEW) { Reach::Many } else { Reach::Few })
    }

    async fn change_page(
        &self,
        filter: &ChangeFilter,
        limit: usize,
        reach: Reach,
    ) -> Stored<Page<StoredChange>> {
        let mut query = Query::new(self.dialect);
        let bound = query.bind(count(limit + 1));
        let scopes = query.scopes(&filter.scopes);
        let listed = match (reach, scopes) {
            (Reach::All, _) if filter.scopes.id.is_none() => filter.in_order(&mut query, &bound),
            (Reach::Many, Some(scopes)) => filter.walked(&mut query, &scopes, &bound),
            (_, scopes) => filter.merged(&mut query, scopes, &bound),
        };
        let bytes = query.bind(PAGE_BYTES);
        let order = filter.order();
        let (id, provenance) = (query.id_of("c"), Provenance::COLUMNS);
        // `CROSS JOIN` keeps the page outermost: SQLite knows nothing of its length, and may walk all
        // changes for the sake of their order.
        let statement = format!(
            "SELECT page.total, c.seq, k.id, c.seq - k.first_change, {id}, c.type, c.fields,
                p.payload, p.digest, c.payload, c.digest,
                {provenance}
            FROM (
                SELECT seq, count(*) OVER () AS total,
                    sum(size) OVER (ORDER BY seq {order}) AS bytes,
                    row_number() OVER (ORDER BY seq {order}) AS number
                FROM (
                    SELECT c.seq, c.size + coalesce(p.size, 0) AS size
                    FROM ({listed}) AS l CROSS JOIN changes c LEFT JOIN changes p ON p.seq = c.previous
                    WHERE c.seq = l.seq
                ) AS listed
            ) AS page
            CROSS JOIN changes c LEFT JOIN changes p ON p.seq = c.previous
            CROSS JOIN commits k CROSS JOIN scopes s CROSS JOIN integrations i
            WHERE c.seq = page.seq AND k.seq = c.commit_seq AND s.scope = c.scope AND i.id = s.integration_id
                AND (page.number = 1 OR page.bytes <= {bytes})
            ORDER BY page.number"
        );
        let rows = self.read(&query.statement(statement), query.parameters).await?;
        let mut all_intact = true;
        let mut payload = |columns: &mut Columns<'_>| {
            let (payload, digest) = (columns.optional_text(), columns.optional_text());
            all_intact &= intact(payload.as_deref(), digest.as_deref());
            payload
        };
        let page = cut_page(&rows, limit, |columns| StoredChange {
            seq: columns.integer(),
            commit_id: columns.text(),
            number: columns.integer(),
            id: columns.text(),
            change: columns.text(),
            fields: columns.text(),
            before: payload(columns),
            after: payload(columns),
            provenance: Provenance::of(columns),
        });
        if all_intact { Ok(page) } else { Err(damaged()) }
    }
}

/// Whether a payload is what was stored. SQLite keeps no checksums: what stands in a damaged page that
/// holds nothing but the rest of a long text, it hands over as it is.
fn intact(payload: Option<&str>, digest: Option<&str>) -> bool {
    match (payload.map(|payload| Digest::of_text(payload.as_bytes())), digest) {
        (None, None) => true,
        (Some(Some(found)), Some(digest)) => digest.parse::<Digest>().is_ok_and(|stored| stored == found),
        _ => false,
    }
}

fn damaged() -> StoreError {
    StoreError::Broken("the database is malformed: a payload is not what its digest says".to_owned())
}

/// A page whose rows begin with the number of rows there were before the byte budget cut it.
fn cut_page<T>(rows: &[Row], limit: usize, mut item: impl FnMut(&mut Columns<'_>) -> T) -> Page<T> {
    let mut total = 0;
    let items: Vec<_> = rows
        .iter()
        .take(limit)
        .map(|row| {
            let mut columns = Columns::of(row);
            total = columns.integer();
            item(&mut columns)
        })
        .collect();
    let more = usize::try_from(total).is_ok_and(|total| total > items.len());
    Page { items, more }
}
