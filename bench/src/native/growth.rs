//! How costs grow with what is given: per byte, per property, per violation, per item.
//!
//! Where something grows in proportion, `relative` (to the smallest of its kind) stays near 1, or falls
//! as what is fixed is spread over more.

use std::hint::black_box;

use anyhow::{Result, anyhow};
use serde_json::{Map, Value, json};
use tidegate_core::{ChangeType, CheckOptions, Digest, Manifest, Plan, PreparedSchema};

use super::cases::prepare;
use super::{Arguments, side};
use crate::data::{self, EMPLOYEE_SCHEMA};
use crate::measure::{Side, all_in_turn};

const MEBIBYTE: usize = 1024 * 1024;
const ROUNDS: usize = 5;

/// Of one kind, by size.
type Points<'p> = Vec<(usize, Side<'p>)>;

/// All kinds.
///
/// # Errors
///
/// What is to be checked does not pass, or what is to be rejected does.
pub fn run(arguments: &Arguments) -> Result<()> {
    let wants = |name: &str| arguments.wants(&format!("growth {name}"));
    if wants("document-bytes") {
        documents(arguments)?;
    }
    if wants("bulk-bytes") {
        bulks(arguments)?;
    }
    if wants("properties") || wants("prepare-properties") {
        properties(arguments)?;
    }
    if wants("violations") {
        violations(arguments)?;
    }
    if wants("plan-items") {
        plans(arguments, &[1_000, 10_000, 100_000, 1_000_000])?;
    }
    Ok(())
}

fn documents(arguments: &Arguments) -> Result<()> {
    let schema = prepare(&data::catalogue_schema().to_string())?;
    let texts = [1_000, 10_000, 100_000, MEBIBYTE].map(data::catalogue);
    let mut points = Points::new();
    for text in &texts {
        points.push((text.len(), checking(arguments, &schema, text, true)?));
    }
    series("document-bytes", "ns/byte", 1e9, points)
}

fn bulks(arguments: &Arguments) -> Result<()> {
    let schema = prepare(EMPLOYEE_SCHEMA)?;
    let texts = [1_000, 10_000, 100_000, MEBIBYTE, 4 * MEBIBYTE].map(data::employees);
    let mut points = Points::new();
    for text in &texts {
        let bytes = text.as_bytes();
        points.push((
            bytes.len(),
            side(arguments.turn(), || {
                let checked = schema.check_bulk(black_box(bytes), CheckOptions::default());
                _ = black_box(checked.map_err(|rejection| anyhow!("{:?}", rejection.code()))?);
                Ok(())
            }),
        ));
    }
    series("bulk-bytes", "ns/byte", 1e9, points)
}

/// Schemas with more and more properties: 10,000 just fit into the largest schema.
fn properties(arguments: &Arguments) -> Result<()> {
    let sizes = [10, 100, 1_000, 10_000];
    let texts = sizes.map(|number| {
        let names = || (0..number).map(|at| format!("p{at}"));
        let declared: Map<String, Value> = names().map(|name| (name, json!({ "type": "string" }))).collect();
        let values: Map<String, Value> = names().map(|name| (name, json!("x"))).collect();
        let schema = json!({ "type": "object", "properties": declared, "resmo": { "id": "p0" } });
        (schema.to_string(), Value::Object(values).to_string())
    });
    let mut preparing = Points::new();
    for (number, (schema, _)) in sizes.into_iter().zip(&texts) {
        let call = || prepare(schema).map(|schema| _ = black_box(schema));
        preparing.push((number, side(arguments.turn(), call)));
    }
    series("prepare-properties", "µs/property", 1e6, preparing)?;
    let schemas = texts.iter().map(|(schema, _)| prepare(schema)).collect::<Result<Vec<_>>>()?;
    let mut points = Points::new();
    for ((number, schema), (_, payload)) in sizes.into_iter().zip(&schemas).zip(&texts) {
        points.push((number, checking(arguments, schema, payload, true)?));
    }
    series("properties", "ns/property", 1e9, points)
}

