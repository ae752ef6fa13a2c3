//! `farthing offers` on a small catalogue in `SkyPilot` layout: keys, caps, order, counts, cache.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const AWS: &str = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,\
    SpotPrice,Region,AvailabilityZone,Arch
p5.48xlarge,H100,8.0,192.0,2048.0,,55.04,20.10,us-east-1,use1-az1,x86_64
p5.48xlarge,H100,8.0,192.0,2048.0,,55.04,55.04,us-east-1,use1-az2,x86_64
m7i.8xlarge,,,32.0,128.0,,1.6128,0.60,us-east-1,use1-az1,x86_64
m7g.8xlarge,,,32.0,128.0,,1.3056,0.50,us-east-1,use1-az1,arm64
m7i.16xlarge,,,64.0,256.0,,3.2256,1.20,us-east-1,use1-az1,x86_64
p4d.24xlarge,A100,8.0,96.0,1152.0,,21.96,7.10,us-east-1,use1-az1,x86_64
p4de.24xlarge,A100-80GB,8.0,96.0,1152.0,,27.45,9.10,us-east-1,use1-az1,x86_64
";
const LAMBDA: &str = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,\
    GpuInfo,SpotPrice
gpu_4x_h100_sxm5,H100,4.0,104.0,900.0,12.36,us-west-1,,
gpu_1x_h100_pcie,H100,1.0,26.0,200.0,2.49,us-west-1,,
";

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (cloud, text) in [("aws", AWS), ("lambda", LAMBDA)] {
            let path = folder.path().join("catalogue").join(cloud);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("vms.csv"), text).unwrap();
        }
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("catalogue")
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_farthing"))
            .args(["offers", "--output", "json", "--prices"])
            .arg(self.path())
            .args(arguments)
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            .env("FARTHING_DATA", self.folder.path())
            .output()
            .unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.ask(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {said}"))
    }

    fn says(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    }
}

fn types(answer: &Value) -> Vec<(&str, &str)> {
    let offers = answer["offers"].as_array().unwrap();
    offers
        .iter()
        .map(|it| (it["instance_type"].as_str().unwrap(), it["total"].as_str().unwrap()))
        .collect()
}

#[test]
fn keys_are_those_of_the_interfaces_and_the_counts_add_up() {
    let answer = World::new().json(&["--accelerator", "H100-80GB", "--count", "8"]);
    for key in ["offers", "considered", "excluded", "query_ms"] {
        assert!(answer.get(key).is_some(), "{key}");
    }
    for key in [
        "provider",
        "region",
        "zone",
        "instance_type",
        "accelerator",
        "accelerator_count",
        "vcpus",
        "memory_gib",
        "purchase",
        "price",
        "currency",
        "source",
        "as_of",
        "warnings",
    ] {
        assert!(answer["offers"][0].get(key).is_some(), "{key}");
    }
    let left: u64 =
        answer["excluded"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(answer["considered"].as_u64().unwrap(), left + answer["matched"].as_u64().unwrap());
    assert_eq!(answer["excluded"]["spot price not below on demand"], 1);
    assert_eq!(types(&answer), [("p5.48xlarge", "55.04"), ("p5.48xlarge", "55.04")]);
    assert_eq!(answer["offers"][0]["zone"], "use1-az1");
    assert_eq!(answer["otherwise_paid"][0]["total"], "20.10");
    assert_eq!(answer["split"]["total"], "19.92", "eight nodes of one, which were not asked for");
    assert_eq!(answer["compared"], "price per hour");
}

#[test]
fn three_are_met_by_four_and_it_is_said() {
    let answer = World::new().json(&["--accelerator", "H100-80GB", "--count", "3"]);
    assert_eq!(types(&answer)[0], ("gpu_4x_h100_sxm5", "12.36"));
    let warnings = answer["offers"][0]["warnings"].to_string();
    assert!(warnings.contains("4 accelerators are paid, 3 were asked for"), "{warnings}");
    let answer = World::new().json(&["--accelerator", "H100-80GB:3", "--split"]);
    assert_eq!(types(&answer)[0], ("gpu_1x_h100_pcie", "7.47"));
}

#[test]
fn a_cap_is_for_all_nodes() {
    let world = World::new();
    let two = ["--accelerator", "H100-80GB", "--count", "4", "--nodes", "2", "--max-price"];
    let answer = world.json(&[&two[..], &["24.72 USD/h"]].concat());
    assert_eq!(types(&answer), [("gpu_4x_h100_sxm5", "24.72")]);
    assert_eq!(answer["offers"][0]["price"], "12.36", "of one node");
    let output = world.ask(&[&two[..], &["24.71 USD/h"]].concat());
    assert_eq!(output.status.code(), Some(3), "infeasible is an answer");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["near"][0]["reason"], "price over the limit");
    assert_eq!(answer["near"][0]["offer"]["total"], "24.72");
}

