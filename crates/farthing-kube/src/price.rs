//! The contract of whoever knows what nodes cost.

use farthing_model::{Accelerator, IdError, OfferId, Place, Price, Purchase, Resources};
use std::collections::BTreeMap;

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

    /// What a machine of an offer has, for offers that no node is of; `None` where it is not known.
    fn capacity(&mut self, _offer: &OfferId) -> Option<Resources> {
        None
    }
}
