//! One device of a workload: what was seen of it in the window, and what that is called.

use super::{Activity, COVERAGE_MIN_PPM, DeviceVerdict, Evidence, Question, Seat, Veto};
use farthing_model::{DeviceUse, Progress, Rung, Window, proportion};

/// From here on it works, in thousandths: a health probe of an inference server stays below.
const WORKS: u16 = 20;
/// Up to here it does nothing, in thousandths: exporters round, and drivers wake up.
const NOTHING: u16 = 2;
/// A context alone takes more than this of a device's memory; an unused device has a few MiB.
const CONTEXT_BYTES: u64 = 64 << 20;
/// Power above the learned idle power that speaks against idleness, in per cent.
const POWER_ABOVE_PERCENT: u64 = 15;
/// It still loads if memory grew by more than this part of what it held in the end: 1/16.
const GROWTH: u64 = 16;

/// The records of one seat in the window, in order of time.
pub(super) struct Seen<'a> {
    seat: &'a Seat,
    window: Window,
    /// What of the window the seat was held; nothing when it was not.
    held: Option<Window>,
    records: Vec<&'a DeviceUse>,
    evidence: Evidence,
}

impl<'a> Seen<'a> {
    pub(super) fn of(question: &Question<'a>, seat: &'a Seat) -> Self {
        let held = seat.held.intersect(question.window);
        let is_its = |one: &&DeviceUse| {
            let instance = one.slice.map(|slice| slice.instance);
            let who = one.attribution.as_ref().map(|who| &who.workload);
            one.node == seat.node
                && one.device == seat.device
                && instance == seat.instance
                && who == Some(question.workload)
                && held.is_some_and(|held| one.window.intersect(held).is_some())
        };
        let mut records: Vec<&DeviceUse> = question.uses.iter().filter(is_its).collect();
        records.sort_by_key(|one| (one.window, &one.source));
        // Two scrapers of one exporter: what is seen twice was seen once.
        records.dedup_by(|next, kept| next.window.intersect(kept.window).is_some());
        let every = question.every.as_nanos().max(1);
        let mut seen =
            Self { seat, window: question.window, held, records, evidence: Evidence::default() };
        seen.evidence = seen.look(every);
        seen
    }

    fn look(&self, every: i128) -> Evidence {
        let expected = self.held.map_or(0, Window::nanos);
        let mut evidence = Evidence::default();
        let count = |count: i128| u32::try_from(count).unwrap_or(u32::MAX);
        let records = i128::try_from(self.records.len()).unwrap_or(i128::MAX);
        evidence.records = (count(records), count(expected / every));
        let mut read = 0;
        for one in &self.records {
            let active = active(one);
            if active.is_some() {
                // A record stands for one interval, however long ago the one before was.
                let inside = self.held.and_then(|held| held.intersect(one.window));
                read += inside.map_or(0, Window::nanos).min(every);
            }
            evidence.active_most = evidence.active_most.max(active);
            evidence.power_most_mw = evidence.power_most_mw.max(one.power_mw);
            if let Some(held) = holds(one) {
                evidence.held = Some(held || evidence.held == Some(true));
            }
            evidence.progress = sum(evidence.progress, one.progress);
        }
        let is_read =
            |rung: &Rung| self.records.iter().any(|one| one.rungs.get(*rung).value().is_some());
        evidence.read = [Rung::Engine, Rung::Sm].into_iter().filter(is_read).collect();
        let ppm = proportion(read.min(expected), 1_000_000, expected).unwrap_or(0);
        evidence.coverage_ppm = count(ppm);
        evidence
    }

