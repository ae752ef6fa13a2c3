//! The real catalogue of five clouds, against a scan of its files that shares no code with ours.
//!
//! Prices are millionths of a dollar there; the scan reads them as such. Where the data is not
//! beside the repository the tests say so and pass.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

use farthing_model::offer_table::{Filter, Sizes};
use farthing_model::{OfferTable, Purchase};
use farthing_providers::catalog::{Catalogue, Options};
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

const CLOUDS: [&str; 5] = ["aws", "azure", "gcp", "lambda", "vast"];

fn folder() -> Option<PathBuf> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/catalog-skypilot");
    if path.is_dir() {
        return Some(path);
    }
    println!("left out: there is no ../shared/data/catalog-skypilot");
    None
}

fn catalogue(path: PathBuf) -> Catalogue {
    Catalogue::load(&[path], &Options::default()).unwrap()
}

/// A row of a `vms.csv`, by the names of its columns.
type Row = BTreeMap<String, String>;

fn rows(folder: &Path, cloud: &str) -> Vec<Row> {
    let mut text = String::new();
    let file = std::fs::File::open(folder.join(cloud).join("vms.csv.gz")).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut lines = text.lines();
    let header: Vec<String> = lines.next().unwrap().split(',').map(str::to_owned).collect();
    lines.map(|line| header.iter().cloned().zip(cells(line)).collect()).collect()
}

/// The cells of a line with quotes.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}

/// Millionths of a dollar; none for nothing, and for zero.
fn micro(text: &str) -> Option<i64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let micro: i64 = format!("{whole}{places:0<6}").parse().ok()?;
    Some(micro).filter(|micro| *micro > 0)
}

/// Thousandths of a count or size, rounded down.
fn milli(text: &str) -> u64 {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let places = format!("{places:0<3}");
    format!("{whole}{}", &places[..3]).parse().unwrap_or(0)
}

/// What the scan knows of a machine that can be bought.
#[derive(Clone, Debug)]
struct Simple {
    cloud: &'static str,
    accelerator: String,
    count: u64,
    vcpus: u64,
    memory: u64,
    price: Option<i64>,
    spot: Option<i64>,
}

fn simple(cloud: &'static str, row: &Row) -> Simple {
    Simple {
        cloud,
        accelerator: row["AcceleratorName"].clone(),
        count: milli(&row["AcceleratorCount"]),
        vcpus: milli(&row["vCPUs"]),
        memory: milli(&row["MemoryGiB"]),
        price: micro(&row["Price"]),
        spot: micro(&row["SpotPrice"]),
    }
}

/// Every row that is a whole machine, and the bundled machines of GCP put together by their names:
/// `a2-highgpu-8g` has eight.
fn scan(folder: &Path) -> Vec<Simple> {
    let mut found = Vec::new();
    for cloud in CLOUDS {
        let rows = rows(folder, cloud);
        let whole = |row: &&Row| {
            let host = row["InstanceType"].split('-').next().unwrap_or_default();
            !row["InstanceType"].is_empty() && !["a2", "a3", "a4", "g2"].contains(&host)
        };
        found.extend(rows.iter().filter(whole).map(|row| simple(cloud, row)));
        if cloud == "gcp" {
            bundles(&rows, &mut found);
        }
    }
    found
}

fn bundles(rows: &[Row], found: &mut Vec<Simple>) {
    let families = [
        ("a2-highgpu-", "A100"),
        ("a2-megagpu-", "A100"),
        ("a2-ultragpu-", "A100-80GB"),
        ("a3-highgpu-", "H100"),
        ("a3-megagpu-", "H100-MEGA"),
        ("a3-ultragpu-", "H200"),
    ];
    let key = |name: &str, count: &str, zone: &str| format!("{name} {count} {zone}");
    let halves: BTreeMap<String, &Row> = rows
        .iter()
        .filter(|row| row["InstanceType"].is_empty())
        .map(|row| {
            (key(&row["AcceleratorName"], &row["AcceleratorCount"], &row["AvailabilityZone"]), row)
        })
        .collect();
    for host in rows {
        let name = &host["InstanceType"];
        let family = families.iter().find(|(family, _)| name.starts_with(family));
        let Some((family, accelerator)) = family else { continue };
        let Some(count) = name[family.len()..].strip_suffix('g') else { continue };
        let Some(half) = halves.get(&key(accelerator, count, &host["AvailabilityZone"])) else {
            continue;
        };
        let (a, b) = (simple("gcp", host), simple("gcp", half));
        let sum = |a: Option<i64>, b: Option<i64>| Some(a? + b?);
        let (price, spot) = (sum(a.price, b.price), sum(a.spot, b.spot));
        found.push(Simple { price, spot, accelerator: b.accelerator, count: b.count, ..a });
    }
}

