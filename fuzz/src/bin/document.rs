//! The gate's reading of JSON beside serde_json's.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(
    init: tidegate_fuzz::seeds::plant(tidegate_fuzz::seeds::document),
    |bytes: &[u8]| { tidegate_fuzz::document(bytes); }
);

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    tidegate_fuzz::replay(tidegate_fuzz::document)
}
