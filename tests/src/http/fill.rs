//! Saved values in the place of `{{name}}`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Fault;

/// What a conversation has saved so far.
pub type Saved = BTreeMap<String, Value>;

/// A text with every `{{name}}` replaced.
///
/// # Errors
///
/// When a name is not saved.
pub fn text(template: &str, saved: &Saved) -> Result<String, Fault> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, opened)) = rest.split_once("{{") {
        filled.push_str(before);
        let (name, after) =
            opened.split_once("}}").ok_or_else(|| format!("`{template}` has a `{{{{` without an end"))?;
        filled.push_str(&placeholder(name, saved)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// A JSON value with every `{{name}}` in its strings and member names replaced.
///
/// # Errors
///
/// When a name is not saved.
pub fn value(template: &Value, saved: &Saved) -> Result<Value, Fault> {
    Ok(match template {
        Value::String(template) => match whole_name(template) {
            Some(name) => lookup(name, saved)?.clone(),
            None => Value::String(text(template, saved)?),
        },
        Value::Array(elements) => {
            Value::Array(elements.iter().map(|element| value(element, saved)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, member)| Ok((text(name, saved)?, value(member, saved)?)))
                .collect::<Result<_, Fault>>()?,
        ),
        other => other.clone(),
    })
}

/// The name, if the text is one placeholder and nothing else.
fn whole_name(template: &str) -> Option<&str> {
    let name = template.strip_prefix("{{")?.strip_suffix("}}")?;
    (!name.contains("}}") && !name.contains('|')).then_some(name)
}

fn placeholder(name: &str, saved: &Saved) -> Result<String, Fault> {
    let (name, filter) = name.split_once('|').map_or((name, None), |(name, filter)| (name, Some(filter)));
    let plain = match lookup(name, saved)? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match filter {
        None => Ok(plain),
        Some("path") => {
            Ok(percent_encoding::utf8_percent_encode(&plain, percent_encoding::NON_ALPHANUMERIC).to_string())
        }
        Some(other) => Err(format!("there is no filter `{other}`")),
    }
}

fn lookup<'s>(name: &str, saved: &'s Saved) -> Result<&'s Value, Fault> {
    saved.get(name).ok_or_else(|| format!("nothing is saved as `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn placeholders() {
        let saved = Saved::from([("a".into(), json!("x/y")), ("n".into(), json!(7))]);
        assert_eq!(text("/{{a|path}}?n={{n}}", &saved), Ok("/x%2Fy?n=7".into()));
        assert_eq!(value(&json!(["{{n}}", "{{n}}."]), &saved), Ok(json!([7, "7."])));
        assert_eq!(value(&json!({"{{a}}": 1}), &saved), Ok(json!({"x/y": 1})));
        assert!(text("{{b}}", &saved).is_err());
        assert!(text("{{a", &saved).is_err());
        assert!(text("{{a|up}}", &saved).is_err());
    }
}
