//! A bulk beside its items one by one.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(
    init: tidegate_fuzz::seeds::plant(tidegate_fuzz::seeds::bulk),
    |bytes: &[u8]| { tidegate_fuzz::bulk(bytes); }
);

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    tidegate_fuzz::replay(tidegate_fuzz::bulk)
}
