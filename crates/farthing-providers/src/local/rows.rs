//! Who uses this machine: one row for each program, user and container or service.
//!
//! Processes of one name, user and owner are one row, so that the number of rows is bounded by
//! what is installed and not by what is started. A row's workload is, in short and for good:
//!
//! - `process:<name>`: a process of no container or service;
//! - `container:<first 12 digits of the id, or name>/<name>`;
//! - `unit:<systemd service>/<name>`;
//! - `disk:<mount point>`: the files on a file system;
//! - and in place of a name `(short-lived)`, `(hidden)` or `(others)`.

use super::files::{Files, lines, number};
use super::groups::{GroupId, Groups};
use farthing_model::{Attribution, WorkloadId};
use std::collections::HashMap;
use std::sync::Arc;

/// A row's place in [`Rows`].
pub(super) type RowId = u32;

/// Processes that ran and ended between two looks, by their cgroup's or the machine's counter.
pub(super) const SHORT_LIVED: &str = "(short-lived)";
/// Processes that this user may not see.
pub(super) const HIDDEN: &str = "(hidden)";
/// Rows beyond the most that are kept apart.
pub(super) const OTHERS: &str = "(others)";

/// Longest program or container name in a workload's name, in characters; an id is at most 512
/// bytes.
const NAME_CHARS_MAX: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    name: Arc<str>,
    uid: Option<u32>,
    group: Option<GroupId>,
}

/// A row with what its processes used and hold at this look.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) who: Arc<Attribution>,
    pub(super) group: Option<GroupId>,
    /// Processor time since the last look, in nanoseconds.
    pub(super) cpu_nanos: u64,
    /// Anonymous memory of its processes.
    pub(super) anon_bytes: u64,
    /// File and shared memory mapped by its processes.
    pub(super) shared_bytes: u64,
    /// The tick at which it was last used.
    pub(super) seen: u64,
}

/// All rows in use.
#[derive(Default)]
pub(super) struct Rows {
    slots: Vec<Option<Row>>,
    free: Vec<RowId>,
    by_key: HashMap<Key, RowId>,
}

impl Rows {
    /// The row of a program, made when it is new.
    pub(super) fn of(
        &mut self,
        name: &str,
        user: Option<(u32, &str)>,
        group: Option<GroupId>,
        groups: &Groups,
    ) -> RowId {
        let key = Key { name: Arc::from(name), uid: user.map(|(uid, _)| uid), group };
        if let Some(id) = self.by_key.get(&key) {
            return *id;
        }
        let who = Arc::new(attribution(name, user.map(|(_, user)| user), group, groups));
        let row = Row { who, group, cpu_nanos: 0, anon_bytes: 0, shared_bytes: 0, seen: 0 };
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            // The process table is bounded far below 2^32 rows.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(slot) = self.slots.get_mut(id as usize) {
            *slot = Some(row);
        }
        self.by_key.insert(key, id);
        id
    }

    pub(super) fn get(&self, id: RowId) -> Option<&Row> {
        self.slots.get(id as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: RowId) -> Option<&mut Row> {
        self.slots.get_mut(id as usize)?.as_mut()
    }

    /// The rows used at `tick`.
    pub(super) fn at(&self, tick: u64) -> impl Iterator<Item = &Row> {
        self.slots.iter().flatten().filter(move |row| row.seen == tick)
    }

    /// Sets all amounts to zero for the next look.
    pub(super) fn clear(&mut self) {
        for row in self.slots.iter_mut().flatten() {
            (row.cpu_nanos, row.anon_bytes, row.shared_bytes) = (0, 0, 0);
        }
    }

    /// Forgets rows that were last used before `tick`; no process refers to them any more.
    pub(super) fn forget_before(&mut self, tick: u64) {
        for (id, slot) in (0..).zip(&mut self.slots) {
            if slot.take_if(|row| row.seen < tick).is_some() {
                self.free.push(id);
            }
        }
        let slots = &self.slots;
        self.by_key.retain(|_, id| slots.get(*id as usize).is_some_and(Option::is_some));
    }
}

