//! The running account of one command: from looks to telemetry, from telemetry to charges, and into
//! the books. What is told of costs is always what the meter of the ledger says, so that the
//! closing statement and the books cannot differ.
//!
//! Time is that of the monotonic clock, counted from the moment the command was started: a clock
//! that is set meanwhile moves nothing.

use super::machine::Machine;
use farthing_ledger::{Books, CorrectError, MeterInput, Occasion, Segment, meter, post_segment};
use farthing_model::{
    Attribution, Charge, ClusterId, Currency, Destination, Detail, DeviceId, Money, MoneyError,
    Resource, Sample, SourceId, Window, hour_floor,
};
use farthing_providers::local::RunLook;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a command was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Used and idle.
    pub(crate) paid: Money,
    pub(crate) used: Money,
    /// Set aside and not used: what is known to be waste.
    pub(crate) waste: Money,
    /// Set aside, and nobody measured whether it was used.
    pub(crate) unknown: Money,
    /// What was used, in thousandths of a core-second.
    pub(crate) gpu_nano: i128,
    pub(crate) cpu_nano: i128,
}

impl Sums {
    pub(crate) const fn zero(currency: Currency) -> Self {
        let zero = Money::zero(currency);
        Self { paid: zero, used: zero, waste: zero, unknown: zero, gpu_nano: 0, cpu_nano: 0 }
    }

    fn add(self, other: Self) -> Result<Self, MoneyError> {
        Ok(Self {
            paid: self.paid.checked_add(other.paid)?,
            used: self.used.checked_add(other.used)?,
            waste: self.waste.checked_add(other.waste)?,
            unknown: self.unknown.checked_add(other.unknown)?,
            gpu_nano: self.gpu_nano + other.gpu_nano,
            cpu_nano: self.cpu_nano + other.cpu_nano,
        })
    }

    /// What of some charges is someone's.
    fn of(charges: &[Charge], who: &Attribution, currency: Currency) -> Result<Self, MoneyError> {
        let mut sums = Self::zero(currency);
        for charge in charges.iter().filter(|it| it.attribution.as_deref() == Some(who)) {
            let slot = match (charge.destination, charge.detail) {
                (Destination::Used, _) => &mut sums.used,
                (_, Some(Detail::Unknown)) => &mut sums.unknown,
                _ => &mut sums.waste,
            };
            *slot = slot.checked_add(charge.cost)?;
            sums.paid = sums.paid.checked_add(charge.cost)?;
            match (charge.resource, charge.destination) {
                (Resource::Gpu, _) => sums.gpu_nano += charge.quantity_nano,
                (Resource::Cpu, Destination::Used) => sums.cpu_nano += charge.quantity_nano,
                _ => {}
            }
        }
        Ok(sums)
    }
}

/// What was used since the last posting, as integrals over time.
#[derive(Clone, Debug, Default)]
struct Since {
    cpu_nanos: u64,
    /// Bytes times nanoseconds.
    memory: i128,
    devices: BTreeMap<String, DeviceSince>,
}

#[derive(Clone, Copy, Debug, Default)]
struct DeviceSince {
    // All in nanoseconds.
    busy: i128,
    held: i128,
    /// Time in which the driver said nothing of it.
    unread: i128,
}

/// The account.
pub(crate) struct Tab<'a> {
    machine: &'a Machine,
    who: Arc<Attribution>,
    cluster: ClusterId,
    books: Books,
    began: (Timestamp, Instant),
    /// Time stands still after the command.
    ended: Option<Duration>,
    /// Up to where telemetry is in the books.
    kept_to: Timestamp,
    looked: Instant,
    devices_looked: Instant,
    last: RunLook,
    since: Since,
    /// By hour, of what is posted.
    posted: BTreeMap<Timestamp, Sums>,
    sources: [SourceId; 2],
    /// Why the last posting failed, if it did; the next one posts all of it.
    pub(crate) unposted: Option<String>,
}

impl<'a> Tab<'a> {
    /// Opens an account; time runs from here.
    pub(crate) fn open(
        machine: &'a Machine,
        who: Attribution,
        (books, cluster): (Books, ClusterId),
        source: &str,
    ) -> anyhow::Result<Self> {
        let (now, instant) = (Timestamp::now(), Instant::now());
        Ok(Self {
            machine,
            who: Arc::new(who),
            cluster,
            books,
            began: (now, instant),
            ended: None,
            kept_to: now,
            looked: instant,
            devices_looked: instant,
            last: RunLook::default(),
            since: Since::default(),
            posted: BTreeMap::new(),
            sources: [SourceId::new(source)?, SourceId::new("nvml")?],
            unposted: None,
        })
    }

