//! Whether an answer is what a vector expects.
//!
//! An expectation is a JSON value that says as much of the answer as matters:
//!
//! - an object matches an object that has each of its members, matching; others may be there,
//!   unless `"$exact": true` stands among the expected ones;
//! - an array matches an array of the same length, element by element;
//! - a number matches a number of the same value, everything else an equal value.
//!
//! An object with one of these members, alone, is an operator instead:
//!
//! | operator | matches |
//! | --- | --- |
//! | `{"$any": true}` | whatever is there |
//! | `{"$absent": true}` | nothing: the member is not there |
//! | `{"$type": "string"}` | a value of that type: `null`, `boolean`, `number`, `string`, `array`, `object` |
//! | `{"$contains": "text"}` | a string that contains the text |
//! | `{"$match": "regex"}` | a string that matches somewhere; anchors are written out |
//! | `{"$includes": [X, …]}` | an array that has for each expectation an element that matches it |
//! | `{"$length": 3}` | an array, object or string of that many elements, members or characters |
//! | `{"$not": X}` | a value that is there and does not match X |

use regex::Regex;
use serde_json::{Map, Number, Value};

/// What is different from what was expected, with the JSON Pointer of the first difference;
/// `None` if `actual` matches.
#[must_use]
pub fn mismatch(expected: &Value, actual: &Value) -> Option<String> {
    first_difference(expected, Some(actual), "")
}

fn first_difference(expected: &Value, actual: Option<&Value>, at: &str) -> Option<String> {
    if let Some(operator) = Operator::of(expected) {
        return operator.difference(actual, at);
    }
    let Some(actual) = actual else {
        return Some(format!("at `{at}`: expected {}, found nothing", shown(expected)));
    };
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => objects(expected, actual, at),
        (Value::Array(expected), Value::Array(actual)) => {
            let pairs = expected.iter().zip(actual).enumerate();
            let mut differences = pairs.filter_map(|(index, (expected, actual))| {
                first_difference(expected, Some(actual), &format!("{at}/{index}"))
            });
            differences.next().or_else(|| {
                (expected.len() != actual.len()).then(|| {
                    let (expected, found) = (expected.len(), actual.len());
                    format!("at `{at}`: expected {expected} elements, found {found}: {}", listed(actual))
                })
            })
        }
        (Value::Number(expected), Value::Number(actual)) if same_number(expected, actual) => None,
        _ if expected == actual => None,
        _ => Some(format!("at `{at}`: expected {}, found {}", shown(expected), shown(actual))),
    }
}

fn objects(expected: &Map<String, Value>, actual: &Map<String, Value>, at: &str) -> Option<String> {
    const EXACT: &str = "$exact";
    let exact = expected.get(EXACT) == Some(&Value::Bool(true));
    let named = || expected.iter().filter(|(name, _)| !exact || *name != EXACT);
    let inside = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    named().find_map(|(name, expected)| first_difference(expected, actual.get(name), &inside(name))).or_else(
        || {
            let other = actual.iter().find(|(name, _)| exact && !expected.contains_key(*name));
            other.map(|(name, value)| {
                format!("at `{}`: expected nothing, found {}", inside(name), shown(value))
            })
        },
    )
}

fn same_number(expected: &Number, actual: &Number) -> bool {
    // An integer and a double of the same value are unequal to serde_json.
    expected == actual || expected.is_f64() != actual.is_f64() && expected.as_f64() == actual.as_f64()
}

