//! Control groups of containers and services: where they are mounted (versions 1, 2 and hybrid),
//! their processor counters and their limits.

use super::files::{Files, lines, number, words};
use super::mounts::{Mount, mounts};
use super::owner::{Owner, owner};
use std::collections::{BTreeMap, HashMap};

/// A group's place in [`Groups`].
pub(super) type GroupId = u32;

/// What is read of a group: one of these for each kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Controller {
    /// Version 1 `cpuacct`, version 2 always.
    Usage,
    Cpu,
    Memory,
}

/// A mounted hierarchy that a controller is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy {
    unified: bool,
    point: String,
    root: String,
}

/// Where each controller is read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hierarchies {
    usage: Option<Hierarchy>,
    cpu: Option<Hierarchy>,
    memory: Option<Hierarchy>,
}

impl Hierarchies {
    /// From the mount table. A controller is on the unified hierarchy unless it is mounted as
    /// version 1, which is what makes a hybrid system.
    pub(super) fn of(mounts: &[Mount]) -> Self {
        let hierarchy = |mount: &Mount| Hierarchy {
            unified: mount.kind == "cgroup2",
            point: mount.point.trim_end_matches('/').to_owned(),
            root: mount.root.trim_end_matches('/').to_owned(),
        };
        let unified = mounts.iter().find(|mount| mount.kind == "cgroup2").map(hierarchy);
        let of = |name| {
            let version_1 = |mount: &&Mount| mount.kind == "cgroup" && mount.has_option(name);
            mounts.iter().find(version_1).map(hierarchy).or_else(|| unified.clone())
        };
        Self { usage: of("cpuacct"), cpu: of("cpu"), memory: of("memory") }
    }

    const fn get(&self, controller: Controller) -> Option<&Hierarchy> {
        match controller {
            Controller::Usage => self.usage.as_ref(),
            Controller::Cpu => self.cpu.as_ref(),
            Controller::Memory => self.memory.as_ref(),
        }
    }
}

impl Controller {
    const fn name(self) -> &'static str {
        match self {
            Self::Usage => "cpuacct",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }
}

impl Hierarchy {
    /// The folder of the group that a line of `/proc/<pid>/cgroup` names.
    fn folder(&self, path: &str) -> Option<String> {
        // A path above our own cgroup namespace cannot be found from here.
        if path.split('/').any(|part| part == "..") {
            return None;
        }
        let path = path.strip_prefix(&*self.root).unwrap_or(path);
        Some(format!("{}{}", self.point, path.trim_end_matches('/')))
    }
}

/// A container or a service with its counters.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) owner: Owner,
    usage_file: Option<String>,
    cpu_folder: Option<String>,
    memory_folder: Option<String>,
    /// Processor time at the last look, in nanoseconds.
    usage_nanos: Option<u64>,
    /// Processor time since the look before, where there were two.
    pub(super) used_nanos: Option<u64>,
    /// Cores it may use at most, in 10^-9.
    pub(super) cpu_limit_nano: Option<u64>,
    /// Memory it may use at most.
    pub(super) memory_limit_bytes: Option<u64>,
    /// Seen processor time of its processes beyond its own counter, to be set off later.
    pub(super) owed_nanos: u64,
    /// The tick at which a process was last in it.
    pub(super) seen: u64,
}

/// All groups that have, or lately had, processes.
#[derive(Default)]
pub(super) struct Groups {
    hierarchies: Hierarchies,
    all: BTreeMap<GroupId, Group>,
    by_owner: HashMap<Owner, GroupId>,
    next: GroupId,
}

impl Groups {
    pub(super) fn new(hierarchies: Hierarchies) -> Self {
        Self { hierarchies, ..Self::default() }
    }

    pub(super) fn get(&self, id: GroupId) -> Option<&Group> {
        self.all.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.all.get_mut(&id)
    }

