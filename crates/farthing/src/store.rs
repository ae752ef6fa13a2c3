//! Where journals are kept: in files beside the books, or in a PostgreSQL database.

use crate::outcome::WrongUse;
use anyhow::{Context as _, anyhow};
use farthing_edge::check::{JournalCheck, Known};
use farthing_edge::{EdgeError, Record, Store};
use farthing_model::ClusterId;
use farthing_providers::postgres::{self, Campaign, PgUrl, PostgresStore};
use farthing_providers::sqlite::{self, SqliteStore};
use jiff::Timestamp;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// A journal, wherever it is.
pub(crate) type Journal = Box<dyn Store + Send>;

/// Bytes of the name of who has a turn, at most.
const WHO_BYTES_MAX: u64 = 256;

/// Whether a process may run the loop of a journal that is a file.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It may, until this is closed: also the end of the process closes it, however it ends.
    Leads(File),
    /// Somebody else does.
    Follows(String),
}

/// Where journals are.
#[derive(Clone, Debug)]
pub(crate) enum StoreAt {
    /// A file for each cluster.
    Folder(PathBuf),
    /// One database for all.
    Postgres(Box<PgUrl>),
    /// A file for each cluster, but of one: the last run kept its journal in a database.
    Last { folder: PathBuf, cluster: ClusterId, url: Box<PgUrl> },
}