enum Operator<'e> {
    Any,
    Absent,
    Type(&'e str),
    Contains(&'e str),
    Match(&'e str),
    Includes(&'e [Value]),
    Length(u64),
    Not(&'e Value),
}

impl<'e> Operator<'e> {
    fn of(expected: &'e Value) -> Option<Self> {
        let members = expected.as_object()?;
        let mut members = members.iter();
        let (Some((name, operand)), None) = (members.next(), members.next()) else { return None };
        match name.as_str() {
            "$any" => Some(Self::Any),
            "$absent" => Some(Self::Absent),
            "$type" => operand.as_str().map(Self::Type),
            "$contains" => operand.as_str().map(Self::Contains),
            "$match" => operand.as_str().map(Self::Match),
            "$includes" => operand.as_array().map(|list| Self::Includes(list)),
            "$length" => operand.as_u64().map(Self::Length),
            "$not" => Some(Self::Not(operand)),
            _ => None,
        }
    }

    fn difference(&self, actual: Option<&Value>, at: &str) -> Option<String> {
        let Some(actual) = actual else {
            return match self {
                Self::Absent => None,
                _ => Some(format!("at `{at}`: expected {}, found nothing", self.in_words())),
            };
        };
        let text = actual.as_str();
        let matches = match self {
            Self::Any => true,
            Self::Absent => false,
            Self::Type(name) => type_name(actual) == *name,
            Self::Contains(part) => text.is_some_and(|text| text.contains(part)),
            Self::Match(pattern) => match Regex::new(pattern) {
                Ok(regex) => text.is_some_and(|text| regex.is_match(text)),
                Err(error) => {
                    return Some(format!("at `{at}`: the expectation is no regular expression: {error}"));
                }
            },
            Self::Includes(all) => {
                let Some(elements) = actual.as_array() else {
                    return Some(format!("at `{at}`: expected an array, found {}", shown(actual)));
                };
                let has =
                    |expected: &Value| elements.iter().any(|element| mismatch(expected, element).is_none());
                let lacking = all.iter().find(|expected| !has(expected))?;
                return Some(format!(
                    "at `{at}`: expected an element that matches {} among {}",
                    shown(lacking),
                    listed(elements)
                ));
            }
            Self::Length(length) => self::length(actual) == Some(*length),
            Self::Not(other) => mismatch(other, actual).is_some(),
        };
        (!matches).then(|| format!("at `{at}`: expected {}, found {}", self.in_words(), shown(actual)))
    }

    fn in_words(&self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Absent => "nothing".to_owned(),
            Self::Type(name) => format!("a value of the type {name}"),
            Self::Contains(part) => format!("a string that contains `{part}`"),
            Self::Match(pattern) => format!("a string that matches `{pattern}`"),
            Self::Includes(_) => "an array".to_owned(),
            Self::Length(length) => format!("something of the length {length}"),
            Self::Not(other) => format!("something else than {}", shown(other)),
        }
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn length(value: &Value) -> Option<u64> {
    let length = match value {
        Value::Array(elements) => elements.len(),
        Value::Object(members) => members.len(),
        Value::String(text) => text.chars().count(),
        Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    u64::try_from(length).ok()
}

/// A value in a message, cut where it is long.
fn shown(value: &Value) -> String {
    cut(&value.to_string(), 300)
}

fn listed(elements: &[Value]) -> String {
    let elements: Vec<_> = elements.iter().map(shown).collect();
    cut(&format!("[{}]", elements.join(", ")), 2000)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` gives values")]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn matches(expected: Value, actual: Value) {
        assert_eq!(mismatch(&expected, &actual), None);
    }

    #[track_caller]
    fn differs(expected: Value, actual: Value, message: &str) {
        let found = mismatch(&expected, &actual).unwrap();
        assert!(found.starts_with(message), "{found}");
    }

    #[test]
    fn objects_match_as_subsets() {
        matches(json!({ "a": { "b": 1 } }), json!({ "a": { "b": 1, "c": 2 }, "d": 3 }));
        differs(json!({ "a": { "b": 1 } }), json!({ "a": {} }), "at `/a/b`: expected 1, found nothing");
        differs(
            json!({ "a/b": { "~": 1 } }),
            json!({ "a/b": { "~": 2 } }),
            "at `/a~1b/~0`: expected 1, found 2",
        );
        differs(json!({}), json!([]), "at ``: expected {}, found []");
    }

    #[test]
    fn exact_objects_have_no_other_members() {
        matches(json!({ "a": 1, "$exact": true }), json!({ "a": 1 }));
        matches(json!({ "$exact": true }), json!({}));
        differs(
            json!({ "a": 1, "$exact": true }),
            json!({ "a": 1, "b": 2 }),
            "at `/b`: expected nothing, found 2",
        );
        differs(json!([{ "$exact": true }]), json!([{ "b": 2 }]), "at `/0/b`");
    }

    #[test]
    fn arrays_match_element_by_element() {
        matches(json!([1, { "a": 1 }]), json!([1, { "a": 1, "b": 2 }]));
        differs(json!([1, 2]), json!([1, 3]), "at `/1`: expected 2, found 3");
        differs(json!([1]), json!([1, 3]), "at ``: expected 1 elements, found 2: [1, 3]");
        differs(json!([]), json!({}), "at ``: expected [], found {}");
    }

    #[test]
    fn scalars_are_equal() {
        matches(json!(1), json!(1.0));
        matches(json!(null), json!(null));
        differs(json!(9_007_199_254_740_992_i64), json!(9_007_199_254_740_993_i64), "at ``");
        differs(json!("1"), json!(1), "at ``: expected \"1\", found 1");
        differs(json!(false), json!(null), "at ``");
    }

    #[test]
    fn absence_can_be_demanded() {
        matches(json!({ "a": { "$absent": true } }), json!({ "b": 1 }));
        differs(
            json!({ "a": { "$absent": true } }),
            json!({ "a": null }),
            "at `/a`: expected nothing, found null",
        );
    }

    #[test]
    fn operators() {
        matches(json!({ "a": { "$any": true } }), json!({ "a": null }));
        differs(json!({ "a": { "$any": true } }), json!({}), "at `/a`: expected anything, found nothing");
        for (name, value) in [
            ("null", json!(null)),
            ("boolean", json!(true)),
            ("number", json!(1)),
            ("string", json!("")),
            ("array", json!([])),
            ("object", json!({})),
        ] {
            matches(json!({ "$type": name }), value.clone());
            differs(json!({ "$not": { "$type": name } }), value, "at ``: expected something else");
        }
        matches(json!({ "$contains": "b" }), json!("abc"));
        differs(json!({ "$contains": "x" }), json!("abc"), "at ``: expected a string that contains `x`");
        matches(json!({ "$match": "^[a-c]+$" }), json!("abc"));
        differs(json!({ "$match": "^b" }), json!("abc"), "at ``");
        differs(json!({ "$match": "(" }), json!("abc"), "at ``: the expectation is no regular expression");
        matches(json!({ "$includes": [{ "a": 1 }, 2] }), json!([2, 3, { "a": 1, "b": 1 }]));
        differs(
            json!({ "$includes": [4] }),
            json!([2, 3]),
            "at ``: expected an element that matches 4 among [2, 3]",
        );
        differs(json!({ "$includes": [] }), json!({}), "at ``: expected an array");
        for value in [json!([1, 2]), json!({ "a": 1, "b": 2 }), json!("äö")] {
            matches(json!({ "$length": 2 }), value);
        }
        differs(json!({ "$length": 2 }), json!([1]), "at ``: expected something of the length 2, found [1]");
        matches(json!({ "$not": { "$contains": "x" } }), json!("abc"));
        differs(
            json!({ "a": { "$not": 1 } }),
            json!({}),
            "at `/a`: expected something else than 1, found nothing",
        );
    }

    #[test]
    fn other_names_with_a_dollar_are_members() {
        matches(json!({ "$ref": "#" }), json!({ "$ref": "#" }));
        differs(json!({ "$ref": "#" }), json!({ "$ref": "#a" }), "at `/$ref`");
    }
}
