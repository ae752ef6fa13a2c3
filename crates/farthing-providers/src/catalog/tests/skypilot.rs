//! Catalogues in `SkyPilot` layout: every fault that is known of them.

use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;

const AWS: &str = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,\
    SpotPrice,Region,AvailabilityZone,Arch";
const GCP: &str = "InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Region,\
    AvailabilityZone,Price,SpotPrice";
const AZURE: &str = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,\
    SpotPrice,Region,Generation";

/// A folder with one catalogue for each cloud, every second one compressed.
pub(super) fn folder(clouds: &[(&str, &str, &[&str])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (at, (cloud, header, rows)) in clouds.iter().enumerate() {
        let text = format!("{header}\n{}\n", rows.join("\n"));
        let path = folder.path().join(cloud);
        fs::create_dir(&path).unwrap();
        if at % 2 == 0 {
            fs::write(path.join("vms.csv"), text).unwrap();
        } else {
            let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
            gz.write_all(text.as_bytes()).unwrap();
            fs::write(path.join("vms.csv.gz"), gz.finish().unwrap()).unwrap();
        }
    }
    folder
}

fn load_one(cloud: &str, header: &str, rows: &[&str]) -> PriceBook {
    let folder = folder(&[(cloud, header, rows)]);
    load(&[folder.path().to_owned()]).unwrap()
}

fn price(book: &PriceBook, id: &str) -> String {
    let offer = book.offers.iter().find(|offer| offer.id.as_str() == id);
    let offer = offer.unwrap_or_else(|| {
        let ids: Vec<_> = book.offers.iter().map(|offer| offer.id.as_str()).collect();
        panic!("no {id} among {ids:?}")
    });
    offer.price.rate().unwrap().per_hour().to_decimal()
}

fn find<'b>(book: &'b PriceBook, id: &str) -> &'b Offer {
    book.offers.iter().find(|offer| offer.id.as_str() == id).unwrap()
}

#[test]
fn clouds_are_read_together_compressed_or_not() {
    let aws: &[&str] = &["p5.48xlarge,H100,8.0,192.0,2048.0,\"{'a': 'b'}\",55.04,20.1,\
        us-east-1,use1-az1,x86_64"];
    let azure: &[&str] = &["Standard_D2pls_v5,,,2,4,,0.068,0.01,westeurope,V2"];
    let folder = folder(&[("aws", AWS, aws), ("azure", AZURE, azure)]);
    let book = load(&[folder.path().to_owned()]).unwrap();
    assert_eq!(price(&book, "aws/us-east-1/use1-az1/p5.48xlarge/on-demand"), "55.04");
    assert_eq!(price(&book, "azure/westeurope/Standard_D2pls_v5/spot"), "0.01");
    let p5 = find(&book, "aws/us-east-1/use1-az1/p5.48xlarge/spot");
    assert_eq!(p5.accelerator.as_ref().unwrap().to_string(), "H100-80GB");
    assert_eq!((p5.capacity.cpu_milli, p5.capacity.memory_bytes), (192_000, 2_048 << 30));
    assert_eq!(p5.residency, ["us"]);
    let catalogue = Catalogue::load(&[folder.path().to_owned()], &Options::default()).unwrap();
    let arm = catalogue.table.shapes().iter().find(|it| &*it.instance_type != "p5.48xlarge");
    assert_eq!(
        arm.unwrap().arch.map(farthing_model::offer_table::Arch::name),
        Some("arm64"),
        "by its name"
    );
    // One cloud of it, and one file of it.
    for path in [folder.path().join("azure"), folder.path().join("azure/vms.csv.gz")] {
        assert_eq!(load(&[path]).unwrap().offers.len(), 2);
    }
}

