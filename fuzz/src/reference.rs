//! A second reading of a JSON text, without the gate's parser: serde_json for the grammar, and what it
//! does not say (names twice, literals, nesting, exact numbers, the digest) worked out naively.

use ciborium::value::{Integer, Value as Cbor};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use tidegate_core::document::Number;

/// A value with everything that the gate keeps of it.
#[derive(Debug, Clone)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number {
        /// As it is written.
        literal: String,
        /// What serde_json takes it for, which may be a neighbour of the nearest double.
        theirs: serde_json::Number,
    },
    Text(String),
    Array(Vec<Tree>),
    /// In source order, with every member of a name that stands twice.
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// The value with the gate's numbers; of members with one name it has the last.
    pub(crate) fn to_serde(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number { literal, .. } => Value::Number(number(literal).to_serde()),
            Self::Text(text) => Value::String(text.clone()),
            Self::Array(elements) => elements.iter().map(Self::to_serde).collect(),
            Self::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), value.to_serde())).collect()
            }
        }
    }

    /// The members of that name.
    pub(crate) fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Tree> {
        let members = if let Self::Object(members) = self { members.as_slice() } else { &[] };
        members.iter().filter(move |(other, _)| other == name).map(|(_, value)| value)
    }

    /// BLAKE3 of what `core/src/digest.md` says of this value, in somebody else's CBOR.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut bytes = vec![2];
        assert!(ciborium::into_writer(&self.to_cbor(), &mut bytes).is_ok(), "CBOR has no such value");
        *blake3::hash(&bytes).as_bytes()
    }

    fn to_cbor(&self) -> Cbor {
        match self {
            Self::Null => Cbor::Null,
            Self::Bool(boolean) => Cbor::Bool(*boolean),
            Self::Number { literal, .. } => match number(literal) {
                Number::Integer(integer) => Integer::try_from(integer).map_or(Cbor::Null, Cbor::Integer),
                Number::Double(double) => Cbor::Float(double),
            },
            Self::Text(text) => Cbor::Text(text.clone()),
            Self::Array(elements) => Cbor::Array(elements.iter().map(Self::to_cbor).collect()),
            Self::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(name, _)| (name.len(), name.as_bytes().to_vec()));
                let member = |(name, value): &(String, Self)| (Cbor::Text(name.clone()), value.to_cbor());
                Cbor::Map(members.into_iter().map(member).collect())
            }
        }
    }
}

/// What serde_json makes of a text.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) tree: Result<Tree, serde_json::Error>,
    /// The way to where it stopped; empty if it did not.
    pub(crate) path: Vec<String>,
    /// For each name that it met again in the same object, the way to the object.
    pub(crate) duplicates: Vec<Vec<String>>,
}

/// How serde_json's refusals differ from the gate's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The grammar, in the middle of the text.
    Grammar,
    /// The text ends too early.
    End,
    /// Its limit of nesting, which is one level below the gate's.
    Depth,
    /// A number out of range; at the border it takes a few for one that the gate does not.
    Range,
}

impl Reading {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let literals = std::str::from_utf8(bytes).map(|text| Tokens::of(text).literals).unwrap_or_default();
        let state = RefCell::new(State { literals: literals.into_iter(), ..State::default() });
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let tree =
            Any(&state).deserialize(&mut deserializer).and_then(|tree| deserializer.end().map(|()| tree));
        let State { path, duplicates, .. } = state.into_inner();
        Self { tree, path, duplicates }
    }

    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let error = self.tree.as_ref().err()?;
        let text = error.to_string();
        Some(if error.is_eof() {
            Refusal::End
        } else if text.starts_with("recursion limit") {
            Refusal::Depth
        } else if text.starts_with("number out of range") {
            Refusal::Range
        } else {
            Refusal::Grammar
        })
    }
}

#[derive(Default)]
struct State<'t> {
    literals: std::vec::IntoIter<&'t str>,
    path: Vec<String>,
    duplicates: Vec<Vec<String>>,
}

#[derive(Clone, Copy)]
struct Any<'s, 't>(&'s RefCell<State<'t>>);

/// A value inside another one.
struct Inner<'s, 't>(Any<'s, 't>, String);

impl<'de> DeserializeSeed<'de> for Inner<'_, '_> {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        let Self(any, step) = self;
        any.0.borrow_mut().path.push(step);
        let tree = any.deserialize(deserializer)?;
        any.0.borrow_mut().path.pop();
        Ok(tree)
    }
}

impl<'de> DeserializeSeed<'de> for Any<'_, '_> {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Any<'_, '_> {
    fn number<E: Error>(self, theirs: serde_json::Number) -> Result<Tree, E> {
        let literal = self.0.borrow_mut().literals.next().unwrap_or_default().to_owned();
        Ok(Tree::Number { literal, theirs })
    }
}

impl<'de> Visitor<'de> for Any<'_, '_> {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
        self.number(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
        self.number(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
        self.number(serde_json::Number::from_f64(value).ok_or_else(|| E::custom("not finite"))?)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Tree, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element_seed(Inner(self, elements.len().to_string()))? {
            elements.push(element);
        }
        Ok(Tree::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                let mut state = self.0.borrow_mut();
                let object = state.path.clone();
                state.duplicates.push(object);
            }
            let value = map.next_value_seed(Inner(self, name.clone()))?;
            members.push((name, value));
        }
        Ok(Tree::Object(members))
    }
}

/// The tokens of a text that begins well; behind the first fault they mean nothing.
#[derive(Debug, Default)]
pub(crate) struct Tokens<'t> {
    /// The numbers, in the order in which they stand.
    pub(crate) literals: Vec<&'t str>,
    /// How many containers are open at the end.
    pub(crate) open: usize,
    /// How many were open at the most.
    pub(crate) deepest: usize,
}

