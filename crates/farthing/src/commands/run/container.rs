//! The command in a container: Docker or Podman start it, with what is set aside as its limits; it
//! is metered by its control group and ended through them, as it is no child of ours.

use super::child::find;
use super::machine::Machine;
use crate::args::RunArgs;
use crate::outcome::WrongUse;
use farthing_providers::local::RunGroup;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Programs that run containers, the first that is there.
const ENGINES: [&str; 2] = ["podman", "docker"];

/// A container.
pub(crate) struct Container {
    engine: PathBuf,
    name: String,
}

impl Container {
    /// The container that was asked for, and the command that runs it; `None` for no container.
    pub(crate) fn of(
        args: &RunArgs,
        machine: &Machine,
        run: &str,
    ) -> anyhow::Result<Option<(Self, Vec<OsString>)>> {
        let Some(image) = &args.container else { return Ok(None) };
        let engine = if let Some(engine) = &args.engine {
            engine.clone()
        } else {
            let there = ENGINES.iter().map(Path::new).find(|name| find(name).is_ok());
            let missing = WrongUse::new("--container: neither podman nor docker is here");
            there.ok_or_else(|| missing.hint("install one, or name it with --engine"))?.into()
        };
        let container = Self { name: format!("farthing-{run}"), engine };
        let mut words: Vec<OsString> = vec![container.engine.clone().into_os_string()];
        let mut add = |text: &str| words.push(text.into());
        ["run", "--rm", "--interactive", "--name"].into_iter().for_each(&mut add);
        add(&container.name);
        add("--label");
        add(&format!("farthing.run={run}"));
        if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
            add("--tty");
        }
        let (asks, all) = (machine.asks, machine.inventory.capacity());
        if asks.cpu_milli < all.cpu_milli {
            add("--cpus");
            add(&format!("{}.{:03}", asks.cpu_milli / 1_000, asks.cpu_milli % 1_000));
        }
        if asks.memory_bytes < all.memory_bytes {
            add("--memory");
            add(&format!("{}b", asks.memory_bytes));
        }
        container.devices(machine).iter().for_each(|word| add(word));
        add(image);
        words.extend(args.command.iter().cloned());
        Ok(Some((container, words)))
    }

    /// The flags that give it its accelerators, as each program wants them.
    fn devices(&self, machine: &Machine) -> Vec<String> {
        if machine.devices.is_empty() {
            return Vec::new();
        }
        if self.engine.ends_with("docker") {
            return vec!["--gpus".to_owned(), format!("\"device={}\"", machine.devices.join(","))];
        }
        machine.devices.iter().map(|uuid| format!("--device=nvidia.com/gpu={uuid}")).collect()
    }

    /// Its control group, once it has started.
    pub(crate) fn group(&self) -> Option<RunGroup> {
        let output = Command::new(&self.engine)
            .args(["inspect", "--format", "{{.State.Pid}}", &self.name])
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let pid: u32 = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
        RunGroup::of_process(pid).filter(|_| pid > 0)
    }

    /// Sends it a signal, by name.
    pub(crate) fn send(&self, signal: &str) {
        // One that is gone needs none.
        let _ = Command::new(&self.engine)
            .args(["kill", "--signal", signal, &self.name])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}
