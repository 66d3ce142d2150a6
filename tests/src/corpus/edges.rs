//! Cases at the gate's budgets, where chance does not come: two hosts that counted differently would
//! say different things of them.

use super::Case;

/// All of them.
pub(super) fn cases() -> Vec<Case> {
    vec![fuel(), faults(), fields(), quoted()]
}

fn case(name: &str, schema: &str) -> Case {
    Case { name: format!("edges/{name}"), schema: schema.as_bytes().to_vec(), ..Case::default() }
}

/// Each level of the payload doubles what validating it costs: some payloads are cheap, with some the
/// explanation is cut, and some are too complex to be judged.
fn fuel() -> Case {
    let mut case = case(
        "fuel",
        r##"{"type":"object","properties":{"id":{"type":"string"},"node":{"$ref":"#/$defs/node"}},"resmo":{"id":"id"},
        "$defs":{"node":{"type":"object","properties":{"leaf":{"type":"integer"}},"allOf":[
        {"properties":{"next":{"$ref":"#/$defs/node"}}},{"properties":{"next":{"$ref":"#/$defs/node"}}}]}}}"##,
    );
    for (levels, leaf) in
        [(6, "1"), (6, "\"a\""), (14, "\"a\""), (16, "\"a\""), (18, "1"), (18, "\"a\""), (40, "1")]
    {
        let (open, close) = ("{\"next\":".repeat(levels), "}".repeat(levels));
        case.payloads
            .push(format!("{{\"id\":\"1\",\"node\":{open}{{\"leaf\":{leaf}}}{close}}}").into_bytes());
    }
    case
}

/// About as many faults as are reported of one resource and of one bulk.
fn faults() -> Case {
    let mut case = case(
        "faults",
        r#"{"type":"object","properties":{"id":{"type":"string"},"list":{"type":"array","items":{"type":"string"}}},"resmo":{"id":"id"}}"#,
    );
    let item =
        |id: usize, faults: usize| format!("{{\"id\":\"{id}\",\"list\":[{}]}}", vec!["1"; faults].join(","));
    let bulk = |items: usize, faults: usize| {
        let items: Vec<String> = (0..items).map(|id| item(id, faults)).collect();
        format!("[{}]", items.join(",")).into_bytes()
    };
    for faults in [99, 100, 101, 2000] {
        case.payloads.push(item(1, faults).into_bytes());
    }
    case.bulks.push((bulk(10, 100), bulk(11, 100)));
    case.bulks.push((bulk(999, 1), bulk(1001, 1)));
    case.bulks.push((bulk(1500, 0), bulk(1200, 0)));
    case
}

/// More fields that differ than one change names, with names that need quoting in a path.
fn fields() -> Case {
    let mut case = case(
        "fields",
        r#"{"type":"object","properties":{"id":{"type":"string"},"open":{"type":"object"},"other":{}},"resmo":{"id":"id"}}"#,
    );
    let snapshot = |members: usize, value: &str| {
        let members: Vec<String> = (0..members)
            .map(|index| format!("\"a long name [{index}] 😀\":{{\"x\":[{value},{index}]}}"))
            .collect();
        format!("[{{\"id\":\"1\",\"open\":{{{}}},\"other\":{value}}}]", members.join(",")).into_bytes()
    };
    for members in [10, 1500, 4000] {
        case.bulks.push((snapshot(members, "1"), snapshot(members, "[2.5]")));
    }
    case
}

/// Names and places that are longer than a message quotes, cut where characters have several bytes.
fn quoted() -> Case {
    let name = "ключ😀".repeat(300);
    let mut case = case(
        "quoted",
        &format!(
            r#"{{"type":"object","required":["{name}"],"properties":{{"id":{{"type":"string","maxLength":3}},"{name}":{{"type":"object","properties":{{"{name}":{{"type":"string","pattern":"^{name}$"}}}}}}}},"resmo":{{"id":"id"}}}}"#
        ),
    );
    for length in [50, 95, 99, 300, 301] {
        let near = "ключ😀".repeat(length);
        case.payloads.push(format!(r#"{{"id":"1","{near}":1}}"#).into_bytes());
        case.payloads.push(format!(r#"{{"id":"{near}","{name}":{{"{name}":"{near}"}}}}"#).into_bytes());
    }
    case
}
