//! Where a run keeps its books and journal, and how a later command finds them.
//!
//! ```text
//! <data>/current                  the name of the cluster that ran last, and the database of its
//!                                 journal, if it is in one
//! <data>/books/cluster=<name>/    the ledger
//! <data>/<name>.journal           the journal
//! <data>/<name>.lock              who runs the loop, by a lock of the system
//! <data>/<name>.sessions          who is logged in
//! <data>/<name>.inputs/           what recorded plans were made from
//! <data>/signing.key              the key that signs it
//! ```
//!
//! The ledger may be elsewhere: in another folder, or in a bucket; journals in a database.

use anyhow::{Context as _, anyhow};
use farthing_ledger::Books;
use farthing_model::ClusterId;
#[cfg(feature = "cloud")]
use farthing_providers::bucket::{self, BucketUrl};
use farthing_providers::signing::{PublicKey, Signed, Signer};
use farthing_providers::text::{self, ReadError};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::outcome::WrongUse;
use crate::store::{Journal, StoreAt, Turn};

/// Most bytes of `current`: a name, perhaps an address, and their line feeds.
const CURRENT_BYTES_MAX: u64 = 4_096;
/// What the line of `current` begins with that says where the journal is.
const JOURNAL_IN: &str = "journal in ";

/// The folder of books and journals.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    folder: PathBuf,
    ledger: Ledger,
    store: StoreAt,
    key: PathBuf,
}

/// Where the ledger is.
#[derive(Clone, Debug)]
enum Ledger {
    Folder(PathBuf),
    #[cfg(feature = "cloud")]
    Bucket(BucketUrl),
}

impl Ledger {
    fn open(&self) -> anyhow::Result<Books> {
        Ok(match self {
            Self::Folder(folder) => Books::open_folder(folder)?,
            #[cfg(feature = "cloud")]
            Self::Bucket(url) => Books::new(bucket::open(url, std::env::vars())?, &url.to_string()),
        })
    }

    /// Reads what was asked for: an address, or a folder.
    fn of(text: &str) -> anyhow::Result<Self> {
        match text.split_once("://") {
            None => Ok(Self::Folder(text.into())),
            Some(("file", path)) => Ok(Self::Folder(path.into())),
            #[cfg(feature = "cloud")]
            Some(_) => text.parse().map(Self::Bucket).map_err(|error: bucket::BucketError| {
                WrongUse::new(format!("--books: {error}")).into()
            }),
            #[cfg(not(feature = "cloud"))]
            Some(_) => Err(WrongUse::new(format!("--books {text}: not a folder"))
                .hint("`make build FEATURES=cloud` builds a program that keeps books in buckets")
                .into()),
        }
    }
}

impl Home {
    /// The folder that was asked for, or the user's; ledger and journals in it, or where they were
    /// asked for.
    pub(crate) fn new(
        asked: Option<&Path>,
        ledger: Option<&str>,
        store: Option<&str>,
    ) -> anyhow::Result<Self> {
        let folder = match asked {
            Some(folder) => folder.to_path_buf(),
            None => users_folder()?,
        };
        let ledger = match ledger {
            None => Ledger::Folder(folder.join("books")),
            Some(text) => Ledger::of(text)?,
        };
        let store = StoreAt::of(store, &folder)?;
        let key = folder.join("signing.key");
        Ok(Self { folder, ledger, store, key })
    }

    /// The books of all clusters.
    pub(crate) fn books(&self) -> anyhow::Result<Books> {
        self.ledger.open()
    }

    /// Books elsewhere.
    pub(crate) fn books_at(text: &str) -> anyhow::Result<Books> {
        Ledger::of(text)?.open()
    }

    /// Whether there may be any; a bucket is not asked.
    pub(crate) fn has_books(&self) -> bool {
        self.books_folder().is_none_or(Path::is_dir)
    }

