//! Schemas made from bytes: small ones, over the keywords that a fast way through a check would know.

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};

/// Names of members, few, so that parts of a schema speak of the same ones.
pub(crate) const NAMES: [&str; 8] = ["a", "b", "c", "kind", "name", "x y", "é", "id"];

/// Strings, one and another length; some are beyond ASCII.
pub(crate) const TEXTS: [&str; 8] = ["", "a", "b", "ab", "éé", "abc", "😀😀😀", "2024-02-29"];

/// Patterns, each with a string that matches and one that does not.
pub(crate) const PATTERNS: [(&str, &str, &str); 7] = [
    ("^a", "ab", "cab"),
    ("^[a-z]{2,3}$", "abc", "a1"),
    ("\\d", "x1", "x"),
    ("^\\p{L}+$", "é", "1"),
    ("^.{1,3}$", "😀", "abcd"),
    ("^(a|b)?c$", "bc", "abc"),
    ("^$", "", "a"),
];

/// Formats, likewise; the last one is unknown, so that everything has it.
pub(crate) const FORMATS: [(&str, &str, &str); 9] = [
    ("date", "2024-02-29", "2023-02-29"),
    ("date-time", "2024-02-29T12:00:00Z", "2024-02-29 12:00:00"),
    ("email", "a@b.example", "a@"),
    ("uuid", "01a2092d-7c1e-7bbb-8000-0123456789ab", "01a2092d7c1e7bbb80000123456789ab"),
    ("ipv4", "127.0.0.1", "256.0.0.1"),
    ("uri", "urn:x:y", "a b"),
    ("hostname", "a.example", "-a"),
    ("regex", "^a*$", "("),
    ("no-such-format", "a", "b"),
];

/// Numbers as JSON Schema compares them, not as they are written.
pub(crate) fn numbers() -> Vec<Value> {
    vec![
        json!(0),
        json!(1),
        json!(-1),
        json!(1.0),
        json!(1.5),
        json!(-0.0),
        json!(3),
        json!(0.1),
        json!(9_007_199_254_740_993_u64),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e19),
        json!(1e23),
    ]
}

/// How deep schemas are in one another.
const DEPTH: usize = 3;

const DEFINITIONS: usize = 3;

/// A schema with a root as the gate wants it.
pub(crate) fn schema(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut root = object(u, DEPTH)?;
    root.insert("type".to_owned(), "object".into());
    let properties = root.entry("properties").or_insert_with(|| json!({}));
    if let Value::Object(properties) = properties {
        let own = if u.ratio(1, 4)? {
            json!({"type": "string", "minLength": 1})
        } else {
            json!({"type": "string"})
        };
        properties.insert("id".to_owned(), own);
    }
    beside(u, &mut root, DEPTH - 1)?;
    let mut definitions = Map::new();
    for index in 0..DEFINITIONS {
        definitions.insert(format!("d{index}"), value(u, 1)?);
    }
    root.insert("$defs".to_owned(), definitions.into());
    root.insert("resmo".to_owned(), json!({"id": "id"}));
    Ok(root.into())
}

/// A schema for any value.
fn value(u: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    // Where the bytes have run out, every choice is the first one.
    let most = if depth == 0 { 9 } else { 15 };
    Ok(match u.int_in_range(0..=most)? {
        0 | 1 => string(u)?,
        2 => number(u, "number")?,
        3 => number(u, "integer")?,
        4 => json!({"type": u.choose(&["boolean", "null", "string", "object", "array"])?}),
        5 => json!({"enum": constants(u)?}),
        6 => json!({"const": constant(u)?}),
        7 => u.arbitrary::<bool>()?.into(),
        8 => json!({"$ref": format!("#/$defs/d{}", u.choose_index(DEFINITIONS)?)}),
        9 => {
            json!({"type": [u.choose(&["string", "null"])?, u.choose(&["integer", "number", "boolean", "object"])?]})
        }
        10 | 11 => {
            let mut schema = object(u, depth - 1)?;
            beside(u, &mut schema, depth - 1)?;
            schema.into()
        }
        12 | 13 => array(u, depth - 1)?,
        _ => {
            let mut schema = Map::new();
            combination(u, &mut schema, depth - 1)?;
            schema.into()
        }
    })
}

fn string(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut schema = json!({"type": "string"});
    let (keyword, bound): (&str, Value) = match u.int_in_range(0..=6)? {
        0 | 1 => return Ok(schema),
        2 => ("pattern", u.choose(&PATTERNS)?.0.into()),
        3 | 4 => ("format", u.choose(&FORMATS)?.0.into()),
        5 => ("minLength", u.int_in_range(0..=3)?.into()),
        _ => ("maxLength", u.int_in_range(0..=3)?.into()),
    };
    set(&mut schema, keyword, bound);
    Ok(schema)
}

fn number(u: &mut Unstructured<'_>, kind: &str) -> Result<Value> {
    let mut schema = json!({"type": kind});
    for _ in 0..u.int_in_range(0..=2)? {
        let keyword = u.choose(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])?;
        let bound = u.choose(&numbers())?.clone();
        set(&mut schema, keyword, bound);
    }
    Ok(schema)
}

