#![allow(clippy::unwrap_used, missing_docs)]
mod world;
use world::*;
use farthing_model::*;
#[test]
fn speed() {
    let mut spans = Vec::new();
    let mut samples = Vec::new();
    let whos: Vec<_> = (0..100).map(|p| who(&format!("process:{p}"), None)).collect();
    for tick in 0..360_i64 {
        let w = window(tick * 10, tick * 10 + 10);
        spans.push(node("n", "3.6 USD/h", Resources{gpu_milli:0,cpu_milli:100_000,memory_bytes:1<<40,storage_bytes:0}, w));
        for process in 0..100_i128 {
            let who = Some(whos[process as usize].clone());
            samples.push(sample("n", Resource::Cpu, who.clone(), w, (0, process * 20)));
            samples.push(sample("n", Resource::Memory, who, w, (0, process << 30)));
        }
    }
    for _ in 0..6 {
        let t = std::time::Instant::now();
        let m = run(hour(), &spans, &samples);
        eprintln!("meter {} samples: {:?}, {} rows", samples.len(), t.elapsed(), m.charges.len());
    }
}
