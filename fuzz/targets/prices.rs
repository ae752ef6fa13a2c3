//! Any bytes as a price book, whatever form they are told apart as.
#![no_main]

use farthing_providers::catalog::{Catalogue, Options};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("a temporary file");
    let _ = Catalogue::load(&[file.path().to_owned()], &Options::default());
});
