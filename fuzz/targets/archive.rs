//! Any bytes as a journal that was handed out.
#![no_main]

use farthing_providers::archive::{self, ReadError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes;
    let _ = archive::read(&mut bytes, &mut |_, _| Ok::<(), ReadError>(()));
});
