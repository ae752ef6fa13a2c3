//! The contract of whoever knows what nodes cost.

use crate::object::NodeObject;
use crate::object::node::NodeLabels;
use farthing_model::{Accelerator, IdError, OfferId, Place, Price, Purchase, Resources};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What a node was bought as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// The offer.
    pub offer: OfferId,
    /// Where it is.
    pub place: Place,
    /// The provider's name of the machine.
    pub instance_type: String,
    /// The accelerators of the machine, where its labels name them.
    pub accelerator: Option<Accelerator>,
    /// How it is paid.
    pub purchase: Purchase,
    /// What an hour costs, or why that is not known.
    pub price: Price,
}

/// Knows what nodes cost, by what their labels say.
pub trait Prices {
    /// What a node costs, by its labels and its provider's id of it; a price that is not known
    /// says why.
    ///
    /// # Errors
    /// The labels make no name of an offer.
    fn price(
        &mut self,
        labels: &BTreeMap<String, String>,
        provider_id: Option<&str>,
    ) -> Result<Priced, IdError>;

    /// Machines that can be bought where others were, with what they have and cost. None where
    /// nobody knows.
    fn machines(&mut self, _place: &Place) -> Vec<(Priced, Resources)> {
        Vec::new()
    }

    /// Another number after each change of what it knows: what was asked before is asked again.
    fn edition(&self) -> u64 {
        0
    }

    /// What a machine of an offer has, for offers that no node is of; `None` where it is not known.
    fn capacity(&mut self, _offer: &OfferId) -> Option<Resources> {
        None
    }
}

/// What nodes cost, each asked for once until its labels or all prices change.
pub(crate) struct NodePrices {
    prices: Box<dyn Prices + Send>,
    /// By the names of nodes.
    known: HashMap<Arc<str>, Known>,
    edition: u64,
    /// What was found last, which is what most nodes are.
    last: Option<Arc<Priced>>,
}

struct Known {
    labels: Arc<NodeLabels>,
    provider_id: Option<Arc<str>>,
    priced: Arc<Priced>,
}

/// Nodes that are known beyond those that there are: then all are asked for again.
const GONE_MAX: usize = 1_000;

impl NodePrices {
    pub(crate) fn new(prices: Box<dyn Prices + Send>) -> Self {
        let edition = prices.edition();
        Self { prices, known: HashMap::new(), edition, last: None }
    }

    /// Forgets what does not hold any more, of so many nodes that there are.
    pub(crate) fn refresh(&mut self, nodes: usize) {
        let edition = self.prices.edition();
        if edition != self.edition || self.known.len() > nodes.saturating_add(GONE_MAX) {
            self.known.clear();
            self.edition = edition;
        }
    }

    /// What a node was bought as.
    pub(crate) fn of(&mut self, node: &NodeObject) -> Result<Arc<Priced>, IdError> {
        let NodeObject { name, labels, provider_id, .. } = node;
        if let Some(known) = self.known.get(name)
            && (Arc::ptr_eq(&known.labels, labels) || known.labels == *labels)
            && known.provider_id == *provider_id
        {
            return Ok(Arc::clone(&known.priced));
        }
        let plain = labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let priced = self.prices.price(&plain.collect(), provider_id.as_deref())?;
        let priced = match &self.last {
            Some(last) if **last == priced => Arc::clone(last),
            _ => Arc::clone(self.last.insert(Arc::new(priced))),
        };
        let known = Known {
            labels: Arc::clone(labels),
            provider_id: provider_id.clone(),
            priced: Arc::clone(&priced),
        };
        self.known.insert(Arc::clone(name), known);
        Ok(priced)
    }

    /// Who is asked.
    pub(crate) fn asked(&mut self) -> &mut dyn Prices {
        &mut *self.prices
    }
}
