//! What a node is as something that was bought: from its labels to a price.

use super::facts::{Labels, Node};
use super::owner::fact;
use crate::catalog::{Catalogue, asset_price};
use crate::telemetry::sources::SourceMap;
use farthing_model::offer_table::Filter;
use farthing_model::{Asset, IdError, Offer, OfferId, Place, Price, Purchase};
use std::collections::BTreeMap;

/// What the labels of a node say of how it was bought.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bought {
    /// The provider, as price books call it.
    pub provider: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The zone.
    pub zone: Option<String>,
    /// The provider's name of the machine.
    pub instance_type: Option<String>,
    /// How it is paid.
    pub purchase: Option<Purchase>,
}

/// A node's offer and price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// The offer.
    pub offer: OfferId,
    /// Where it is.
    pub place: Place,
    /// The provider's name of the machine.
    pub instance_type: String,
    /// How it is paid.
    pub purchase: Purchase,
    /// What an hour costs, or why that is not known.
    pub price: Price,
}

impl Bought {
    /// Reads the labels of a node.
    pub(super) fn of(map: &SourceMap, node: &Node, labels: &Labels) -> Self {
        Self::read(map, labels, node.provider_id.as_deref())
    }

    /// Reads the labels of a node under the names that Kubernetes itself gives them, of which a
    /// source map has those that kube-state-metrics makes.
    pub fn of_labels(
        map: &SourceMap,
        labels: &BTreeMap<String, String>,
        provider_id: Option<&str>,
    ) -> Self {
        let exported = |name: &String| -> String {
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
        };
        let labels = labels.iter().map(|(name, value)| (exported(name), value.clone())).collect();
        Self::read(map, &labels, provider_id)
    }

    fn read(map: &SourceMap, labels: &Labels, provider_id: Option<&str>) -> Self {
        let said = |name: &str| fact(map, labels, name).map(str::to_owned);
        let by_id = provider_id.and_then(provider_of);
        Self {
            provider: said("provider").or_else(|| by_id.map(str::to_owned)),
            region: said("region"),
            zone: said("zone"),
            instance_type: said("instance_type"),
            purchase: fact(map, labels, "purchase").and_then(purchase_of),
        }
    }
}

/// The provider that an id such as `aws:///us-east-1a/i-0abc` is of.
fn provider_of(id: &str) -> Option<&'static str> {
    Some(match id.split_once("://")?.0 {
        "aws" => "aws",
        "gce" => "gcp",
        "azure" => "azure",
        _ => return None,
    })
}

/// What a label of a provider or an autoscaler says of the purchase: `spot`, `SPOT`, `true`.
fn purchase_of(text: &str) -> Option<Purchase> {
    match text.to_ascii_lowercase().replace('_', "-").as_str() {
        "spot" | "true" | "preemptible" => Some(Purchase::Spot),
        "on-demand" | "false" | "regular" => Some(Purchase::OnDemand),
        "reserved" => Some(Purchase::Reserved),
        "owned" => Some(Purchase::Owned),
        _ => None,
    }
}

/// Prices of nodes, looked up in a price book.
pub struct NodePrices<'c> {
    catalogue: &'c Catalogue,
    found: BTreeMap<Bought, Option<Priced>>,
}

impl<'c> NodePrices<'c> {
    /// Prices from a catalogue.
    pub const fn new(catalogue: &'c Catalogue) -> Self {
        Self { catalogue, found: BTreeMap::new() }
    }

    /// What a node costs; a price that is not known says why.
    ///
    /// # Errors
    /// Names that are no names.
    pub fn price(&mut self, bought: &Bought) -> Result<Priced, IdError> {
        if let Some(Some(found)) = self.found.get(bought) {
            return Ok(found.clone());
        }
        let priced = self.look_up(bought)?;
        self.found.insert(bought.clone(), Some(priced.clone()));
        Ok(priced)
    }

    /// What something that is no machine costs: an hour of it, or 10^9 bytes.
    pub(super) fn of_asset(
        &self,
        (asset, class): (Asset, &str),
        place: &Place,
        bytes: u64,
    ) -> Price {
        let found = asset_price(&self.catalogue.assets, (asset, class), place, bytes);
        found.unwrap_or_else(|| {
            let name = asset_name(asset, class);
            Price::Unknown(format!("the price book has no row {name} for {place}"))
        })
    }

    fn look_up(&self, bought: &Bought) -> Result<Priced, IdError> {
        let Some(instance_type) = &bought.instance_type else {
            let why = "its labels do not say what machine it is (node.kubernetes.io/instance-type; \
                       kube-state-metrics exports them with --metric-labels-allowlist=nodes=[*])";
            return unknown(bought, why.to_owned());
        };
        let list = |text: &Option<String>| text.iter().cloned().collect::<Vec<_>>();
        let filter = Filter {
            providers: list(&bought.provider),
            regions: list(&bought.region),
            ..Filter::default()
        };
        let mut offers = self.catalogue.select(&filter);
        offers.retain(|offer| offer.instance_type == *instance_type);
        // A price of the node's own zone is nearer than one of its region.
        let in_zone = |offer: &Offer| offer.place.zone.is_some() && offer.place.zone == bought.zone;
        if offers.iter().any(in_zone) {
            offers.retain(in_zone);
        } else if bought.zone.is_some() && offers.iter().any(|offer| offer.place.zone.is_none()) {
            offers.retain(|offer| offer.place.zone.is_none());
        }
        // Where no label says how it is paid, it is paid as a machine without a contract is.
        let assumed = [Purchase::Owned, Purchase::OnDemand];
        let wanted: Vec<Purchase> = bought.purchase.map_or(assumed.to_vec(), |one| vec![one]);
        let way = wanted.iter().find(|way| offers.iter().any(|offer| offer.purchase == **way));
        let Some(way) = way else {
            let place = [&bought.provider, &bought.region].map(|it| it.as_deref().unwrap_or("?"));
            let how = bought.purchase.map_or_else(String::new, |way| format!(", {way}"));
            let why = format!("the price book has no {instance_type} in {}{how}", place.join("/"));
            return unknown(bought, why);
        };
        offers.retain(|offer| offer.purchase == *way);
        let first = &offers[0];
        if offers.iter().any(|offer| offer.price.rate() != first.price.rate()) {
            let why = format!(
                "the price book has {} prices of {instance_type} that its labels do not tell \
                 apart",
                offers.len()
            );
            return unknown(bought, why);
        }
        Ok(Priced {
            offer: first.id.clone(),
            place: first.place.clone(),
            instance_type: instance_type.clone(),
            purchase: first.purchase,
            price: first.price.clone(),
        })
    }
}

/// What something that is no machine is called in price books.
pub(super) fn asset_name(asset: Asset, class: &str) -> String {
    match class {
        "" => asset.name().to_owned(),
        class => format!("{asset}/{class}", asset = asset.name()),
    }
}

/// The class in a name that [`asset_name`] made.
pub(super) fn class_of(asset: Asset, name: &str) -> &str {
    name.strip_prefix(asset.name()).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default()
}

fn unknown(bought: &Bought, why: String) -> Result<Priced, IdError> {
    let text = |it: &Option<String>| it.clone().unwrap_or_else(|| "unknown".to_owned());
    let place = Place {
        provider: text(&bought.provider),
        region: text(&bought.region),
        zone: bought.zone.clone(),
    };
    let instance_type = text(&bought.instance_type);
    let purchase = bought.purchase.unwrap_or(Purchase::OnDemand);
    let offer = Offer::id_of(&place, &instance_type, purchase)?;
    Ok(Priced { offer, place, instance_type, purchase, price: Price::Unknown(why) })
}
