//! The catalogues as they were published, one row each, before any judgement.

use std::path::Path;

use anyhow::Result;

use crate::decimal::Decimal;
use crate::table::{Csv, Table};

/// One row of a catalogue; `None` where it says nothing.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) provider: String,
    pub(crate) instance_type: String,
    pub(crate) accelerator: String,
    pub(crate) count: Option<Decimal>,
    pub(crate) vcpus: Option<Decimal>,
    pub(crate) memory: Option<Decimal>,
    pub(crate) price: Option<Decimal>,
    pub(crate) spot: Option<Decimal>,
    pub(crate) region: String,
    pub(crate) zone: String,
    pub(crate) source: &'static str,
    pub(crate) as_of: &'static str,
}

const ANYCLOUD: (&str, &str) = ("anycloud-catalog 2026-05-20", "2026-05-20");
const KARPENTER: (&str, &str) = ("karpenter-provider-aws 2026-07-20", "2026-07-20");
// The catalogue of these rows is not dated; it is bundled with parts of 2026-05-20 and 2026-07-20,
// and the older date errs on the side of warning too early that a price is old.
const SKYPILOT: (&str, &str) = ("skypilot-catalog v9 (2026)", "2026-05-20");

fn shortest(value: Option<f64>) -> Result<Option<Decimal>> {
    value.map(Decimal::from_shortest).transpose()
}

/// Azure, GCP and Lambda: the full catalogue of one day. Vast is left out: it is a market of single
/// hosts, not a list.
pub(crate) fn anycloud(shared: &Path) -> Result<Vec<Row>> {
    let table = Table::open(&shared.join("data/prices-cloud/all_instances_2026-05-20.parquet"))?;
    let texts = |name| table.texts(name);
    let floats = |name| table.floats(name);
    let (clouds, types, accelerators) =
        (texts("cloud")?, texts("instance_type")?, texts("accelerator")?);
    let (regions, zones, counts) = (texts("region")?, texts("zone")?, floats("accelerator_count")?);
    let (vcpus, memory) = (floats("vcpus")?, floats("memory_gib")?);
    let (prices, spots) = (floats("price_usd_h")?, floats("spot_price_usd_h")?);
    let mut rows = Vec::new();
    for at in (0..clouds.len()).filter(|&at| clouds[at] != "vast") {
        rows.push(Row {
            provider: clouds[at].clone(),
            instance_type: types[at].clone(),
            accelerator: accelerators[at].clone(),
            count: shortest(counts[at])?,
            vcpus: shortest(vcpus[at])?,
            memory: shortest(memory[at])?,
            price: shortest(prices[at])?,
            spot: shortest(spots[at])?,
            region: regions[at].clone(),
            zone: zones[at].clone(),
            source: ANYCLOUD.0,
            as_of: ANYCLOUD.1,
        });
    }
    Ok(rows)
}

/// AWS: on demand of us-east-1 for every type, and p4d, p4de, p5 with zones elsewhere.
pub(crate) fn aws(shared: &Path) -> Result<Vec<Row>> {
    aws_rows(&Csv::open_gz(&shared.join("data/catalog-skypilot/aws/vms.csv.gz"))?)
}

/// The us-east-1 on-demand price comes from Karpenter and holds for the region, so its zone is
/// dropped; the file spreads it over four zones, and one row is kept. Zones, spot and other regions
/// come from the undated catalogue.
pub(crate) fn aws_rows(csv: &Csv) -> Result<Vec<Row>> {
    let names = ["InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB"];
    let more = ["Price", "SpotPrice", "Region", "AvailabilityZone"];
    let at = names.iter().chain(&more).map(|name| csv.index(name)).collect::<Result<Vec<_>>>()?;
    let number = |text: &str| (!text.is_empty()).then(|| Decimal::parse(text)).transpose();
    let mut rows: Vec<Row> = Vec::new();
    let mut listed = std::collections::BTreeSet::new();
    for record in &csv.rows {
        let field = |index: usize| &record[at[index]];
        let row = Row {
            provider: "aws".to_owned(),
            instance_type: field(0).to_owned(),
            accelerator: field(1).to_owned(),
            count: number(field(2))?,
            vcpus: number(field(3))?,
            memory: number(field(4))?,
            price: number(field(5))?,
            spot: number(field(6))?,
            region: field(7).to_owned(),
            zone: field(8).to_owned(),
            source: SKYPILOT.0,
            as_of: SKYPILOT.1,
        };
        if row.region == "us-east-1" && listed.insert(row.instance_type.clone()) {
            let (source, as_of) = KARPENTER;
            rows.push(Row { spot: None, zone: String::new(), source, as_of, ..row.clone() });
        }
        if row.region != "us-east-1" || row.spot.is_some() {
            rows.push(row);
        }
    }
    Ok(rows)
}
