//! A machine made of files, and what is measured on it.

mod containers;
mod devices;
mod processes;
mod real;
mod time;
mod world;

use super::{LocalMachine, MachineOffer, Units};
use crate::nvml::{GpuDriver, NoGpus};
use farthing_edge::{Measure, Measured};
use farthing_model::{ClusterId, OfferId, Place, Price, Resource, Sample, Window};
use jiff::Timestamp;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

pub(super) const UNITS: Units =
    Units { ticks_per_second: 100, nanos_per_tick: 10_000_000, page_bytes: 4_096 };

/// The mount table of a machine with control groups of version 2.
pub(super) const UNIFIED: &str = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
    2 1 0:2 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n\
    3 1 0:3 / /proc rw - proc proc rw\n";

pub(super) const ID: &str = "3f2a9c0d1e2b3f2a9c0d1e2b3f2a9c0d1e2b3f2a9c0d1e2b3f2a9c0d1e2b3f2a";

/// A root folder with a kernel's files, two processors and 1,000 pages of memory in use.
pub(super) struct Fixture {
    root: TempDir,
    /// Seconds since the start, in hundredths.
    pub(super) now_centis: u64,
    busy: [u64; 4],
    idle: u64,
}

/// A process of a fixture.
#[derive(Clone)]
pub(super) struct Process<'a> {
    pub(super) pid: u32,
    pub(super) comm: &'a [u8],
    pub(super) ticks: u64,
    pub(super) start: u64,
    pub(super) uid: u32,
    pub(super) cgroup: &'a str,
    pub(super) anon_pages: u64,
    pub(super) shared_pages: u64,
    pub(super) flags: u64,
}

/// A process of root that started at boot, used nothing and holds nothing.
pub(super) fn process(pid: u32, comm: &[u8]) -> Process<'_> {
    Process {
        pid,
        comm,
        ticks: 0,
        start: 1,
        uid: 0,
        cgroup: "0::/\n",
        anon_pages: 0,
        shared_pages: 0,
        flags: 0x0040_0100,
    }
}

impl Fixture {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let fixture = Self { root, now_centis: 100_000, busy: [0; 4], idle: 500_000 };
        fixture.write("/proc/sys/kernel/hostname", "box\n");
        fixture.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nana:x:1000:1000::/:/bin/sh\n");
        fixture.write("/proc/cpuinfo", "processor\t: 0\nmodel name\t: Test CPU @ 2GHz\n");
        fixture.write("/proc/self/mountinfo", UNIFIED);
        fixture.write("/proc/self/cgroup", "0::/\n");
        fixture.memory(100_000, 96_000, 2_000, 1_000);
        fixture.counters();
        fixture
    }

    pub(super) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(super) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(super) fn remove(&self, path: &str) {
        let path = self.path().join(path.trim_start_matches('/'));
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }

    /// Memory in kB.
    pub(super) fn memory(&self, total: u64, available: u64, anon: u64, mapped: u64) {
        let text = format!(
            "MemTotal: {total} kB\nMemFree: 1 kB\nMemAvailable: {available} kB\n\
             AnonPages: {anon} kB\nMapped: {mapped} kB\n"
        );
        self.write("/proc/meminfo", text);
    }

    /// Time goes on by ten seconds, in which the processors were busy for `busy` ticks of user,
    /// system, softirq and steal, of 2,000.
    pub(super) fn ten_seconds(&mut self, busy: [u64; 4]) {
        self.pass(1_000, busy);
    }

    /// Time awake goes on by `centis`.
    pub(super) fn pass(&mut self, centis: u64, busy: [u64; 4]) {
        self.now_centis += centis;
        self.idle += (2 * centis).saturating_sub(busy.iter().sum());
        for (sum, busy) in self.busy.iter_mut().zip(busy) {
            *sum += busy;
        }
        self.counters();
    }

    /// Time goes on while the machine sleeps.
    pub(super) fn sleep(&mut self, centis: u64) {
        self.now_centis += centis;
        self.counters();
    }

    fn counters(&self) {
        let [user, system, softirq, steal] = self.busy;
        let (idle, half) = (self.idle, self.idle / 2);
        let total = format!("{user} 0 {system} {idle} 0 0 {softirq} {steal} 0 0");
        let each = format!("1 0 1 {half} 0 0 0 0 0 0");
        let text = format!("cpu  {total}\ncpu0 {each}\ncpu1 {each}\nintr 1 2 3\n");
        self.write("/proc/stat", text);
        let now = self.now_centis;
        self.write("/proc/uptime", format!("{}.{:02} 1.00\n", now / 100, now % 100));
    }

    pub(super) fn set(&self, process: &Process<'_>) {
        let Process { pid, ticks, start, uid, flags, .. } = process;
        let mut stat = format!("{pid} (").into_bytes();
        stat.extend_from_slice(process.comm);
        let rest = format!(
            ") S 1 1 1 0 -1 {flags} 1 2 3 4 {ticks} 0 7 8 20 0 1 0 {start} 9 10 {}\n",
            u64::MAX
        );
        stat.extend_from_slice(rest.as_bytes());
        self.write(&format!("/proc/{pid}/stat"), stat);
        let (anon, shared) = (process.anon_pages, process.shared_pages);
        self.write(
            &format!("/proc/{pid}/statm"),
            format!("99999 {} {shared} 1 0 1 0\n", anon + shared),
        );
        self.write(&format!("/proc/{pid}/status"), format!("Name:\tx\nUid:\t7\t{uid}\t7\t7\n"));
        self.write(&format!("/proc/{pid}/cgroup"), process.cgroup);
    }

    pub(super) fn open(&self) -> LocalMachine {
        self.open_with(Box::new(NoGpus::default()))
    }

    pub(super) fn open_with(&self, gpus: Box<dyn GpuDriver>) -> LocalMachine {
        let offer = MachineOffer {
            offer: OfferId::new("local/lab/box/owned").unwrap(),
            place: Place { provider: "local".into(), region: "lab".into(), zone: None },
            instance_type: "box".into(),
            price: Price::Unknown("not priced here".into()),
        };
        let cluster = ClusterId::new("test").unwrap();
        let units = (UNITS, (|_: &Path| Some((1 << 40, 1 << 30))) as super::SpaceOf);
        LocalMachine::with(self.path(), cluster, offer, gpus, units).unwrap()
    }
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

