//! The accelerator names of `data/accelerators.csv`, and the spellings by which catalogues call
//! them.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::table::Csv;

/// Our names and every known alias, in lower case.
pub(crate) struct Names {
    pub(crate) ours: BTreeSet<String>,
    aliases: BTreeSet<String>,
}

impl Names {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let csv = Csv::read(std::fs::File::open(path)?)?;
        let (name, alias) = (csv.index("name")?, csv.index("aliases")?);
        let mut names = Self { ours: BTreeSet::new(), aliases: BTreeSet::new() };
        for row in &csv.rows {
            names.ours.insert(row[name].to_owned());
            names.aliases.insert(row[name].to_lowercase());
            names.aliases.extend(row[alias].split(';').map(str::to_lowercase));
        }
        Ok(names)
    }

    /// Whether a catalogue's spelling is known. An unknown name keeps its name and gets no guessed
    /// memory: its machines stay out of the book.
    pub(crate) fn knows(&self, spelling: &str) -> bool {
        let spelling = spelling.to_lowercase();
        let family = spelling.rsplit_once('-').map_or("", |(family, _)| family);
        self.aliases.contains(&spelling)
            || spelling.starts_with("tpu-") && self.aliases.contains(family)
    }
}
