//! One look at the machine: all counters, and how they differ from the look before.

use super::counters::{CpuTimes, MemInfo, uptime_centis};
use super::disks::{FileSystem, SpaceOf, file_systems};
use super::files::Files;
use super::groups::{Groups, Hierarchies, own_limits};
use super::inventory::read;
use super::mounts::mounts;
use super::notes::Notes;
use super::rows::Row;
use super::table::{ProcessTable, Scan, Tick, Who};
use super::{LocalError, Units};
use std::path::Path;

/// Process ids of the machine itself are in this namespace; its number is fixed in the kernel.
const ROOT_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Time that the machine's processors do not account for, beyond which it slept.
const ASLEEP_NANOS_MIN: i128 = 3_000_000_000;

/// Rows and groups are forgotten after this many ticks without a process.
const FORGET_TICKS: u64 = 360;

/// Why some processes cannot be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blind {
    /// We are inside a container.
    Namespace,
    /// `/proc` is mounted with `hidepid`.
    HidePid,
}

/// The machine as it was at the last look.
pub(super) struct Looker {
    pub(super) files: Files,
    pub(super) units: Units,
    pub(super) who: Who,
    processes: ProcessTable,
    space_of: SpaceOf,
    blind: Option<Blind>,
    pub(super) times: CpuTimes,
    pub(super) uptime_centis: Option<u64>,
    tick: u64,
}

/// What one look found.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// What the processors counted since the last look.
    pub(super) times: CpuTimes,
    pub(super) memory: MemInfo,
    pub(super) disks: Vec<FileSystem>,
    pub(super) scan: Scan,
    pub(super) tick: Tick,
    /// Whether other users' processes cannot be seen.
    pub(super) hidden: bool,
    /// Time awake since the last look; `None` where the kernel does not say.
    pub(super) elapsed_nanos: Option<i128>,
}

impl Looker {
    /// Takes the first look, from which the next one is counted.
    pub(super) fn new(
        mut files: Files,
        units: Units,
        space_of: SpaceOf,
        notes: &mut Notes,
    ) -> Result<Self, LocalError> {
        let table = files.whole("/proc/self/mountinfo").map(mounts).unwrap_or_default();
        let blind = blind(&mut files, &table);
        let groups = Groups::new(Hierarchies::of(&table));
        let mut looker = Self {
            files,
            units,
            who: Who { groups, ..Who::default() },
            processes: ProcessTable::default(),
            space_of,
            blind,
            times: CpuTimes::default(),
            uptime_centis: None,
            tick: 0,
        };
        looker.note_own_limits(notes);
        looker.look(notes)?;
        Ok(looker)
    }

    /// Looks again.
    pub(super) fn look(&mut self, notes: &mut Notes) -> Result<Look, LocalError> {
        let root = self.files.root().to_owned();
        let is_first = self.tick == 0;
        self.tick += 1;
        let uptime = self.files.whole("/proc/uptime").ok().and_then(uptime_centis);
        let times = read(&mut self.files, &root, "/proc/stat", CpuTimes::parse)?;
        let memory = read(&mut self.files, &root, "/proc/meminfo", MemInfo::parse)?;
        let since_ticks = self.uptime_centis.filter(|_| !is_first).map(|centis| {
            // Rounded up: what started in the same tick as the last look may have been seen then.
            centis.saturating_mul(self.units.ticks_per_second).div_ceil(100)
        });
        let tick = Tick { number: self.tick, since_ticks };
        let scan = self
            .processes
            .look(&mut self.files, &mut self.who, self.units, tick)
            .map_err(|source| LocalError::io(&root, "/proc", source))?;
        let groups_back = self.who.groups.read(&mut self.files);
        let oldest = self.tick.saturating_sub(FORGET_TICKS);
        self.who.rows.forget_before(oldest);
        self.who.groups.forget_before(oldest);

        let (delta, went_back) = times.since(self.times);
        let both = uptime.zip(self.uptime_centis);
        let elapsed_nanos = both.map(|(now, then)| self.awake(now, then, delta));
        (self.times, self.uptime_centis) = (times, uptime);
        let disks = file_systems(&mut self.files, self.space_of);
        let hidden = self.blind.is_some() || scan.denied > 0;
        if !is_first {
            self.note(notes, &scan, went_back, &groups_back);
        }
        Ok(Look { times: delta, memory, disks, scan, tick, hidden, elapsed_nanos })
    }

