//! Schemas that can mostly be used: the keywords of JSON Schema 2020-12, mixed by chance.

use super::json::Json;
use super::paths::resource;
use super::words::{FORMATS, IDS, NAME_PATTERNS, NAMES, NUMBERS, PATTERNS, TEXTS};
use crate::numbers::Numbers;

/// A schema, and what makes up payloads for it.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// The schema.
    pub(super) schema: Json,
    /// The names that lead to the id.
    pub(super) id: Vec<String>,
}

/// How deep objects and arrays go.
const DEPTH: u32 = 4;

/// A schema of its own for each state of `numbers`.
pub(super) fn shape(numbers: &mut Numbers) -> Shape {
    let mut maker = Maker { definitions: Vec::new(), numbers };
    let (schema, id) = maker.root();
    Shape { schema, id }
}

struct Maker<'n> {
    numbers: &'n mut Numbers,
    definitions: Vec<String>,
}

impl Maker<'_> {
    fn root(&mut self) -> (Json, Vec<String>) {
        let definitions = self.numbers.below(4);
        self.definitions = (0..definitions).map(|index| format!("d{index}")).collect();
        let mut schema = Json::object([("type", Json::text("object"))]);
        if self.numbers.percent(30) {
            schema.set("$schema", Json::text("https://json-schema.org/draft/2020-12/schema"));
        }
        let id = self.id(&mut schema);
        let names = self.names(2, 7);
        for name in &names {
            let value = self.value(DEPTH);
            schema.set_at(&["properties".to_owned(), name.clone()], value);
        }
        let mut required: Vec<String> =
            id.first().filter(|_| self.numbers.percent(85)).cloned().into_iter().collect();
        required.extend(names.iter().filter(|_| self.numbers.percent(25)).cloned());
        if !required.is_empty() {
            schema.set("required", Json::texts(required));
        }
        self.beside(&mut schema, &names, 1);
        match self.numbers.below(20) {
            0 => schema.set("additionalProperties", Json::Bool(true)),
            1 => schema.set("unevaluatedProperties", Json::Bool(self.numbers.percent(50))),
            2 => schema.set("minProperties", Json::literal(self.numbers.within(1, 3))),
            3 => schema.set("maxProperties", Json::literal(self.numbers.within(3, 9))),
            _ => {}
        }
        let definitions = self.definitions.clone();
        for (index, name) in definitions.iter().enumerate() {
            // Only to those after it, so that most references end somewhere.
            self.definitions = definitions.iter().skip(index + 1).cloned().collect();
            let mut value = self.value(2);
            if self.numbers.percent(10) {
                value.set("$anchor", Json::text(format!("at-{name}")));
            }
            schema.set_at(&["$defs".to_owned(), name.clone()], value);
        }
        if self.numbers.percent(4) {
            let back = Json::object([
                ("type", Json::text("array")),
                ("items", Json::object([("$ref", Json::text("#/$defs/tree"))])),
            ]);
            let tree = Json::object([
                ("type", Json::text("object")),
                (
                    "properties",
                    Json::object([
                        ("label", Json::object([("type", Json::text("string"))])),
                        ("below", back),
                    ]),
                ),
            ]);
            schema.set_at(&["$defs".to_owned(), "tree".to_owned()], tree);
            schema.set_at(
                &["properties".to_owned(), "tree".to_owned()],
                Json::object([("$ref", Json::text("#/$defs/tree"))]),
            );
        }
        let resource = resource(&schema, &id, &names, self.numbers);
        schema.set("resmo", resource);
        (schema, id)
    }

    /// Declares the id, which is mostly a plain string at the root.
    fn id(&mut self, schema: &mut Json) -> Vec<String> {
        let name = self.numbers.pick(&IDS).to_owned();
        let mut declared = Json::object([("type", Json::text("string"))]);
        match self.numbers.below(12) {
            0 => declared.set("minLength", Json::literal(1)),
            1 => declared.set("maxLength", Json::literal(1000)),
            2 => declared = Json::object([("type", Json::texts(["string", "integer"]))]),
            3 => declared.set("pattern", Json::text("^[^ ]")),
            _ => {}
        }
        let mut path = vec![name.clone()];
        if self.numbers.percent(15) {
            let outer = self.numbers.pick(&["meta", "asset", "a b"]).to_owned();
            declared = Json::object([
                ("type", Json::text("object")),
                ("properties", Json::object([(name.clone(), declared)])),
            ]);
            if self.numbers.percent(60) {
                declared.set("required", Json::texts([name]));
            }
            path.insert(0, outer);
        }
        let outer = path.first().cloned().unwrap_or_default();
        schema.set_at(&["properties".to_owned(), outer], declared);
        path
    }

    fn names(&mut self, least: u64, most: u64) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for _ in 0..self.numbers.within(least, most) {
            let name = self.numbers.pick(&NAMES).to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn value(&mut self, depth: u32) -> Json {
        let mut schema = match self.numbers.below(100) {
            0..24 => self.string(),
            24..36 => self.number(),
            36..44 => self.integer(),
            44..50 => Json::object([("type", Json::text("boolean"))]),
            50..58 => self.chosen(),
            58..72 if depth > 0 => self.nested(depth - 1),
            72..84 if depth > 0 => self.array(depth - 1),
            84..90 => self.reference(),
            90..97 if depth > 0 => self.combined(depth - 1),
            97 => Json::object([("type", Json::texts(["string", "null", "number"]))]),
            98 => Json::object([("title", Json::text("anything"))]),
            _ => Json::object([("type", Json::texts(["string", "null"]))]),
        };
        if self.numbers.percent(6) {
            schema.set("description", Json::text("said of it"));
            schema.set("default", Json::Null);
        }
        schema
    }

    fn string(&mut self) -> Json {
        let mut schema = Json::object([("type", Json::text("string"))]);
        match self.numbers.below(10) {
            0..3 => {
                let (format, ..) = self.numbers.pick(&FORMATS);
                schema.set("format", Json::text(format));
            }
            3 | 4 => schema.set("pattern", Json::text(self.numbers.pick(&PATTERNS).0)),
            5 => {
                schema.set("minLength", Json::literal(self.numbers.below(3)));
                schema.set("maxLength", Json::literal(self.numbers.within(3, 12)));
            }
            _ => {}
        }
        schema
    }

    fn number(&mut self) -> Json {
        let mut schema = Json::object([("type", Json::text("number"))]);
        match self.numbers.below(8) {
            0 => schema.set("minimum", self.numbers.pick(&[0, -5, 1]).into()),
            1 => schema.set("exclusiveMinimum", Json::literal("-0.5")),
            2 => schema.set("maximum", Json::literal(self.numbers.pick(&["1e2", "9007199254740992", "1.5"]))),
            3 => schema.set("exclusiveMaximum", Json::literal("18446744073709551615")),
            4 => schema
                .set("multipleOf", Json::literal(self.numbers.pick(&["0.1", "0.01", "0.5", "1e-8", "2.5"]))),
            _ => {}
        }
        schema
    }

    fn integer(&mut self) -> Json {
        let mut schema = Json::object([("type", Json::text("integer"))]);
        match self.numbers.below(6) {
            0 => schema.set("minimum", self.numbers.pick(&[0, 1, -3]).into()),
            1 => {
                schema
                    .set("maximum", Json::literal(self.numbers.pick(&["9007199254740993", "1000", "10.0"])));
            }
            2 => schema.set("multipleOf", Json::literal(self.numbers.within(1, 7))),
            3 => {
                schema.set("minimum", Json::literal("-9223372036854775808"));
                schema.set("maximum", Json::literal("18446744073709551615"));
            }
            _ => {}
        }
        schema
    }

    /// `enum` and `const`.
    fn chosen(&mut self) -> Json {
        let mut values = Vec::new();
        for _ in 0..self.numbers.within(1, 4) {
            let value = match self.numbers.below(5) {
                0 => Json::Null,
                1 => Json::Bool(self.numbers.percent(50)),
                // The spellings that are no JSON stand at the end.
                2 => Json::literal(self.numbers.pick(NUMBERS.get(..30).unwrap_or_default())),
                3 => Json::object([("a", Json::Array(vec![Json::literal("1.0")]))]),
                _ => Json::text(self.numbers.pick(&TEXTS)),
            };
            if !values.contains(&value) {
                values.push(value);
            }
        }
        match values.first() {
            Some(first) if self.numbers.percent(30) => Json::object([("const", first.clone())]),
            _ => Json::object([("enum", Json::Array(values))]),
        }
    }

    fn nested(&mut self, depth: u32) -> Json {
        let mut schema = Json::object([("type", Json::text("object"))]);
        let names = self.names(1, 4);
        for name in &names {
            let value = self.value(depth);
            schema.set_at(&["properties".to_owned(), name.clone()], value);
        }
        if self.numbers.percent(40) {
            schema.set("required", Json::texts([self.numbers.pick(&names)]));
        }
        match self.numbers.below(8) {
            0..3 => schema.set("additionalProperties", Json::Bool(false)),
            3 => schema.set("unevaluatedProperties", Json::Bool(false)),
            4 => {
                let value = self.value(0);
                schema.set("additionalProperties", value);
            }
            _ => {}
        }
        if self.numbers.percent(25) {
            self.beside(&mut schema, &names, depth.min(1));
        }
        schema
    }

    /// What stands beside `properties`.
    fn beside(&mut self, schema: &mut Json, names: &[String], depth: u32) {
        let (one, other) = (self.numbers.pick(names), self.numbers.pick(names));
        match self.numbers.below(14) {
            0 => schema.set("dependentRequired", Json::object([(one, Json::texts([other]))])),
            1 => {
                let then = Json::object([("required", Json::texts([other]))]);
                schema.set("dependentSchemas", Json::object([(one, then)]));
            }
            2 | 3 => {
                let value = self.value(depth.min(1));
                schema.set("patternProperties", Json::object([(self.numbers.pick(&NAME_PATTERNS).0, value)]));
            }
            4 => schema.set(
                "propertyNames",
                Json::object([("maxLength", Json::literal(self.numbers.within(7, 12)))]),
            ),
            5 => {
                schema.set("if", Json::object([("required", Json::texts([one]))]));
                schema.set("then", Json::object([("required", Json::texts([other]))]));
                if self.numbers.percent(50) {
                    schema.set("else", Json::object([("maxProperties", Json::literal(8))]));
                }
            }
            6 if one != other => {
                schema.set("not", Json::object([("required", Json::texts([one, other]))]));
            }
            7 => {
                let more = self.value(depth);
                let part = Json::object([("properties", Json::object([("more", more)]))]);
                schema.set("allOf", Json::Array(vec![part]));
            }
            8 => {
                let branch = |name: String| Json::object([("required", Json::texts([name]))]);
                let keyword = self.numbers.pick(&["anyOf", "oneOf"]);
                schema.set(keyword, Json::Array(vec![branch(one), branch(other)]));
            }
            _ => {}
        }
    }

    fn array(&mut self, depth: u32) -> Json {
        let mut schema = Json::object([("type", Json::text("array"))]);
        if self.numbers.percent(80) {
            let items = self.value(depth);
            schema.set("items", items);
        }
        match self.numbers.below(9) {
            0 => {
                let prefix = (0..self.numbers.within(1, 3)).map(|_| self.value(depth)).collect();
                schema.set("prefixItems", Json::Array(prefix));
                if self.numbers.percent(40) {
                    schema.set("items", Json::Bool(false));
                }
            }
            1 => {
                let wanted = self.value(0);
                schema.set("contains", wanted);
                schema.set("minContains", Json::literal(self.numbers.below(3)));
                if self.numbers.percent(50) {
                    schema.set("maxContains", Json::literal(self.numbers.within(2, 3)));
                }
            }
            2 | 3 => schema.set("uniqueItems", Json::Bool(true)),
            4 => schema.set("minItems", Json::literal(self.numbers.within(1, 2))),
            5 => schema.set("maxItems", Json::literal(self.numbers.within(1, 4))),
            6 if self.numbers.percent(30) => schema.set("unevaluatedItems", Json::Bool(false)),
            _ => {}
        }
        schema
    }

    fn reference(&mut self) -> Json {
        let name = self.numbers.pick(&self.definitions.clone());
        match self.numbers.below(40) {
            _ if name.is_empty() => self.string(),
            0 => Json::object([("$dynamicRef", Json::text(format!("#/$defs/{name}")))]),
            1 => Json::object([("$ref", Json::text(format!("#at-{name}")))]),
            _ => Json::object([("$ref", Json::text(format!("#/$defs/{name}")))]),
        }
    }

    fn combined(&mut self, depth: u32) -> Json {
        let (one, other) = (self.value(depth), self.value(depth));
        match self.numbers.below(6) {
            0 | 1 => Json::object([("anyOf", Json::Array(vec![one, other]))]),
            2 | 3 => Json::object([("oneOf", Json::Array(vec![one, other]))]),
            4 => Json::object([("allOf", Json::Array(vec![one, Json::object([("not", other)])]))]),
            _ => {
                let condition = Json::object([("type", Json::text("string"))]);
                Json::object([("if", condition), ("then", one), ("else", other)])
            }
        }
    }
}

impl From<i32> for Json {
    fn from(number: i32) -> Self {
        Self::literal(number)
    }
}
