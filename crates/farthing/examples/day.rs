//! `make run-cluster`: a day of work on a real Kubernetes on loopback, once plain and once with
//! Farthing in mode enforce, and both side by side.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "a tool")]

#[path = "../tests/day/mod.rs"]
mod day;

use std::process::ExitCode;

fn main() -> ExitCode {
    println!("a day of work under plain Kubernetes:");
    let Some(without) = day::live(false, &mut |line| println!("  {line}")) else {
        println!("no cluster: see above");
        return ExitCode::FAILURE;
    };
    println!("\nthe same day with Farthing in mode enforce:");
    let Some(with) = day::live(true, &mut |line| println!("  {line}")) else {
        return ExitCode::FAILURE;
    };
    println!("\n{}", day::table::text(&without, &with));
    println!(
        "dollars are what the ledger has, as `farthing cost` prints it; predicted and realised"
    );
    println!("are the journal's own verdicts. docs/guides/kubernetes.md says what is played.");
    ExitCode::SUCCESS
}
