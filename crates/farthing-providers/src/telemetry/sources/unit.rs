//! Units of metrics: how a written number becomes a kept one.

use super::field::Scale;
use crate::exposition::number::{self, Reading};

/// The unit that a metric is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A count, a code, or a flag.
    Count,
    /// Bytes.
    Bytes,
    /// 2^20 bytes.
    Mebibytes,
    /// Cores, devices, seconds, watts.
    One,
    /// Hundredths.
    Percent,
    /// Joules.
    Joules,
    /// 10^-3 joule.
    MilliJoules,
    /// Seconds since 1970.
    Epoch,
    /// Cores, devices or bytes, as the label `resource` says.
    ByResource,
}

impl Unit {
    const NAMES: [(&'static str, Self); 9] = [
        ("count", Self::Count),
        ("bytes", Self::Bytes),
        ("mebibytes", Self::Mebibytes),
        ("one", Self::One),
        ("percent", Self::Percent),
        ("joules", Self::Joules),
        ("millijoules", Self::MilliJoules),
        ("epoch", Self::Epoch),
        ("by-resource", Self::ByResource),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit)
    }

    pub(super) fn names() -> Vec<&'static str> {
        Self::NAMES.iter().map(|(name, _)| *name).collect()
    }

    /// Whether values in this unit can be kept in the scale of a field.
    pub(super) const fn fits(self, scale: Scale) -> bool {
        matches!(
            (self, scale),
            (Self::Count | Self::Bytes | Self::Mebibytes, Scale::Whole)
                | (Self::One | Self::Percent, Scale::Nano)
                | (Self::Joules | Self::MilliJoules, Scale::MicroJoule)
                | (Self::Epoch, Scale::Instant)
                | (Self::ByResource, Scale::ByResource)
        )
    }

    /// Decimal places that are read, and by what the number is then multiplied and divided.
    const fn steps(self) -> (u32, i128, i128) {
        match self {
            Self::Count | Self::Bytes => (0, 1, 1),
            Self::Mebibytes => (3, 1 << 20, 1_000),
            Self::One | Self::ByResource => (9, 1, 1),
            Self::Percent => (7, 1, 1),
            Self::Joules => (6, 1, 1),
            Self::MilliJoules | Self::Epoch => (3, 1, 1),
        }
    }

    /// Reads a value as its field keeps it.
    pub(crate) fn read(self, text: &[u8]) -> Option<Reading> {
        let (places, times, over) = self.steps();
        Some(match number::read(text, places)? {
            Reading::Value(value) => {
                value.checked_mul(times).map_or(Reading::Infinite, |v| Reading::Value(v / over))
            }
            other => other,
        })
    }
}
