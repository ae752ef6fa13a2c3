//! The process table: which processes there are, and what each used since the last look.

use super::Units;
use super::files::{Files, is_denied};
use super::groups::Groups;
use super::process::{ProcessStat, effective_uid, longer_name, readable, resident_pages};
use super::rows::{RowId, Rows, Users};
use rustix::io::Errno;
use std::collections::HashMap;

/// Most processes looked at. A machine with more has its remainder in `(short-lived)`.
const PROCESSES_MAX: usize = 1 << 16;

/// A process's user and cgroup are read when it is new, when its name changes (it became another
/// program) and then once in so many ticks, as both change rarely and cost as much as all the rest.
const REFRESH_TICKS: u64 = 6;

/// The kernel keeps this much of a program's name.
const COMM_BYTES: usize = 15;

/// The names and numbers that processes are sorted into.
#[derive(Default)]
pub(super) struct Who {
    pub(super) rows: Rows,
    pub(super) groups: Groups,
    pub(super) users: Users,
}

struct Entry {
    start_ticks: u64,
    cpu_ticks: u64,
    /// `None` for a thread of the kernel.
    row: Option<RowId>,
    comm: [u8; COMM_BYTES],
    comm_len: usize,
    seen: u64,
}

/// What one look at the process table found, beside the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Processor time of the kernel's threads, in nanoseconds.
    pub(super) kernel_nanos: u64,
    /// Processes that could be listed and not read.
    pub(super) denied: usize,
    /// Processes whose own counter went back.
    pub(super) went_back: usize,
    /// Processes beyond [`PROCESSES_MAX`].
    pub(super) beyond: usize,
}

/// What a look needs to know of the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Time since boot at the last look, in ticks. A process that started after it is new, and
    /// all its time is of this tick; of another one that is seen for the first time nothing is
    /// known, so that its time before is not counted. `None`: count nothing of first sights.
    pub(super) since_ticks: Option<u64>,
}

/// All processes as of the last look.
#[derive(Default)]
pub(super) struct ProcessTable {
    entries: HashMap<u32, Entry>,
    pids: Vec<u32>,
    ended: HashMap<u32, RowId>,
}

impl ProcessTable {
    /// Looks at all processes and adds what they used since the last look, and hold now, to
    /// their rows.
    pub(super) fn look(
        &mut self,
        files: &mut Files,
        who: &mut Who,
        units: Units,
        tick: Tick,
    ) -> std::io::Result<Scan> {
        who.rows.clear();
        let mut pids = std::mem::take(&mut self.pids);
        let listed = files.pids(PROCESSES_MAX, &mut pids);
        let mut look = Look { files, who, units, tick, scan: Scan::default() };
        for &pid in &pids {
            match self.one(pid, &mut look) {
                Err(error) if is_denied(error) => look.scan.denied += 1,
                // An error: it ended between the listing and the reading (ESRCH, ENOENT).
                Ok(()) | Err(_) => {}
            }
        }
        let mut scan = look.scan;
        self.pids = pids;
        scan.beyond = listed?.saturating_sub(PROCESSES_MAX);
        self.ended.clear();
        self.entries.retain(|pid, entry| {
            let lives = entry.seen == tick.number;
            if !lives {
                self.ended.extend(entry.row.map(|row| (*pid, row)));
            }
            lives
        });
        Ok(scan)
    }

    /// The row of a process, also if it ended since the last look.
    pub(super) fn row(&self, pid: u32) -> Option<RowId> {
        let ended = self.ended.get(&pid).copied();
        self.entries.get(&pid).map_or(ended, |entry| entry.row)
    }

    fn one(&mut self, pid: u32, look: &mut Look<'_>) -> Result<(), Errno> {
        let tick = look.tick;
        let stat = ProcessStat::parse(look.files.of_process(pid, "stat")?).ok_or(Errno::INVAL)?;
        let comm_len = stat.comm.len().min(COMM_BYTES);
        let mut comm = [0; COMM_BYTES];
        comm[..comm_len].copy_from_slice(&stat.comm[..comm_len]);
        let (kernel, start_ticks, cpu_ticks) = (stat.kernel, stat.start_ticks, stat.cpu_ticks);

        let before = self.entries.get(&pid).filter(|entry| entry.start_ticks == start_ticks);
        let ticks = match before {
            Some(before) => cpu_ticks.checked_sub(before.cpu_ticks).unwrap_or_else(|| {
                look.scan.went_back += 1;
                0
            }),
            None if tick.since_ticks.is_some_and(|since| start_ticks >= since) => cpu_ticks,
            None => 0,
        };
        let is_same = |entry: &&Entry| entry.comm[..entry.comm_len] == comm[..comm_len];
        let refresh = (tick.number + u64::from(pid)).is_multiple_of(REFRESH_TICKS);
        let known = before.filter(is_same).filter(|_| !refresh).and_then(|entry| entry.row);
        let row = match known {
            _ if kernel => None,
            Some(row) => Some(row),
            None => Some(look.classify(pid, &comm[..comm_len])?),
        };
        let nanos = ticks.saturating_mul(look.units.nanos_per_tick);
        match row {
            Some(row) => look.add(pid, row, nanos),
            None => look.scan.kernel_nanos = look.scan.kernel_nanos.saturating_add(nanos),
        }
        let seen = tick.number;
        self.entries.insert(pid, Entry { start_ticks, cpu_ticks, row, comm, comm_len, seen });
        Ok(())
    }
}

/// One look at the process table, in progress.
struct Look<'a> {
    files: &'a mut Files,
    who: &'a mut Who,
    units: Units,
    tick: Tick,
    scan: Scan,
}

impl Look<'_> {
    /// Adds what a process used and holds to its row.
    fn add(&mut self, pid: u32, row: RowId, cpu_nanos: u64) {
        // A zombie has no memory left, and its file says so.
        let pages = self.files.of_process(pid, "statm").ok().and_then(resident_pages);
        let (resident, shared) = pages.unwrap_or_default();
        let page_bytes = self.units.page_bytes;
        let Some(row) = self.who.rows.get_mut(row) else { return };
        row.seen = self.tick.number;
        row.cpu_nanos = row.cpu_nanos.saturating_add(cpu_nanos);
        let anon = resident.saturating_sub(shared).saturating_mul(page_bytes);
        row.anon_bytes = row.anon_bytes.saturating_add(anon);
        let shared = shared.min(resident).saturating_mul(page_bytes);
        row.shared_bytes = row.shared_bytes.saturating_add(shared);
        if let Some(group) = row.group.and_then(|group| self.who.groups.get_mut(group)) {
            group.seen = self.tick.number;
        }
    }

    /// The row of a process that is new, has become another program, or may have changed hands.
    fn classify(&mut self, pid: u32, comm: &[u8]) -> Result<RowId, Errno> {
        let (files, who, tick) = (&mut *self.files, &mut *self.who, self.tick.number);
        let uid = effective_uid(files.of_process(pid, "status")?);
        let group =
            who.groups.of_process(files.of_process(pid, "cgroup").unwrap_or_default(), tick);
        let longer = if comm.len() == COMM_BYTES {
            files.of_process(pid, "cmdline").ok().and_then(|text| longer_name(text, comm))
        } else {
            None
        };
        let name = longer.unwrap_or_else(|| readable(comm));
        let user = uid.map(|uid| (uid, who.users.name(uid, files, tick)));
        let user = user.as_ref().map(|(uid, name)| (*uid, &**name));
        Ok(who.rows.of(&name, user, group, &who.groups))
    }
}
