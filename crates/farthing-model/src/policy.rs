//! Policies: what Farthing may do, for which objective, inside which bands and limits.

use crate::calm::WeekSpan;
use crate::decimal::{DecimalError, parse_scaled, scaled_to_string};
use crate::money::Money;
use crate::resource::{PerResource, Resources};
use jiff::SignedDuration;
use std::{fmt, str::FromStr};

/// A share of a whole in parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio(u32);

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The whole.
    pub const ONE: Self = Self(1_000_000);

    /// From parts per million; more than a whole is allowed (overcommit, 110 % of a budget).
    pub const fn from_ppm(ppm: u32) -> Self {
        Self(ppm)
    }

    /// In parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// `part / whole`, rounded to the nearest millionth; `None` when there is no whole.
    pub fn of(part: i128, whole: i128) -> Option<Self> {
        if whole <= 0 || part < 0 {
            return None;
        }
        let scaled = part.checked_mul(1_000_000)?.checked_add(whole / 2)?;
        u32::try_from(scaled / whole).ok().map(Self)
    }

    /// `self - other`, not below zero.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This share of `whole`, rounded down; `None` on overflow.
    pub fn part_of(self, whole: i128) -> Option<i128> {
        whole.checked_mul(i128::from(self.0)).map(|scaled| scaled.div_euclid(1_000_000))
    }
}

impl FromStr for Ratio {
    type Err = DecimalError;

    /// Reads `0.95` or `95%`.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let ppm = match text.strip_suffix('%') {
            Some(percent) => parse_scaled(percent.trim(), 4)?,
            None => parse_scaled(text, 6)?,
        };
        u32::try_from(ppm).map(Self).map_err(|_| DecimalError::Range(text.to_owned()))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One place of a percent is what people read; the exact value is `ppm`.
        let tenths = (i128::from(self.0) + 500) / 1_000;
        out.pad(&format!("{} %", scaled_to_string(tenths, 1, 1)))
    }
}

/// The target band of a resource's utilisation: from `max - reserve` up to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Over this, add capacity.
    pub max: Ratio,
    /// Head room below `max`; under `max - reserve`, consolidate, lend or release.
    pub reserve: Ratio,
}

/// Where a utilisation stands against its band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BandState {
    /// Below `max - reserve`.
    Under,
    /// Inside.
    Within,
    /// Above `max`.
    Over,
}

impl Band {
    /// The lower edge, `max - reserve`.
    pub const fn threshold(self) -> Ratio {
        self.max.minus(self.reserve)
    }

    /// Where `utilisation` stands.
    pub fn state(self, utilisation: Ratio) -> BandState {
        if utilisation < self.threshold() {
            BandState::Under
        } else if utilisation > self.max {
            BandState::Over
        } else {
            BandState::Within
        }
    }
}

impl BandState {
    /// The name in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Under => "under",
            Self::Within => "within",
            Self::Over => "over",
        }
    }
}

/// How much Farthing may do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Measure and account, propose nothing.
    Observe,
    /// Propose.
    Recommend,
    /// Act on what a person approved.
    Approve,
    /// Act.
    Enforce,
}

impl Mode {
    /// All, from the least that is done without a person to the most.
    pub const ALL: [Self; 4] = [Self::Observe, Self::Recommend, Self::Approve, Self::Enforce];

    /// The name in manifests and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Recommend => "recommend",
            Self::Approve => "approve",
            Self::Enforce => "enforce",
        }
    }
}

/// What is minimised, after the most value done in time within budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// Money.
    Cost,
    /// Time to finish.
    Time,
    /// Emissions.
    Carbon,
}

/// Guardrails of the executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps in any 60 minutes.
    pub steps_per_hour: u32,
    /// The same on the workloads of one namespace, the part of their names before the last `/`.
    pub steps_per_namespace: Option<u32>,
    /// Nodes touched in one tick.
    pub nodes_per_tick: u32,
    /// Data older than this is not acted on.
    pub age_max: SignedDuration,
    /// Data with less coverage than this is not acted on.
    pub coverage_min: Ratio,
}