fn violations(arguments: &Arguments) -> Result<()> {
    let schema = prepare(&data::list_schema().to_string())?;
    let sizes = [1, 10, 100];
    let texts = sizes.map(|number| data::wrong_list(number).to_string());
    let mut points = Points::new();
    for (number, text) in sizes.into_iter().zip(&texts) {
        points.push((number, checking(arguments, &schema, text, false)?));
    }
    series("violations", "µs/violation", 1e6, points)
}

/// A check of one resource, which has been seen to end as expected.
fn checking<'c>(
    arguments: &Arguments,
    schema: &'c PreparedSchema,
    payload: &'c str,
    accepted: bool,
) -> Result<Side<'c>> {
    let check = move || schema.check(black_box(payload.as_bytes()), CheckOptions::default());
    if check().is_ok() != accepted {
        return Err(anyhow!("a payload of {} bytes has another verdict", payload.len()));
    }
    Ok(side(arguments.turn(), move || {
        _ = black_box(check());
        Ok(())
    }))
}

/// Snapshots as large as what is stored, of which a hundredth each is new, different and gone, and in
/// another order.
fn plans(arguments: &Arguments, sizes: &[usize]) -> Result<()> {
    let kept: Vec<_> = sizes.iter().map(|&number| (manifest(number), snapshot(number))).collect();
    let mut points = Points::new();
    for (stored, items) in &kept {
        let plan = move || Plan::bulk(stored, items.iter().map(|(id, digest)| (id.as_str(), *digest)));
        let made = plan();
        let hundredth = (items.len() / 100) as u64;
        for change in [ChangeType::Added, ChangeType::Modified, ChangeType::Removed] {
            if made.count(change) != hundredth {
                return Err(anyhow!("{} resources are {change}, not {hundredth}", made.count(change)));
            }
        }
        points.push((
            items.len(),
            side(arguments.turn(), move || {
                black_box(plan());
                Ok(())
            }),
        ));
    }
    series("plan-items", "ns/item", 1e9, points)
}

fn manifest(number: usize) -> Manifest {
    (0..number).map(|at| (id(at), digest(at))).collect()
}

fn snapshot(number: usize) -> Vec<(String, Digest)> {
    let gone = number / 100;
    // A prime that no number of items is a multiple of goes through all of them.
    (0..number)
        .map(|at| at * 7919 % number + gone)
        .map(|at| (id(at), digest(if at < 2 * gone { at + number } else { at })))
        .collect()
}

fn id(at: usize) -> String {
    format!("resource-{at:07}")
}

fn digest(at: usize) -> Digest {
    let mut bytes = [0; Digest::BYTES];
    for (byte, of) in bytes.iter_mut().zip(at.to_le_bytes()) {
        *byte = of;
    }
    #[expect(clippy::unwrap_used, reason = "the array has the length of a digest")]
    Digest::from_bytes(&bytes).unwrap()
}

/// Measures the points in turn, and prints what each costs for one of its parts.
fn series(name: &str, unit: &str, scale: f64, points: Points<'_>) -> Result<()> {
    let (sizes, mut sides): (Vec<_>, Vec<_>) = points.into_iter().unzip();
    let seconds = all_in_turn(ROUNDS, &mut sides)?;
    let mut first = None;
    for (n, seconds) in sizes.into_iter().zip(seconds) {
        let value = seconds * scale / n as f64;
        let relative = value / *first.get_or_insert(value);
        println!("growth {name} n={n} value={value:.2} unit={unit} relative={relative:.2}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Both fail where a verdict or a plan is another one than is meant to be measured.

    #[test]
    fn what_grows_is_checked_with_the_expected_verdict() {
        for kind in ["document-bytes", "properties", "violations"] {
            run(&Arguments::brief(&format!("growth {kind}"))).unwrap();
        }
    }

    #[test]
    fn plans_have_all_kinds_of_changes() {
        plans(&Arguments::brief(""), &[1_000]).unwrap();
    }
}
