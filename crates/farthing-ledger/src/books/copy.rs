//! A copy of the books, also while a loop posts to them.
//!
//! Files are written whole and replaced whole, so that each is sound by itself. What is copied has
//! to be of one moment: the newest hour, which a running loop writes again with every tick, is left
//! out, and of the rest the copy is made again where files came, went or changed meanwhile (an hour
//! is folded when it is over). Start at [`Books::copy_to`].

use super::{Books, BooksError, hour_in, root_of};
use farthing_model::{ClusterId, Window};
use jiff::Timestamp;
use object_store::ObjectMeta;
use object_store::path::Path;
use std::collections::BTreeMap;

/// How often the books are listed again whose files change while they are copied.
const ROUNDS_MAX: usize = 20;

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Hours from this moment on are not in it; `None`: all are.
    pub until: Option<Timestamp>,
}

impl Books {
    /// Copies what these books have of a cluster, and the bills, into others, which have nothing of
    /// it. With `running` the newest hour is left out.
    ///
    /// # Errors
    /// A file cannot be read or written; there is something already; or the books change faster
    /// than they can be copied.
    pub fn copy_to(
        &self,
        to: &Self,
        cluster: &ClusterId,
        running: bool,
    ) -> Result<Copied, BooksError> {
        if let Some(there) = to.all(&root_of(cluster))?.first() {
            return Err(BooksError::NotCopied { file: to.name(there), why: "it is there already" });
        }
        let measured = self.measured_hours(cluster)?.last().copied();
        let newest = measured.max(self.posted_hours(cluster)?.last().copied());
        let until = newest.map(Window::from).filter(|_| running);
        let mut copied: BTreeMap<Path, ObjectMeta> = BTreeMap::new();
        for _ in 0..ROUNDS_MAX {
            let there = self.to_copy(cluster, until)?;
            if there == copied {
                let bytes = copied.values().map(|file| file.size).sum();
                return Ok(Copied { files: copied.len() as u64, bytes, until });
            }
            for path in copied.keys().filter(|path| !there.contains_key(*path)) {
                to.delete(path)?;
            }
            copied.retain(|path, _| there.contains_key(path));
            for (path, file) in there {
                if copied.get(&path) == Some(&file) {
                    continue;
                }
                match self.read(&path) {
                    Ok(bytes) => to.write(&path, bytes)?,
                    // Folded into another one since it was listed.
                    Err(error) if error.is_gone() => continue,
                    Err(error) => return Err(error),
                }
                copied.insert(path, file);
            }
        }
        let file = self.name(&root_of(cluster));
        Err(BooksError::NotCopied { file, why: "it changes all the time" })
    }

    /// The files to copy, as they are now.
    fn to_copy(
        &self,
        cluster: &ClusterId,
        until: Option<Timestamp>,
    ) -> Result<BTreeMap<Path, ObjectMeta>, BooksError> {
        let mut files = self.listed(&root_of(cluster))?;
        files.retain(|file| {
            let kept = matches!(file.location.extension(), Some("parquet" | "json"));
            let hour = hour_of(file.location.as_ref());
            kept && until.is_none_or(|until| hour.is_none_or(|hour| hour.from() < until))
        });
        files.extend(self.listed(&Path::default().join("bills"))?);
        Ok(files.into_iter().map(|file| (file.location.clone(), file)).collect())
    }
}

/// The hour that a file is about; `None` of one about more.
fn hour_of(path: &str) -> Option<Window> {
    let charges = path.strip_suffix(".parquet").and_then(hour_in);
    charges.or_else(|| hour_in(path.rsplit_once('/')?.0))
}
