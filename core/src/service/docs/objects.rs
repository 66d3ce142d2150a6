//! The objects that go in and come out.

use serde_json::Value;

use super::Section;
use super::html::{blocks, code, escaped, rich, table};
use super::json::{bounds, description, kind, members};

/// Components that have a section of their own.
const ELSEWHERE: [&str; 4] = ["Digest", "ProblemCode", "ViolationCode", "SchemaProblemCode"];

pub(super) fn section(api: &Value) -> Section {
    let mut body = String::from(
        "<p>Members that an object always has come first; the others are marked as optional. Readers are to \
         ignore members that they do not know.</p>\n",
    );
    let mut entries = Vec::new();
    let all = api.pointer("/components/schemas").and_then(Value::as_object);
    for (name, schema) in all.into_iter().flatten().filter(|(name, _)| !ELSEWHERE.contains(&name.as_str())) {
        let (anchor, title) = (format!("schema-{name}"), escaped(name));
        body.push_str(&format!(
            "<section id=\"{anchor}\">\n<h3><a href=\"#{anchor}\">{title}</a></h3>\n",
            anchor = escaped(&anchor)
        ));
        let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        body.push_str(&blocks(text));
        let members = members(schema);
        if members.is_empty() {
            let bounds = bounds(api, schema);
            let separator = if bounds.is_empty() { "" } else { ": " };
            body.push_str(&format!("<p class=\"kind\">{}{separator}{bounds}</p>\n", kind(schema)));
        } else {
            let rows = members.into_iter().map(|(name, schema, required)| {
                let optional = if required { "" } else { " <small>optional</small>" };
                let bounds = if schema.get("$ref").is_some() { String::new() } else { bounds(api, schema) };
                let kind =
                    if bounds.is_empty() { kind(schema) } else { format!("{}: {bounds}", kind(schema)) };
                (None, vec![format!("{}{optional}", code(name)), kind, rich(description(api, schema))])
            });
            body.push_str(&table(&["member", "type", "meaning"], rows));
        }
        body.push_str("</section>\n");
        entries.push((anchor, title));
    }
    Section { anchor: "objects".to_owned(), title: "Objects".to_owned(), body, entries }
}
