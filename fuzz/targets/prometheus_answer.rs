//! Any bytes as an answer of a Prometheus.
#![no_main]

use farthing_providers::prometheus::Answer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Answer::parse(bytes);
});
