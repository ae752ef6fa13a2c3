//! What is looked for.

use super::finish::Finishing;
use farthing_model::offer_table::{Arch, Sizes};
use farthing_model::{AcceleratorQuery, Money, Purchase};

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferRequest {
    /// Which accelerator; `None` = any machine, with or without.
    pub accelerator: Option<AcceleratorQuery>,
    /// Least accelerators of each node (of all nodes together where `split`). Zero counts as one.
    pub count: u32,
    /// So many nodes; `None` = one, or as many as reach the count where `split`.
    pub nodes: Option<u32>,
    /// Whether the count may be spread over as many nodes as reach it.
    pub split: bool,
    /// Cores of a node, in thousandths.
    pub cpu_milli: Sizes,
    /// Memory of a node, in bytes.
    pub memory_bytes: Sizes,
    /// The instruction set; a machine that does not say its own is left out.
    pub arch: Option<Arch>,
    /// Only these providers; empty = all.
    pub providers: Vec<String>,
    /// Only these regions; empty = all.
    pub regions: Vec<String>,
    /// Only these ways to pay; empty = all.
    pub purchases: Vec<Purchase>,
    /// Most that an hour of the whole request may cost; never exceeded.
    pub price_max: Option<Money>,
    /// Most that an hour of one node may cost; never exceeded.
    pub node_price_max: Option<Money>,
    /// Offers to leave out: `provider`, `provider/region` or `provider/region/type`; `*` is any.
    pub exclude: Vec<String>,
    /// Work to finish and how fast each accelerator does it; the order is then its cost.
    pub finish: Option<Finishing>,
    /// Most offers in the answer.
    pub limit: usize,
}

impl Default for OfferRequest {
    /// One machine of any kind, on demand, the ten cheapest.
    fn default() -> Self {
        Self {
            accelerator: None,
            count: 1,
            nodes: None,
            split: false,
            cpu_milli: Sizes::ANY,
            memory_bytes: Sizes::ANY,
            arch: None,
            providers: Vec::new(),
            regions: Vec::new(),
            purchases: vec![Purchase::OnDemand],
            price_max: None,
            node_price_max: None,
            exclude: Vec::new(),
            finish: None,
            limit: 10,
        }
    }
}

impl OfferRequest {
    /// Accelerators asked for on each node, or on all where they may be spread; at least one.
    pub(crate) fn count_min(&self) -> u32 {
        self.count.max(1)
    }
}