    /// What the device does, looked at without the others, and why it is called that.
    pub(super) fn alone(&self) -> (Activity, String) {
        let evidence = &self.evidence;
        let active = evidence.active_most;
        if active.is_some_and(|active| active >= WORKS) {
            return (Activity::Busy, format!("{} at most", thousandths(active)));
        }
        if evidence.progress.moved() {
            return (Activity::Busy, "requests, tokens or steps were counted".to_owned());
        }
        if let Some(why) = self.starting() {
            return (Activity::Starting, why);
        }
        if evidence.coverage_ppm < COVERAGE_MIN_PPM {
            return (Activity::Unknown, self.too_little());
        }
        if active.is_some_and(|active| active > NOTHING) {
            return match evidence.progress.requests {
                Some(_) => {
                    let most = thousandths(active);
                    (Activity::ProbeOnly, format!("{most} at most, and no request was counted"))
                }
                // Little work and no counter: probes and a rare request look the same.
                None => (
                    Activity::Unknown,
                    "it computes a little, and nobody counts its requests".to_owned(),
                ),
            };
        }
        match evidence.held {
            Some(true) => (Activity::LoadedIdle, "memory is held, and nothing runs".to_owned()),
            Some(false) => (Activity::EmptyIdle, "nothing is held, and nothing runs".to_owned()),
            None => {
                let missing = Rung::Context.how_to_export();
                let why = format!("nobody says whether memory is held; export `{missing}`");
                (Activity::Unknown, why)
            }
        }
    }

    /// Why it is still starting, if it is.
    fn starting(&self) -> Option<String> {
        let Some(ready) = self.seat.ready else { return Some("it is not ready yet".to_owned()) };
        if ready > self.window.from() {
            return Some(format!("it is ready since {ready}, within the window"));
        }
        if self.seat.held.from() > self.window.from() {
            return Some(format!("it has the device since {}", self.seat.held.from()));
        }
        let memory = |one: &&DeviceUse| one.memory_bytes;
        let first = self.records.iter().find_map(memory)?;
        let last = self.records.iter().rev().find_map(memory)?;
        let grew = last.saturating_sub(first);
        (grew > last / GROWTH && grew > CONTEXT_BYTES)
            .then(|| format!("it loads: {} MiB more are held than before", grew >> 20))
    }

    fn too_little(&self) -> String {
        let Evidence { records: (there, expected), coverage_ppm, .. } = &self.evidence;
        let blank = self.records.iter().filter(|one| active(one).is_none()).count();
        if blank > 0 {
            return format!("{blank} of {there} records say nothing of what ran");
        }
        let percent = coverage_ppm / 10_000;
        format!("{there} of {expected} expected records were there, {percent} % of the time")
    }

    /// Whether its power speaks against idleness. Of a device that is shared it says nothing.
    pub(super) fn veto(&self) -> Option<Veto> {
        let idle_mw = self.seat.idle_power_mw?;
        let most_mw = self.evidence.power_most_mw?;
        let limit = u64::from(idle_mw) * (100 + POWER_ABOVE_PERCENT);
        (u64::from(most_mw) * 100 > limit).then(|| {
            let device = self.seat.device.clone();
            Veto::Power { device, most_mw, idle_mw }
        })
    }

    pub(super) fn verdict(self, activity: Activity, why: String) -> DeviceVerdict {
        DeviceVerdict {
            pod: self.seat.pod.clone(),
            node: self.seat.node.clone(),
            device: self.seat.device.clone(),
            instance: self.seat.instance,
            activity,
            why,
            evidence: self.evidence,
        }
    }
}

/// What ran, in thousandths: the higher of engine and SM, whichever are read. Engine alone counts a
/// kernel that waits, SM alone does not count copies; idle is only what neither saw.
pub(super) fn active(one: &DeviceUse) -> Option<u16> {
    let read = |rung| one.rungs.get(rung).value();
    read(Rung::Engine).max(read(Rung::Sm)).map(farthing_model::PerMille::get)
}

/// Whether memory is held, if somebody says so.
fn holds(one: &DeviceUse) -> Option<bool> {
    let context = one.rungs.get(Rung::Context).value().map(|context| context.get() > 0);
    context.or(one.memory_bytes.map(|bytes| bytes > CONTEXT_BYTES))
}

fn sum(a: Progress, b: Progress) -> Progress {
    let add = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    };
    Progress {
        requests: add(a.requests, b.requests),
        tokens: add(a.tokens, b.tokens),
        steps: add(a.steps, b.steps),
    }
}

fn thousandths(value: Option<u16>) -> String {
    let value = value.unwrap_or(0);
    format!("it computes {}.{} %", value / 10, value % 10)
}
