//! Reading: resources, now or at a time, and the feed of changes.
//!
//! These statements are put together from the filters that were given, so that each uses the index
//! that fits. They are plain SQL that both dialects share. A subquery names its columns: what a `*`
//! would call them depends on settings of the connection.

use super::{Columns, PAGE_BYTES, Page, Store, Stored, count, parameters, postgres};
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
    /// Behind this resource of this scope.
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
    pub(in crate::service) scope: i64,
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

/// A statement's text with its parameters.
#[derive(Default)]
struct Query {
    dialect: Dialect,
    conditions: String,
    parameters: Vec<SqlValue>,
}

impl Query {
    /// Adds a parameter, and gives the text that stands for it.
    fn bind(&mut self, value: impl Into<SqlValue>) -> String {
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

    /// The column of a resource's id, as it is told.
    fn id_of(&self, table: &str) -> String {
        match self.dialect {
            Dialect::Sqlite => format!("{table}.resource_id"),
            Dialect::Postgres => format!("coalesce({table}.long_id, {table}.resource_id)"),
        }
    }

    /// The statement as the dialect wants it.
    fn statement(&self, text: String) -> String {
        match self.dialect {
            Dialect::Sqlite => text,
            Dialect::Postgres => postgres::qualified(&text),
        }
    }

    fn and(&mut self, condition: &str) {
        self.conditions.push_str(if self.conditions.is_empty() { " WHERE " } else { " AND " });
        self.conditions.push_str(condition);
    }

    /// The conditions of a filter; `s` is the scope, `id` the column of the resource's id.
    fn filter(&mut self, filter: &ScopeFilter, id: &str) {
        if let Some(table) = filter.table.as_deref() {
            let bound = self.bind(table);
            self.and(&format!(
                "s.resource_name IN (SELECT resource_name FROM schemas WHERE resource_name = {bound} OR table_name = {bound})"
            ));
        }
        if let Some(integration) = filter.integration.as_deref() {
            let bound = self.bind(integration);
            self.and(&format!(
                "s.integration_id IN (SELECT id FROM integrations WHERE id = {bound} OR name = {bound})"
            ));
        }
        if let Some(group_key) = filter.group_key.as_deref() {
            let bound = self.bind(group_key);
            self.and(&format!("s.group_key = {bound}"));
        }
        if let Some(value) = filter.id.as_deref() {
            let bound = self.bind(self.dialect.key(value).into_owned());
            self.and(&format!("{id} = {bound}"));
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
    pub(in crate::service) async fn resources(
        &self,
        filter: &ResourceFilter,
        limit: usize,
    ) -> Stored<Page<StoredResource>> {
        let mut query = Query { dialect: self.dialect, ..Query::default() };
        query.filter(&filter.scopes, "r.resource_id");
        if let Some((scope, id)) = &filter.after {
            let (scope, id) = (query.bind(*scope), query.bind(self.dialect.key(id).into_owned()));
            query.and(&format!("(r.scope, r.resource_id) > ({scope}, {id})"));
        }
        let from = match filter.cut {
            None => "SELECT r.scope, r.resource_id, r.change_seq, r.size
                FROM resources r JOIN scopes s ON s.scope = r.scope"
                .to_owned(),
            Some(cut) => {
                let cut = query.bind(cut);
                query.and(&format!(
                    "r.type <> 'removed' AND r.seq = (SELECT max(x.seq) FROM changes x
                        WHERE x.scope = r.scope AND x.resource_id = r.resource_id AND x.seq <= {cut})"
                ));
                "SELECT r.scope, r.resource_id, r.seq AS change_seq, r.size
                    FROM changes r JOIN scopes s ON s.scope = r.scope"
                    .to_owned()
            }
        };
        let bound = query.bind(count(limit + 1));
        let bytes = query.bind(PAGE_BYTES);
        let (id, provenance) = (query.id_of("c"), Provenance::COLUMNS);
        let statement = format!(
            "SELECT page.total, page.scope, {id}, c.payload, c.name, c.digest, c.schema_version,
                {provenance}
            FROM (
                SELECT scope, resource_id, change_seq, count(*) OVER () AS total,
                    sum(size) OVER (ORDER BY scope, resource_id) AS bytes,
                    row_number() OVER (ORDER BY scope, resource_id) AS number
                FROM ({from}{} ORDER BY r.scope, r.resource_id LIMIT {bound}) AS listed
            ) AS page
            JOIN scopes s ON s.scope = page.scope
            JOIN changes c ON c.seq = page.change_seq
            JOIN commits k ON k.seq = c.commit_seq
            JOIN integrations i ON i.id = s.integration_id
            WHERE page.number = 1 OR page.bytes <= {bytes}
            ORDER BY page.scope, page.resource_id",
            query.conditions
        );
        let rows = self.read(&query.statement(statement), query.parameters).await?;
        Ok(cut_page(&rows, limit, |columns| StoredResource {
            scope: columns.integer(),
            id: columns.text(),
            payload: columns.text(),
            name: columns.optional_text(),
            digest: columns.text(),
            schema_version: columns.integer(),
            provenance: Provenance::of(columns),
        }))
    }

    /// A page of the feed.
    pub(in crate::service) async fn changes(
        &self,
        filter: &ChangeFilter,
        limit: usize,
    ) -> Stored<Page<StoredChange>> {
        let mut query = Query { dialect: self.dialect, ..Query::default() };
        query.filter(&filter.scopes, "c.resource_id");
        if let Some(change) = filter.change {
            let bound = query.bind(change);
            query.and(&format!("c.type = {bound}"));
        }
        if let Some(after) = filter.after {
            let bound = query.bind(after);
            query.and(&format!("c.seq > {bound}"));
        }
        if let Some(before) = filter.before {
            let bound = query.bind(before);
            query.and(&format!("c.seq < {bound}"));
        }
        let bound = query.bind(count(limit + 1));
        let bytes = query.bind(PAGE_BYTES);
        let order = if filter.descending { "DESC" } else { "ASC" };
        let (id, provenance) = (query.id_of("c"), Provenance::COLUMNS);
        let statement = format!(
            "SELECT page.total, c.seq, k.id, c.seq - k.first_change, {id}, c.type, c.fields, p.payload, c.payload,
                {provenance}
            FROM (
                SELECT seq, count(*) OVER () AS total,
                    sum(size) OVER (ORDER BY seq {order}) AS bytes,
                    row_number() OVER (ORDER BY seq {order}) AS number
                FROM (
                    SELECT c.seq, c.size + coalesce(p.size, 0) AS size
                    FROM changes c JOIN scopes s ON s.scope = c.scope LEFT JOIN changes p ON p.seq = c.previous{}
                    ORDER BY c.seq {order} LIMIT {bound}
                ) AS listed
            ) AS page
            JOIN changes c ON c.seq = page.seq
            LEFT JOIN changes p ON p.seq = c.previous
            JOIN commits k ON k.seq = c.commit_seq
            JOIN scopes s ON s.scope = c.scope
            JOIN integrations i ON i.id = s.integration_id
            WHERE page.number = 1 OR page.bytes <= {bytes}
            ORDER BY c.seq {order}",
            query.conditions
        );
        let rows = self.read(&query.statement(statement), query.parameters).await?;
        Ok(cut_page(&rows, limit, |columns| StoredChange {
            seq: columns.integer(),
            commit_id: columns.text(),
            number: columns.integer(),
            id: columns.text(),
            change: columns.text(),
            fields: columns.text(),
            before: columns.optional_text(),
            after: columns.optional_text(),
            provenance: Provenance::of(columns),
        }))
    }
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
