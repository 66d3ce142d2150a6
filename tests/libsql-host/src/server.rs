//! What libSQL's server does with a statement before it runs it: it reads it with a parser of its own,
//! which knows less SQL than the engine does, and runs what it has read, written anew.

use fallible_iterator::FallibleIterator;
use libsql_sqlite3_parser::ast::{Cmd, Stmt};
use libsql_sqlite3_parser::lexer::sql::Parser;

/// The text that the server would run.
///
/// # Errors
///
/// Why it would run nothing.
pub(crate) fn as_it_runs(statement: &str) -> Result<String, String> {
    // On the heap, as the server has it: it is large.
    let mut parser = Box::new(Parser::new(statement.as_bytes()));
    let mut next = || parser.next().map_err(|error| format!("libSQL's server cannot read it: {error}"));
    let first = next()?.ok_or("there is no statement")?;
    if next()?.is_some() {
        return Err("there is more than one statement".to_owned());
    }
    Ok(match first {
        // The server leaves these as they are.
        Cmd::Stmt(Stmt::CreateTable { .. }) => statement.to_owned(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_statement_that_it_can_read_is_run() {
        assert_eq!(as_it_runs("select  a\nfrom t -- all").unwrap(), "SELECT a FROM t;");
        let refused = |statement| as_it_runs(statement).unwrap_err();
        assert!(refused("SELECT 1; SELECT 2").contains("more than one"));
        assert!(refused(" -- nothing").contains("no statement"));
        // The engine takes it.
        assert!(refused("SELECT count(*) FROM t HAVING count(*) > 0").contains("HAVING"));
    }
}
