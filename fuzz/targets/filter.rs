//! Any text as a filter of a statement: what is read says itself again as it was meant.
#![no_main]

use farthing_ledger::Filter;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(filter) = text.parse::<Filter>() {
        assert_eq!(filter.to_string().parse(), Ok(filter));
    }
});