/// The attribution of a program; see the module for the names.
fn attribution(
    name: &str,
    user: Option<&str>,
    group: Option<GroupId>,
    groups: &Groups,
) -> Attribution {
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    let owner = group.and_then(|id| groups.get(id)).map(|group| &group.owner);
    let workload = match owner {
        Some(owner) => {
            let label: String = owner.label().chars().take(NAME_CHARS_MAX).collect();
            format!("{}:{label}/{name}", owner.kind())
        }
        None => format!("process:{name}"),
    };
    Attribution {
        user: user.map(str::to_owned),
        container: owner.map(|owner| owner.label().to_owned()),
        process: Some(name),
        ..Attribution::of(workload_id(&workload))
    }
}

/// The attribution of a row that is no program: `process:(hidden)`, `disk:/home`.
pub(super) fn named(workload: &str) -> Arc<Attribution> {
    let process = workload.strip_prefix("process:").map(str::to_owned);
    Arc::new(Attribution { process, ..Attribution::of(workload_id(workload)) })
}

/// Names are cut and freed of control characters before they come here; should one slip through,
/// it counts as other.
fn workload_id(text: &str) -> WorkloadId {
    let cut: String = text
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(2 * NAME_CHARS_MAX)
        .collect();
    WorkloadId::new(&cut).unwrap_or_else(|_| {
        // At most 200 characters of at most 4 bytes may still be too long.
        let ascii: String = cut.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
        // Not empty, at most 200 bytes, no control character: this always is an id.
        WorkloadId::new(&ascii).unwrap_or_else(|_| workload_id(OTHERS))
    })
}

/// Names of user ids, from `/etc/passwd`. Users of a directory service are shown by their number:
/// asking for their names would leave the machine.
#[derive(Default)]
pub(super) struct Users {
    names: HashMap<u32, Arc<str>>,
    read_at: Option<u64>,
}

impl Users {
    /// The name of a user, or the number where there is none. The file is read again when an
    /// unknown number comes, at most once a tick.
    pub(super) fn name(&mut self, uid: u32, files: &mut Files, tick: u64) -> Arc<str> {
        if !self.names.contains_key(&uid) && self.read_at != Some(tick) {
            self.read_at = Some(tick);
            self.names = files.whole("/etc/passwd").map(users).unwrap_or_default();
        }
        self.names.get(&uid).cloned().unwrap_or_else(|| Arc::from(uid.to_string()))
    }
}

fn users(text: &[u8]) -> HashMap<u32, Arc<str>> {
    let user = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let uid = u32::try_from(number(fields.nth(1)?)?).ok()?;
        Some((uid, Arc::from(super::process::readable(name))))
    };
    let mut names = HashMap::new();
    // Of two names of one number the first is the one that the system shows.
    for (uid, name) in lines(text).filter_map(user) {
        names.entry(uid).or_insert(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_used_again_only_when_nobody_refers_to_it() {
        let (mut rows, groups) = (Rows::default(), Groups::default());
        let a = rows.of("a", Some((0, "root")), None, &groups);
        let b = rows.of("b", Some((0, "root")), None, &groups);
        assert_eq!(rows.of("a", Some((0, "root")), None, &groups), a);
        assert_ne!(rows.of("a", Some((1, "daemon")), None, &groups), a);
        rows.get_mut(a).unwrap().seen = 5;
        rows.forget_before(5);
        assert!(rows.get(b).is_none());
        assert_eq!(rows.get(a).unwrap().who.workload.as_str(), "process:a");
        let again = rows.of("b", None, None, &groups);
        assert_eq!(rows.get(again).unwrap().who.user, None);
        assert_eq!(rows.at(5).count(), 1);
    }

    #[test]
    fn users_by_number() {
        let names = users(b"root:x:0:0::/root:/bin/sh\n\n:x:3:3\nbad\ntoor:x:0:0\nu:x:1000:1\n");
        assert_eq!(names.get(&0).map(|name| &**name), Some("root"));
        assert_eq!(names.get(&1000).map(|name| &**name), Some("u"));
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn every_name_becomes_a_workload() {
        let long = "\u{1F4B0}".repeat(300);
        assert_eq!(workload_id(&long).as_str().len(), 200);
        assert_eq!(workload_id("a\nb").as_str(), "a?b");
        assert_eq!(workload_id("").as_str(), OTHERS);
    }
}
