//! Forgetting what is old, and knowing what was forgotten.

use super::changes::{Query, ScopeFilter};
use super::{Columns, Store, Stored, parameters};
use crate::service::host::{Sql, SqlError};

/// Up to where old changes have been forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::service) struct Horizon {
    /// Each change up to this row number has been looked at; 0 if nothing was ever forgotten.
    pub(in crate::service) looked: i64,
    /// When that one was recorded. What was then, and all that was later, is known.
    pub(in crate::service) recorded_at: i64,
}

/// The last changes that were forgotten in some scopes, as row numbers; 0 for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::service) struct Forgotten {
    /// The last one of any type.
    pub(in crate::service) change: i64,
    /// The last one that removed a resource.
    pub(in crate::service) removal: i64,
}

impl<S: Sql> Store<S> {
    /// Up to where old changes have been forgotten.
    pub(in crate::service) async fn horizon(&self) -> Stored<Horizon> {
        let rows = self.read(self.statements().horizon, Vec::new()).await?;
        Ok(rows.first().map_or_else(Horizon::default, |row| {
            let mut columns = Columns::of(row);
            Horizon { looked: columns.integer(), recorded_at: columns.integer() }
        }))
    }

    /// What was forgotten in the scopes that a filter reaches.
    pub(in crate::service) async fn forgotten(&self, filter: &ScopeFilter) -> Stored<Forgotten> {
        let mut query = Query::new(self.dialect);
        let among =
            query.scopes(filter).map_or_else(String::new, |scopes| format!(" WHERE f.scope IN ({scopes})"));
        let statement =
            format!("SELECT coalesce(max(f.seq), 0), coalesce(max(f.removal), 0) FROM forgotten f{among}");
        let rows = self.read(&query.statement(statement), query.parameters).await?;
        Ok(rows.first().map_or_else(Forgotten::default, |row| {
            let mut columns = Columns::of(row);
            Forgotten { change: columns.integer(), removal: columns.integer() }
        }))
    }

    /// Looks at the next `most` of the changes that were recorded until then, and forgets what they
    /// make superfluous. `false` if there was none.
    pub(in crate::service) async fn forget(&self, recorded_until: i64, most: i64) -> Result<bool, SqlError> {
        let first = |rows: Vec<_>| rows.first().map_or(0, |row| Columns::of(row).integer());
        let looked = first(self.sql.read(self.statements().horizon, Vec::new()).await?);
        let until = first(self.sql.read(self.statements().cut_at, parameters![recorded_until]).await?);
        if until <= looked {
            return Ok(false);
        }
        self.sql.write(self.statements().forget, parameters![recorded_until, most]).await?;
        Ok(true)
    }
}