    /// Where they are, if in a folder.
    #[cfg_attr(
        not(feature = "cloud"),
        expect(clippy::unnecessary_wraps, reason = "without clouds they are in a folder")
    )]
    pub(crate) fn books_folder(&self) -> Option<&Path> {
        match &self.ledger {
            Ledger::Folder(folder) => Some(folder),
            #[cfg(feature = "cloud")]
            Ledger::Bucket(_) => None,
        }
    }

    /// With the key that was asked for, instead of that of the folder.
    pub(crate) fn with_key(self, asked: Option<&Path>) -> Self {
        Self { key: asked.map_or(self.key, Path::to_path_buf), ..self }
    }

    /// The key that signs, and the file that it is in; made where it is not there.
    pub(crate) fn signer(&self) -> anyhow::Result<Arc<Signer>> {
        Ok(Arc::new(Signer::open(&self.key)?))
    }

    /// The key that checks, where there is one here.
    pub(crate) fn public_key(&self) -> anyhow::Result<Option<PublicKey>> {
        if !self.key.exists() {
            return Ok(None);
        }
        Ok(Some(PublicKey::load(&self.key)?))
    }

    /// A journal whose records are signed from now on.
    pub(crate) fn signed(&self, cluster: &ClusterId, journal: Journal) -> anyhow::Result<Journal> {
        Ok(Box::new(Signed::new(journal, cluster.clone(), self.signer()?)))
    }

    /// The turn to run the loop of a cluster; `None` where its journal is in a database, which has
    /// leaders of its own.
    pub(crate) fn turn(&self, cluster: &ClusterId) -> anyhow::Result<Option<Turn>> {
        if self.store.is_shared() {
            return Ok(None);
        }
        self.make_folder()?;
        StoreAt::turn(&self.folder, cluster).map(Some)
    }

    /// The file of who is logged in at the loop of a cluster.
    pub(crate) fn sessions(&self, cluster: &ClusterId) -> PathBuf {
        self.folder.join(format!("{cluster}.sessions"))
    }

    /// The folder of what recorded plans of a cluster were made from.
    pub(crate) fn inputs(&self, cluster: &ClusterId) -> PathBuf {
        self.folder.join(format!("{cluster}.inputs"))
    }

    /// Where journals are.
    pub(crate) const fn store(&self) -> &StoreAt {
        &self.store
    }

    /// Makes the folder.
    pub(crate) fn make_folder(&self) -> anyhow::Result<()> {
        let folder = self.folder.display();
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("{folder} cannot be made; name another with --data"))
    }

    /// Makes `cluster` the one that later commands read, where there is none yet.
    pub(crate) fn begin_if_new(&self, cluster: &ClusterId) -> anyhow::Result<()> {
        if self.folder.join("current").exists() { Ok(()) } else { self.begin(cluster) }
    }

    /// Makes the folder, and `cluster` the one that later commands read.
    pub(crate) fn begin(&self, cluster: &ClusterId) -> anyhow::Result<()> {
        self.make_folder()?;
        let current = self.folder.join("current");
        let new = self.folder.join("current.new");
        // A rename shows either the old name or the new one, also on a full disk.
        let journal = self.store.address().map(|url| format!("{JOURNAL_IN}{url}\n"));
        std::fs::write(&new, format!("{cluster}\n{}", journal.unwrap_or_default()))
            .and_then(|()| std::fs::rename(&new, &current))
            .with_context(|| format!("{} cannot be written", current.display()))
    }

    /// Removes what an earlier run of a simulated cluster left.
    pub(crate) fn forget(&self, cluster: &ClusterId) -> anyhow::Result<()> {
        match &self.ledger {
            Ledger::Folder(folder) => {
                let books = folder.join(format!("cluster={cluster}"));
                if books.exists() {
                    std::fs::remove_dir_all(&books)
                        .with_context(|| format!("{} cannot be removed", books.display()))?;
                }
            }
            #[cfg(feature = "cloud")]
            Ledger::Bucket(_) => self.books()?.forget(cluster)?,
        }
        let inputs = self.inputs(cluster);
        if inputs.exists() {
            std::fs::remove_dir_all(&inputs)
                .with_context(|| format!("{} cannot be removed", inputs.display()))?;
        }
        self.store.forget(cluster)
    }

    /// The cluster that was asked for, or the one that ran last.
    pub(crate) fn cluster(&self, asked: Option<&str>) -> anyhow::Result<ClusterId> {
        if let Some(name) = asked {
            return ClusterId::new(name).map_err(|error| WrongUse::new(error.to_string()).into());
        }
        let (folder, current) = (self.place(), self.folder.join("current"));
        let there = self.clusters()?;
        match text::read_text(&current, CURRENT_BYTES_MAX) {
            Ok(text) => {
                let (name, rest) = text.split_once('\n').unwrap_or_default();
                let is_whole = rest.is_empty() || rest.starts_with(JOURNAL_IN);
                let cluster = ClusterId::new(name).ok().filter(|_| is_whole);
                let is_there = match &cluster {
                    Some(cluster) => there.contains(cluster.as_str()) || self.store.has(cluster)?,
                    None => false,
                };
                cluster.filter(|_| is_there).ok_or_else(|| {
                    let line = text.lines().next().unwrap_or_default();
                    anyhow!(
                        "{}: `{}` is not a line with the name of a cluster that is in {folder}; {}",
                        current.display(),
                        line.escape_debug(),
                        name_one(&there)
                    )
                })
            }
            Err(ReadError::Missing(_)) if there.is_empty() => {
                let hint = "run `farthing up` or `farthing up --demo` first, or name --data FOLDER";
                Err(WrongUse::new(format!("there are no books in {folder} yet")).hint(hint).into())
            }
            Err(error) => Err(anyhow!("{error}; {}", name_one(&there))),
        }
    }

    /// That the journal of a cluster is where this command looks for it: another one would know of
    /// no budgets, and let everything pass.
    ///
    /// # Errors
    /// It is in a database that was not named, and in which.
    pub(crate) fn has_journal_of(&self, cluster: &ClusterId) -> anyhow::Result<()> {
        if self.store.is_shared() {
            return Ok(());
        }
        let current = text::read_text(&self.folder.join("current"), CURRENT_BYTES_MAX);
        let Ok(current) = current else { return Ok(()) };
        let Some((name, rest)) = current.split_once('\n') else { return Ok(()) };
        match rest.trim_end().strip_prefix(JOURNAL_IN) {
            Some(url) if name == cluster.as_str() => {
                let what = format!("the journal of {cluster} is in {url}");
                let hint = format!("name it, with its parameters: --store {url}");
                Err(WrongUse::new(what).hint(hint).into())
            }
            _ => Ok(()),
        }
    }

    /// The clusters that have books here, by name.
    fn clusters(&self) -> anyhow::Result<BTreeSet<String>> {
        let Some(folder) = self.books_folder() else {
            return Ok(self.books()?.clusters()?.into_iter().collect());
        };
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        Ok(names.filter_map(|name| Some(name.strip_prefix("cluster=")?.to_owned())).collect())
    }

    /// Where the ledger is, for messages: a folder of one's own is named by what it is in.
    fn place(&self) -> String {
        match &self.ledger {
            Ledger::Folder(folder) if *folder == self.folder.join("books") => {
                self.folder.display().to_string()
            }
            Ledger::Folder(folder) => folder.display().to_string(),
            #[cfg(feature = "cloud")]
            Ledger::Bucket(url) => url.to_string(),
        }
    }
}

