//! Replacing what stands in the books, and only that: the second of two writers is refused.

use super::{Books, BooksError, COMPACTED, Correction, Generation, Hour, Mark, Segment};
use super::{charge_file, generation, segment_file};
use crate::meter::Metered;
use bytes::Bytes;
use farthing_model::ClusterId;
use futures::executor::block_on;
use jiff::Timestamp;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use object_store::{PutMode, PutPayload, UpdateVersion, path::Path};

impl Books {
    /// As [`Books::put_hour`], if `known` is still the writing that stands; corrections that the
    /// hour had stay in it, and `correction` is added. The same bytes again are no conflict.
    ///
    /// # Errors
    /// [`BooksError::Conflict`] when another writer was faster, and as [`Books::put_hour`].
    pub fn replace_hour(
        &self,
        metered: &Metered,
        journal: Option<Mark>,
        known: &Generation,
        correction: Option<Correction>,
    ) -> Result<Generation, BooksError> {
        let path = Hour::of(metered.window.from()).charges(&metered.cluster);
        let _lock = self.folder.as_deref().map(generation::lock).transpose()?;
        let (standing, version) = self.standing(&path)?;
        let mut corrections = known.corrections().to_vec();
        corrections.extend(correction);
        let bytes = charge_file::encode(&self.name(&path), metered, journal, &corrections)?;
        let written = Generation::of(&bytes, corrections);
        let found = standing.map(|bytes| Generation::of(&bytes, Vec::new())).unwrap_or_default();
        if found.is(&written) {
            return Ok(written);
        }
        if !found.is(known) {
            return Err(BooksError::Conflict { file: self.name(&path) });
        }
        self.swap(&path, &bytes, version)?;
        Ok(written)
    }

    /// Which writing of an hour's charges stands, be it sound or damaged.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn generation(&self, cluster: &ClusterId, at: Timestamp) -> Result<Generation, BooksError> {
        let path = Hour::of(at).charges(cluster);
        let Some(bytes) = self.standing(&path)?.0 else { return Ok(Generation::default()) };
        let unreadable = Generation::of(&bytes, Vec::new());
        let book = charge_file::open(&self.name(&path), bytes);
        // What is damaged is replaced whole by whoever knows that it stands.
        Ok(book.map_or(unreadable, |book| book.generation))
    }

    /// Puts telemetry of an hour in the place of all that it had.
    ///
    /// # Errors
    /// A file cannot be written or deleted.
    pub(crate) fn replace_segments(
        &self,
        cluster: &ClusterId,
        at: Timestamp,
        segments: &[Segment],
    ) -> Result<(), BooksError> {
        let folder = Hour::of(at).telemetry(cluster);
        let path = folder.clone().join(COMPACTED);
        let bytes = segment_file::encode(&self.name(&path), segments)?;
        self.write(&path, bytes)?;
        for path in self.list(&folder)?.iter().filter(|path| path.filename() != Some(COMPACTED)) {
            let deleted = block_on(self.store.delete(path));
            deleted.map_err(|source| self.error(path, "deleted", source))?;
        }
        Ok(())
    }

    /// The file that stands, and what the store calls this version of it.
    fn standing(&self, path: &Path) -> Result<(Option<Bytes>, UpdateVersion), BooksError> {
        let read = block_on(async {
            let found = self.store.get(path).await?;
            let version = UpdateVersion {
                e_tag: found.meta.e_tag.clone(),
                version: found.meta.version.clone(),
            };
            Ok((Some(found.bytes().await?), version))
        });
        match read {
            Err(object_store::Error::NotFound { .. }) => {
                Ok((None, UpdateVersion { e_tag: None, version: None }))
            }
            read => read.map_err(|source| self.error(path, "read", source)),
        }
    }

    /// Writes a file if the version that was read still stands.
    fn swap(&self, path: &Path, bytes: &Bytes, known: UpdateVersion) -> Result<(), BooksError> {
        use object_store::Error::{AlreadyExists, Precondition};
        let put = |mode: PutMode| {
            let payload = PutPayload::from_bytes(bytes.clone());
            block_on(self.store.put_opts(path, payload, mode.into()))
        };
        let written = match (&self.folder, &known.e_tag, &known.version) {
            // The lock is held.
            (Some(_), ..) => put(PutMode::Overwrite),
            (None, None, None) => put(PutMode::Create),
            (None, ..) => put(PutMode::Update(known)),
        };
        match written {
            Ok(_) => Ok(()),
            Err(AlreadyExists { .. } | Precondition { .. }) => {
                Err(BooksError::Conflict { file: self.name(path) })
            }
            Err(source) => Err(self.error(path, "written", source)),
        }
    }
}
