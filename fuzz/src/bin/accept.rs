//! The gate's verdict beside that of a plain validator.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(
    init: tidegate_fuzz::seeds::plant(tidegate_fuzz::seeds::accept),
    |bytes: &[u8]| { tidegate_fuzz::accept(bytes); }
);

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    tidegate_fuzz::replay(|bytes| println!("{:?}", tidegate_fuzz::accept(bytes)))
}
