//! Why a price of a catalogue is not in the book, and how often.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A reason to leave an offer out. The order is the order of the printed table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    UnknownAccelerator,
    FractionalAccelerator,
    Retired,
    Disagrees,
    NoHost,
    NoPrice,
    HostPriceMissing,
    LeakedDiscount,
    NotSoldOnDemand,
    SpotNone,
    SpotNotBelow,
    SpotNoDiscount,
    Outlier,
    Superseded,
    OtherMachine,
    OtherRegion,
    OtherZone,
}

impl Reason {
    /// Whether it says that the catalogue is wrong or silent, rather than that the book is kept
    /// small.
    pub(crate) fn is_fault(self) -> bool {
        self < Self::OtherMachine
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::UnknownAccelerator => {
                "accelerator not in accelerators.csv (no memory is guessed)"
            }
            Self::FractionalAccelerator => "a fraction of an accelerator",
            Self::Retired => "retired by the provider, still in the catalogue",
            Self::Disagrees => "accelerator or count differs from the machine list",
            Self::NoHost => "GCP accelerator without a host row in the same zone",
            Self::NoPrice => "no on-demand price",
            Self::HostPriceMissing => "GCP host row with price 0 (the sum would be a part)",
            Self::LeakedDiscount => {
                "GCP on-demand price of an accelerator that is a committed or flexible-start price"
            }
            Self::NotSoldOnDemand => {
                "sold as spot or flexible start only (GCP a3-highgpu-1g, -2g, -4g)"
            }
            Self::SpotNone => "no spot price (empty or 0)",
            Self::SpotNotBelow => "spot price not below on demand",
            Self::SpotNoDiscount => "spot price within 1 % of on demand (no discount)",
            Self::Outlier => "more than 5 times above or below the median region of its type",
            Self::Superseded => "an older price of the same machine in the same region",
            Self::OtherMachine => "machine type not in the list",
            Self::OtherRegion => "region not in the list",
            Self::OtherZone => "dearer zone of the same region",
        }
    }
}

/// Counts by provider and reason.
#[derive(Debug, Default)]
pub(crate) struct Report(BTreeMap<(Reason, String), usize>);

impl Report {
    pub(crate) fn add(&mut self, reason: Reason, provider: &str) {
        *self.0.entry((reason, provider.to_owned())).or_default() += 1;
    }

    #[cfg(test)]
    pub(crate) fn count(&self, reason: Reason) -> usize {
        self.0.iter().filter(|((found, _), _)| *found == reason).map(|(_, count)| count).sum()
    }

    /// A Markdown table, the faults or the rest.
    pub(crate) fn markdown(&self, faults: bool) -> String {
        let providers = ["aws", "azure", "gcp", "lambda"];
        let mut text = String::from(
            "| reason | aws | azure | gcp | lambda |\n| --- | ---: | ---: | ---: | ---: |\n",
        );
        let mut reasons: Vec<Reason> = self.0.keys().map(|(reason, _)| *reason).collect();
        reasons.dedup();
        for reason in reasons.into_iter().filter(|reason| reason.is_fault() == faults) {
            let of =
                |provider: &str| self.0.get(&(reason, provider.to_owned())).copied().unwrap_or(0);
            let counts: Vec<String> =
                providers.iter().map(|provider| of(provider).to_string()).collect();
            writeln!(text, "| {} | {} |", reason.text(), counts.join(" | "))
                .expect("a string takes text");
        }
        text
    }
}
