//! Why a request cannot be answered.

use farthing_model::{Currency, Money, MoneyError};

/// Why a request cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RankError {
    /// The name stands for several accelerators.
    #[error("`{name}` is more than one accelerator: name one of {}", choices.join(", "))]
    Ambiguous {
        /// As asked.
        name: String,
        /// What it may mean.
        choices: Vec<String>,
    },
    /// No offer has it.
    #[error("no offer has `{name}`; {}", hint(suggestions))]
    Unknown {
        /// As asked.
        name: String,
        /// Names that are near.
        suggestions: Vec<String>,
    },
    /// A limit is in another currency than the offers.
    #[error("the limit of {limit} is not in {currency}, the currency of the offers")]
    LimitCurrency {
        /// The limit.
        limit: Money,
        /// The currency of the offers.
        currency: Currency,
    },
    /// Prices that would have to be compared are in two currencies.
    #[error(
        "the offers that match are priced in {0} and {1}, which cannot be compared without a \
         rate: give one as `exchange` of a PriceBook, or ask for one provider"
    )]
    Mixed(Currency, Currency),
    /// More patterns than are kept apart.
    #[error("{0} exclusions; at most 128 are read")]
    Exclusions(usize),
    /// Two rates that both hold and say different things.
    #[error("two rates hold for {name}: {first} and {second}; name the accelerator more exactly")]
    Rates {
        /// The accelerator.
        name: String,
        /// The one, in work per second.
        first: String,
        /// The other.
        second: String,
    },
    /// A price is too large.
    #[error("offer {offer}: its price cannot be computed")]
    Price {
        /// Which offer.
        offer: String,
        /// Why.
        source: MoneyError,
    },
}

fn hint(suggestions: &[String]) -> String {
    match suggestions {
        [] => "there are no accelerators among the offers".to_owned(),
        names => format!("there are {}", names.join(", ")),
    }
}