/// What the catalogue means by a name, for those that are asked about here.
const NAMES: [(&str, &[&str]); 9] = [
    ("H100-80GB", &["H100", "H100-MEGA"]),
    ("A100-40GB", &["A100"]),
    ("A100-80GB", &["A100-80GB"]),
    ("L40S", &["L40S"]),
    ("A10G", &["A10G"]),
    ("H200", &["H200"]),
    ("V100-16GB", &["V100"]),
    ("RTX4090", &["RTX4090"]),
    ("MI300X", &["MI300X"]),
];

/// A small generator of numbers, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % most
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::try_from(self.below(items.len() as u64)).unwrap()]
    }
}

#[derive(Debug)]
struct Asked {
    name: Option<&'static str>,
    spelled: &'static [&'static str],
    count: u64,
    vcpus: u64,
    memory: u64,
    spot: bool,
    cloud: Option<&'static str>,
}

impl Asked {
    fn random(dice: &mut Dice) -> Self {
        let named = dice.below(3) > 0;
        let (name, spelled) = dice.one_of(&NAMES);
        let anywhere = dice.below(2) == 0;
        let cloud = dice.one_of(&CLOUDS);
        Self {
            name: named.then_some(name),
            spelled,
            count: dice.one_of(&[1, 2, 3, 4, 8, 16]),
            vcpus: dice.one_of(&[0, 1, 4, 32, 96, 128]),
            memory: dice.one_of(&[0, 8, 128, 512, 1_024]),
            spot: dice.below(3) == 0,
            cloud: (!anywhere).then_some(cloud),
        }
    }

    /// The least price of the scan, in millionths.
    fn scanned(&self, machines: &[Simple]) -> Option<i64> {
        let fits = |it: &&Simple| {
            let named = self.name.is_none()
                || self.spelled.contains(&it.accelerator.as_str())
                    && it.count >= self.count * 1_000
                    && it.count.is_multiple_of(1_000);
            named
                && it.vcpus >= self.vcpus * 1_000
                && it.memory >= self.memory * 1_000
                && self.cloud.is_none_or(|cloud| cloud == it.cloud)
        };
        let price = |it: &Simple| match (self.spot, it.price, it.spot) {
            (false, price, _) => price,
            (true, Some(price), Some(spot)) if spot < price => Some(spot),
            (true, ..) => None,
        };
        machines.iter().filter(fits).filter_map(price).min()
    }

    /// The least price of the table.
    fn found(&self, table: &OfferTable) -> Option<i64> {
        let filter = Filter {
            accelerators: self.name.iter().map(|name| name.parse().unwrap()).collect(),
            count: Sizes::at_least(self.count),
            cpu_milli: Sizes::at_least(self.vcpus * 1_000),
            memory_bytes: Sizes::at_least(self.memory << 30),
            purchases: vec![if self.spot { Purchase::Spot } else { Purchase::OnDemand }],
            providers: self.cloud.iter().map(|cloud| (*cloud).to_owned()).collect(),
            ..Filter::default()
        };
        table.rows(&filter).into_iter().map(|row| table.pico_of(row)).min()
    }
}

