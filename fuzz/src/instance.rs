//! Payloads made from a schema and bytes: most would pass, but for one place in some.

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};

use crate::schema::{FORMATS, NAMES, PATTERNS, TEXTS, constant, numbers};

/// How deep payloads go into schemas that refer to themselves.
const DEPTH: usize = 6;

/// A payload that the schema could let pass, sometimes changed so that it might not.
pub(crate) fn instance(u: &mut Unstructured<'_>, schema: &Value) -> Result<Value> {
    let mut payload = Sampler { u, root: schema }.value(schema, DEPTH)?;
    if let Value::Object(members) = &mut payload
        && !u.ratio(1, 30)?
    {
        members.insert("id".to_owned(), "1".into());
    }
    for _ in 0..*u.choose(&[0, 0, 0, 1, 2])? {
        mutate(u, &mut payload)?;
    }
    Ok(payload)
}

struct Sampler<'u, 'b, 's> {
    u: &'u mut Unstructured<'b>,
    root: &'s Value,
}

impl Sampler<'_, '_, '_> {
    fn value(&mut self, schema: &Value, depth: usize) -> Result<Value> {
        let Some(keywords) = schema.as_object().filter(|_| depth > 0) else { return constant(self.u) };
        let text = |keyword: &str| keywords.get(keyword).and_then(Value::as_str);
        let list =
            |keyword: &str| keywords.get(keyword).and_then(Value::as_array).filter(|list| !list.is_empty());
        let mut value = if let Some(reference) = text("$ref") {
            let target = self.root.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null);
            return self.value(target, depth - 1);
        } else if let Some(constant) = keywords.get("const") {
            constant.clone()
        } else if let Some(values) = list("enum") {
            self.u.choose(values)?.clone()
        } else {
            match text("type") {
                Some("string") => self.string(keywords)?.into(),
                Some("number" | "integer") => self.number(keywords)?,
                Some("boolean") => self.u.arbitrary::<bool>()?.into(),
                Some("null") => Value::Null,
                Some("array") => self.array(keywords, depth - 1)?,
                Some("object") => self.object(keywords, depth - 1)?,
                _ if keywords.contains_key("properties") => self.object(keywords, depth - 1)?,
                _ if let Some(types) = list("type") => {
                    let chosen = self.u.choose(types)?.clone();
                    return self.value(&json!({"type": chosen}), depth - 1);
                }
                // A scalar, unless a branch says something else.
                _ => constant(self.u)?,
            }
        };
        let one = ["anyOf", "oneOf"].into_iter().filter_map(list).map(|list| self.u.choose(list).cloned());
        let mut branches = one.collect::<Result<Vec<Value>>>()?;
        branches.extend(list("allOf").into_iter().flatten().cloned());
        if self.u.arbitrary()? {
            branches.extend(["if", "then"].into_iter().filter_map(|keyword| keywords.get(keyword)).cloned());
        } else {
            branches.extend(keywords.get("else").cloned());
        }
        for branch in branches {
            let more = self.branch(&branch, depth - 1)?;
            match (&mut value, more) {
                (Value::Object(members), Some(Value::Object(more))) => members.extend(more),
                (_, Some(more)) if !keywords.contains_key("type") => value = more,
                _ => {}
            }
        }
        Ok(value)
    }

    /// What a branch asks for; nothing if it only speaks of what is there anyway.
    fn branch(&mut self, branch: &Value, depth: usize) -> Result<Option<Value>> {
        if let Some(Value::Array(names)) = branch.get("required")
            && branch.get("properties").is_none()
        {
            let members: Result<Map<String, Value>> = names
                .iter()
                .filter_map(Value::as_str)
                .map(|name| Ok((name.to_owned(), constant(self.u)?)))
                .collect();
            return Ok(Some(members?.into()));
        }
        if branch.is_boolean() { Ok(None) } else { self.value(branch, depth).map(Some) }
    }

    fn string(&mut self, keywords: &Map<String, Value>) -> Result<String> {
        let known = |keyword: &str, table: &[(&str, &'static str, &'static str)]| {
            let name = keywords.get(keyword)?.as_str()?;
            table.iter().find(|(other, ..)| *other == name).map(|(_, good, bad)| (*good, *bad))
        };
        if let Some((good, bad)) = known("pattern", &PATTERNS).or_else(|| known("format", &FORMATS)) {
            return Ok(if self.u.ratio(1, 12)? { bad } else { good }.to_owned());
        }
        let bound = |keyword: &str| keywords.get(keyword).and_then(Value::as_u64);
        let (least, most) = (bound("minLength").unwrap_or(0), bound("maxLength").unwrap_or(u64::MAX));
        let fitting: Vec<&str> = TEXTS
            .into_iter()
            .filter(|text| (least..=most).contains(&(text.chars().count() as u64)))
            .collect();
        let texts = if fitting.is_empty() || self.u.ratio(1, 12)? { &TEXTS[..] } else { &fitting };
        Ok((*self.u.choose(texts)?).to_owned())
    }

    fn number(&mut self, keywords: &Map<String, Value>) -> Result<Value> {
        let integer = keywords.get("type").and_then(Value::as_str) == Some("integer");
        let bound = |keyword: &str| keywords.get(keyword).and_then(Value::as_f64);
        let fits = |value: &Value| {
            let value = value.as_f64().unwrap_or_default();
            bound("minimum").is_none_or(|bound| value >= bound)
                && bound("maximum").is_none_or(|bound| value <= bound)
                && bound("exclusiveMinimum").is_none_or(|bound| value > bound)
                && bound("exclusiveMaximum").is_none_or(|bound| value < bound)
                && !(integer && value.fract() != 0.0)
        };
        let all = numbers();
        let fitting: Vec<Value> = all.iter().filter(|value| fits(value)).cloned().collect();
        let numbers = if fitting.is_empty() || self.u.ratio(1, 12)? { &all } else { &fitting };
        self.u.choose(numbers).cloned()
    }

    fn array(&mut self, keywords: &Map<String, Value>, depth: usize) -> Result<Value> {
        let prefix = keywords.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let rest = keywords.get("items").or_else(|| keywords.get("contains")).unwrap_or(&Value::Bool(true));
        let most = if rest == &Value::Bool(false) { prefix.len() } else { prefix.len() + 2 };
        let length = self.u.int_in_range(0..=most)?;
        let schemas = prefix.iter().chain(std::iter::repeat(rest));
        schemas.take(length).map(|schema| self.value(schema, depth)).collect()
    }

    fn object(&mut self, keywords: &Map<String, Value>, depth: usize) -> Result<Value> {
        let mut members = Map::new();
        let required = keywords.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (name, schema) in keywords.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if required.iter().any(|other| other == name) || self.u.ratio(3, 5)? {
                members.insert(name.clone(), self.value(schema, depth)?);
            }
        }
        if self.u.ratio(1, 25)? {
            members.insert((*self.u.choose(&NAMES)?).to_owned(), constant(self.u)?);
        }
        Ok(members.into())
    }
}

/// Changes one place.
fn mutate(u: &mut Unstructured<'_>, value: &mut Value) -> Result<()> {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let names: Vec<String> = members.keys().cloned().collect();
            let name = u.choose(&names)?;
            match u.int_in_range(0..=7)? {
                0 => drop(members.remove(name)),
                1 => drop(members.insert((*u.choose(&NAMES)?).to_owned(), constant(u)?)),
                2 => drop(members.insert("_meta".to_owned(), Value::Null)),
                _ => members.get_mut(name).map_or(Ok(()), |inner| mutate(u, inner))?,
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            let at = u.choose_index(elements.len())?;
            match u.int_in_range(0..=3)? {
                0 => drop(elements.remove(at)),
                1 => elements.extend(elements.get(at).cloned()),
                _ => elements.get_mut(at).map_or(Ok(()), |inner| mutate(u, inner))?,
            }
        }
        _ => *value = constant(u)?,
    }
    Ok(())
}