impl<'t> Tokens<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        let mut tokens = Self::default();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '"' => string_length(rest),
                '-' | '0'..='9' => {
                    let literal = literal(rest);
                    tokens.literals.push(literal);
                    literal.len()
                }
                _ => first.len_utf8(),
            };
            match first {
                '[' | '{' => tokens.open += 1,
                ']' | '}' => tokens.open = tokens.open.saturating_sub(1),
                _ => {}
            }
            tokens.deepest = tokens.deepest.max(tokens.open);
            rest = rest.get(length..).unwrap_or_default();
        }
        tokens
    }
}

/// How many bytes a string takes, with its quotes.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The number that a text begins with, as much of it as follows the grammar.
pub(crate) fn literal(text: &str) -> &str {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())
    };
    let at = |from: usize| text.as_bytes().get(from).copied().unwrap_or_default();
    let mut end = digits(usize::from(at(0) == b'-'));
    if at(end) == b'.' && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if matches!(at(end), b'e' | b'E') {
        let power = end + 1 + usize::from(matches!(at(end + 1), b'+' | b'-'));
        if digits(power) > power {
            end = digits(power);
        }
    }
    text.get(..end).unwrap_or_default()
}

/// Whether a literal is at the border of what a double holds, where serde_json, which takes the shortest
/// way to a double, may fall on the other side.
pub(crate) fn at_the_border(literal: &str) -> bool {
    literal.parse::<f64>().is_ok_and(|value| value.abs() > 1.797_693_134_862e308)
        && theirs(literal).is_none_or(|value| value.abs() > 1.797_693_134_862e308)
}

fn theirs(literal: &str) -> Option<f64> {
    serde_json::from_str(literal).ok()
}

/// The value of a literal as the gate defines it: an integer of 64 bits if it is one, else the nearest
/// double.
pub(crate) fn number(literal: &str) -> Number {
    if let Some(integer) = integer(literal) {
        return Number::Integer(integer);
    }
    let double: f64 = literal.parse().unwrap_or(f64::NAN);
    // Doubles below 2⁶⁴ and not below −2⁶³ that have no fraction.
    if double.trunc() == double && double < 18_446_744_073_709_551_616.0 && double >= i64::MIN as f64 {
        #[expect(clippy::cast_possible_truncation, reason = "it is an integer in range")]
        return Number::Integer(double as i128);
    }
    Number::Double(double)
}

fn integer(literal: &str) -> Option<i128> {
    let negative = literal.starts_with('-');
    let (mantissa, exponent) = literal
        .trim_start_matches('-')
        .split_once(['e', 'E'])
        .unwrap_or_else(|| (literal.trim_start_matches('-'), "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let beyond = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
    let exponent: i128 = exponent.parse().unwrap_or(beyond.into());
    let behind = digits.len() - digits.trim_end_matches('0').len();
    let shift = exponent
        .saturating_sub(i128::try_from(fraction.len()).ok()?)
        .saturating_add(i128::try_from(behind).ok()?);
    let shift = usize::try_from(shift).ok().filter(|shift| significant.len().saturating_add(*shift) <= 20)?;
    let magnitude: i128 = format!("{significant}{}", "0".repeat(shift)).parse().ok()?;
    let value = if negative { -magnitude } else { magnitude };
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(value)
}

/// Whether serde_json's number is this one, or a close neighbour of it.
pub(crate) fn is_near(ours: Number, theirs: &serde_json::Number) -> bool {
    if let Some(integer) = theirs.as_u64().map(i128::from).or_else(|| theirs.as_i64().map(i128::from)) {
        return ours == Number::Integer(integer);
    }
    let (ours, theirs) = (ours.to_double(), theirs.as_f64().unwrap_or(f64::NAN));
    (ours - theirs).abs() <= ours.abs() * 1e-15 + 2e-323
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        for (literal, value) in [
            ("-0", 0),
            ("1230.0", 1230),
            ("1.23e3", 1230),
            ("12300e-1", 1230),
            ("0.00012e5", 12),
            ("9007199254740993.0", 9_007_199_254_740_993),
            ("18446744073709551615", u64::MAX.into()),
            ("-9223372036854775808", i64::MIN.into()),
            ("1e19", 10_000_000_000_000_000_000),
            ("0e99999999999999999999999999999999999999999", 0),
            // Not an integer, but the nearest double is one.
            ("9007199254740993.5", 9_007_199_254_740_994),
        ] {
            assert_eq!(number(literal), Number::Integer(value), "{literal}");
        }
        for literal in
            ["18446744073709551616", "1e20", "0.1", "-9223372036854775809e1", "1e-400000000000000000000"]
        {
            let expected = literal.parse::<f64>().unwrap();
            let found = number(literal);
            assert_eq!(found.to_double(), expected, "{literal}");
        }
    }

    #[test]
    fn the_way_to_a_fault_is_known() {
        let steps = |steps: &[&str]| steps.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>();
        for (text, path, duplicates) in [
            (r#"{"a":[1,{"b":tru}]}"#, &["a", "1", "b"][..], vec![]),
            (r#"{"a":[{"b":1,"\u0062":[2,]}]}"#, &["a", "0", "b"], vec![steps(&["a", "0"])]),
            (r#"{"a":1 "b"}"#, &[], vec![]),
        ] {
            let reading = Reading::of(text.as_bytes());
            assert!(reading.tree.is_err());
            assert_eq!((reading.path, reading.duplicates), (steps(path), duplicates), "{text}");
        }
    }
}
