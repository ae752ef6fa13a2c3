//! Links the programs at a fixed address on Linux, as Go links its own.
//!
//! Position-independent, the loader writes 270,000 addresses into 5 MB of tables and reads 6 MB of
//! instructions for it before `main`, in each `farthing run`. See
//! `docs/adr/0033-fixed-address.md`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