#[test]
fn sizes_are_exact_unless_a_plus_says_at_least() {
    let world = World::new();
    let exactly = world.json(&["--cpus", "32", "--memory", "128GiB"]);
    assert_eq!(types(&exactly), [("m7g.8xlarge", "1.3056"), ("m7i.8xlarge", "1.6128")]);
    let least = world.json(&["--cpus", "32+", "--memory", "129GiB+", "--limit", "1"]);
    assert_eq!(types(&least), [("m7i.16xlarge", "3.2256")]);
    let x86 = world.json(&["--cpus", "32", "--arch", "x86_64"]);
    assert_eq!(types(&x86), [("m7i.8xlarge", "1.6128")]);
    assert!(world.says(&["--memory", "128"]).contains("has no unit: write 128GiB"));
    assert!(world.says(&["--arch", "sparc"]).contains("x86_64 or arm64"));
}

#[test]
fn a_machine_with_accelerators_may_be_the_cheapest_and_says_so() {
    let answer = World::new().json(&["--cpus", "26+", "--memory", "130GiB+", "--limit", "1"]);
    assert_eq!(types(&answer), [("gpu_1x_h100_pcie", "2.49")]);
    let warnings = answer["offers"][0]["warnings"].to_string();
    assert!(warnings.contains("has 1 x H100-80GB, which were not asked for"), "{warnings}");
}

#[test]
fn the_cost_of_finishing_ranks_where_rates_are_given() {
    let world = World::new();
    let answer = world.json(&["--work", "1e6", "--rate", "H100=3.17,A100=1", "--limit", "20"]);
    assert_eq!(answer["compared"], "cost of finishing");
    let costs: Vec<f64> = answer["offers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["finish_cost"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(costs.is_sorted() && costs.len() == 6, "{costs:?}");
    assert_eq!(answer["offers"][0]["instance_type"], "gpu_1x_h100_pcie");
    assert!(world.says(&["--work", "1e6", "--rate", "H100=0"]).contains("is not above zero"));
}

#[test]
fn purchases_stand_side_by_side_and_names_are_resolved() {
    let world = World::new();
    let both = world.json(&["--accelerator", "H100-80GB", "--count", "8", "--spot", "--on-demand"]);
    assert_eq!(both["matched"], 3);
    assert_eq!(both["offers"][0]["purchase"], "spot");
    let said = world.says(&["--accelerator", "A100"]);
    assert!(said.contains("name one of A100-40GB, A100-80GB"), "{said}");
    assert!(world.says(&["--accelerator", "H200"]).contains("no offer has `H200`"));
    assert!(world.says(&["--accelerator", "H100-80GB", "--count", "0"]).contains("--count: is 0"));
}

#[test]
fn what_was_read_is_kept_and_never_trusted_across_changed_files() {
    let world = World::new();
    let from = |world: &World, more: &[&str]| {
        let asked = [&["--cpus", "32", "--limit", "1"], more].concat();
        let answer = world.json(&asked);
        let price = answer["offers"][0]["price"].as_str().unwrap().to_owned();
        (answer["book"]["from"].as_str().unwrap().to_owned(), price)
    };
    assert_eq!(from(&world, &[]).0, "files", "files of this moment may still change");
    std::thread::sleep(std::time::Duration::from_millis(3_100));
    assert_eq!(from(&world, &[]).0, "files");
    assert_eq!(from(&world, &[]), ("cache".to_owned(), "1.3056".to_owned()));
    assert_eq!(from(&world, &["--no-cache"]).0, "files");
    let kept = world.folder.path().join("cache/farthing");
    let file = fs::read_dir(&kept).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_eq!(from(&world, &[]), ("rebuilt".to_owned(), "1.3056".to_owned()));
    let aws = world.path().join("aws/vms.csv");
    replace(&aws, "1.3056", "1.2056");
    assert_eq!(from(&world, &[]), ("files".to_owned(), "1.2056".to_owned()));
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, text.replace(from, to)).unwrap();
}
