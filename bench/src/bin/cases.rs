//! Writes the core's cases down for benchmarks that are not in Rust: a file for each text, and
//! `cases.json`, which names them.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use serde_json::{Value, json};
use tidegate_bench::native::cases::{self, Case};

#[derive(Parser)]
struct Arguments {
    /// Where the files go
    directory: PathBuf,
}

fn main() -> Result<()> {
    let directory = Arguments::parse().directory;
    fs::create_dir_all(&directory)?;
    let mut index = Vec::new();
    for Case { name, schema, payload, bulk, accepted } in cases::all()? {
        let (schema_file, payload_file) = (format!("{name}.schema.json"), format!("{name}.json"));
        fs::write(directory.join(&schema_file), schema)?;
        fs::write(directory.join(&payload_file), payload)?;
        index.push(json!({
            "name": name,
            "schema": schema_file,
            "payload": payload_file,
            "bulk": bulk,
            "accepted": accepted,
        }));
    }
    Ok(fs::write(directory.join("cases.json"), Value::Array(index).to_string())?)
}
