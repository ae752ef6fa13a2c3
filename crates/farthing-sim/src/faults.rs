//! Faults: what can go wrong in the world, how often, and how often it did.
//!
//! Each kind draws from its own generator, so that raising one rate does not move another fault
//! to another moment.

use crate::random::Random;
use jiff::SignedDuration;
use std::fmt;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A node is gone without notice.
    NodeLoss,
    /// A spot node is taken away.
    SpotKill,
    /// A node takes longer to boot.
    BootDelay,
    /// An offer has nothing left although it says so.
    NoCapacity,
    /// A step fails before it took effect, without a receipt.
    ActError,
    /// The target changes between being seen and being acted on.
    Conflict,
    /// A step takes effect, and the answer is lost.
    Timeout,
    /// An observation shows the world as it was before.
    StaleObservation,
    /// A node is not measured in a window.
    PartialTelemetry,
    /// A sample comes twice.
    DuplicateSample,
    /// Samples come in another order.
    SampleOrder,
    /// A price changes.
    PriceChange,
    /// The clock jumps, ahead or back.
    ClockJump,
}

impl FaultKind {
    /// All, in the order of tables.
    pub const ALL: [Self; 13] = [
        Self::NodeLoss,
        Self::SpotKill,
        Self::BootDelay,
        Self::NoCapacity,
        Self::ActError,
        Self::Conflict,
        Self::Timeout,
        Self::StaleObservation,
        Self::PartialTelemetry,
        Self::DuplicateSample,
        Self::SampleOrder,
        Self::PriceChange,
        Self::ClockJump,
    ];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NodeLoss => "node-loss",
            Self::SpotKill => "spot-kill",
            Self::BootDelay => "boot-delay",
            Self::NoCapacity => "no-capacity",
            Self::ActError => "act-error",
            Self::Conflict => "conflict",
            Self::Timeout => "timeout",
            Self::StaleObservation => "stale-observation",
            Self::PartialTelemetry => "partial-telemetry",
            Self::DuplicateSample => "duplicate-sample",
            Self::SampleOrder => "sample-order",
            Self::PriceChange => "price-change",
            Self::ClockJump => "clock-jump",
        }
    }
}

/// How often each fault happens, in parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// Of bought nodes, in each hour.
    pub node_loss_per_hour: u32,
    /// Of spot nodes, in each hour.
    pub spot_kill_per_hour: u32,
    /// Of boots; the boot then takes two to five times as long.
    pub boot_delay: u32,
    /// Of steps that buy.
    pub no_capacity: u32,
    /// Of steps.
    pub act_error: u32,
    /// Of steps on a workload.
    pub conflict: u32,
    /// Of steps that took effect.
    pub timeout: u32,
    /// Of observations.
    pub stale_observation: u32,
    /// Of nodes in each measurement.
    pub partial_telemetry: u32,
    /// Of samples.
    pub duplicate_sample: u32,
    /// Of measurements.
    pub sample_order: u32,
    /// Of hours, for one offer at a moment inside the hour.
    pub price_change_per_hour: u32,
    /// Of ticks of the driver.
    pub clock_jump: u32,
}

impl FaultRates {
    /// Everything goes wrong now and then: for the tests of the laws.
    pub const fn rough() -> Self {
        Self {
            node_loss_per_hour: 20_000,
            spot_kill_per_hour: 150_000,
            boot_delay: 100_000,
            no_capacity: 50_000,
            act_error: 50_000,
            conflict: 50_000,
            timeout: 50_000,
            stale_observation: 50_000,
            partial_telemetry: 20_000,
            duplicate_sample: 10_000,
            sample_order: 100_000,
            price_change_per_hour: 100_000,
            clock_jump: 10_000,
        }
    }
}

/// How often each fault happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts([u64; FaultKind::ALL.len()]);

impl FaultCounts {
    /// How often `kind` happened.
    pub const fn of(&self, kind: FaultKind) -> u64 {
        self.0[kind as usize]
    }

    /// How often anything happened.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl fmt::Display for FaultCounts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = FaultKind::ALL.into_iter().filter(|kind| self.of(*kind) > 0);
        let parts: Vec<String> =
            seen.map(|kind| format!("{} {}", kind.name(), self.of(kind))).collect();
        out.pad(&if parts.is_empty() { "none".to_owned() } else { parts.join(", ") })
    }
}