/// What an interruption of spot capacity is expected to cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpotLoss {
    /// Mean time between interruptions.
    pub mean_up: SignedDuration,
    /// Where the number comes from.
    pub source: String,
}

/// What pods may not use of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeRules {
    /// Kept for the system.
    pub reserve: Resources,
    /// Most pods on a node; `None` = no limit.
    pub pods: Option<u32>,
    /// What moving a pod off a node that is given back costs; `None` = not said.
    pub move_cost: Option<Money>,
}

/// What may be taken back from what runs, by what is measured of it: nothing, unless it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reclaim {
    /// What held accelerators and did nothing with any of them for so long is stopped.
    pub idle: Option<SignedDuration>,
    /// Replicas of elastic services that at no time in so long were needed are taken, and given
    /// back when they are.
    pub replicas: Option<SignedDuration>,
    /// Nodes with one of these symptoms do no work: `TYPE=STATUS` of a condition, or the name of a
    /// device of which fewer can be used than there are. They are emptied.
    pub sick: Vec<String>,
}

/// What Farthing may do, for which objective, inside which bands and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How much it may do by itself.
    pub mode: Mode,
    /// What it minimises.
    pub objective: Objective,
    /// Target bands of utilisation.
    pub bands: PerResource<Band>,
    /// Guardrails.
    pub limits: Limits,
    /// When work may be disturbed: suspended, scaled down, moved. Always, where there are none.
    pub disruption: Vec<WeekSpan>,
    /// A node without work for this long may be released.
    pub idle_release: SignedDuration,
    /// How long a bought node is paid before it is usable.
    pub boot: SignedDuration,
    /// The same at worst; what has a deadline is planned with it. Less than `boot` means `boot`.
    pub boot_max: SignedDuration,
    /// How long a change of the world may wait for the next plan: the interval of the loop.
    pub replan: SignedDuration,
    /// Expected loss on spot capacity; `None` = not known, so spot is not used.
    pub spot: Option<SpotLoss>,
    /// What workloads that share nodes may not use of them.
    pub nodes: NodeRules,
    /// What may be taken back from what runs.
    pub reclaim: Reclaim,
}

impl Default for Policy {
    /// Recommend only, for cost; the bands of the example policies; 30 steps an hour, 5 nodes a
    /// tick, nothing on data older than two minutes or with coverage under 80 %; a boot of three
    /// minutes, no worse known, and a plan every ten.
    fn default() -> Self {
        let band = |max: u32, reserve: u32| Band {
            max: Ratio::from_ppm(max),
            reserve: Ratio::from_ppm(reserve),
        };
        Self {
            mode: Mode::Recommend,
            objective: Objective::Cost,
            bands: PerResource::from_fn(|resource| match resource {
                crate::Resource::Gpu => band(950_000, 150_000),
                _ => band(900_000, 200_000),
            }),
            limits: Limits {
                steps_per_hour: 30,
                steps_per_namespace: None,
                nodes_per_tick: 5,
                age_max: SignedDuration::from_mins(2),
                coverage_min: Ratio::from_ppm(800_000),
            },
            disruption: Vec::new(),
            idle_release: SignedDuration::from_mins(10),
            boot: SignedDuration::from_mins(3),
            boot_max: SignedDuration::ZERO,
            replan: SignedDuration::from_mins(10),
            spot: None,
            nodes: NodeRules::default(),
            reclaim: Reclaim::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seeds' rule: `threshold = max utilisation - reserve`.
    #[test]
    fn the_band_is_max_less_reserve() {
        let band = Band { max: "0.95".parse().unwrap(), reserve: "15%".parse().unwrap() };
        assert_eq!(band.threshold(), Ratio::from_ppm(800_000));
        let state = |text: &str| band.state(text.parse().unwrap());
        assert_eq!(state("79.9%"), BandState::Under);
        assert_eq!(state("0.80"), BandState::Within);
        assert_eq!(state("0.95"), BandState::Within);
        assert_eq!(state("1.1"), BandState::Over);
        assert!("-0.1".parse::<Ratio>().is_err());
        assert_eq!(Ratio::from_ppm(856_449).to_string(), "85.6 %");
    }
}