/// The user's folder for state.
fn users_folder() -> anyhow::Result<PathBuf> {
    let under = |variable: &str, below: &str| {
        let value = std::env::var_os(variable).filter(|value| !value.is_empty())?;
        Some(PathBuf::from(value).join(below))
    };
    under("XDG_STATE_HOME", "farthing")
        .or_else(|| under("HOME", ".local/state/farthing"))
        .ok_or_else(|| {
            WrongUse::new("there is no HOME to keep the books under")
                .hint("name a folder with --data FOLDER or FARTHING_DATA")
                .into()
        })
}

/// Advice where it is not known which cluster is meant.
fn name_one(there: &BTreeSet<String>) -> String {
    if there.is_empty() {
        return "run `farthing up` first, or name --data FOLDER".to_owned();
    }
    let names: Vec<&str> = there.iter().map(String::as_str).collect();
    format!("name one with --cluster: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_journal_is_remembered_without_its_password() {
        let folder = tempfile::tempdir().unwrap();
        let home = |store| Home::new(Some(folder.path()), None, store).unwrap();
        let lab = ClusterId::new("lab").unwrap();
        let url = "postgres://me:hush@127.0.0.1:5432/books";
        home(Some(url)).begin(&lab).unwrap();
        let current = std::fs::read_to_string(folder.path().join("current")).unwrap();
        assert_eq!(current, "lab\njournal in postgres://me@127.0.0.1:5432/books\n");
        home(Some(url)).has_journal_of(&lab).unwrap();
        let error = home(None).has_journal_of(&lab).unwrap_err().to_string();
        assert_eq!(error, "the journal of lab is in postgres://me@127.0.0.1:5432/books");
        home(None).has_journal_of(&ClusterId::new("other").unwrap()).unwrap();
        // The next run keeps it in a file.
        home(None).begin(&lab).unwrap();
        home(None).has_journal_of(&lab).unwrap();
    }
}
