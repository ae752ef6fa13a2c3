//! What a device did for a workload: the rungs of the utilisation ladder, and what else tells idle
//! from busy.
//!
//! This is the contract between those who read exporters and those who judge: one record for each
//! device (or slice) of a workload and each interval between two scrapes. It is not charged; money
//! comes from [`crate::Sample`]. It refuses to guess: a rung is a value or a reason why there is
//! none. Start with [`DeviceUse`], then [`Reading`].

use crate::id::{DeviceId, NodeId, SourceId};
use crate::sample::{Attribution, Slice};
use crate::share::Share;
use crate::window::Window;
use std::sync::Arc;

/// Thousandths, 0 to 1,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PerMille(u16);

impl PerMille {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From thousandths; `None` beyond 1,000: a ratio above one is a fault of the exporter.
    pub const fn new(thousandths: u16) -> Option<Self> {
        if thousandths <= 1_000 { Some(Self(thousandths)) } else { None }
    }

    /// Thousandths.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// A rung of the ladder, from the top down: each is at most the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// Memory of the device was held: the part of the interval with a context open.
    Context,
    /// A kernel or copy ran anywhere on the device.
    Engine,
    /// Streaming multiprocessors with at least one warp.
    Sm,
    /// Cycles in which tensor cores worked.
    Tensor,
    /// Useful operations over the peak (model FLOPs utilisation); only the workload itself can
    /// say it.
    Mfu,
}

impl Rung {
    /// All, from the top down. Above them is *allocated*: the share itself.
    pub const ALL: [Self; 5] = [Self::Context, Self::Engine, Self::Sm, Self::Tensor, Self::Mfu];

    /// The name in files, tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Engine => "engine",
            Self::Sm => "sm",
            Self::Tensor => "tensor",
            Self::Mfu => "mfu",
        }
    }

    /// The metric that it is read from.
    pub const fn metric(self) -> &'static str {
        match self {
            Self::Context => "DCGM_FI_DEV_FB_USED",
            Self::Engine => "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
            Self::Sm => "DCGM_FI_PROF_SM_ACTIVE",
            Self::Tensor => "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
            Self::Mfu => "farthing_mfu_ratio",
        }
    }

    /// The line that makes it exported where it is missing: of the counters file of the DCGM
    /// exporter; for MFU, of the workload's own metrics.
    pub const fn how_to_export(self) -> &'static str {
        match self {
            Self::Context => "DCGM_FI_DEV_FB_USED, gauge, Framebuffer memory used (in MiB).",
            Self::Engine => {
                "DCGM_FI_PROF_GR_ENGINE_ACTIVE, gauge, \
                 Ratio of time the graphics engine is active."
            }
            Self::Sm => {
                "DCGM_FI_PROF_SM_ACTIVE, gauge, \
                 The ratio of cycles an SM has at least 1 warp assigned."
            }
            Self::Tensor => {
                "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE, gauge, \
                 Ratio of cycles the tensor (HMMA) pipe is active."
            }
            Self::Mfu => "farthing_mfu_ratio 0.41 (a gauge from 0 to 1, set by the training loop)",
        }
    }
}

/// Why a rung has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Missing {
    /// No series of this name: the exporter is not told to ([`Rung::how_to_export`]).
    NotExported,
    /// A series, and in this interval a sentinel or nothing, as profiling fields are after an Xid:
    /// unknown, not idle.
    Blank,
    /// The device, driver or partition cannot measure it.
    Unsupported,
}

impl Missing {
    /// All.
    pub const ALL: [Self; 3] = [Self::NotExported, Self::Blank, Self::Unsupported];

    /// The name in files, tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotExported => "not-exported",
            Self::Blank => "blank",
            Self::Unsupported => "unsupported",
        }
    }
}

/// The value of a rung over the interval, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reading {
    /// The mean over the interval, in thousandths of what the record is about.
    Value(PerMille),
    /// There is none.
    Missing(Missing),
}

impl Reading {
    /// The value, if there is one.
    pub const fn value(self) -> Option<PerMille> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }
}

/// A reading for each rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rungs([Reading; Rung::ALL.len()]);

impl Rungs {
    /// Nothing was exported.
    pub const NONE: Self = Self([Reading::Missing(Missing::NotExported); Rung::ALL.len()]);

    /// The reading of a rung.
    pub const fn get(&self, rung: Rung) -> Reading {
        self.0[rung as usize]
    }

    /// With another reading of a rung.
    #[must_use]
    pub const fn with(mut self, rung: Rung, reading: Reading) -> Self {
        self.0[rung as usize] = reading;
        self
    }
}

/// How far counters of the workload moved in the interval: `None` where nobody counts, zero where
/// they stood still. Counters of the workload as a whole are put on each of its devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Progress {
    /// Requests that were served; without health probes, where those can be told apart.
    pub requests: Option<u64>,
    /// Tokens read and written.
    pub tokens: Option<u64>,
    /// Steps of training.
    pub steps: Option<u64>,
}

impl Progress {
    /// Whether any counter moved.
    pub fn moved(self) -> bool {
        [self.requests, self.tokens, self.steps].into_iter().flatten().any(|count| count > 0)
    }
}

/// What one device, or one slice of it, did for one workload between two scrapes.
///
/// - The window is half-open and ends at the scrape that it was computed from. Records of one
///   (device, slice, workload) do not overlap. No scrape: no record, which is not idleness.
/// - Readings are in parts of the slice if there is one, else of the device, as exporters say
///   them. What is judged as "engine < 2 %" is this number.
/// - `copied_to` tells time slicing: how many workloads were given this same reading because the
///   exporter cannot tell them apart. Readings that are the workload's own (per process, per
///   slice) have 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceUse {
    /// Which adapter read it.
    pub source: SourceId,
    /// Where.
    pub node: NodeId,
    /// Which device.
    pub device: DeviceId,
    /// Which partition of it, where it is partitioned.
    pub slice: Option<Slice>,
    /// Who has it; `None` = nobody, as far as the exporter knows.
    pub attribution: Option<Arc<Attribution>>,
    /// What of the device that is: the top of the ladder.
    pub share: Share,
    /// How many workloads have this same reading, at least 1.
    pub copied_to: u16,
    /// From the last scrape to this one.
    pub window: Window,
    /// The rungs below the share.
    pub rungs: Rungs,
    /// Memory of the device that is held, in bytes.
    pub memory_bytes: Option<u64>,
    /// Mean power of the whole device, in milliwatts.
    pub power_mw: Option<u32>,
    /// How far the workload came.
    pub progress: Progress,
}

/// The source of records that are of processors and their memory: their power, and nothing else.
pub const PROCESSORS: &str = "rapl";

impl DeviceUse {
    /// Whether it is of an accelerator; of processors only their power is kept.
    pub fn is_accelerator(&self) -> bool {
        self.source.as_str() != PROCESSORS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rung_says_how_it_is_exported() {
        for rung in Rung::ALL {
            assert!(rung.how_to_export().starts_with(rung.metric()), "{}", rung.name());
        }
        assert_eq!(PerMille::new(1_001), None);
        let rungs = Rungs::NONE.with(Rung::Sm, Reading::Value(PerMille::ZERO));
        assert_eq!(rungs.get(Rung::Sm).value(), Some(PerMille::ZERO));
        assert_eq!(rungs.get(Rung::Engine), Reading::Missing(Missing::NotExported));
        assert!(!Progress { requests: Some(0), ..Progress::default() }.moved());
        assert!(Progress { tokens: Some(1), ..Progress::default() }.moved());
    }
}
