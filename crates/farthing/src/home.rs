//! Where a run keeps its books and journal, and how a later command finds them.
//!
//! ```text
//! <data>/current                  the name of the cluster that ran last
//! <data>/books/cluster=<name>/    the ledger
//! <data>/<name>.journal           the journal
//! ```

use anyhow::Context as _;
use farthing_ledger::Books;
use farthing_model::ClusterId;
use std::path::{Path, PathBuf};

use crate::outcome::WrongUse;

/// The folder of books and journals.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    folder: PathBuf,
}

impl Home {
    /// The folder that was asked for, or the user's.
    pub(crate) fn new(asked: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(folder) = asked {
            return Ok(Self { folder: folder.to_path_buf() });
        }
        let under = |variable: &str, below: &str| {
            let value = std::env::var_os(variable).filter(|value| !value.is_empty())?;
            Some(PathBuf::from(value).join(below))
        };
        let folder = under("XDG_STATE_HOME", "farthing")
            .or_else(|| under("HOME", ".local/state/farthing"))
            .ok_or_else(|| {
                WrongUse::new("there is no HOME to keep the books under")
                    .hint("name a folder with --data FOLDER or FARTHING_DATA")
            })?;
        Ok(Self { folder })
    }

    /// The books of all clusters.
    pub(crate) fn books(&self) -> anyhow::Result<Books> {
        Ok(Books::open_folder(&self.folder.join("books"))?)
    }

    /// The journal of a cluster.
    pub(crate) fn journal(&self, cluster: &ClusterId) -> PathBuf {
        self.folder.join(format!("{cluster}.journal"))
    }

    /// Makes the folder, and `cluster` the one that later commands read.
    pub(crate) fn begin(&self, cluster: &ClusterId) -> anyhow::Result<()> {
        let folder = self.folder.display();
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("{folder} cannot be made; name another with --data"))?;
        let current = self.folder.join("current");
        std::fs::write(&current, format!("{cluster}\n"))
            .with_context(|| format!("{} cannot be written", current.display()))
    }

    /// Removes what an earlier run of a simulated cluster left.
    pub(crate) fn forget(&self, cluster: &ClusterId) -> anyhow::Result<()> {
        let books = self.folder.join("books").join(format!("cluster={cluster}"));
        if books.exists() {
            std::fs::remove_dir_all(&books)
                .with_context(|| format!("{} cannot be removed", books.display()))?;
        }
        let journal = self.journal(cluster);
        for ending in ["", "-wal", "-shm"] {
            let file = PathBuf::from(format!("{}{ending}", journal.display()));
            if file.exists() {
                std::fs::remove_file(&file)
                    .with_context(|| format!("{} cannot be removed", file.display()))?;
            }
        }
        Ok(())
    }

    /// The cluster that was asked for, or the one that ran last.
    pub(crate) fn cluster(&self, asked: Option<&str>) -> anyhow::Result<ClusterId> {
        if let Some(name) = asked {
            return ClusterId::new(name).map_err(|error| WrongUse::new(error.to_string()).into());
        }
        let current = self.folder.join("current");
        let Ok(name) = std::fs::read_to_string(&current) else {
            let folder = self.folder.display();
            return Err(WrongUse::new(format!("there are no books in {folder} yet"))
                .hint("run `farthing up` or `farthing up --demo` first, or name --data FOLDER")
                .into());
        };
        ClusterId::new(name.trim())
            .with_context(|| format!("{} does not hold the name of a cluster", current.display()))
    }
}
