//! Any bytes as a text of metrics.
#![no_main]

use farthing_providers::telemetry::{Intake, SourceMap, TextOptions};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

static MAP: OnceLock<SourceMap> = OnceLock::new();

fuzz_target!(|bytes: &[u8]| {
    let map = MAP.get_or_init(|| SourceMap::built_in().expect("the map that ships"));
    let mut intake = Intake::new(map.clone());
    intake.read_text("fuzz", bytes, &TextOptions::default(), &mut |_| {});
    assert!(intake.totals().faults <= intake.totals().lines + 1);
});