/// Never dearer than the cheapest row of the files, and for what stands whole in them never
/// cheaper either.
#[test]
fn the_cheapest_offer_is_that_of_a_plain_scan() {
    let Some(folder) = folder() else { return };
    let machines = scan(&folder);
    let table = catalogue(folder).table;
    let mut dice = Dice(4);
    let mut answered = 0;
    for _ in 0..1_000 {
        let asked = Asked::random(&mut dice);
        let expected = asked.scanned(&machines).map(|micro| micro * 1_000_000);
        let found = asked.found(&table);
        match (found, expected) {
            (Some(found), Some(expected)) => assert!(found <= expected, "{asked:?}: {found}"),
            (None, Some(expected)) => panic!("{asked:?}: none, and the scan has {expected}"),
            _ => {}
        }
        // Of GCP the scan joins only what the names say: N1 hosts, g2 and TPUs are beyond it.
        if asked.cloud.is_some_and(|cloud| cloud != "gcp") {
            assert_eq!(found, expected, "{asked:?}");
        }
        answered += u32::from(found.is_some());
    }
    assert!(answered > 300, "{answered} of 1000 questions had an answer");
}

#[test]
fn joined_prices_are_those_added_by_hand() {
    let Some(folder) = folder() else { return };
    let table = catalogue(folder).table;
    let price = |id: &str| {
        let is = |row: &usize| {
            let (place, name) = table.name_of(*row);
            format!("{place}/{name}/{}", table.purchase_of(*row)) == id
        };
        let row = (0..table.len()).find(is).unwrap_or_else(|| panic!("no {id}"));
        table.offer(row).price.rate().unwrap().per_hour().to_decimal()
    };
    for (id, expected) in [
        // 0.73948 + 2.93391, and the spot prices 0.36975 + 1.4341.
        ("gcp/us-central1/us-central1-a/a2-highgpu-1g/on-demand", "3.67339"),
        ("gcp/us-central1/us-central1-a/a2-highgpu-1g/spot", "1.80385"),
        // 8.79698 + 46.94253.
        ("gcp/us-central1/us-central1-a/a2-megagpu-16g/on-demand", "55.73951"),
        // 9.46006 + 82.75421, and 3.86318 + 33.8016.
        ("gcp/us-central1/us-central1-a/a3-megagpu-8g/on-demand", "92.21427"),
        ("gcp/us-central1/us-central1-a/a3-megagpu-8g/spot", "37.66478"),
        // 3.52301 + 4.48032.
        ("gcp/us-central1/us-central1-a/g2-standard-96/on-demand", "8.00333"),
        // 12.266 + 74.49392.
        ("gcp/us-central1/us-central1-b/a3-ultragpu-8g/on-demand", "86.75992"),
        // A host at 0: 64.44 is all that is listed.
        ("gcp/us-east4/us-east4-b/a4-highgpu-8g/on-demand", "64.44"),
    ] {
        assert_eq!(price(id), expected, "{id}");
    }
}

/// The counts as they were found in the catalogue; a change of them is a change of what is read.
#[test]
fn what_is_left_out_is_counted() {
    let Some(folder) = folder() else { return };
    let catalogue = catalogue(folder);
    let counts: Vec<(&str, u64)> =
        catalogue.excluded.iter().map(|(why, count)| (why.as_str(), *count)).collect();
    assert_eq!(
        counts,
        [
            ("accelerator listed without a host of its zone (GCP)", 31),
            ("host listed without the accelerators it is sold with (GCP)", 2),
            ("listed again on one day (the dearer is kept)", 308),
            ("price of 0, which catalogues write for none", 64),
            ("spot price not below on demand", 92),
        ]
    );
    assert_eq!(catalogue.table.len(), 186_134);
    assert!(catalogue.faults.is_empty(), "{:?}", catalogue.faults.first());
    let warned = |text: &str| {
        let table = &catalogue.table;
        let has = |row: &usize| table.terms_of(*row).warnings.iter().any(|it| it.contains(text));
        (0..table.len()).filter(has).count()
    };
    assert!(warned("under a fifth of the median region") > 0);
    assert!(warned("committed-use price") > 0);
    assert!(warned("over 3 times what they cost in another region") > 0);
}