/// Measures a window, checks what holds of every measurement, and returns it.
pub(super) fn measure(machine: &mut LocalMachine, window: Window) -> Measured {
    let measured = machine.measure(window).unwrap();
    check(&measured, window);
    measured
}

/// What the contract guarantees.
pub(super) fn check(measured: &Measured, window: Window) {
    let Measured { spans, samples, coverage, .. } = measured;
    let inside = |part: Window| part.intersect(window) == Some(part);
    assert!(spans.iter().all(|span| inside(span.window)), "{spans:?}");
    for pair in spans.windows(2) {
        assert!(pair[0].window.to() <= pair[1].window.from(), "spans overlap: {pair:?}");
    }
    let paid: i128 = spans.iter().map(|span| span.window.nanos()).sum();
    assert_eq!(coverage.expected_nanos, paid);
    let seen = spans.iter().filter(|span| span.measured);
    assert_eq!(coverage.measured_nanos, seen.map(|span| span.window.nanos()).sum::<i128>());
    let key = |one: &Sample| (one.resource, one.attribution.clone(), one.device.clone());
    for sample in samples {
        assert!(inside(sample.window) && sample.known_use() >= 0 && sample.requested_nano >= 0);
        let span = spans.iter().find(|span| span.window == sample.window && span.measured);
        let span = span.expect("a sample is in measured time");
        assert_eq!(sample.node, span.node);
    }
    for pair in samples.windows(2) {
        assert!(key(&pair[0]) < key(&pair[1]), "not sorted, or a key twice: {pair:?}");
    }
    for resource in Resource::ALL {
        let of = samples.iter().filter(|sample| sample.resource == resource);
        let used: i128 = of.map(farthing_model::Sample::known_use).sum();
        let nanos = coverage.measured_nanos;
        let most = spans.first().map_or(0, |span| span.capacity.nano(resource) * nanos);
        assert!(used * 1_000_000_000 <= most, "{resource}: {used} of {most}");
    }
}

/// Rows of a resource as `(workload, used)`, in thousandths of a unit-second; `-` is the system.
pub(super) fn used(measured: &Measured, resource: Resource) -> Vec<(String, i128)> {
    let of = measured.samples.iter().filter(|sample| sample.resource == resource);
    of.map(|sample| (name(sample), sample.known_use() / 1_000_000)).collect()
}

pub(super) fn name(sample: &Sample) -> String {
    let who = sample.attribution.as_ref();
    who.map_or("-".to_owned(), |who| who.workload.as_str().to_owned())
}

pub(super) fn rows(expect: &[(&str, i128)]) -> Vec<(String, i128)> {
    expect.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect()
}
