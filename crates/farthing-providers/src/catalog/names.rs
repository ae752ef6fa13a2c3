//! The embedded tables of names: accelerators with their spellings, and regions with theirs.

use super::glob;
use farthing_model::{Accelerator, AcceleratorError, offer_table::Arch};
use std::collections::HashMap;
use std::sync::LazyLock;

const ACCELERATORS_CSV: &str = include_str!("../../../../data/accelerators.csv");
const REGIONS_CSV: &str = include_str!("../../../../data/regions.csv");
const ARCHITECTURES_CSV: &str = include_str!("../../../../data/architectures.csv");
/// Families of TPU whose slices are named by `TensorCores`, two on a chip; the others by chips
/// (Google Cloud TPU documentation).
const TWO_CORES: [&str; 4] = ["tpu-v2", "tpu-v3", "tpu-v4", "tpu-v5p"];

/// A known accelerator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAccelerator {
    /// Its normalised name.
    pub name: Accelerator,
    /// Who makes it.
    pub vendor: String,
    /// Board power in watts, where it is published.
    pub watts: Option<u32>,
}

struct Names {
    known: Vec<KnownAccelerator>,
    /// Every spelling in lower case, with its index.
    by_spelling: HashMap<String, usize>,
}

static ACCELERATORS: LazyLock<Names> = LazyLock::new(|| {
    let mut names = Names { known: Vec::new(), by_spelling: HashMap::new() };
    for row in rows(ACCELERATORS_CSV) {
        let cell = |column: &str| row.get(column).copied().unwrap_or_default();
        let Ok(name) = cell("name").parse() else { continue };
        let index = names.known.len();
        let spellings = cell("aliases").split(';').chain([cell("name")]);
        for spelling in spellings.filter(|spelling| !spelling.is_empty()) {
            names.by_spelling.insert(spelling.to_lowercase(), index);
        }
        let (vendor, watts) = (cell("vendor").to_owned(), cell("tdp_w").parse().ok());
        names.known.push(KnownAccelerator { name, vendor, watts });
    }
    names
});

static REGIONS: LazyLock<HashMap<(&'static str, &'static str), Vec<&'static str>>> =
    LazyLock::new(|| {
        let tags = |row: &HashMap<&'static str, &'static str>| {
            let cell = |column| row.get(column).copied().unwrap_or_default();
            let tags = cell("residency").split(';').filter(|tag| !tag.is_empty()).collect();
            ((cell("provider"), cell("region")), tags)
        };
        rows(REGIONS_CSV).iter().map(tags).collect()
    });

/// The rows of an embedded table without quotes, which a test guards; for speed, as every start of
/// the program reads them.
fn rows(table: &'static str) -> Vec<HashMap<&'static str, &'static str>> {
    let mut lines = table.lines();
    let header: Vec<_> = lines.next().unwrap_or_default().split(',').collect();
    lines.map(|line| header.iter().copied().zip(line.split(',')).collect()).collect()
}

/// The accelerator that a catalogue or a driver calls `spelling`, where it is known.
///
/// A bare model such as `A100` is what catalogues mean by it: the 40 GB card.
pub fn accelerator(spelling: &str) -> Option<&'static KnownAccelerator> {
    let names = &*ACCELERATORS;
    names.by_spelling.get(&spelling.trim().to_lowercase()).and_then(|index| names.known.get(*index))
}

/// The accelerator that a label of a node calls `label`: the driver's spelling with dashes for
/// blanks (`NVIDIA-H100-80GB-HBM3`), or a cloud's (`nvidia-h100-80gb`, `nvidia-tesla-t4`).
pub fn accelerator_of_label(label: &str) -> Option<&'static KnownAccelerator> {
    let plain = |text: &str| text.trim().to_lowercase().replace('-', " ");
    let wanted = plain(label);
    let names = &*ACCELERATORS;
    let short = wanted.strip_prefix("nvidia ").unwrap_or(&wanted);
    let short = short.strip_prefix("tesla ").unwrap_or(short);
    [wanted.as_str(), short].into_iter().find_map(|wanted| {
        let same = |(spelling, _): &(&String, &usize)| plain(spelling) == wanted;
        // Spellings that differ in dashes alone are of one accelerator.
        let index = names.by_spelling.iter().filter(same).map(|(_, index)| *index).min()?;
        names.known.get(index)
    })
}

/// All known accelerators, in the order of the table.
pub fn accelerators() -> &'static [KnownAccelerator] {
    &ACCELERATORS.known
}

/// The jurisdictions of a region, such as `eu` and `de`; empty = not known.
pub fn residency(provider: &str, region: &str) -> Vec<String> {
    let tags = REGIONS.get(&(provider, region));
    tags.into_iter().flatten().map(|tag| (*tag).to_owned()).collect()
}

