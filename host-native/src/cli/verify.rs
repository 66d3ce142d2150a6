//! `tidegate verify`.

use clap::Args;
use serde::Serialize;
use tidegate::{AllowedOrigins, Database, NativeStore, SystemClock, SystemRandomness};
use tidegate_core::service::{Fault, Service, Settings, Sql, SqlValue, Verified};

use super::database::DatabaseArgument;
use super::report::line;
use super::{Failure, Verdict, print};

/// Check that what is stored agrees with itself.
///
/// Reads everything: payloads against their digests, schemas against theirs, each change against the one
/// before it, the state against the feed; of a SQLite file, first its pages and indexes. A server may go on
/// using the database meanwhile.
#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    database: DatabaseArgument,

    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Faults that are listed; all are counted.
const LISTED: usize = 1000;

#[derive(Serialize)]
struct Report {
    valid: bool,
    #[serde(flatten)]
    verified: Verified,
    #[serde(rename = "listed")]
    faults: Vec<Fault>,
}

impl Verify {
    /// Verifies, and prints what was found.
    pub(super) fn run(self) -> Result<Verdict, Failure> {
        let database = self.database.stored()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(Failure::new)?;
        let report = runtime.block_on(verify(&database))?;
        print(&report, self.json, Report::describe)?;
        Ok(if report.valid { Verdict::Passed } else { Verdict::DidNotPass })
    }
}

async fn verify(database: &Database) -> Result<Report, Failure> {
    let store = NativeStore::open(database).map_err(Failure::new)?;
    let mut faults = Vec::new();
    let mut damaged = 0;
    if matches!(database, Database::File(_)) {
        let rows = store.read("PRAGMA integrity_check", Vec::new()).await.map_err(Failure::new)?;
        for row in rows {
            match row.into_iter().next() {
                Some(SqlValue::Text(text)) if text != "ok" => {
                    damaged += 1;
                    faults.push(Fault { place: "the file".to_owned(), detail: text });
                }
                _ => {}
            }
        }
    }
    let settings = Settings { admin_token: String::new(), allowed_origins: AllowedOrigins::default() };
    let service = Service::new(store, SystemClock, SystemRandomness, settings);
    let verified = service
        .verify(|fault| {
            if faults.len() < LISTED {
                faults.push(fault);
            }
        })
        .await;
    service.sql().close().await;
    let mut verified = verified.map_err(Failure::new)?;
    verified.faults += damaged;
    Ok(Report { valid: verified.faults == 0, verified, faults })
}

impl Report {
    fn describe(&self) -> String {
        let mut text = String::new();
        for fault in &self.faults {
            line(&mut text, format_args!("{}: {}", fault.place, fault.detail));
        }
        let Verified { schema_versions, scopes, commits, changes, resources, faults } = self.verified;
        if usize::try_from(faults).is_ok_and(|faults| faults > self.faults.len()) {
            line(&mut text, format_args!("…"));
        }
        line(
            &mut text,
            format_args!(
                "{resources} resources, {changes} changes, {commits} commits, {scopes} scopes, {schema_versions} \
                 versions of schemas: {}",
                match faults {
                    0 => "all agree".to_owned(),
                    1 => "1 fault".to_owned(),
                    faults => format!("{faults} faults"),
                }
            ),
        );
        text
    }
}
