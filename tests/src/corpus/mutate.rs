//! Payloads made wrong, or only strange.

use super::json::Json;
use super::words::{NAMES, NUMBERS, TEXTS, awkward_ids};
use crate::numbers::Numbers;

/// A value changed at one place.
pub(super) fn mutated(value: &Json, id: &[String], numbers: &mut Numbers) -> Json {
    let mut value = value.clone();
    if numbers.percent(12) {
        let odd = match numbers.below(4) {
            0 => odd_value(numbers),
            _ => Json::text(numbers.pick(&awkward_ids())),
        };
        value.set_at(id, odd);
        return value;
    }
    if numbers.percent(8) {
        let meta = Json::object([("id", Json::text("mine"))]);
        value.set("_meta", meta);
        return value;
    }
    let mut nth = numbers.index(value.count());
    let Some(place) = value.nth_mut(&mut nth) else { return value };
    match place {
        Json::Object(members) if numbers.percent(80) => {
            let at = numbers.index(members.len());
            match numbers.below(5) {
                0 if !members.is_empty() => {
                    members.remove(at);
                }
                1 => {
                    if let Some((name, _)) = members.get_mut(at) {
                        *name = near_miss(name, numbers);
                    }
                }
                2 => members.push((numbers.pick(&NAMES).to_owned(), odd_value(numbers))),
                3 => {
                    let name = members.get(at).map(|(name, _)| near_miss(name, numbers)).unwrap_or_default();
                    members.push((name, Json::literal("1")));
                }
                _ => members.extend(members.get(at).cloned()),
            }
        }
        Json::Array(elements) if numbers.percent(60) => match numbers.below(3) {
            0 => elements.extend(elements.clone()),
            1 => elements.push(odd_value(numbers)),
            _ => elements.reverse(),
        },
        other => *other = odd_value(numbers),
    }
    value
}

/// A name that is nearly that one.
fn near_miss(name: &str, numbers: &mut Numbers) -> String {
    let mut characters: Vec<char> = name.chars().collect();
    let at = numbers.index(characters.len());
    match numbers.below(4) {
        0 if characters.len() > 1 => {
            characters.remove(at);
        }
        1 if at + 1 < characters.len() => characters.swap(at, at + 1),
        2 => return name.to_uppercase(),
        _ => characters.insert(at, 'e'),
    }
    characters.into_iter().collect()
}

fn odd_value(numbers: &mut Numbers) -> Json {
    match numbers.below(12) {
        0 => Json::Null,
        1 => Json::Bool(numbers.percent(50)),
        2..6 => Json::literal(numbers.pick(&NUMBERS)),
        6..8 => Json::text(numbers.pick(&TEXTS)),
        // Escapes that not everything that reads JSON can read, or may.
        8 => Json::literal(numbers.pick(&[
            r#""\ud800""#,
            r#""\udc00\ud800""#,
            r#""\ud83d\ude00""#,
            r#""\u0000""#,
            r#""\u00e9\/\b\f""#,
            r#""\x""#,
            r#""\u12g4""#,
            "\"a\u{0}b\"",
            "'a'",
            "\"open",
        ])),
        9 => Json::Array(vec![Json::Null, Json::literal("1.0"), Json::literal("1")]),
        10 => Json::object([("a", Json::object([("b", Json::Null)]))]),
        _ => {
            let levels = usize::try_from(numbers.within(118, 132)).unwrap_or_default();
            let (open, close) = numbers.pick(&[("[", "]"), ("{\"a\":", "}")]);
            let inner = if open == "[" { "" } else { "1" };
            Json::literal(format!("{}{inner}{}", open.repeat(levels), close.repeat(levels)))
        }
    }
}

/// A text damaged as bytes, which may be no text any more.
pub(super) fn damaged(text: &str, numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let at = numbers.index(bytes.len());
    match numbers.below(9) {
        0 => bytes.truncate(at),
        1 => bytes.extend_from_slice(numbers.pick(&["}", ",", " x", "\u{0}", "{}", "// no"]).as_bytes()),
        2 => {
            bytes.splice(0..0, *b"\xef\xbb\xbf");
        }
        3 => bytes.insert(at, numbers.pick(&[0xff, 0x80, 0xc3, 0x00, b'"', b'{', b',', 0x0b, 0xa0])),
        4 => {
            bytes.splice(at..at, numbers.pick(&[*b"\xed\xa0\x80", *b"\xe0\x80\xaf", *b"\xf4\x90\x80"]));
        }
        5 => bytes.clear(),
        6 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << numbers.below(8);
            }
        }
        7 => bytes = text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        _ => bytes.splice(0..0, *b"\t\n\r ").for_each(drop),
    }
    bytes
}
