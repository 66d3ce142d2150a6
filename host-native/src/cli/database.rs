//! Where the state is, as all commands that use it are told.

use clap::Args;
use tidegate::Database;

use super::Failure;

/// A database, by its URL.
#[derive(Debug, Args)]
pub(super) struct DatabaseArgument {
    /// Where the state is: `sqlite:PATH`, `sqlite::memory:` or `postgres://…`
    #[arg(
        long,
        value_name = "URL",
        env = "TIDEGATE_DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite:tidegate.db"
    )]
    database: String,
}

impl DatabaseArgument {
    /// The database. Parsed here and not by clap, which would repeat a wrong value in its message.
    pub(super) fn parsed(&self) -> Result<Database, Failure> {
        self.database.parse().map_err(Failure::new)
    }

    /// A database that is there already: a file that is not is not made.
    pub(super) fn stored(&self) -> Result<Database, Failure> {
        match self.parsed()? {
            Database::Memory => Err(Failure::new("what is in memory ends with its process")),
            Database::File(path) if !path.is_file() => {
                Err(Failure::new(format_args!("there is no file `{}`", path.display())))
            }
            database => Ok(database),
        }
    }
}