    /// All groups, in order of their number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (GroupId, &Group)> {
        self.all.iter().map(|(id, group)| (*id, group))
    }

    /// The group of a process by its `/proc/<pid>/cgroup`.
    pub(super) fn of_process(&mut self, text: &[u8], tick: u64) -> Option<GroupId> {
        let text = String::from_utf8_lossy(text);
        let group = self.parse(&text)?;
        let next = self.next;
        let id = *self.by_owner.entry(group.owner.clone()).or_insert(next);
        if id == next {
            self.next = next.checked_add(1)?;
        }
        self.all.entry(id).or_insert(group).seen = tick;
        Some(id)
    }

    fn parse(&self, text: &str) -> Option<Group> {
        // `4:cpu,cpuacct:/docker/…`, and `0::/…` for the unified hierarchy.
        let lines = || {
            text.lines().filter_map(|line| {
                let (_, line) = line.split_once(':')?;
                line.split_once(':')
            })
        };
        let owner_is = |path| owner(path).map(|(owner, _)| owner);
        let unified = lines().filter(|(names, _)| names.is_empty());
        let found = unified.chain(lines()).find_map(|(_, path)| owner_is(path))?;
        let folder = |controller: Controller| {
            let hierarchy = self.hierarchies.get(controller)?;
            let (_, path) = lines().find(|(names, _)| {
                let named = names.split(',').any(|name| name == controller.name());
                if hierarchy.unified { names.is_empty() } else { named }
            })?;
            let (owner, group) = owner(path)?;
            (owner == found).then(|| hierarchy.folder(group))?
        };
        let usage = folder(Controller::Usage).map(|folder| {
            let unified = self.hierarchies.usage.as_ref().is_some_and(|h| h.unified);
            if unified { folder + "/cpu.stat" } else { folder + "/cpuacct.usage" }
        });
        let (cpu_folder, memory_folder) = (folder(Controller::Cpu), folder(Controller::Memory));
        Some(Group {
            owner: found,
            usage_file: usage,
            cpu_folder,
            memory_folder,
            usage_nanos: None,
            used_nanos: None,
            cpu_limit_nano: None,
            memory_limit_bytes: None,
            owed_nanos: 0,
            seen: 0,
        })
    }

    /// Reads the counters and limits of all groups; names those whose counter went back.
    pub(super) fn read(&mut self, files: &mut Files) -> Vec<String> {
        let mut went_back = Vec::new();
        let unified = |hierarchy: &Option<Hierarchy>| hierarchy.as_ref().is_some_and(|h| h.unified);
        let (cpu_2, memory_2) = (unified(&self.hierarchies.cpu), unified(&self.hierarchies.memory));
        for group in self.all.values_mut() {
            let usage = group.usage_file.as_deref().and_then(|file| usage_nanos(files, file));
            let before = std::mem::replace(&mut group.usage_nanos, usage);
            let both = usage.zip(before);
            group.used_nanos = both.and_then(|(now, then)| now.checked_sub(then));
            if both.is_some() && group.used_nanos.is_none() {
                went_back.push(group.owner.label().to_owned());
            }
            // Only containers: a limit of a service guards the machine, it sets nothing aside.
            if group.owner.is_container() {
                group.cpu_limit_nano = group
                    .cpu_folder
                    .as_deref()
                    .and_then(|folder| cpu_limit_nano(files, folder, cpu_2));
                group.memory_limit_bytes = group
                    .memory_folder
                    .as_deref()
                    .and_then(|folder| memory_limit_bytes(files, folder, memory_2));
            }
        }
        went_back
    }

    /// Forgets groups without a process since before `tick`. Their numbers are not used again.
    pub(super) fn forget_before(&mut self, tick: u64) {
        self.all.retain(|_, group| group.seen >= tick);
        let all = &self.all;
        self.by_owner.retain(|_, id| all.contains_key(id));
    }
}

fn usage_nanos(files: &mut Files, file: &str) -> Option<u64> {
    let text = files.whole(file).ok()?;
    if file.ends_with("cpuacct.usage") {
        return number(text);
    }
    let micros = lines(text).find_map(|line| line.strip_prefix(b"usage_usec "))?;
    number(micros)?.checked_mul(1_000)
}

/// Cores that a group may use at most, in 10^-9; `None` = no limit.
fn cpu_limit_nano(files: &mut Files, folder: &str, unified: bool) -> Option<u64> {
    let (quota, period) = if unified {
        let text = files.whole(&format!("{folder}/cpu.max")).ok()?;
        let mut words = words(text);
        (number(words.next()?)?, number(words.next()?)?)
    } else {
        // -1 is no limit, and no number here.
        let quota = number(files.whole(&format!("{folder}/cpu.cfs_quota_us")).ok()?)?;
        (quota, number(files.whole(&format!("{folder}/cpu.cfs_period_us")).ok()?)?)
    };
    quota.checked_mul(1_000_000_000)?.checked_div(period)
}

/// Memory that a group may use at most; `None` = no limit (`max`, or a number that no machine
/// has: the caller compares with what this one has).
fn memory_limit_bytes(files: &mut Files, folder: &str, unified: bool) -> Option<u64> {
    let name = if unified { "memory.max" } else { "memory.limit_in_bytes" };
    number(files.whole(&format!("{folder}/{name}")).ok()?)
}

/// The tightest processor (cores, 10^-9) and memory limits on the groups that this process itself
/// is in, for a note: the machine's own counters do not know them.
pub(super) fn own_limits(files: &mut Files) -> (Option<u64>, Option<u64>) {
    let table = files.whole("/proc/self/mountinfo").map(mounts).unwrap_or_default();
    let hierarchies = Hierarchies::of(&table);
    let text = files.text("/proc/self/cgroup").unwrap_or_default();
    let mut tightest = [None, None];
    for (slot, controller) in tightest.iter_mut().zip([Controller::Cpu, Controller::Memory]) {
        let Some(hierarchy) = hierarchies.get(controller) else { continue };
        let path = text.lines().find_map(|line| {
            let (names, path) = line.split_once(':')?.1.split_once(':')?;
            let named = names.split(',').any(|name| name == controller.name());
            (if hierarchy.unified { names.is_empty() } else { named }).then_some(path)
        });
        let Some(folder) = path.and_then(|path| hierarchy.folder(path)) else { continue };
        let mut folder = folder.as_str();
        while folder.len() >= hierarchy.point.len() {
            let limit = match controller {
                Controller::Memory => memory_limit_bytes(files, folder, hierarchy.unified),
                _ => cpu_limit_nano(files, folder, hierarchy.unified),
            };
            *slot = [*slot, limit].into_iter().flatten().min();
            let Some((parent, _)) = folder.rsplit_once('/') else { break };
            folder = parent;
        }
    }
    let [cpu, memory] = tightest;
    (cpu, memory)
}
