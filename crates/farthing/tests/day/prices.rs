//! Prices and weights as the program has them: the built-in price book by the labels of nodes.

use farthing_kube::{Priced, Prices};
use farthing_ledger::Weights;
use farthing_model::{HourlyRate, IdError, PerResource, Resource};
use farthing_providers::catalog::{Catalogue, Options, accelerator_of_label};
use farthing_providers::hardware;
use farthing_providers::telemetry::{Bought, NodePrices, SourceMap};
use std::collections::BTreeMap;

struct Book {
    catalogue: Catalogue,
    map: SourceMap,
}

pub(crate) fn book() -> Box<dyn Prices + Send> {
    let options = Options { today: None, contracts: None, cache: None };
    let catalogue = Catalogue::load(&[], &options).unwrap();
    Box::new(Book { catalogue, map: SourceMap::built_in().unwrap() })
}

impl Prices for Book {
    fn price(
        &mut self,
        labels: &BTreeMap<String, String>,
        provider_id: Option<&str>,
    ) -> Result<Priced, IdError> {
        let bought = Bought::of_labels(&self.map, labels, provider_id);
        let known = NodePrices::new(&self.catalogue).price(&bought)?;
        let product = farthing_kube::product(labels);
        Ok(Priced {
            offer: known.offer,
            place: known.place,
            instance_type: known.instance_type,
            accelerator: product
                .and_then(|(product, _)| accelerator_of_label(product))
                .map(|known| known.name.clone()),
            purchase: known.purchase,
            price: known.price,
        })
    }
}

/// How the price of a node is split over its resources.
pub(crate) fn weights() -> Weights {
    let table = hardware::weights().unwrap();
    Weights::new(PerResource::from_fn(|resource| match resource {
        Resource::Gpu => table.gpu,
        Resource::Cpu => table.core,
        Resource::Memory => table.memory_gib,
        Resource::Storage => table.storage_gib,
        Resource::Network => HourlyRate::free(table.gpu.per_hour().currency()),
    }))
}