/// An accelerator as a catalogue names it, and how many of it the name stands for: the slice
/// `tpu-v5p-8` is four chips. A name that is not known is kept as it is.
///
/// # Errors
/// No name at all: a text with other characters, or too long.
pub fn accelerator_or_slice(spelling: &str) -> Result<(Accelerator, u32), AcceleratorError> {
    if let Some(known) = accelerator(spelling) {
        return Ok((known.name.clone(), 1));
    }
    let slice = spelling.rsplit_once('-').filter(|(family, _)| family.starts_with("tpu-"));
    let slice = slice.and_then(|(family, size)| {
        let cores: u32 = size.parse().ok().filter(|cores| *cores > 0)?;
        let chips = if TWO_CORES.contains(&family) { cores.div_ceil(2) } else { cores };
        Some((accelerator(family)?.name.clone(), chips))
    });
    slice.map_or_else(|| spelling.parse().map(|name| (name, 1)), Ok)
}

/// Provider, pattern of machine, architecture; the first that fits holds.
static ARCHITECTURES: LazyLock<Vec<(&'static str, &'static str, Option<Arch>)>> =
    LazyLock::new(|| {
        let cells = |row: &HashMap<&'static str, &'static str>| {
            let cell = |column| row.get(column).copied().unwrap_or_default();
            (cell("provider"), cell("instance_type"), cell("arch").parse().ok())
        };
        rows(ARCHITECTURES_CSV).iter().map(cells).collect()
    });

/// The instruction set of a machine by the provider's rules of naming, where they are known.
pub fn architecture(provider: &str, instance_type: &str) -> Option<Arch> {
    let fits = |(of, pattern, _): &&(&str, &str, Option<Arch>)| {
        *of == provider && glob::matches(pattern, instance_type)
    };
    ARCHITECTURES.iter().find(fits).and_then(|(.., arch)| *arch)
}

/// The texts of all embedded tables, for a fingerprint of what a catalogue was read with.
pub(crate) fn tables() -> [&'static str; 3] {
    [ACCELERATORS_CSV, REGIONS_CSV, ARCHITECTURES_CSV]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_chips_and_unknown_names_are_kept() {
        let name = |spelling: &str| {
            let (name, count) = accelerator_or_slice(spelling).unwrap();
            (name.to_string(), count)
        };
        assert_eq!(name("tpu-v5litepod-8"), ("TPU-v5e-16GB".to_owned(), 8));
        assert_eq!(name("tpu-v5p-8"), ("TPU-v5p-95GB".to_owned(), 4));
        assert_eq!(name("tpu-v4-8"), ("tpu-v4-8".to_owned(), 1));
        assert_eq!(name("RTX5880-Ada"), ("RTX5880-Ada".to_owned(), 1));
        assert!(accelerator_or_slice("a;b").is_err());
    }

    #[test]
    fn architectures_follow_the_names() {
        let arch = |provider, name| architecture(provider, name).map(Arch::name);
        assert_eq!(arch("aws", "m7g.large"), Some("arm64"));
        assert_eq!(arch("aws", "g6.xlarge"), Some("x86_64"));
        assert_eq!(arch("aws", "c6gn.metal"), Some("arm64"));
        assert_eq!(arch("azure", "Standard_D2pls_v5"), Some("arm64"));
        assert_eq!(arch("azure", "Standard_D2s_v5"), Some("x86_64"));
        assert_eq!(arch("gcp", "c4a-standard-4"), Some("arm64"));
        assert_eq!(arch("gcp", "tpu-v5p-8"), None);
        assert_eq!(arch("vast", "1x-RTX_4090"), None);
    }

    #[test]
    fn spellings_of_catalogues_and_drivers_are_known() {
        let name = |spelling: &str| accelerator(spelling).map(|known| known.name.to_string());
        for (label, name) in [
            ("NVIDIA-H100-80GB-HBM3", "H100-80GB-SXM"),
            ("nvidia-h100-80gb", "H100-80GB"),
            ("nvidia-tesla-t4", "T4-16GB"),
        ] {
            let known = accelerator_of_label(label).map(|known| known.name.to_string());
            assert_eq!(known.as_deref(), Some(name), "{label}");
        }
        assert_eq!(name("nvidia h100 80gb hbm3").as_deref(), Some("H100-80GB-SXM"));
        assert_eq!(name("A100").as_deref(), Some("A100-40GB"));
        assert_eq!(name("A100-80GB-SXM").as_deref(), Some("A100-80GB-SXM"));
        assert_eq!(name("Voodoo2"), None);
        assert_eq!(accelerator("H100-80GB-SXM").unwrap().watts, Some(700));
        assert_eq!(accelerators().len(), ACCELERATORS_CSV.lines().count() - 1);
    }

    #[test]
    fn residency_is_known_where_the_table_has_it() {
        assert_eq!(residency("aws", "eu-central-1"), ["eu", "de"]);
        assert_eq!(residency("aws", "eu-central-2"), ["ch"]);
        assert!(residency("aws", "mars-north-1").is_empty());
    }

    #[test]
    fn the_tables_need_no_csv_parser() {
        for table in tables() {
            assert!(!table.contains(['"', '\r']));
            let columns = table.lines().next().unwrap().split(',').count();
            assert!(table.lines().all(|line| line.split(',').count() == columns));
        }
    }
}
