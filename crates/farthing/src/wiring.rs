//! Wiring: from the tables of the providers to the values that other crates want.

use anyhow::anyhow;
use farthing_ledger::Weights;
use farthing_model::{Accelerator, HourlyRate, Offer, OfferTable, PerResource, Resource, SpotLoss};
use farthing_providers::{hardware, local};

/// How a node's price is split over its resources. An offer's own accelerator has its own weight.
pub(crate) fn weights<'a>(offers: impl Iterator<Item = &'a Offer>) -> anyhow::Result<Weights> {
    let known =
        offers.filter_map(|offer| Some((&*offer.instance_type, offer.accelerator.as_ref()?)));
    weights_of(known)
}

/// As [`weights`], for all machines of a table.
pub(crate) fn weights_of_table(table: &OfferTable) -> anyhow::Result<Weights> {
    let shapes = table.shapes().iter();
    weights_of(
        shapes.filter_map(|shape| Some((&*shape.instance_type, shape.accelerator.as_ref()?))),
    )
}

fn weights_of<'a>(
    machines: impl Iterator<Item = (&'a str, &'a Accelerator)>,
) -> anyhow::Result<Weights> {
    let table = hardware::weights().map_err(|why| anyhow!("data/weights.yaml: {why}"))?;
    let base = PerResource::from_fn(|resource| match resource {
        Resource::Gpu => table.gpu,
        Resource::Cpu => table.core,
        Resource::Memory => table.memory_gib,
        Resource::Storage => table.storage_gib,
        // Bytes sent are priced on their own; they are no part of a node.
        Resource::Network => HourlyRate::free(table.gpu.per_hour().currency()),
    });
    Ok(machines.fold(Weights::new(base), |weights, (machine, accelerator)| {
        weights.with_gpu(machine, table.gpu_of(accelerator))
    }))
}

/// The expected loss on spot capacity of any provider.
pub(crate) fn spot_loss() -> anyhow::Result<Option<SpotLoss>> {
    let rows = hardware::spot_rows().map_err(|why| anyhow!("data/spot.csv: {why}"))?;
    let any = rows.into_iter().find(|row| row.provider == "any");
    Ok(any.map(|row| SpotLoss {
        mean_up: row.mean_up,
        source: format!("{}, {}", row.source, row.as_of),
    }))
}

/// What is in this machine, as its price is made from.
pub(crate) fn parts(inventory: &local::Inventory) -> hardware::Inventory {
    hardware::Inventory {
        cores: inventory.cores,
        memory_bytes: inventory.memory_bytes,
        disk_bytes: inventory.storage_bytes,
        gpus: inventory.gpus.iter().map(|gpu| gpu.name.clone()).collect(),
    }
}
