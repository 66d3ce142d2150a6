//! What fuzzing begins with: the texts in `tests/vectors`, read when they are needed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bulk::SCHEMAS;

/// The environment variable that names the folder into which a target puts its seeds.
pub const FOLDER: &str = "TIDEGATE_FUZZ_SEEDS";

/// No seed is longer, so that mutations of it are quick; the vectors hold some of megabytes.
const LONGEST: usize = 4096;

/// Writes seeds into the folder that the environment names, if it does.
///
/// # Panics
/// The folder cannot be written to: without seeds libFuzzer would begin at nothing.
#[expect(clippy::panic, reason = "there is nobody to hand an error to")]
pub fn plant(seeds: fn() -> Vec<Vec<u8>>) {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    for seed in seeds() {
        let path = folder.join(blake3::hash(&seed).to_hex().as_str());
        if let Err(error) = fs::write(&path, seed) {
            panic!("{}: {error}", path.display());
        }
    }
}

/// JSON texts, and texts that are nearly JSON.
pub fn document() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for operation in ["bulk", "check", "diff", "digest", "plan", "prepare"] {
        for file in files(&vectors().join(operation)) {
            texts(&file, &mut seeds);
        }
    }
    for levels in [127, 128, 129] {
        seeds.push([vec![b'['; levels], vec![b']'; levels]].concat());
        seeds.push(format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels)).into_bytes());
    }
    tidied(seeds)
}

/// Bulks, each for every schema of the target.
pub fn bulk() -> Vec<Vec<u8>> {
    let mut bulks = vec![br#"[{"id":"1","n":1},{"meta":{"id":"2"},"tags":["a"]},{"id":"1"}]"#.to_vec()];
    for operation in ["bulk", "plan"] {
        for file in files(&vectors().join(operation)) {
            texts(&file, &mut bulks);
        }
    }
    let all = tidied(bulks);
    (0..SCHEMAS)
        .flat_map(|schema| all.iter().map(move |bulk| [&[schema], bulk.as_slice()].concat()))
        .collect()
}

/// Bytes that stand for nothing by themselves: schemas and payloads are made from them.
pub fn accept() -> Vec<Vec<u8>> {
    let block = |seed: u32, number: u32| {
        *blake3::hash(&[seed.to_be_bytes(), number.to_be_bytes()].concat()).as_bytes()
    };
    (0..150).map(|seed| (0..32).flat_map(|number| block(seed, number)).collect()).collect()
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}

fn files(folder: &Path) -> Vec<Value> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| serde_json::from_slice(&fs::read(path).ok()?).ok()).collect()
}

fn tidied(mut seeds: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    seeds.retain(|seed| seed.len() <= LONGEST);
    seeds.sort();
    seeds.dedup();
    seeds
}

/// Every text in a file of vectors; `tests/src/vector.rs` has the form.
fn texts(value: &Value, seeds: &mut Vec<Vec<u8>>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("expect", _) => {}
                    ("$text" | "text", Value::String(text)) => seeds.push(text.clone().into_bytes()),
                    ("$bytes", Value::Array(bytes)) => {
                        seeds.extend(
                            bytes.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect::<Option<_>>(),
                        );
                    }
                    ("$pieces", Value::Array(pieces)) => seeds.extend(joined(pieces)),
                    ("equal" | "different", Value::Array(all)) => {
                        seeds.extend(
                            all.iter().filter_map(Value::as_str).map(|text| text.as_bytes().to_vec()),
                        );
                    }
                    ("payload" | "before" | "after" | "schema", _) => {
                        seeds.push(member.to_string().into_bytes());
                        texts(member, seeds);
                    }
                    _ => texts(member, seeds),
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| texts(element, seeds)),
        _ => {}
    }
}

/// The text of pieces, unless it gets too long.
fn joined(pieces: &[Value]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for piece in pieces {
        let (part, times) = match piece {
            Value::String(part) => (part.as_str(), 1),
            _ => (piece.get("repeat")?.as_str()?, piece.get("times")?.as_u64()?),
        };
        let times =
            usize::try_from(times).ok().filter(|times| times.saturating_mul(part.len()) <= LONGEST)?;
        text.extend(part.repeat(times).into_bytes());
    }
    Some(text)
}
