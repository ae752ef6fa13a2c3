//! Any text as a table of what data costs on its way.
#![no_main]

use farthing_providers::egress;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let _ = egress::parse(text, Path::new("fuzz"));
});
