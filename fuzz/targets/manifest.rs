//! Any text as manifests of our own.
#![no_main]

use farthing_providers::manifest;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = manifest::parse(text, "fuzz", Timestamp::UNIX_EPOCH);
});
