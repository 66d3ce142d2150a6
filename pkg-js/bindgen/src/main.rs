//! Runs wasm-bindgen over the module as rustc left it: writes `glue.js`, which calls the module, and
//! `glue_bg.wasm`, the module without what only wasm-bindgen needs.
//!
//! A program of its own, because it takes minutes to build and only the npm package needs it.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use wasm_bindgen_cli_support::Bindgen;

#[derive(Parser)]
struct Arguments {
    /// The module as rustc left it
    module: PathBuf,
    /// Where the two files go
    directory: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { module, directory } = Arguments::parse();
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(module)
        .out_name("glue")
        .web(true)?
        // The loader says where the module is.
        .omit_default_module_path(true)
        // The loader starts the module anew after a trap.
        .reset_state_function(true)
        .typescript(false);
    bindgen.generate(directory)
}
