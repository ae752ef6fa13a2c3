//! The inner loop of reading metrics as text, for counting its instructions: does it once and
//! prints `{"loop": "exposition", "units": LINES}`. What is counted is inside of [`counted_work`].
//!
//! Run by `xtask instructions`, under callgrind.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "an example")]

use farthing_providers::exposition::{Limits, Line, Lines, split};
use std::fmt::Write as _;

const NODES: usize = 20;
const DEVICES: usize = 8;
const SCRAPES: i64 = 20;

fn main() {
    let mut text = String::new();
    for scrape in 0..SCRAPES {
        for (node, device) in (0..NODES).flat_map(|n| (0..DEVICES).map(move |d| (n, d))) {
            for field in ["DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_PROF_SM_ACTIVE"] {
                let (value, at) = ((scrape * 37) % 100, 1_793_613_600_000 + scrape * 30_000);
                // Writing to a String cannot fail.
                let _ = writeln!(
                    text,
                    "{field}{{gpu=\"{device}\",UUID=\"GPU-{node:04}-{device}\",\
                     Hostname=\"node-{node:04}\",pod=\"train-{node}-{device}\"}} {value}.5 {at}"
                );
            }
        }
    }
    let lines = text.lines().count();
    counted_work(&mut || {
        let mut samples = 0;
        Lines::new(text.as_bytes(), &Limits::default())
            .for_each(|_, line| {
                samples += usize::from(matches!(line.and_then(split), Ok(Line::Sample(_))));
            })
            .expect("memory can be read");
        assert_eq!(samples, lines);
    });
    println!("{{\"loop\":\"exposition\",\"units\":{lines}}}");
}

#[inline(never)]
fn counted_work(work: &mut dyn FnMut()) {
    work();
}
