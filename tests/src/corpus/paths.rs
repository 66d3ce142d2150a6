//! The root keyword `resmo`, with paths in all the forms that there are.

use super::json::Json;
use crate::numbers::Numbers;

/// The root keyword for a schema with those members: its id, and mostly more.
pub(super) fn resource(schema: &Json, id: &[String], names: &[String], numbers: &mut Numbers) -> Json {
    let mut resource = Json::object([("id", Json::text(path(numbers, id)))]);
    let is_string = |name: &&String| {
        let declared = schema.member("properties").and_then(|declared| declared.member(name));
        declared.and_then(|declared| declared.member("type")?.as_text()) == Some("string")
    };
    let strings: Vec<String> = names.iter().filter(is_string).cloned().collect();
    // A name that can never be a string makes the schema one that cannot be used.
    let named = if numbers.percent(3) { names } else { &strings };
    if !named.is_empty() && numbers.percent(80) {
        let name = numbers.pick(named);
        resource.set("name", Json::text(path(numbers, &[name])));
    }
    if numbers.percent(60) {
        let mut fields = Vec::new();
        for _ in 0..numbers.within(1, 4) {
            let name = numbers.pick(names);
            let start = path(numbers, std::slice::from_ref(&name));
            let start = if start.starts_with(['$', '[']) { start } else { format!("$.{start}") };
            fields.push(match numbers.below(12) {
                0 => format!("{start}[*]"),
                1 => format!("{start}.*"),
                2 => format!("{start}[0:2]"),
                3 => format!("{start}[-1]"),
                4 => "$..email".to_owned(),
                5 => format!("{start}[?@ == 'a' || @ > 1]"),
                6 => format!("{start}[?@.count > 0]"),
                7 => format!("{start}[?match(@, '[a-z]+')]"),
                8 => format!("{start}[0,1,'a']"),
                _ => start,
            });
        }
        resource.set("importantFields", Json::texts(fields));
    }
    resource
}

/// A path to that member, in one of the forms that there are.
fn path(numbers: &mut Numbers, names: &[String]) -> String {
    let plain = |name: &String| {
        name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_numeric())
    };
    let quoted = |name: &String| format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"));
    if names.iter().all(plain) && numbers.percent(75) {
        let dotted = names.join(".");
        return if numbers.percent(50) { dotted } else { format!("$.{dotted}") };
    }
    let segments: String = names.iter().map(quoted).collect();
    format!("${segments}")
}
