//! The core beside the stack that a user would write, both with mimalloc: how much of the difference is
//! the allocator's.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    tidegate_bench::native::run_with_allocator("stack-mimalloc")
}
