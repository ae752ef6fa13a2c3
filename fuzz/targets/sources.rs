//! Any text as the map of metrics to fields.
#![no_main]

use farthing_providers::telemetry::SourceMap;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let _ = SourceMap::parse(text, Path::new("fuzz"));
});
