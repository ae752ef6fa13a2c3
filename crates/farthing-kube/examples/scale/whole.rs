//! The whole program on a cluster: `farthing up --kube` as a process of its own, tick by tick.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run of the program came to.
pub(crate) struct Ran {
    /// Resident memory after the last tick, in KiB, and the most that it ever was.
    pub(crate) memory_kib: u64,
    pub(crate) peak_kib: u64,
    /// Processor time of each tick, in milliseconds, without that of the first look.
    pub(crate) ticks_ms: Vec<u64>,
    /// What it said of each.
    pub(crate) lines: Vec<String>,
}

/// The program beside this one, or the one that is named.
fn program() -> PathBuf {
    let named = std::env::var_os("FARTHING_PROGRAM").map(PathBuf::from);
    named.unwrap_or_else(|| {
        let own = std::env::current_exe().unwrap();
        own.parent().and_then(Path::parent).unwrap().join("farthing")
    })
}

/// Runs so many ticks, one each `every`, and ends the program.
pub(crate) fn run(kubeconfig: &Path, every: &str, ticks: usize) -> Ran {
    let data = tempfile::tempdir().unwrap();
    let mut child = Command::new(program())
        .args(["up", "--kube", "--kubeconfig"])
        .arg(kubeconfig)
        .args(["--every", every, "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .env("XDG_CACHE_HOME", data.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let mut ran = Ran { memory_kib: 0, peak_kib: 0, ticks_ms: Vec::new(), lines: Vec::new() };
    let mut before = None;
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap) {
        let is_tick = line.contains(" = ") && line.contains("paid ");
        if !is_tick && !line.contains("first look") {
            println!("  {line}");
            continue;
        }
        let now = super::cpu_ticks(pid);
        // A tick's work is done when its line is printed, but for what is shown of it.
        if is_tick && let Some(before) = before {
            ran.ticks_ms.push((now - before) * 10);
        }
        before = Some(now);
        ran.memory_kib = super::memory_kib(pid, "VmRSS:");
        ran.peak_kib = super::memory_kib(pid, "VmHWM:");
        ran.lines.push(line);
        if ran.lines.len() > ticks {
            break;
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    ran
}
