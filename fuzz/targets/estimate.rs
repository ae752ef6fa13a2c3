//! Any text as something that is to be priced before it runs.
#![no_main]

use farthing_providers::estimate;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let _ = estimate::read(Path::new("fuzz"), text, Timestamp::UNIX_EPOCH);
});
