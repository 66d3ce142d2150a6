//! Schemas and values of the document, as people read them.

use serde_json::Value;

use super::html::{code, escaped, number};

/// What a reference leads to; anything else is itself.
pub(super) fn resolve<'a>(api: &'a Value, value: &'a Value) -> &'a Value {
    let target =
        value.get("$ref").and_then(Value::as_str).and_then(|text| api.pointer(text.strip_prefix('#')?));
    target.unwrap_or(value)
}

/// The name of the component that a reference leads to.
pub(super) fn referred(value: &Value) -> Option<&str> {
    value.get("$ref")?.as_str()?.rsplit('/').next()
}

/// A text of a schema, or of what it refers to.
pub(super) fn description<'a>(api: &'a Value, schema: &'a Value) -> &'a str {
    let own = schema.get("description").or_else(|| resolve(api, schema).get("description"));
    let all = own.and_then(Value::as_str).or_else(|| {
        let first = schema.get("anyOf")?.get(0)?;
        first.get("description").or_else(|| resolve(api, first).get("description"))?.as_str()
    });
    all.unwrap_or_default().split("\n\n").next().unwrap_or_default()
}

/// The members of an object's schema: those that are always there, in their order, then the others.
pub(super) fn members(schema: &Value) -> Vec<(&str, &Value, bool)> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let first = required.iter().filter_map(|name| Some((*name, properties.get(*name)?, true)));
    let rest = properties.iter().filter(|(name, _)| !required.contains(&name.as_str()));
    first.chain(rest.map(|(name, schema)| (name.as_str(), schema, false))).collect()
}

/// A schema in a few words.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(name) = referred(schema) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escaped(name));
    }
    if let Some(all) = schema.get("enum").and_then(Value::as_array) {
        let all: Vec<_> = all.iter().map(|value| code(&plain(value))).collect();
        return all.join(", ");
    }
    if let Some(value) = schema.get("const") {
        return code(&plain(value));
    }
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if kinds.is_empty() {
        return match schema.get("anyOf").and_then(Value::as_array) {
            Some(all) => all.iter().map(kind).collect::<Vec<_>>().join(" or "),
            None if schema == &Value::Bool(false) => "never there".to_owned(),
            None => "any JSON".to_owned(),
        };
    }
    let names =
        kinds.iter().map(|name| match (*name, schema.get("items"), schema.get("additionalProperties")) {
            ("array", Some(items), _) => format!("list of {}", kind(items)),
            ("object", _, Some(values @ Value::Object(_))) => format!("object of {}", kind(values)),
            (name, ..) => name.to_owned(),
        });
    names.collect::<Vec<_>>().join(" or ")
}

/// What a schema bounds, in words.
pub(super) fn bounds(api: &Value, schema: &Value) -> String {
    let schema = resolve(api, schema);
    let bound = |name: &str| schema.get(name).and_then(Value::as_u64).map(number);
    let range = |least: &str, most: &str, what: &str| match (bound(least), bound(most)) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}{what}")),
        (None, Some(most)) => Some(format!("at most {most}{what}")),
        _ => None,
    };
    let mut parts: Vec<String> = [
        range("minLength", "maxLength", " characters"),
        range("minItems", "maxItems", " items"),
        range("minimum", "maximum", ""),
        schema.get("format").and_then(Value::as_str).map(escaped),
        schema.get("pattern").and_then(Value::as_str).map(code),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let Some(default) = schema.get("default") {
        parts.push(format!("default {}", code(&plain(default))));
    }
    parts.join(", ")
}

/// A scalar as text: strings without quotes.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value over several lines, its members in the order of its schema.
pub(super) fn pretty(api: &Value, value: &Value, schema: &Value) -> String {
    let mut text = String::new();
    write(api, value, schema, 0, &mut text);
    text
}

const WIDTH: usize = 84;

fn write(api: &Value, value: &Value, schema: &Value, indent: usize, text: &mut String) {
    let line = one_line(api, value, schema);
    if line.chars().count() + indent <= WIDTH {
        text.push_str(&line);
        return;
    }
    let (open, close, parts) = parts(api, value, schema);
    if parts.is_empty() {
        text.push_str(&line);
        return;
    }
    text.push(open);
    for (at, (name, value, schema)) in parts.iter().enumerate() {
        text.push_str(if at > 0 { ",\n" } else { "\n" });
        text.push_str(&" ".repeat(indent + 2));
        text.push_str(name);
        write(api, value, schema, indent + 2, text);
    }
    text.push('\n');
    text.push_str(&" ".repeat(indent));
    text.push(close);
}

fn one_line(api: &Value, value: &Value, schema: &Value) -> String {
    let (open, close, parts) = parts(api, value, schema);
    if parts.is_empty() {
        return value.to_string();
    }
    let parts: Vec<_> =
        parts.iter().map(|(name, value, schema)| format!("{name}{}", one_line(api, value, schema))).collect();
    match open {
        '{' => format!("{{ {} }}", parts.join(", ")),
        _ => format!("{open}{}{close}", parts.join(", ")),
    }
}

/// The brackets of a container, and its parts: what goes before each, its value and its schema.
fn parts<'a>(
    api: &'a Value,
    value: &'a Value,
    schema: &'a Value,
) -> (char, char, Vec<(String, &'a Value, &'a Value)>) {
    let schema = of_object(api, schema);
    match value {
        Value::Object(all) => {
            let known = members(schema);
            let first = known.iter().filter_map(|(name, schema, _)| Some((*name, all.get(*name)?, *schema)));
            let rest = all.iter().filter(|(name, _)| !known.iter().any(|(other, ..)| other == name));
            let parts = first
                .chain(rest.map(|(name, value)| (name.as_str(), value, &Value::Null)))
                .map(|(name, value, schema)| (format!("{}: ", Value::from(name)), value, schema))
                .collect();
            ('{', '}', parts)
        }
        Value::Array(all) => {
            let items = schema.get("items").unwrap_or(&Value::Null);
            ('[', ']', all.iter().map(|value| (String::new(), value, items)).collect())
        }
        _ => (' ', ' ', Vec::new()),
    }
}

/// The schema that names the members: behind references, and the first of several.
fn of_object<'a>(api: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = resolve(api, schema);
    match schema.get("allOf").or_else(|| schema.get("anyOf")).and_then(|all| all.get(0)) {
        Some(first) => of_object(api, first),
        None => schema,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_in_their_schemas_order() {
        let schema = json!({ "required": ["z", "a"], "properties": { "a": {}, "z": {} } });
        let value = json!({ "a": [1, 2], "m": {}, "z": "\"" });
        assert_eq!(pretty(&Value::Null, &value, &schema), r#"{ "z": "\"", "a": [1, 2], "m": {} }"#);
        let long = json!({ "a": "x".repeat(50), "z": "y".repeat(50) });
        let expected = format!("{{\n  \"z\": \"{}\",\n  \"a\": \"{}\"\n}}", "y".repeat(50), "x".repeat(50));
        assert_eq!(pretty(&Value::Null, &long, &schema), expected);
    }
}
