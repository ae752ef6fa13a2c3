//! `make run-cluster`: a day of work on a real Kubernetes on loopback, once plain and once with
//! Farthing in mode enforce, and both side by side; then the program itself, `farthing up --kube`,
//! on such a cluster, by the clock on the wall and for a while only, for whoever wants to look.
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
    up(&std::env::args().nth(1).unwrap_or_else(|| "30s".to_owned()))
}

/// Runs the program for so long on a new cluster with the work of midnight.
fn up(length: &str) -> ExitCode {
    let folder = std::env::current_exe().unwrap();
    let program = folder.ancestors().nth(2).unwrap().join("farthing");
    if !program.is_file() {
        println!("\nthe program is not built here ({}): `make build`", program.display());
        return ExitCode::FAILURE;
    }
    let Some(cluster) = day::begun() else { return ExitCode::FAILURE };
    let state = tempfile::tempdir().unwrap();
    let told = state.path().join("day.yaml");
    std::fs::write(&told, day::TOLD).unwrap();
    println!("\n`farthing up --kube` on the same work, for {length}; by the clock on the wall, so");
    println!(
        "that nothing was measured for long enough yet for most of what the day has. Page and"
    );
    println!("API are where it says; KUBECONFIG={}", cluster.kubeconfig().display());
    let run = std::process::Command::new(program)
        .args(["up", "--kube", "--every", "5s", "--for", length, "--config"])
        .arg(&told)
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig())
        .env("FARTHING_DATA", state.path().join("state"))
        .status()
        .unwrap();
    if run.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
