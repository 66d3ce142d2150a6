//! `tidegate backup`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use tidegate::{Database, SqliteStore};

use super::database::DatabaseArgument;
use super::{Failure, Verdict};

/// Write a copy of a SQLite database into a new file, beside a server that goes on using it.
#[derive(Debug, Args)]
pub(super) struct Backup {
    #[command(flatten)]
    database: DatabaseArgument,

    /// The file to write; there must not be one yet
    target: PathBuf,
}

impl Backup {
    /// Copies. There is either a whole copy under that name afterwards, or none.
    pub(super) fn run(self) -> Result<Verdict, Failure> {
        let Database::File(source) = self.database.stored()? else {
            return Err(Failure::new(
                "this copies SQLite files; PostgreSQL has `pg_dump` for a copy, and base backups with \
                 `pg_basebackup`",
            ));
        };
        let target = &self.target;
        let taken = || Failure::new(format_args!("`{}` is there already", target.display()));
        if target.symlink_metadata().is_ok() {
            return Err(taken());
        }
        let failed =
            |error: io::Error| Failure::new(format_args!("cannot write `{}`: {error}", target.display()));
        let directory = match target.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mut name = std::ffi::OsString::from(".");
        name.push(target.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?);
        name.push(format!(".{}.part", std::process::id()));
        let part = Part(directory.join(name));
        SqliteStore::copy(&source, &part.0).map_err(Failure::new)?;
        File::open(&part.0).and_then(|file| file.sync_all()).map_err(failed)?;
        match fs::hard_link(&part.0, target) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(taken()),
            // A file system without such links.
            Err(_) if target.symlink_metadata().is_err() => fs::rename(&part.0, target).map_err(failed)?,
            Err(_) => return Err(taken()),
        }
        drop(part);
        #[cfg(unix)]
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
        Ok(Verdict::Passed)
    }
}

/// A file that goes away, whatever happens.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
