//! What the kernel holds a container to, and how much memory it has: from its control groups.
//!
//! Engines say what they were asked for. Podman before 5.0 says what a container was *made* with,
//! also after its limits were changed, and a container that is started again has those. The kernel
//! is right either way. It refuses to guess: where a group cannot be read, nothing is known.

use std::path::{Path, PathBuf};

/// Where control groups are, below the root of the files.
const MOUNT: &str = "sys/fs/cgroup";
/// Digits of a container's id that have to be on the path of its group: a process's number may be
/// another's by now.
const SHORT_ID: usize = 12;

/// What holds of a container at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// Thousandths of cores that it may use.
    pub(crate) cpu_milli: u64,
    /// Bytes of memory that it may use.
    pub(crate) memory_bytes: u64,
    /// Bytes that it has, with what the kernel caches for it.
    pub(crate) memory_now: u64,
    /// The most that it had since it was started, as far as the kernel says.
    pub(crate) memory_peak: Option<u64>,
}

/// Reads the groups of a container by one of its processes; `None` where it has no limits, or they
/// cannot be read here.
pub(crate) fn read(root: &Path, id: &str, pid: u32) -> Option<Group> {
    let text = std::fs::read_to_string(root.join(format!("proc/{pid}/cgroup"))).ok()?;
    let (cpu, memory) = (folder(root, &text, "cpu", id)?, folder(root, &text, "memory", id)?);
    let cpu_milli = if let Some(quota) = number(&cpu.path, "cpu.cfs_quota_us") {
        per_period(quota, number(&cpu.path, "cpu.cfs_period_us")?)?
    } else {
        let text = std::fs::read_to_string(cpu.path.join("cpu.max")).ok()?;
        let (quota, period) = text.trim().split_once(' ')?;
        per_period(quota.parse().ok()?, period.parse().ok()?)?
    };
    let [limit, now, peak] = if memory.unified {
        ["memory.max", "memory.current", "memory.peak"]
    } else {
        ["memory.limit_in_bytes", "memory.usage_in_bytes", "memory.max_usage_in_bytes"]
    };
    Some(Group {
        cpu_milli,
        memory_bytes: number(&memory.path, limit)?,
        memory_now: number(&memory.path, now)?,
        memory_peak: number(&memory.path, peak),
    })
}

struct Folder {
    path: PathBuf,
    unified: bool,
}

/// The container's own group for a controller, of either version.
fn folder(root: &Path, groups: &str, controller: &str, id: &str) -> Option<Folder> {
    let mut unified = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let Some(path) = own(path, id) else { continue };
        if controllers.split(',').any(|it| it == controller) {
            let mount = root.join(MOUNT).join(controller);
            return Some(Folder { path: mount.join(path), unified: false });
        }
        if number == "0" && controllers.is_empty() {
            unified = Some(root.join(MOUNT).join(path));
        }
    }
    unified.map(|path| Folder { path, unified: true })
}

/// A path up to the group that is the container's own: what it made inside has other limits.
fn own<'p>(path: &'p str, id: &str) -> Option<&'p str> {
    let short = id.get(..SHORT_ID)?;
    let at = path.find(short)?;
    let end = path[at..].find('/').map_or(path.len(), |more| at + more);
    let own = path[..end].trim_start_matches('/');
    // A path that leaves its mount belongs to a namespace that is not ours to look into.
    (!own.split('/').any(|part| part == "..")).then_some(own)
}

/// Thousandths of cores; nothing where there is no limit (-1 is no number here).
fn per_period(quota: u64, period: u64) -> Option<u64> {
    quota.checked_mul(1_000)?.checked_div(period)
}

fn number(folder: &Path, name: &str) -> Option<u64> {
    std::fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "569594b49cf54fdd244ac25bd93aff0e9ce14115c4c4b7b313031cd2e69399fc";

    fn world(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path.replace("ID", ID));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text.replace("ID", ID)).unwrap();
        }
        root
    }

    #[test]
    fn groups_of_the_first_version() {
        let root = world(&[
            (
                "proc/7/cgroup",
                "4:memory:/libpod_parent/libpod-ID\n1:cpu,cpuacct:/p/ID/inner\n0::/\n",
            ),
            ("sys/fs/cgroup/cpu/p/ID/cpu.cfs_quota_us", "20000\n"),
            ("sys/fs/cgroup/cpu/p/ID/cpu.cfs_period_us", "100000\n"),
            ("sys/fs/cgroup/memory/libpod_parent/libpod-ID/memory.limit_in_bytes", "33554432\n"),
            ("sys/fs/cgroup/memory/libpod_parent/libpod-ID/memory.usage_in_bytes", "860160\n"),
            ("sys/fs/cgroup/memory/libpod_parent/libpod-ID/memory.max_usage_in_bytes", "4083712\n"),
        ]);
        let group = read(root.path(), ID, 7).unwrap();
        assert_eq!((group.cpu_milli, group.memory_bytes), (200, 32 << 20));
        assert_eq!((group.memory_now, group.memory_peak), (860_160, Some(4_083_712)));
        assert_eq!(read(root.path(), &ID.replace('5', "6"), 7), None, "another's process");
        assert_eq!(read(root.path(), ID, 8), None, "nobody");
        let quota = root.path().join("sys/fs/cgroup/cpu/p").join(ID).join("cpu.cfs_quota_us");
        std::fs::write(quota, "-1\n").unwrap();
        assert_eq!(read(root.path(), ID, 7), None, "no limit");
    }

    #[test]
    fn groups_of_the_second_version() {
        let scope = "sys/fs/cgroup/system.slice/docker-ID.scope";
        let file = |name: &str| format!("{scope}/{name}");
        let root = world(&[
            ("proc/7/cgroup", "0::/system.slice/docker-ID.scope/init\n"),
            (&file("cpu.max"), "150000 100000\n"),
            (&file("memory.max"), "67108864\n"),
            (&file("memory.current"), "1048576\n"),
        ]);
        let group = read(root.path(), ID, 7).unwrap();
        assert_eq!((group.cpu_milli, group.memory_bytes), (1_500, 64 << 20));
        assert_eq!((group.memory_now, group.memory_peak), (1 << 20, None), "an older kernel");
        std::fs::write(root.path().join(file("memory.max").replace("ID", ID)), "max\n").unwrap();
        assert_eq!(read(root.path(), ID, 7), None, "no limit");
        let elsewhere = world(&[("proc/7/cgroup", "0::/../docker-ID.scope\n")]);
        assert_eq!(read(elsewhere.path(), ID, 7), None);
    }
}