/// Where the journal of one cluster is.
enum At<'a> {
    Folder(&'a Path),
    Postgres(&'a PgUrl),
}

impl StoreAt {
    /// What was asked for with `--store`, or the folder.
    pub(crate) fn of(asked: Option<&str>, folder: &Path) -> anyhow::Result<Self> {
        let Some(text) = asked else { return Ok(Self::Folder(folder.to_owned())) };
        if !PgUrl::is_one(text) {
            let what = "--store is the address of a PostgreSQL database";
            return Err(WrongUse::new(what)
                .hint("write postgres://USER@HOST/DATABASE; without it the journal is a file")
                .into());
        }
        let url: PgUrl =
            text.parse().map_err(|error| WrongUse::new(format!("--store: {error}")))?;
        Ok(Self::Postgres(Box::new(with_password(url))))
    }

    /// Files in a folder, but for a cluster whose journal the last run kept at an address; its
    /// password is not remembered.
    pub(crate) fn of_last_run(
        folder: &Path,
        cluster: ClusterId,
        address: &str,
    ) -> anyhow::Result<Self> {
        let url: PgUrl = address.parse().map_err(|error| {
            let what = format!("the journal of {cluster} is in {address}: {error}");
            WrongUse::new(what).hint("name it, with its parameters: --store postgres://...")
        })?;
        Ok(Self::Last { folder: folder.to_owned(), cluster, url: Box::new(with_password(url)) })
    }

    /// Where the journal of a cluster is.
    fn at(&self, cluster: &ClusterId) -> At<'_> {
        match self {
            Self::Folder(folder) => At::Folder(folder),
            Self::Postgres(url) => At::Postgres(url),
            Self::Last { cluster: last, url, .. } if last == cluster => At::Postgres(url),
            Self::Last { folder, .. } => At::Folder(folder),
        }
    }

    /// The database that the last run kept the journal of a cluster in, and that nobody named.
    pub(crate) fn remembered(&self, cluster: &ClusterId) -> Option<String> {
        match self {
            Self::Last { cluster: last, url, .. } if last == cluster => {
                Some(url.without_password())
            }
            _ => None,
        }
    }

    /// The file of a cluster, where it is one.
    fn file(folder: &Path, cluster: &ClusterId) -> PathBuf {
        folder.join(format!("{cluster}.journal"))
    }

    /// The journal of a cluster, to read and append; made where it is not there.
    pub(crate) fn open(&self, cluster: &ClusterId) -> Result<Journal, EdgeError> {
        Ok(match self.at(cluster) {
            At::Folder(folder) => Box::new(SqliteStore::open(&Self::file(folder, cluster))?),
            At::Postgres(url) => Box::new(PostgresStore::open(url, cluster)?),
        })
    }

    /// The journal of a cluster, to be read only.
    pub(crate) fn look(&self, cluster: &ClusterId) -> Result<Journal, EdgeError> {
        Ok(match self.at(cluster) {
            At::Folder(_) => return self.open(cluster),
            At::Postgres(url) => Box::new(PostgresStore::look(url, cluster)?),
        })
    }

    /// Takes the turn to run the loop of a cluster whose journal is a file.
    pub(crate) fn turn(folder: &Path, cluster: &ClusterId) -> anyhow::Result<Turn> {
        let path = folder.join(format!("{cluster}.lock"));
        let wrong = || format!("{} cannot be locked", path.display());
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.with_context(wrong)?;
        match file.try_lock() {
            Ok(()) => {
                let who = format!("process {} since {}", std::process::id(), Timestamp::now());
                // Who it is helps people; the lock is the system's.
                let _ = file.set_len(0).and_then(|()| file.write_all(who.as_bytes()));
                Ok(Turn::Leads(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut who = String::new();
                let _ = file.take(WHO_BYTES_MAX).read_to_string(&mut who);
                Ok(Turn::Follows(if who.is_empty() { "another process".to_owned() } else { who }))
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(wrong),
        }
    }

    /// The journal of a cluster, of which no loop may be the leader meanwhile: so long as the turn
    /// beside it is kept.
    pub(crate) fn open_alone(
        &self,
        cluster: &ClusterId,
    ) -> anyhow::Result<(Journal, Option<File>)> {
        let url = match self.at(cluster) {
            At::Postgres(url) => url,
            At::Folder(folder) => match Self::turn(folder, cluster)? {
                Turn::Leads(turn) => return Ok((self.open(cluster)?, Some(turn))),
                Turn::Follows(who) => {
                    let place = self.place(cluster);
                    return Err(anyhow!("{place}: {who} runs the loop of it: stop it first"));
                }
            },
        };
        let mut store = PostgresStore::open(url, cluster)?;
        let who = format!("farthing store restore, process {}", std::process::id());
        match store.campaign(&who)? {
            Campaign::Leads(_) => Ok((Box::new(store), None)),
            Campaign::Follows(leader) => Err(anyhow!(
                "{url}: {} leads {cluster} since {}: stop it first",
                leader.name,
                leader.since
            )),
        }
    }

    /// Whether it is a database, which several programs may lead.
    pub(crate) fn is_shared(&self, cluster: &ClusterId) -> bool {
        matches!(self.at(cluster), At::Postgres(_))
    }

    /// The address of the database, without its password.
    pub(crate) fn address(&self, cluster: &ClusterId) -> Option<String> {
        match self.at(cluster) {
            At::Folder(_) => None,
            At::Postgres(url) => Some(url.without_password()),
        }
    }

    /// Whether a cluster has a journal.
    pub(crate) fn has(&self, cluster: &ClusterId) -> anyhow::Result<bool> {
        Ok(match self.at(cluster) {
            At::Folder(folder) => Self::file(folder, cluster).exists(),
            At::Postgres(url) => {
                PostgresStore::clusters(url)?.iter().any(|name| name == cluster.as_str())
            }
        })
    }

    /// Where the journal of a cluster is, for messages.
    pub(crate) fn place(&self, cluster: &ClusterId) -> String {
        match self.at(cluster) {
            At::Folder(folder) => Self::file(folder, cluster).display().to_string(),
            At::Postgres(url) => format!("{url} {cluster}"),
        }
    }

    /// Verifies the journal of a cluster without changing it; `visit` sees each record that holds.
    ///
    /// # Errors
    /// There is none, or it cannot be read. Damage is a fault in the answer.
    pub(crate) fn verify(
        &self,
        cluster: &ClusterId,
        known: &[Known<'_>],
        visit: &mut dyn FnMut(&Record),
    ) -> Result<JournalCheck, EdgeError> {
        match self.at(cluster) {
            At::Folder(folder) => sqlite::verify_known(&Self::file(folder, cluster), known, visit),
            At::Postgres(url) => postgres::verify_known(url, cluster, known, visit),
        }
    }

    /// Removes the journal of a cluster.
    pub(crate) fn forget(&self, cluster: &ClusterId) -> anyhow::Result<()> {
        let folder = match self.at(cluster) {
            At::Folder(folder) => folder,
            At::Postgres(url) => return Ok(PostgresStore::forget(url, cluster)?),
        };
        let journal = Self::file(folder, cluster);
        for ending in ["", "-wal", "-shm", "-seal"] {
            let file = PathBuf::from(format!("{}{ending}", journal.display()));
            if file.exists() {
                std::fs::remove_file(&file)
                    .with_context(|| format!("{} cannot be removed", file.display()))?;
            }
        }
        Ok(())
    }
}

/// An address with the password of the environment, where it has none.
fn with_password(url: PgUrl) -> PgUrl {
    url.or_password(std::env::var("PGPASSWORD").ok())
}
