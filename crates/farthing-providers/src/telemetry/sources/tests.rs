//! The map that ships, and what a wrong one says.

use super::*;
use std::path::Path;

fn fault(text: &str) -> String {
    let error = read::read(text, Path::new("map.yaml")).unwrap_err();
    error.to_string()
}

const SOURCE: &str = "sources:\n  - name: s\n    metrics:\n      - ";

#[test]
fn the_map_that_ships_feeds_every_field_and_knows_every_label() {
    let map = SourceMap::built_in().unwrap();
    for field in Field::ALL {
        assert!(map.metrics_of(*field).next().is_some(), "nothing feeds {}", field.name());
    }
    for label in Label::ALL {
        let is_known = map.sources.iter().any(|source| source.labels.contains_key(label));
        assert!(is_known, "no source has the label {}", label.name());
    }
    assert!(map.metrics().count() > 70);
}

#[test]
fn renamed_labels_of_a_scraper_stand_before_its_own() {
    let map = SourceMap::built_in().unwrap();
    let rule = map.rule("DCGM_FI_DEV_GPU_UTIL").unwrap();
    let labels = [("pod", "dcgm-x"), ("exported_pod", "train"), ("uuid", "GPU-1"), ("job", "j")];
    let labels = labels.map(|(name, value)| (name.into(), value.into())).to_vec();
    let found = map.canonical(rule, &Series { name: "m".into(), labels }).unwrap();
    assert!(found.exported);
    assert!(found.labels.contains(&(Label::Pod, "train".to_owned())));
    assert!(found.labels.contains(&(Label::Device, "GPU-1".to_owned())));
    assert_eq!(found.job, "j");
}

#[test]
fn every_fault_has_its_line_and_says_what_would_be_right() {
    let check = |text: &str, expected: &str| assert_eq!(fault(text), expected, "{text}");
    check("", "map.yaml:1: is empty");
    check("source: []\n", "map.yaml:1: `source` is not known here; did you mean `sources`?");
    check(
        &format!("{SOURCE}{{metric: a, field: gpu-buzy, unit: one, versions: '>=1'}}\n"),
        "map.yaml:4: `gpu-buzy` is not a field; did you mean `gpu-busy`?",
    );
    check(
        &format!("{SOURCE}{{metric: a, field: gpu-busy, unit: bytes, versions: '>=1'}}\n"),
        "map.yaml:4: the field `gpu-busy` is in another unit than `bytes`",
    );
    check(
        &format!("{SOURCE}{{metric: a, field: gpu-busy, unit: one, versions: new}}\n"),
        "map.yaml:4: `new` is not a range of versions such as `>=1.4,<2.0`",
    );
    check(
        &format!("{SOURCE}{{metric: a, field: gpu-busy, unit: one}}\n"),
        "map.yaml:4: `versions` is missing",
    );
    let twice = "{metric: a, field: gpu-busy, unit: one, versions: '>=1'}\n";
    check(
        &format!("{SOURCE}{twice}      - {twice}"),
        "map.yaml:5: the metric `a` stands here twice",
    );
}

#[test]
fn profiles_are_shares_however_they_are_written() {
    let map = SourceMap::built_in().unwrap();
    let share = |name: &str, model: &str, gigabytes: Option<u32>| {
        profile(&map, (model, gigabytes), name).map(|profile| profile.share().fraction())
    };
    // The larger of compute and memory: a seventh of compute, a half of memory.
    assert_eq!(share("1g.5gb", "NVIDIA A100-SXM4-40GB", Some(40)), Some((1, 7)));
    assert_eq!(share("3g.20gb", "NVIDIA A100-SXM4-40GB", Some(40)), Some((1, 2)));
    assert_eq!(share("1g.10gb", "NVIDIA A100-SXM4-40GB", Some(40)), Some((1, 4)));
    assert_eq!(share("7g.80gb", "NVIDIA H100 80GB HBM3", Some(80)), Some((1, 1)));
    assert_eq!(share("2g.12gb", "NVIDIA A30", Some(24)), Some((1, 2)));
    // Sources differ by one gigabyte, and by their spelling.
    for name in ["1g.12gb", "1g.11gb", "mig-1g.12gb", "1g_12gb", "1c.1g.12gb", "1g.12gb+me"] {
        assert_eq!(share(name, "NVIDIA H100 NVL", Some(94)), Some((1, 7)), "{name}");
    }
    assert_eq!(share("3g.20gb", "", None), Some((1, 2)));
    // One slice of a card of 80 GB, two of one of 40: the smaller one where nobody says which.
    assert_eq!(share("1g.10gb", "", None), Some((1, 7)));
    // A compute instance has its part of the instance.
    assert_eq!(share("1c.3g.20gb", "", Some(40)), Some((1, 6)));
    assert_eq!(mig_profile("nvidia_com_mig_3g_20gb").as_deref(), Some("3g.20gb"));
    assert_eq!(mig_profile("nvidia.com/mig-1g.10gb").as_deref(), Some("1g.10gb"));
    assert_eq!(mig_profile("nvidia_com_gpu"), None);
    for bad in ["", "g.5gb", "9g.5gb", "1g", "full"] {
        assert_eq!(share(bad, "", None), None, "{bad}");
    }
}
