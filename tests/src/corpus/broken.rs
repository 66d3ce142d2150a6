//! Schemas that cannot be used, each in one way or in several.

use super::json::Json;
use super::shape::Shape;
use crate::numbers::Numbers;

/// What a schema is broken with: a place in it, and what is put there.
const VALUES: [(&[&str], &str); 44] = [
    (&["type"], "\"array\""),
    (&["type"], "[\"object\",\"null\"]"),
    (&["type"], "\"objects\""),
    (&["resmo"], "null"),
    (&["resmo"], "{}"),
    (&["resmo"], "\"id\""),
    (&["resmo", "id"], "\"a b\""),
    (&["resmo", "id"], "\"$.a[\""),
    (&["resmo", "id"], "\"$..id\""),
    (&["resmo", "id"], "\"$[*]\""),
    (&["resmo", "id"], "\"nowhere\""),
    (&["resmo", "id"], "17"),
    (&["resmo", "name"], "\"$.tags[?@.x]\""),
    (&["resmo", "name"], "\"\""),
    (&["resmo", "importantFields"], "\"id\""),
    (&["resmo", "importantFields"], "[\"$.a[?\", 1]"),
    (&["resmo", "colour"], "1"),
    (&["$schema"], "\"http://json-schema.org/draft-07/schema#\""),
    (&["$schema"], "\"https://json-schema.org/draft/2019-09/schema\""),
    (&["properties", "_meta"], "{\"type\":\"object\"}"),
    (&["properties", "salary"], "{\"type\":\"nummer\"}"),
    (&["properties", "salary"], "{\"minimum\":\"1\",\"maximum\":null}"),
    (&["properties", "salary"], "{\"multipleOf\":0}"),
    (&["properties", "salary"], "{\"multipleOf\":-2}"),
    (&["properties", "salary"], "[]"),
    (&["properties", "email"], "{\"pattern\":\"(?=x)y\"}"),
    (&["properties", "email"], "{\"pattern\":\"(a)\\\\1\"}"),
    (&["properties", "email"], "{\"pattern\":\"(\"}"),
    (&["properties", "email"], "{\"pattern\":\"(?:a{1000}){1000}\"}"),
    (&["properties", "email"], "{\"minLength\":-1,\"maxLength\":1.5}"),
    (&["properties", "email"], "{\"$ref\":\"https://example.org/other.json\"}"),
    (&["properties", "email"], "{\"$ref\":\"#/$defs/nowhere\"}"),
    (&["properties", "email"], "{\"$ref\":\"#nowhere\"}"),
    (&["properties", "email"], "{\"$ref\":17}"),
    (&["patternProperties"], "{\"(?<!a)b\":{},\"^(\":{}}"),
    (&["required"], "[\"a\",\"a\"]"),
    (&["required"], "\"id\""),
    (&["enum"], "[]"),
    (&["allOf"], "[{\"$ref\":\"#\"}]"),
    (&["allOf"], "[]"),
    (&["$defs", "a"], "{\"$anchor\":\"x\",\"$defs\":{\"b\":{\"$anchor\":\"x\"}}}"),
    (&["$defs", "a"], "{\"$id\":\"https://json-schema.org/draft/2020-12/schema\"}"),
    (&["$id"], "\"https://example.org/a#b\""),
    (&["if"], "7"),
];

/// A schema of that shape, made unusable; mostly in a way that preparing has to find.
pub(super) fn broken(shape: &Shape, numbers: &mut Numbers) -> String {
    let mut schema = shape.schema.clone();
    match numbers.below(14) {
        0 => return damaged(&schema.plain(), numbers),
        1 => return deep(&schema, numbers),
        2 => schema = doubling(schema, numbers),
        3 => {
            let member = schema.members().first().cloned();
            if let Json::Object(members) = &mut schema {
                members.extend(member);
            }
        }
        4 => schema.unset(numbers.pick(&["type", "resmo", "properties"])),
        _ => {
            for _ in 0..numbers.within(1, 3) {
                let (place, value) = numbers.pick(&VALUES);
                let place: Vec<String> = place.iter().map(|name| (*name).to_owned()).collect();
                schema.set_at(&place, Json::literal(value));
            }
        }
    }
    schema.plain()
}

/// A text that is no JSON, or no schema at all.
fn damaged(text: &str, numbers: &mut Numbers) -> String {
    match numbers.below(6) {
        0 => {
            let end = numbers.index(text.len());
            text.char_indices().take_while(|(at, _)| *at < end).map(|(_, c)| c).collect()
        }
        1 => format!("{text},"),
        2 => format!("\u{feff}{text}"),
        3 => numbers.pick(&["", "null", "true", "{}", "[]", "\"type\"", "17", "{\"type\":}"]).to_owned(),
        4 => text.replacen("\"object\"", "\"\\ud800\"", 1),
        _ => text.replacen(':', "=", 1),
    }
}

/// Below, at, or beyond how deep a schema may be.
fn deep(schema: &Json, numbers: &mut Numbers) -> String {
    let levels = usize::try_from(numbers.within(58, 70)).unwrap_or_default();
    let inner = format!("{}{{}}{}", "{\"not\":".repeat(levels), "}".repeat(levels));
    let mut schema = schema.clone();
    schema.set_at(&["properties".to_owned(), "deep".to_owned()], Json::literal(inner));
    schema.plain()
}

/// References that multiply with each link.
fn doubling(mut schema: Json, numbers: &mut Numbers) -> Json {
    let links = numbers.within(10, 20);
    for link in 0..links {
        let next = Json::object([("$ref", Json::text(format!("#/$defs/x{}", link + 1)))]);
        let both = Json::object([("allOf", Json::Array(vec![next.clone(), next]))]);
        schema.set_at(&["$defs".to_owned(), format!("x{link}")], both);
    }
    let last = Json::object([("type", Json::text("string"))]);
    schema.set_at(&["$defs".to_owned(), format!("x{links}")], last);
    let first = Json::object([("$ref", Json::text("#/$defs/x0"))]);
    schema.set_at(&["properties".to_owned(), "doubled".to_owned()], first);
    schema
}
