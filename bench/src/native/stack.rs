//! What a user would write without Tidegate, from the crates that people use.
//!
//! It promises less: it takes two members of one name for one, and integers beyond 64 bits for doubles.

use std::collections::HashSet;

use anyhow::{Context, Result, anyhow};
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;
use serde_json_path::JsonPath;
use tidegate_core::PreparedSchema;

/// `serde_json`, `jsonschema`, `serde_json_path` and `blake3`, set up for one schema.
pub struct Stack {
    validator: Validator,
    id: JsonPath,
    name: Option<JsonPath>,
    important: Vec<JsonPath>,
}

/// What it reads off a resource that passes.
pub struct Item {
    /// The id.
    pub id: String,
    /// The name, if there is one.
    pub name: Option<String>,
    /// Of a JSON text with sorted member names.
    pub digest: blake3::Hash,
}

/// Why something does not pass: where, and what is wrong there.
pub type Faults = Vec<(String, String)>;

impl Stack {
    /// Sets it up to judge as the prepared schema does: with a closed root, formats that count and
    /// patterns that run in linear time.
    ///
    /// # Errors
    ///
    /// The schema cannot be compiled, or a path.
    pub fn new(schema: &PreparedSchema) -> Result<Self> {
        let schema: Value = serde_json::from_str(schema.effective_schema())?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .offline()
            .with_pattern_options(PatternOptions::regex())
            .build(&schema)
            .map_err(|error| anyhow!("{error}"))?;
        let resource = schema.get("resmo").context("the schema has no `resmo`")?;
        let text = |member| resource.get(member).and_then(Value::as_str);
        let important = resource.get("importantFields").and_then(Value::as_array);
        Ok(Self {
            validator,
            id: path(text("id").context("the schema has no id")?)?,
            name: text("name").map(path).transpose()?,
            important: important
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(path)
                .collect::<Result<_>>()?,
        })
    }

    /// Checks one resource, and gives its important fields as well.
    ///
    /// # Errors
    ///
    /// All its faults.
    pub fn check(&self, payload: &[u8]) -> Result<(Item, Vec<Value>), Faults> {
        let value: Value = serde_json::from_slice(payload).map_err(|error| unreadable(&error))?;
        let item = self.item(&value)?;
        let important = self.important.iter().flat_map(|path| path.query(&value).all()).cloned().collect();
        Ok((item, important))
    }

    /// Checks an array of resources, no two with the same id.
    ///
    /// # Errors
    ///
    /// All faults of all items.
    pub fn check_bulk(&self, payload: &[u8]) -> Result<Vec<Item>, Faults> {
        let values: Vec<Value> = serde_json::from_slice(payload).map_err(|error| unreadable(&error))?;
        let (mut items, mut faults) = (Vec::with_capacity(values.len()), Faults::new());
        for (index, value) in values.iter().enumerate() {
            match self.item(value) {
                Ok(item) => items.push(item),
                Err(found) => {
                    faults.extend(found.into_iter().map(|(at, what)| (format!("/{index}{at}"), what)));
                }
            }
        }
        let mut ids = HashSet::with_capacity(items.len());
        for item in &items {
            if !ids.insert(item.id.as_str()) {
                faults.push((String::new(), format!("the id {} stands twice", item.id)));
            }
        }
        if faults.is_empty() { Ok(items) } else { Err(faults) }
    }

    fn item(&self, value: &Value) -> Result<Item, Faults> {
        if !self.validator.is_valid(value) {
            let errors = self.validator.iter_errors(value);
            return Err(errors.map(|error| (error.instance_path().to_string(), error.to_string())).collect());
        }
        let string = |path: &JsonPath| path.query(value).first().and_then(Value::as_str).map(str::to_owned);
        let id = string(&self.id).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| vec![(String::new(), "there is no id".to_owned())])?;
        // `Value` keeps its members sorted.
        let text = serde_json::to_vec(value).map_err(|error| unreadable(&error))?;
        Ok(Item { id, name: self.name.as_ref().and_then(string), digest: blake3::hash(&text) })
    }
}

fn unreadable(error: &serde_json::Error) -> Faults {
    vec![(String::new(), error.to_string())]
}

/// Reads a path as `resmo` has it: the leading `$.` may be left out.
fn path(text: &str) -> Result<JsonPath> {
    if text.starts_with('$') {
        Ok(JsonPath::parse(text)?)
    } else {
        Ok(JsonPath::parse(&format!("$.{text}"))?)
    }
}
