//! Offers: what can be bought, where, how and at which price.

use crate::accelerator::Accelerator;
use crate::id::OfferId;
use crate::price::Price;
use crate::resource::Resources;
use std::{fmt, str::FromStr};

/// How capacity is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purchase {
    /// By the hour, until released.
    OnDemand,
    /// By the hour, taken away without notice.
    Spot,
    /// Committed for a term.
    Reserved,
    /// Our own hardware.
    Owned,
}

impl Purchase {
    /// All, in the order of tables.
    pub const ALL: [Self; 4] = [Self::OnDemand, Self::Spot, Self::Reserved, Self::Owned];

    /// The name in price books, tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Spot => "spot",
            Self::Reserved => "reserved",
            Self::Owned => "owned",
        }
    }
}

impl FromStr for Purchase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|purchase| purchase.name() == text).ok_or_else(|| {
            format!("`{text}` is not a purchase option: on-demand, spot, reserved or owned")
        })
    }
}

impl fmt::Display for Purchase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// Where capacity or data is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// `aws`, `gcp`, `azure`, `lambda`, `local` and so on.
    pub provider: String,
    /// The provider's name of the region.
    pub region: String,
    /// The provider's name of the zone, where prices differ by zone.
    pub zone: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.zone {
            Some(zone) => format!("{}/{}/{zone}", self.provider, self.region),
            None => format!("{}/{}", self.provider, self.region),
        };
        out.pad(&place)
    }
}

/// Something that can be bought by the hour: one kind of node at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// `provider/region[/zone]/instance_type/purchase`; unique in a price book.
    pub id: OfferId,
    /// Where it is.
    pub place: Place,
    /// The provider's name of the machine.
    pub instance_type: String,
    /// The accelerators' normalised name, if the machine has any.
    pub accelerator: Option<Accelerator>,
    /// How many accelerators one node has.
    pub accelerator_count: u32,
    /// What one node offers. `gpu_milli` is `accelerator_count` x 1000.
    pub capacity: Resources,
    /// How it is paid.
    pub purchase: Purchase,
    /// What one node costs per hour.
    pub price: Price,
    /// How many nodes can be had at once; `None` = not limited as far as we know.
    pub available: Option<u32>,
    /// Jurisdictions of the place, such as `eu` and `de`; empty = not known, which satisfies no
    /// residency requirement.
    pub residency: Vec<String>,
    /// What is odd about this row (a price far from other regions', for example).
    pub warnings: Vec<String>,
}

impl Offer {
    /// The id of an offer from its parts; what a price book's rows are known by.
    ///
    /// # Errors
    /// A part is too long or has control characters.
    pub fn id_of(
        place: &Place,
        instance_type: &str,
        purchase: Purchase,
    ) -> Result<OfferId, crate::IdError> {
        OfferId::new(&format!("{place}/{instance_type}/{purchase}"))
    }
}