/// The faults of one world: rates, generators and counts.
#[derive(Clone, Debug)]
pub struct Faults {
    rates: FaultRates,
    draws: Vec<Random>,
    counts: FaultCounts,
}

impl Faults {
    /// Nothing ever goes wrong.
    pub fn none() -> Self {
        Self::new(FaultRates::default(), &Random::new(0))
    }

    /// Faults at `rates`, drawn from `random`.
    pub fn new(rates: FaultRates, random: &Random) -> Self {
        let draws = FaultKind::ALL.iter().map(|kind| random.fork(kind.name())).collect();
        Self { rates, draws, counts: FaultCounts::default() }
    }

    /// The rates.
    pub const fn rates(&self) -> &FaultRates {
        &self.rates
    }

    /// What happened so far.
    pub const fn counts(&self) -> &FaultCounts {
        &self.counts
    }

    /// Counts from now on.
    pub(crate) fn forget_counts(&mut self) {
        self.counts = FaultCounts::default();
    }

    /// Nothing is drawn to go wrong from now on.
    pub(crate) fn become_calm(&mut self) {
        self.rates = FaultRates::default();
    }

    /// Draws whether the clock jumps at this tick of the driver, and by how much: up to ten
    /// minutes ahead or back.
    pub fn clock_jump(&mut self) -> Option<SignedDuration> {
        if !self.strikes(FaultKind::ClockJump) {
            return None;
        }
        let seconds = self.draws[FaultKind::ClockJump as usize].between(-600, 600);
        Some(SignedDuration::from_secs(seconds))
    }

    /// Draws whether a fault without a node of its own happens now, and counts it.
    pub(crate) fn strikes(&mut self, kind: FaultKind) -> bool {
        let ppm = match kind {
            FaultKind::BootDelay => self.rates.boot_delay,
            FaultKind::NoCapacity => self.rates.no_capacity,
            FaultKind::ActError => self.rates.act_error,
            FaultKind::Conflict => self.rates.conflict,
            FaultKind::Timeout => self.rates.timeout,
            FaultKind::StaleObservation => self.rates.stale_observation,
            FaultKind::PartialTelemetry => self.rates.partial_telemetry,
            FaultKind::DuplicateSample => self.rates.duplicate_sample,
            FaultKind::SampleOrder => self.rates.sample_order,
            FaultKind::ClockJump => self.rates.clock_jump,
            // Drawn as a time for each node or hour, and counted when it comes.
            FaultKind::NodeLoss | FaultKind::SpotKill | FaultKind::PriceChange => 0,
        };
        let strikes = ppm > 0 && self.draws[kind as usize].chance(ppm);
        if strikes {
            self.count(kind);
        }
        strikes
    }

    /// The generator of a kind, for what follows once it struck.
    pub(crate) fn draw(&mut self, kind: FaultKind) -> &mut Random {
        &mut self.draws[kind as usize]
    }

    /// Counts a fault that happened.
    pub(crate) fn count(&mut self, kind: FaultKind) {
        self.counts.0[kind as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_faults_means_none() {
        let mut faults = Faults::none();
        for kind in FaultKind::ALL {
            assert!((0..1_000).all(|_| !faults.strikes(kind)), "{}", kind.name());
        }
        assert!(faults.clock_jump().is_none());
        assert_eq!(faults.counts().total(), 0);
        assert_eq!(faults.counts().to_string(), "none");
    }

    #[test]
    fn each_kind_has_its_own_draws_and_is_counted() {
        let draw = |rates: FaultRates| -> Vec<bool> {
            let mut faults = Faults::new(rates, &Random::new(3));
            (0..100)
                .map(|_| {
                    faults.strikes(FaultKind::ActError);
                    faults.strikes(FaultKind::Timeout)
                })
                .collect()
        };
        let quiet = FaultRates { timeout: 300_000, ..FaultRates::default() };
        assert_eq!(draw(quiet), draw(FaultRates { act_error: 900_000, ..quiet }));
        let mut faults = Faults::new(quiet, &Random::new(3));
        let struck = (0..100).filter(|_| faults.strikes(FaultKind::Timeout)).count();
        assert!(struck > 10);
        assert_eq!(faults.counts().of(FaultKind::Timeout), u64::try_from(struck).unwrap());
        assert_eq!(faults.counts().to_string(), format!("timeout {struck}"));
    }

    #[test]
    fn names_and_places_agree() {
        for (index, kind) in FaultKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }
}
