//! Payloads that a schema mostly lets pass: its keywords, read the other way round.

use super::json::Json;
use super::words::{FORMATS, NAME_PATTERNS, PATTERNS, TEXTS};
use crate::numbers::Numbers;

/// A value made after `schema`, whose references lead into `root`.
///
/// What contradicts itself is made after one of its sides: the gate says what it thinks of that.
pub(super) fn sample(schema: &Json, root: &Json, numbers: &mut Numbers) -> Json {
    Sampler { root, numbers }.value(schema, 0)
}

/// How deep it follows references and alternatives.
const DEPTH: u32 = 12;

struct Sampler<'s, 'n> {
    root: &'s Json,
    numbers: &'n mut Numbers,
}

impl<'s> Sampler<'s, '_> {
    /// The schemas that hold at one place: those that are certain, and one of each alternative.
    fn flatten(&mut self, schema: &'s Json, depth: u32, all: &mut Vec<&'s Json>) {
        if depth > DEPTH {
            return;
        }
        all.push(schema);
        let reference =
            schema.member("$ref").or_else(|| schema.member("$dynamicRef")).and_then(Json::as_text);
        if let Some(target) = reference.and_then(|reference| self.target(reference)) {
            self.flatten(target, depth + 1, all);
        }
        for part in schema.member("allOf").map(Json::elements).unwrap_or_default() {
            self.flatten(part, depth + 1, all);
        }
        for keyword in ["anyOf", "oneOf"] {
            let branches = schema.member(keyword).map(Json::elements).unwrap_or_default();
            if let Some(branch) = branches.get(self.numbers.index(branches.len())) {
                self.flatten(branch, depth + 1, all);
            }
        }
        if schema.member("if").is_some() {
            let sides: &[&str] = if self.numbers.percent(60) { &["if", "then"] } else { &["else"] };
            for side in sides.iter().filter_map(|side| schema.member(side)) {
                self.flatten(side, depth + 1, all);
            }
        }
    }

    fn target(&self, reference: &str) -> Option<&'s Json> {
        let definitions = self.root.member("$defs")?;
        match reference.strip_prefix("#/$defs/") {
            Some(name) => definitions.member(name),
            None => {
                let anchor = reference.strip_prefix('#')?;
                let mut values = definitions.members().iter().map(|(_, value)| value);
                values.find(|value| value.member("$anchor").and_then(Json::as_text) == Some(anchor))
            }
        }
    }

    fn value(&mut self, schema: &'s Json, depth: u32) -> Json {
        let mut all = Vec::new();
        self.flatten(schema, depth, &mut all);
        let keyword = |name: &str| all.iter().find_map(|schema| schema.member(name));
        if let Some(value) = keyword("const") {
            return value.clone();
        }
        if let Some(values) = keyword("enum") {
            return self.numbers.pick(values.elements());
        }
        let kind = match keyword("type") {
            Some(Json::Text(name)) => name.clone(),
            Some(Json::Array(names)) => self.numbers.pick(names).as_text().unwrap_or_default().to_owned(),
            _ if ["properties", "required", "patternProperties"]
                .iter()
                .any(|name| keyword(name).is_some()) =>
            {
                "object".to_owned()
            }
            _ => self.numbers.pick(&["string", "integer", "boolean", "array"]).to_owned(),
        };
        match kind.as_str() {
            "object" => self.object(&all, depth),
            "array" => self.array(&all, depth),
            "string" => self.string(&all),
            "integer" => self.integer(&all),
            "number" => self.number(&all),
            "boolean" => Json::Bool(self.numbers.percent(50)),
            _ => Json::Null,
        }
    }

    fn object(&mut self, all: &[&'s Json], depth: u32) -> Json {
        let mut object = Json::object::<String>([]);
        if depth > DEPTH {
            return object;
        }
        let required: Vec<&str> = all
            .iter()
            .filter_map(|schema| schema.member("required"))
            .flat_map(|names| names.elements().iter().filter_map(Json::as_text))
            .collect();
        for schema in all {
            for (name, value) in schema.member("properties").map(Json::members).unwrap_or_default() {
                if object.member(name).is_none()
                    && (required.contains(&name.as_str()) || self.numbers.percent(65))
                {
                    let value = self.value(value, depth + 1);
                    object.set(name, value);
                }
            }
            for (pattern, value) in schema.member("patternProperties").map(Json::members).unwrap_or_default()
            {
                let known = NAME_PATTERNS.iter().find(|(known, _)| known == pattern);
                if let Some((_, name)) = known.filter(|_| self.numbers.percent(40)) {
                    let value = self.value(value, depth + 1);
                    object.set(name, value);
                }
            }
            match schema.member("additionalProperties") {
                Some(value @ Json::Object(_)) if self.numbers.percent(40) => {
                    let value = self.value(value, depth + 1);
                    object.set("extra", value);
                }
                _ => {}
            }
        }
        for (name, others) in
            all.iter().filter_map(|schema| schema.member("dependentRequired")).flat_map(Json::members)
        {
            // One way to keep to it is to leave both out.
            if others.elements().iter().filter_map(Json::as_text).any(|other| object.member(other).is_none())
            {
                object.unset(name);
            }
        }
        object
    }

    fn array(&mut self, all: &[&'s Json], depth: u32) -> Json {
        let number = |name: &str| all.iter().find_map(|schema| schema.member(name)?.as_integer());
        let most = u64::try_from(number("maxItems").unwrap_or(4)).unwrap_or_default();
        let least = u64::try_from(number("minItems").unwrap_or(0)).unwrap_or_default().min(most);
        let items = all.iter().find_map(|schema| schema.member("items"));
        let prefix: Vec<&Json> =
            all.iter().filter_map(|schema| schema.member("prefixItems")).flat_map(Json::elements).collect();
        let mut elements = Vec::new();
        // A schema may lead back into itself.
        let most = if depth > DEPTH / 2 { least } else { most };
        for index in 0..self.numbers.within(least, most.max(least)) {
            let schema = usize::try_from(index).ok().and_then(|index| prefix.get(index).copied()).or(items);
            elements.push(match schema {
                Some(Json::Bool(false)) => break,
                Some(schema) => self.value(schema, depth + 1),
                None => Json::text(self.numbers.pick(&TEXTS)),
            });
        }
        if let Some(wanted) = all.iter().find_map(|schema| schema.member("contains")) {
            for _ in 0..number("minContains").unwrap_or(1) {
                elements.push(self.value(wanted, depth + 1));
            }
        }
        if all.iter().any(|schema| schema.member("uniqueItems").is_some()) {
            let mut seen = Vec::new();
            elements.retain(|element| {
                let text = element.plain();
                let new = !seen.contains(&text);
                seen.push(text);
                new
            });
        }
        Json::Array(elements)
    }

    fn string(&mut self, all: &[&'s Json]) -> Json {
        let keyword = |name: &str| all.iter().find_map(|schema| schema.member(name));
        if let Some(pattern) = keyword("pattern").and_then(Json::as_text) {
            let known = PATTERNS.iter().find(|(known, _)| *known == pattern);
            return Json::text(known.map_or("abc", |(_, text)| text));
        }
        if let Some(format) = keyword("format").and_then(Json::as_text) {
            let known = FORMATS.iter().find(|(known, ..)| *known == format);
            // Mostly what has the format, and now and then what nearly has it.
            let (good, bad) = known.map(|(_, good, bad)| (*good, *bad)).unwrap_or_default();
            let texts = if bad.is_empty() || self.numbers.percent(88) { good } else { bad };
            return Json::text(self.numbers.pick(texts));
        }
        let length = |name: &str| {
            keyword(name).and_then(Json::as_integer).and_then(|number| usize::try_from(number).ok())
        };
        let mut text = self.numbers.pick(&TEXTS).to_owned();
        if let Some(most) = length("maxLength") {
            text = text.chars().take(most).collect();
        }
        while text.chars().count() < length("minLength").unwrap_or_default() {
            text.push('é');
        }
        Json::Text(text)
    }

    fn integer(&mut self, all: &[&'s Json]) -> Json {
        let number = |name: &str| all.iter().find_map(|schema| schema.member(name)?.as_integer());
        let least = number("minimum").unwrap_or(-3).max(-1000);
        let most = number("maximum").unwrap_or(1000).clamp(least, least.saturating_add(1000));
        let span = u64::try_from(most.saturating_sub(least)).unwrap_or_default();
        let found = least.saturating_add(i64::try_from(self.numbers.within(0, span)).unwrap_or_default());
        let step = number("multipleOf").unwrap_or(1).max(1);
        let found = found.saturating_sub(found.checked_rem(step).unwrap_or_default());
        match self.numbers.below(10) {
            0 => Json::literal(format!("{found}.0")),
            1 => Json::literal(format!("{found}e0")),
            _ => Json::literal(found),
        }
    }

    fn number(&mut self, all: &[&'s Json]) -> Json {
        let bounds = ["minimum", "maximum", "exclusiveMaximum", "multipleOf"];
        if all.iter().any(|schema| bounds.iter().any(|name| schema.member(name).is_some())) {
            return match self.numbers.below(6) {
                0 => Json::literal("2.5"),
                1 => Json::literal("5e-1"),
                2 => Json::literal("1.50"),
                _ => self.integer(all),
            };
        }
        Json::literal(self.numbers.pick(&[
            "1.5",
            "-0",
            "0.1",
            "1e2",
            "12",
            "1e-7",
            "9007199254740993",
            "3.0",
        ]))
    }
}
