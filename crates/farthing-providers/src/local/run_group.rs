//! A control group of its own for one command: exact counters of everything that ever ran in it,
//! and an end that nothing in it can escape.
//!
//! It is made below the group that we are in, on the unified hierarchy, where that is allowed
//! (root, or a delegated subtree); no controller is switched on, so that no limit changes. It
//! refuses to know whose command it is.

use super::files::{Files, lines, number};
use super::mounts::{Mount, mounts};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often, and how long apart, an emptied group is tried to be removed: the kernel takes a
/// moment to let go of what has ended.
const REMOVAL: (u32, Duration) = (20, Duration::from_millis(5));

/// Files of a group that count.
#[derive(Debug)]
struct Counters {
    /// Processor time, and what one of its units is in nanoseconds.
    cpu: (PathBuf, &'static str, u64),
    memory: PathBuf,
    memory_peak: PathBuf,
}

/// A control group. One that was made here is removed when this is dropped, if it is empty then.
#[derive(Debug)]
pub struct RunGroup {
    folder: PathBuf,
    counters: Counters,
    own: bool,
}

impl RunGroup {
    /// Makes a group below our own; `None` where there is no unified hierarchy, or it is not ours
    /// to change.
    pub fn make(name: &str) -> Option<Self> {
        let mut files = Files::open(Path::new("/")).ok()?;
        let own = place(files.whole("/proc/self/cgroup").ok()?, None)?;
        let mounts = mounts(files.whole("/proc/self/mountinfo").ok()?);
        let folder = folder(&mounts, None, &own)?.join(name);
        std::fs::create_dir(&folder).ok()?;
        let group = Self { counters: Counters::unified(&folder), folder, own: true };
        // It counts processor time, and processes may be put into it.
        let counts = group.cpu_nanos().is_some();
        let joins = std::fs::OpenOptions::new().write(true).open(group.door()).is_ok();
        (counts && joins).then_some(group)
    }

    /// The group that a process is in, of either version, such as that of a container.
    pub fn of_process(pid: u32) -> Option<Self> {
        let mut files = Files::open(Path::new("/")).ok()?;
        let text = files.of_process(pid, "cgroup").ok()?.to_vec();
        let mounts = mounts(files.whole("/proc/self/mountinfo").ok()?);
        let version_1 =
            |controller: &str| folder(&mounts, Some(controller), &place(&text, Some(controller))?);
        let group = if let (Some(cpu), Some(memory)) = (version_1("cpuacct"), version_1("memory")) {
            Self { counters: Counters::version_1(&cpu, &memory), folder: cpu, own: false }
        } else {
            let folder = folder(&mounts, None, &place(&text, None)?)?;
            Self { counters: Counters::unified(&folder), folder, own: false }
        };
        group.cpu_nanos().is_some().then_some(group)
    }

    /// The file that a process writes `0` into to join.
    pub fn door(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Processor time of everything that ever ran in it.
    pub fn cpu_nanos(&self) -> Option<u64> {
        let (file, name, nanos) = &self.counters.cpu;
        let text = std::fs::read(file).ok()?;
        let usage = lines(&text).find_map(|line| line.strip_prefix(name.as_bytes()))?;
        number(usage)?.checked_mul(*nanos)
    }

    /// The memory that it has now; `None` where memory is not counted.
    pub fn memory_bytes(&self) -> Option<u64> {
        number(&std::fs::read(&self.counters.memory).ok()?)
    }

    /// The most memory that it ever had, with what it read from disks; `None` where memory is not
    /// counted.
    pub fn memory_peak_bytes(&self) -> Option<u64> {
        number(&std::fs::read(&self.counters.memory_peak).ok()?)
    }

    /// The processes in it.
    pub fn pids(&self) -> Vec<u32> {
        let text = std::fs::read(self.door()).unwrap_or_default();
        lines(&text).filter_map(|line| u32::try_from(number(line)?).ok()).collect()
    }

    /// Ends everything in it at once; `false` where the kernel cannot (before 5.14), and of a group
    /// that was not made here.
    pub fn kill(&self) -> bool {
        self.own && std::fs::write(self.folder.join("cgroup.kill"), "1").is_ok()
    }
}

impl Counters {
    fn unified(folder: &Path) -> Self {
        Self {
            cpu: (folder.join("cpu.stat"), "usage_usec ", 1_000),
            memory: folder.join("memory.current"),
            memory_peak: folder.join("memory.peak"),
        }
    }

    fn version_1(cpu: &Path, memory: &Path) -> Self {
        Self {
            cpu: (cpu.join("cpuacct.usage"), "", 1),
            memory: memory.join("memory.usage_in_bytes"),
            memory_peak: memory.join("memory.max_usage_in_bytes"),
        }
    }
}

impl Drop for RunGroup {
    fn drop(&mut self) {
        if !self.own {
            return;
        }
        let (tries, pause) = REMOVAL;
        for _ in 0..tries {
            // What was left running on purpose keeps its group.
            if std::fs::remove_dir(&self.folder).is_ok() || !self.pids().is_empty() {
                return;
            }
            std::thread::sleep(pause);
        }
    }
}

/// The folder of a place, on the unified hierarchy or on that of a controller.
fn folder(mounts: &[Mount], controller: Option<&str>, place: &str) -> Option<PathBuf> {
    let is_it = |mount: &&Mount| match controller {
        None => mount.kind == "cgroup2",
        Some(name) => mount.kind == "cgroup" && mount.has_option(name),
    };
    let mount = mounts.iter().find(is_it)?;
    // What is mounted may be a part of the hierarchy that the place is told in.
    let below = place.strip_prefix(mount.root.trim_end_matches('/'))?;
    Some(PathBuf::from(format!("{}{below}", mount.point.trim_end_matches('/'))))
}

/// A process's place in the unified hierarchy (number zero, without a name), or in that of a
/// controller.
fn place(text: &[u8], controller: Option<&str>) -> Option<String> {
    let path = lines(text).find_map(|line| {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let (_, names, path) = (parts.next()?, parts.next()?, parts.next()?);
        let mut names = names.split(|byte| *byte == b',');
        names.any(|name| name == controller.unwrap_or_default().as_bytes()).then_some(path)
    })?;
    let path = String::from_utf8(path.to_vec()).ok()?;
    // Out of the namespace that we see: there is no folder for it.
    (path.starts_with('/') && !path.contains("/..")).then(|| path.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_on_the_unified_hierarchy_or_on_that_of_a_controller() {
        for (text, controller, found) in [
            (&b"4:memory:/x\n0::/user.slice/a\n"[..], None, Some("/user.slice/a")),
            (b"4:memory:/x\n0::/user.slice/a\n", Some("memory"), Some("/x")),
            (b"3:cpu,cpuacct:/y/z\n", Some("cpuacct"), Some("/y/z")),
            (b"0::/\n", None, Some("")),
            (b"0::/../outside\n", None, None),
            (b"4:memory:/x\n", None, None),
            (b"0::/\xff\n", None, None),
            (b"0::/a:b\n", None, Some("/a:b")),
        ] {
            assert_eq!(place(text, controller).as_deref(), found);
        }
    }

    #[test]
    fn our_own_group_counts() {
        let group = RunGroup::of_process(std::process::id());
        // A machine may have no hierarchy at all; one that has counts.
        assert!(group.is_none_or(|group| group.cpu_nanos().is_some() && !group.own));
    }
}
