//! The feed of changes, as a table.

use serde_json::Value;

const HEAD: [&str; 6] = ["RECORDED", "EVENT", "CHANGE", "PACKAGE", "VERSION", "FIELDS"];
/// A first push adds hundreds of packages; this many rows of one kind tell enough.
const SHOWN: usize = 5;

type Cells = [String; 6];

enum Line {
    Change(Cells),
    More(String),
}

/// The changes in their order, of which long runs of one event and kind are cut short.
pub(crate) fn table(changes: &[Value]) -> String {
    if changes.is_empty() {
        return "nothing has changed\n".to_owned();
    }
    let mut lines = vec![Line::Change(HEAD.map(str::to_owned))];
    for run in changes.chunk_by(|one, next| kind(one) == kind(next)) {
        lines.extend(run.iter().take(SHOWN).map(|change| Line::Change(cells(change))));
        if let Some(more) = run.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            let (_, change) = run.first().map(kind).unwrap_or_default();
            lines.push(Line::More(format!("… and {more} more {change}")));
        }
    }
    let mut widths = [0; 6];
    for line in &lines {
        if let Line::Change(cells) = line {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = cell.chars().count().max(*width);
            }
        }
    }
    let mut text = String::new();
    for line in lines {
        match line {
            Line::Change(cells) => {
                let cells: Vec<String> =
                    cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
                text.push_str(cells.join("  ").trim_end());
            }
            Line::More(more) => text.push_str(&more),
        }
        text.push('\n');
    }
    text
}

fn text<'v>(change: &'v Value, pointer: &str) -> &'v str {
    change.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn kind(change: &Value) -> (&str, &str) {
    (text(change, "/event"), text(change, "/type"))
}

fn cells(change: &Value) -> Cells {
    let (before, after) = (text(change, "/before/version"), text(change, "/after/version"));
    let version = match (before, after) {
        ("", version) | (version, "") => version.to_owned(),
        (before, after) if before == after => after.to_owned(),
        (before, after) => format!("{before} → {after}"),
    };
    let fields: Vec<&str> = change
        .get("fields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let [recorded, id] = [text(change, "/recordedAt"), text(change, "/id")].map(str::to_owned);
    let (event, change) = kind(change);
    [recorded, event.to_owned(), change.to_owned(), id, version, fields.join(", ")]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_runs_are_cut_short() {
        let added = |id: usize| json!({ "type": "added", "id": id.to_string(), "after": { "version": "1" } });
        let mut changes: Vec<Value> = (0..8).map(added).collect();
        changes.push(json!({
            "type": "modified", "id": "7", "fields": ["version"],
            "before": { "version": "1" }, "after": { "version": "2" },
        }));
        let table = table(&changes);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 8, "{table}");
        assert_eq!(lines[6], "… and 3 more added");
        assert!(lines[7].ends_with("7        1 → 2    version"), "{table}");
    }

    #[test]
    fn an_empty_feed_says_so() {
        assert_eq!(table(&[]), "nothing has changed\n");
    }
}
