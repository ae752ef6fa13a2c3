//! Any bytes as a bill in FOCUS form, CSV or Parquet.
#![no_main]

use bytes::Bytes;
use farthing_ledger::read_bill;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = read_bill(Bytes::copy_from_slice(bytes), None) {
        assert!(!error.to_string().contains('\n'));
    }
});
