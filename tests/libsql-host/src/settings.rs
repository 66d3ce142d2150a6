//! The settings of the connections: each has others than the one before.
//!
//! A statement that works only with some of them depends on its connection. None of them has to do
//! with whether a commit survives a crash: that is the host's to keep, not the statements'.

/// What one statement is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    Read,
    Write,
}

/// Settings with the two values that each of them takes in turn.
const SETTINGS: [(&str, [i64; 2]); 13] = [
    // Which plans there are, and with them the order of rows.
    ("automatic_index", [1, 0]),
    // How triggers and constraints work.
    ("recursive_triggers", [0, 1]),
    ("foreign_keys", [1, 0]),
    ("ignore_check_constraints", [0, 1]),
    // Which functions and virtual tables views and triggers may use.
    ("trusted_schema", [1, 0]),
    // What a statement answers: the names of columns, and a row with the number of changes.
    ("short_column_names", [1, 0]),
    ("full_column_names", [0, 1]),
    ("count_changes", [0, 1]),
    // Where and how much is kept in memory; with ten pages, a statement writes before it is done.
    ("temp_store", [1, 2]),
    ("cache_size", [-2000, 10]),
    ("cell_size_check", [0, 1]),
    ("secure_delete", [0, 1]),
    // Of no effect as long as the store has no `LIKE`.
    ("case_sensitive_like", [0, 1]),
];

/// The statements that make a connection what it is for the statement of that number.
pub(crate) fn of_connection(number: u64, intent: Intent) -> String {
    let always = [
        // A statement that only reads is held to it.
        ("query_only", i64::from(intent == Intent::Read)),
        // Rows that no `ORDER BY` puts in order come in another order than on every other host.
        ("reverse_unordered_selects", 1),
    ];
    values(number).chain(always).map(|(setting, value)| format!("PRAGMA {setting} = {value};")).collect()
}

fn values(number: u64) -> impl Iterator<Item = (&'static str, i64)> {
    let bits = scramble(number);
    SETTINGS.iter().enumerate().map(move |(place, (setting, [first, second]))| {
        (*setting, if bits >> place & 1 == 0 { *first } else { *second })
    })
}

/// Bits that look random, so that no setting goes in step with the order of the requests, and are the
/// same in each run, so that a conversation that fails fails again. It is the end of SplitMix64.
fn scramble(number: u64) -> u64 {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use libsql::Connection;

    use super::*;

    fn answer(connection: &Connection, statement: &str) -> i64 {
        connection.query_row(statement, [], |row| row.get(0)).unwrap()
    }

    /// libSQL passes over a setting that it does not know.
    #[test]
    fn every_setting_is_one_and_takes_both_values() {
        let mut seen = BTreeSet::new();
        for number in 0..32 {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(&of_connection(number, Intent::Read)).unwrap();
            let always = [("query_only", 1), ("reverse_unordered_selects", 1)];
            for (setting, value) in values(number).chain(always) {
                seen.insert((setting, value));
                let question = match setting {
                    // It answers nothing.
                    "case_sensitive_like" => "SELECT 'a' NOT LIKE 'A'".to_owned(),
                    _ => format!("PRAGMA {setting}"),
                };
                assert_eq!(answer(&connection, &question), value, "{setting}");
            }
        }
        assert_eq!(seen.len(), 2 * SETTINGS.len() + 2);
    }
}