    /// The row of a process by its id in the machine's own namespace, also if it ended since the
    /// last look. Inside a container the ids that we see are others, and equal ones mean nothing.
    pub(super) fn row_of(&self, pid: u32) -> Option<&Row> {
        let inside = self.blind == Some(Blind::Namespace);
        let row = self.processes.row(pid).filter(|_| !inside)?;
        self.who.rows.get(row)
    }

    /// Time since boot goes on while a machine sleeps, and its processors' time does not.
    fn awake(&self, now_centis: u64, then_centis: u64, delta: CpuTimes) -> i128 {
        let up = (i128::from(now_centis) - i128::from(then_centis)) * 10_000_000;
        let ticks = i128::from(delta.total()) * i128::from(self.units.nanos_per_tick);
        let awake = ticks / i128::from(delta.cores.max(1));
        let slept = awake > 0 && up - awake > ASLEEP_NANOS_MIN.max(up / 10);
        if slept { awake } else { up }
    }

    fn note_own_limits(&mut self, notes: &mut Notes) {
        let (cpu, memory) = own_limits(&mut self.files);
        if let Some(nano) = cpu {
            let (whole, hundredths) = (nano / 1_000_000_000, nano % 1_000_000_000 / 10_000_000);
            notes.happened(format!(
                "this process may use {whole}.{hundredths:02} cores (cgroup limit); what is \
                 accounted is the whole machine"
            ));
        }
        let total = self.files.whole("/proc/meminfo").ok().and_then(MemInfo::parse);
        let total = total.map_or(u64::MAX, |memory| memory.total);
        if let Some(bytes) = memory.filter(|bytes| *bytes < total) {
            notes.happened(format!(
                "this process may use {} MiB of memory (cgroup limit); what is accounted is the \
                 whole machine",
                bytes >> 20
            ));
        }
    }

    fn note(&self, notes: &mut Notes, scan: &Scan, went_back: bool, groups_back: &[String]) {
        match self.blind {
            Some(Blind::Namespace) => notes.holds("blind", || {
                "processes outside this container cannot be seen and count as (hidden): run with \
                 the host's process ids (docker run --pid=host, hostPID: true)"
                    .to_owned()
            }),
            Some(Blind::HidePid) => notes.holds("blind", || {
                "/proc is mounted with hidepid: processes of other users count as (hidden); run \
                 as root or in the group that its gid= option names"
                    .to_owned()
            }),
            None if scan.denied > 0 => notes.holds("denied", || {
                format!(
                    "{} processes may not be read and count as (hidden): run as root, or with \
                     CAP_SYS_PTRACE",
                    scan.denied
                )
            }),
            None => {}
        }
        if went_back {
            notes.happened("/proc/stat went back: those counters count nothing this time".into());
        }
        if scan.went_back > 0 {
            let count = scan.went_back;
            notes.happened(format!(
                "the processor time of {count} processes went back: not counted"
            ));
        }
        for group in groups_back {
            notes.happened(format!(
                "the counter of {group} went back (it was started again): only its processes count"
            ));
        }
        if scan.beyond > 0 {
            notes.holds("beyond", || {
                format!("{} processes are too many: they count as (short-lived)", scan.beyond)
            });
        }
        if self.uptime_centis.is_none() {
            notes.holds("uptime", || {
                "/proc/uptime cannot be read: sleep and clock changes are not noticed".to_owned()
            });
        }
    }
}

fn blind(files: &mut Files, table: &[super::mounts::Mount]) -> Option<Blind> {
    if files.link("/proc/self/ns/pid").is_some_and(|link| link != ROOT_PID_NAMESPACE) {
        return Some(Blind::Namespace);
    }
    let hides = |mount: &&super::mounts::Mount| {
        let option = mount.options.split(',').find_map(|option| option.strip_prefix("hidepid="));
        mount.kind == "proc"
            && Path::new(&mount.point) == Path::new("/proc")
            && option.is_some_and(|value| !matches!(value, "0" | "off"))
    };
    let hides = table.iter().any(|mount| hides(&mount));
    // Root and the named group see everything all the same.
    (hides && files.of_process(1, "stat").is_err()).then_some(Blind::HidePid)
}
