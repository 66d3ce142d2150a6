//! The core beside its peers, with the system's allocator.

fn main() -> anyhow::Result<()> {
    tidegate_bench::native::run()
}
