//! The embedded tables of names: accelerators with their spellings, and regions with theirs.

use farthing_model::Accelerator;
use std::collections::HashMap;
use std::sync::LazyLock;

const ACCELERATORS_CSV: &str = include_str!("../../../../data/accelerators.csv");
const REGIONS_CSV: &str = include_str!("../../../../data/regions.csv");

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

/// All known accelerators, in the order of the table.
pub fn accelerators() -> &'static [KnownAccelerator] {
    &ACCELERATORS.known
}

/// The jurisdictions of a region, such as `eu` and `de`; empty = not known.
pub fn residency(provider: &str, region: &str) -> Vec<String> {
    let tags = REGIONS.get(&(provider, region));
    tags.into_iter().flatten().map(|tag| (*tag).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_catalogues_and_drivers_are_known() {
        let name = |spelling: &str| accelerator(spelling).map(|known| known.name.to_string());
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
        for table in [ACCELERATORS_CSV, REGIONS_CSV] {
            assert!(!table.contains(['"', '\r']));
            let columns = table.lines().next().unwrap().split(',').count();
            assert!(table.lines().all(|line| line.split(',').count() == columns));
        }
    }
}