#[test]
fn gcp_machines_are_host_and_accelerator_of_one_zone() {
    let book = load_one(
        "gcp",
        GCP,
        &[
            "a2-highgpu-1g,12.0,85.0,,,,us-central1,us-central1-a,0.73948,0.36975",
            "a2-highgpu-1g,12.0,85.0,,,,us-central1,us-central1-b,0.73948,0.36975",
            "n1-standard-4,4.0,15.0,,,,us-central1,us-central1-a,0.19,0.04",
            "n1-highmem-96,96.0,624.0,,,,us-central1,us-central1-a,5.6,1.2",
            "n2-standard-2,2.0,8.0,,,,us-central1,us-central1-a,0.0971,0.02",
            ",,,A100,1,{},us-central1,us-central1-a,2.93391,1.4341",
            ",,,A100,1,{},us-central1,us-central1-f,2.93391,1.4341",
            ",,,T4,1,{},us-central1,us-central1-a,0.35,0.1654",
            ",,,tpu-v5litepod-8,1,tpu-v5litepod-8,us-central1,us-central1-a,9.6,2.05738",
        ],
    );
    let at = |name: &str| format!("gcp/us-central1/us-central1-a/{name}");
    assert_eq!(price(&book, &at("a2-highgpu-1g/on-demand")), "3.67339");
    assert_eq!(price(&book, &at("a2-highgpu-1g/spot")), "1.80385");
    assert_eq!(price(&book, &at("n1-standard-4/on-demand")), "0.19", "an N1 is a machine too");
    assert_eq!(price(&book, &at("n1-standard-4+t4x1/on-demand")), "0.54");
    assert_eq!(price(&book, &at("tpu-v5litepod-8/on-demand")), "9.60");
    let a2 = find(&book, &at("a2-highgpu-1g/spot"));
    assert_eq!(a2.accelerator.as_ref().unwrap().to_string(), "A100-40GB");
    assert_eq!(find(&book, &at("tpu-v5litepod-8/spot")).accelerator_count, 8);
    let large = book.offers.iter().find(|it| it.instance_type.starts_with("n1-highmem-96+"));
    assert_eq!(large, None, "one T4 does not go with 96 cores");
    assert_eq!(
        excluded(&book),
        [
            ("accelerator listed without a host of its zone (GCP)", 1),
            ("host listed without the accelerators it is sold with (GCP)", 1),
        ]
    );
}

/// A committed-use price beside an on-demand host, and a host that costs nothing.
#[test]
fn gcp_prices_of_two_kinds_are_marked() {
    let host = |zone: &str, price: &str| {
        format!("a3-highgpu-8g,208.0,1872.0,,,,{zone},{zone}-a,{price},3.8")
    };
    let gpu = |zone: &str, price: &str| format!(",,,H100,8,{{}},{zone},{zone}-a,{price},32.0");
    let rows = [
        host("us-central1", "9.46"),
        host("us-east4", "10.4"),
        host("europe-west4", "10.6"),
        gpu("us-central1", "33.60609"),
        gpu("us-east4", "88.2708"),
        gpu("europe-west4", "101.88413"),
        "a4-highgpu-8g,224.0,3968.0,,,,us-east1,us-east1-b,0.0,0.0".to_owned(),
        ",,,B200,8,{},us-east1,us-east1-b,90.216,34.2368".to_owned(),
        "g2-standard-4,4.0,16.0,,,,us-east1,us-east1-b,0.14,0.0".to_owned(),
        ",,,L4,1,{},us-east1,us-east1-b,0.56,0.23".to_owned(),
    ];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let book = load_one("gcp", GCP, &rows);
    let warnings = |zone: &str, name: &str| {
        find(&book, &format!("gcp/{zone}/{zone}-a/{name}")).warnings.join("; ")
    };
    assert!(warnings("us-central1", "a3-highgpu-8g/on-demand").contains("committed-use"));
    assert_eq!(warnings("us-central1", "a3-highgpu-8g/spot"), "");
    assert_eq!(warnings("us-east4", "a3-highgpu-8g/on-demand"), "");
    assert!(warnings("europe-west4", "a3-highgpu-8g/on-demand").contains("over 3 times"));
    let b200 = find(&book, "gcp/us-east1/us-east1-b/a4-highgpu-8g/on-demand");
    assert_eq!(b200.price.rate().unwrap().per_hour().to_decimal(), "90.216");
    assert!(b200.warnings[0].starts_with("its host is listed at 0"), "{:?}", b200.warnings);
    assert_eq!(excluded(&book), [("price of only one of host and accelerator (GCP)", 1)]);
}