    /// Time runs from here.
    pub(crate) fn begin(&mut self) {
        let (now, instant) = (Timestamp::now(), Instant::now());
        (self.began, self.kept_to) = ((now, instant), now);
        (self.looked, self.devices_looked) = (instant, instant);
    }

    /// When it began.
    pub(crate) const fn began(&self) -> Timestamp {
        self.began.0
    }

    /// How long it has been.
    pub(crate) fn elapsed(&self) -> Duration {
        self.ended.unwrap_or_else(|| self.began.1.elapsed())
    }

    /// The command has ended: time stands still.
    pub(crate) fn end(&mut self) {
        self.ended = Some(self.began.1.elapsed());
    }

    /// Now, by the clock that it counts with.
    pub(crate) fn now(&self) -> Timestamp {
        let passed = jiff::SignedDuration::try_from(self.elapsed());
        let passed = passed.unwrap_or(jiff::SignedDuration::MAX);
        self.began.0.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// What is set aside.
    pub(crate) const fn asks(&self) -> farthing_model::Resources {
        self.machine.asks
    }

    /// Accelerator time of so long, in thousandths of an hour, rounded up.
    pub(crate) fn gpu_hours_milli(&self, length: jiff::SignedDuration) -> u64 {
        let nanos = length.as_nanos() * i128::from(self.machine.asks.gpu_milli);
        let hour = jiff::SignedDuration::from_hours(1).as_nanos();
        u64::try_from((nanos + hour - 1) / hour).unwrap_or(0)
    }

    /// Takes a look: what was used since the last one.
    pub(crate) fn take(&mut self, look: RunLook, with_devices: bool) {
        let now = Instant::now();
        let nanos = |from: Instant| {
            i128::try_from(now.saturating_duration_since(from).as_nanos()).unwrap_or(0)
        };
        let passed = nanos(self.looked);
        self.since.cpu_nanos += look.cpu_nanos.saturating_sub(self.last.cpu_nanos);
        // Between two looks memory goes from the one to the other.
        let both = i128::from(self.last.memory_bytes) + i128::from(look.memory_bytes);
        self.since.memory += both * passed / 2;
        if with_devices {
            let passed = nanos(self.devices_looked);
            for device in &look.devices {
                let slot = self.since.devices.entry(device.uuid.clone()).or_default();
                match device.busy_percent {
                    Some(percent) => slot.busy += passed * i128::from(percent) / 100,
                    None if device.holds => slot.unread += passed,
                    None => {}
                }
                slot.held += if device.holds { passed } else { 0 };
            }
            self.devices_looked = now;
        }
        self.looked = now;
        self.last = look;
    }

    /// What is not in the books yet.
    fn pending(&self, to: Timestamp) -> Option<Segment> {
        let window = Window::new(self.kept_to, to).ok()?;
        let spans = vec![self.machine.span(window)];
        let capacity = self.machine.inventory.capacity();
        let within = |resource, used: i128| {
            // Looks are not evenly apart, so that a full machine is often a little over.
            used.min(capacity.nano(resource) * window.nanos() / 1_000_000_000)
        };
        let [own, nvml] = &self.sources;
        let sample = |resource, used_nano: Option<i128>| Sample {
            source: own.clone(),
            node: self.machine.node().clone(),
            device: None,
            slice: None,
            attribution: Some(Arc::clone(&self.who)),
            resource,
            window,
            requested_nano: self.machine.asked_nano(resource, window),
            used_nano: used_nano.map(|used| within(resource, used)),
            held_nano: None,
        };
        let mut samples = vec![
            sample(Resource::Cpu, Some(i128::from(self.since.cpu_nanos))),
            sample(Resource::Memory, Some(self.since.memory)),
            // What it wrote is not told apart from what others did.
            sample(Resource::Storage, None),
        ];
        samples.extend(self.of_devices(window).into_iter().map(|(device, requested, since)| {
            let most = |nanos: i128| nanos.min(window.nanos());
            Sample {
                source: nvml.clone(),
                device: Some(device),
                requested_nano: requested,
                used_nano: (since.unread == 0).then(|| most(since.busy)),
                held_nano: Some(most(since.held.max(since.busy))),
                ..sample(Resource::Gpu, None)
            }
        }));
        Some(Segment { window, spans, samples, uses: Vec::new() })
    }

    /// Devices that are set aside, and others that were used all the same.
    fn of_devices(&self, window: Window) -> Vec<(DeviceId, i128, DeviceSince)> {
        let mut all: BTreeMap<&String, i128> =
            self.machine.devices.iter().map(|uuid| (uuid, window.nanos())).collect();
        for (uuid, since) in &self.since.devices {
            if since.busy > 0 || since.held > 0 {
                all.entry(uuid).or_insert(0);
            }
        }
        let of = |(uuid, requested): (&String, i128)| {
            let since = self.since.devices.get(uuid).copied().unwrap_or_default();
            Some((DeviceId::new(uuid).ok()?, requested, since))
        };
        all.into_iter().filter_map(of).collect()
    }

    /// What it was charged so far; `None` where the price is not known.
    pub(crate) fn sums(&self) -> anyhow::Result<Option<Sums>> {
        let currency = self.machine.currency();
        if self.machine.price().rate().is_none() {
            return Ok(None);
        }
        let mut sums = Sums::zero(currency);
        for posted in self.posted.values() {
            sums = sums.add(*posted)?;
        }
        if let Some(pending) = self.pending(self.now()) {
            for segment in pending.by_hour() {
                sums = sums.add(self.metered(&segment)?)?;
            }
        }
        Ok(Some(sums))
    }

    /// What an hour of what is set aside costs.
    pub(crate) fn hourly(&self) -> anyhow::Result<Option<Money>> {
        let hour = Window::hour_of(self.began.0);
        let (Some(hour), Some(_)) = (hour, self.machine.price().rate()) else { return Ok(None) };
        let idle = Self {
            who: Arc::clone(&self.who),
            cluster: self.cluster.clone(),
            books: Books::in_memory(),
            kept_to: hour.from(),
            last: RunLook::default(),
            since: Since::default(),
            posted: BTreeMap::new(),
            sources: self.sources.clone(),
            unposted: None,
            ..*self
        };
        let Some(segment) = idle.pending(hour.to()) else { return Ok(None) };
        Ok(Some(self.metered(&segment)?.paid))
    }

    fn metered(&self, segment: &Segment) -> anyhow::Result<Sums> {
        let currency = self.machine.currency();
        let metered = meter(&MeterInput {
            cluster: &self.cluster,
            window: segment.window,
            currency,
            spans: &segment.spans,
            samples: &segment.samples,
            weights: &self.machine.weights,
        })?;
        Ok(Sums::of(&metered.charges, &self.who, currency)?)
    }

    /// Puts what was measured up to now into the books. Where that fails all of it is tried again
    /// the next time.
    pub(crate) fn post(&mut self) {
        let to = self.now();
        let Some(pending) = self.pending(to) else { return };
        match self.put(&pending) {
            Ok(posted) => {
                self.posted.extend(posted);
                (self.kept_to, self.since, self.unposted) = (to, Since::default(), None);
            }
            Err(error) => self.unposted = Some(format!("{error:#}")),
        }
    }

    fn put(&self, pending: &Segment) -> anyhow::Result<BTreeMap<Timestamp, Sums>> {
        let currency = self.machine.currency();
        let mut sums = BTreeMap::new();
        for segment in pending.by_hour() {
            let occasion = Occasion {
                cluster: &self.cluster,
                hour: segment.window.from(),
                at: Timestamp::now(),
                why: "another command ran at the same time",
                weights: &self.machine.weights,
                dry_run: false,
            };
            let posting = match post_segment(&self.books, occasion, currency, &segment) {
                // Another command posted in between: what both measured is there now.
                Err(CorrectError::Books(farthing_ledger::BooksError::Conflict { .. })) => {
                    post_segment(&self.books, occasion, currency, &segment)
                }
                other => other,
            }?;
            let hour = hour_floor(segment.window.from());
            sums.insert(hour, Sums::of(&posting.metered.charges, &self.who, currency)?);
        }
        Ok(sums)
    }

    /// Posts the rest, and folds what was kept of each hour into one file.
    pub(crate) fn close(&mut self) {
        self.post();
        for hour in self.posted.keys() {
            // Many small files are no fault, only slower to read.
            let _ = self.books.compact(&self.cluster, *hour);
        }
    }
}