fn object(u: &mut Unstructured<'_>, depth: usize) -> Result<Map<String, Value>> {
    let mut properties = Map::new();
    for _ in 0..u.int_in_range(0..=4)? {
        properties.insert((*u.choose(&NAMES)?).to_owned(), value(u, depth)?);
    }
    let mut schema = Map::new();
    let names: Vec<String> = properties.keys().cloned().collect();
    schema.insert("properties".to_owned(), properties.into());
    if u.ratio(3, 4)? {
        schema.insert("type".to_owned(), "object".into());
    }
    if !names.is_empty() && u.arbitrary()? {
        schema.insert("required".to_owned(), json!([u.choose(&names)?]));
    }
    let (keyword, bound): (&str, Value) = match u.int_in_range(0..=11)? {
        0..3 => ("additionalProperties", false.into()),
        3 => ("additionalProperties", value(u, 0)?),
        4 => ("unevaluatedProperties", false.into()),
        5 => ("patternProperties", json!({u.choose(&PATTERNS)?.0: value(u, 0)?})),
        6 => ("minProperties", u.int_in_range(0..=3)?.into()),
        7 => ("maxProperties", u.int_in_range(1..=4)?.into()),
        8 => ("propertyNames", json!({"maxLength": u.int_in_range(1..=4)?})),
        _ => return Ok(schema),
    };
    schema.insert(keyword.to_owned(), bound);
    Ok(schema)
}

fn array(u: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    let mut schema = json!({"type": "array"});
    if u.arbitrary()? {
        let prefix = (0..u.int_in_range(1..=2)?).map(|_| value(u, depth)).collect::<Result<Vec<_>>>()?;
        set(&mut schema, "prefixItems", prefix.into());
    }
    if u.ratio(3, 4)? {
        let items = value(u, depth)?;
        set(&mut schema, "items", items);
    }
    let (keyword, bound): (&str, Value) = match u.int_in_range(0..=8)? {
        0 => ("minItems", u.int_in_range(0..=2)?.into()),
        1 => ("maxItems", u.int_in_range(0..=3)?.into()),
        2 => ("uniqueItems", true.into()),
        3 => ("contains", value(u, 0)?),
        4 => ("unevaluatedItems", false.into()),
        _ => return Ok(schema),
    };
    set(&mut schema, keyword, bound);
    Ok(schema)
}

/// What may stand beside `properties`.
fn beside(u: &mut Unstructured<'_>, schema: &mut Map<String, Value>, depth: usize) -> Result<()> {
    if u.ratio(1, 3)? {
        combination(u, schema, depth)?;
    }
    if u.ratio(1, 12)? {
        let (one, other) = (u.choose(&NAMES)?, u.choose(&NAMES)?);
        schema.insert("dependentRequired".to_owned(), json!({*one: [other]}));
    }
    Ok(())
}

fn combination(u: &mut Unstructured<'_>, schema: &mut Map<String, Value>, depth: usize) -> Result<()> {
    let mut branches = Vec::new();
    for _ in 0..u.int_in_range(1..=2)? {
        branches.push(branch(u, depth)?);
    }
    let (keyword, value): (&str, Value) = match u.int_in_range(0..=5)? {
        0 => ("anyOf", branches.into()),
        1 => ("oneOf", branches.into()),
        2 => ("allOf", branches.into()),
        3 => ("not", branch(u, depth)?),
        _ => {
            let mut branches = branches.into_iter();
            schema.extend(branches.next().map(|then| ("then".to_owned(), then)));
            schema.extend(branches.next().map(|otherwise| ("else".to_owned(), otherwise)));
            ("if", branch(u, depth)?)
        }
    };
    schema.insert(keyword.to_owned(), value);
    Ok(())
}

/// A branch about members, or any schema.
fn branch(u: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    let name = *u.choose(&NAMES)?;
    Ok(match u.int_in_range(0..=4)? {
        0 => json!({"required": [name]}),
        1 => json!({"properties": {name: value(u, 0)?}}),
        2 => json!({"properties": {name: {"const": constant(u)?}}, "required": [name]}),
        3 if depth > 0 => Value::Object(object(u, depth - 1)?),
        _ => value(u, 0)?,
    })
}

fn constants(u: &mut Unstructured<'_>) -> Result<Vec<Value>> {
    let mut constants = Vec::new();
    for _ in 0..u.int_in_range(1..=3)? {
        let constant = constant(u)?;
        if !constants.contains(&constant) {
            constants.push(constant);
        }
    }
    Ok(constants)
}

/// A value that stands for itself.
pub(crate) fn constant(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=9)? {
        0..4 => (*u.choose(&TEXTS)?).into(),
        4..7 => u.choose(&numbers())?.clone(),
        7 => Value::Null,
        8 => u.arbitrary::<bool>()?.into(),
        _ => u
            .choose(&[json!([]), json!({}), json!([1, "a"]), json!({"a": 1.0}), json!([[1.0], null])])?
            .clone(),
    })
}

fn set(schema: &mut Value, keyword: &str, value: Value) {
    if let Value::Object(members) = schema {
        members.insert(keyword.to_owned(), value);
    }
}