#[test]
fn zero_and_dear_spot_are_no_offers() {
    let book = load_one(
        "vast",
        "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,\
         Region",
        &[
            "1x-RTX_5090,RTX5090,1,32,64.0,{},0.44,0.00,\"Denmark, DK, EU\"",
            "1x-RTX5880,RTX5880-Ada,1,32,64.0,{},0.5,0.50,\", CA, NA\"",
            "1x-A,RTX6000Ada,1,32,64.0,{},0,0.2,\", CA, NA\"",
            "1x-B,RTX6000-Ada,1,32,64.0,{},0.7,0.71,\", CA, NA\"",
        ],
    );
    assert_eq!(
        excluded(&book),
        [("price of 0, which catalogues write for none", 2), ("spot price not below on demand", 2),]
    );
    assert_eq!(price(&book, "vast/Denmark, DK, EU/1x-RTX_5090/on-demand"), "0.44");
    let names: Vec<String> =
        book.offers.iter().map(|it| it.accelerator.as_ref().unwrap().to_string()).collect();
    assert_eq!(names, ["RTX6000Ada-48GB", "RTX6000Ada-48GB", "RTX5880-Ada", "RTX5090-32GB"]);
    let unknown = find(&book, "vast/, CA, NA/1x-RTX5880/on-demand");
    assert_eq!(unknown.accelerator.as_ref().unwrap().memory_gb(), None, "never guessed");
}

#[test]
fn odd_rows_are_kept_with_a_word_or_refused_with_their_line() {
    let book = load_one(
        "azure",
        AZURE,
        &[
            "Standard_NV6ads_A10_v5,A10,0.167,6,55,,0.454,0.1,eastus,V2",
            "Standard_NP10s,,1,10,168,,1.65,0.4,eastus,V1,V2",
            "Standard_NC4,T4,,4,28,,0.5,,eastus,V2",
            "Standard_A,,,1,2,,NaN,,eastus,V2",
            "Standard_B,,,1,2,,-1,,eastus,V2",
            "Standard_C,,,1,2,,1e18,,eastus,V2",
            "Standard_D,,,1,2,,0.1,inf,eastus,V2",
            "Standard_E,,,1,2,,,0.1,eastus,V2",
            "Standard_F,,,1,2,,0.1,,eastus,V2,extra",
            "Standard_G,,,1,2,,0.1,,,V2",
        ],
    );
    let fraction = find(&book, "azure/eastus/Standard_NV6ads_A10_v5/on-demand");
    assert_eq!((fraction.accelerator_count, fraction.capacity.gpu_milli), (0, 0));
    assert_eq!(fraction.warnings, ["has 0.167 of an accelerator A10, which is not counted"]);
    let fpga = find(&book, "azure/eastus/Standard_NP10s/on-demand");
    assert_eq!(fpga.warnings, ["has 1 accelerators without a name"]);
    assert_eq!(excluded(&book), [("no on-demand price", 1), ("row that cannot be read", 7)]);
    let faults: Vec<String> = book.faults.iter().map(ToString::to_string).collect();
    let faults: Vec<&str> = faults.iter().filter_map(|it| it.split("vms.csv").nth(1)).collect();
    expect![[r#"
        :4:1: `AcceleratorCount`: is 0 or empty beside the accelerator T4
        :5:1: `Price`: `NaN` is not a decimal number such as 12, 0.5 or 1.25e6
        :6:1: `Price`: `-1` is below zero
        :7:1: `Price`: `1e18` is over 9000000 an hour, which no machine costs
        :8:1: `SpotPrice`: `inf` is not a decimal number such as 12, 0.5 or 1.25e6
        :10:1: has 11 cells, and the header has 10
        :11:1: `Region` is missing: the provider's name of it
    "#]]
    .assert_eq(&(faults.join("\n") + "\n"));
}
