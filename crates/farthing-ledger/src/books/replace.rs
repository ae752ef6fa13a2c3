//! Replacing what stands in the books, and only that: the second of two writers is refused.

use super::fold::GIVEN_UP;
use super::{Books, BooksError, COMPACTED, Correction, Generation, Hour, Mark, Segment};
use super::{charge_file, segment_file};
use crate::meter::Metered;
use bytes::Bytes;
use farthing_model::ClusterId;
use futures::executor::block_on;
use jiff::Timestamp;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use object_store::{PutMode, PutPayload, UpdateVersion, path::Path};

/// A file, and what the store calls the version of it.
type Version = (Path, Option<String>);

/// The telemetry of an hour, and which files it was read from.
pub(crate) struct Measured {
    pub(crate) segments: Vec<Segment>,
    files: Vec<Version>,
    seal: Generation,
    version: UpdateVersion,
}

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
        let hour = metered.window.from();
        let path = Hour::of(hour).charges(&metered.cluster);
        let _lock = self.lock()?;
        let (standing, version, is_given_up) = self.standing_or_given_up(&path)?;
        let day = match standing {
            Some(_) => None,
            None => self.hour_of_day(&metered.cluster, hour)?,
        };
        if is_given_up {
            return Err(BooksError::Folding { file: self.name(&path) });
        }
        let mut corrections = known.corrections().to_vec();
        corrections.extend(correction);
        let bytes = charge_file::encode(&self.name(&path), metered, journal, &corrections)?;
        let written = Generation::of(&bytes, corrections);
        let found = match (standing, day) {
            (Some(bytes), _) => Generation::of(&bytes, Vec::new()),
            (None, Some(book)) => book.generation,
            (None, None) => Generation::default(),
        };
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
        let Some(bytes) = self.standing(&path)?.0 else {
            let book = self.hour_of_day(cluster, at)?;
            return Ok(book.map(|book| book.generation).unwrap_or_default());
        };
        let unreadable = Generation::of(&bytes, Vec::new());
        let book = charge_file::open(&self.name(&path), bytes);
        // What is damaged is replaced whole by whoever knows that it stands.
        Ok(book.map_or(unreadable, |book| book.generation))
    }

    /// The telemetry of an hour as [`Books::segments`], and what must still stand when something
    /// else is put in its place.
    ///
    /// # Errors
    /// As [`Books::segments`].
    pub(crate) fn measured(
        &self,
        cluster: &ClusterId,
        at: Timestamp,
    ) -> Result<Measured, BooksError> {
        let folder = Hour::of(at).telemetry(cluster);
        // The version before the files: what is folded in later is then noticed.
        let (folded, version) = self.found(&folder.clone().join(COMPACTED))?;
        let seal = folded.map(|bytes| Generation::of(&bytes, Vec::new())).unwrap_or_default();
        let files = self.versions(&folder)?;
        let paths: Vec<Path> = files.iter().map(|(path, _)| path.clone()).collect();
        Ok(Measured { segments: self.read_segments(&paths)?, files, seal, version })
    }

    /// Puts telemetry of an hour in the place of all that it had, if that is what stands. A tick
    /// that is written meanwhile stays beside it.
    ///
    /// # Errors
    /// [`BooksError::Conflict`] when another writer was faster; a file cannot be written or
    /// deleted.
    pub(crate) fn replace_segments(
        &self,
        (cluster, at): (&ClusterId, Timestamp),
        known: &Measured,
        segments: &[Segment],
    ) -> Result<(), BooksError> {
        let folder = Hour::of(at).telemetry(cluster);
        let path = folder.clone().join(COMPACTED);
        let bytes = segment_file::encode(&self.name(&path), segments)?;
        let _lock = self.lock()?;
        let folded = self.found(&path)?.0;
        let seal = folded.map(|bytes| Generation::of(&bytes, Vec::new())).unwrap_or_default();
        let standing = self.versions(&folder)?;
        let is_loose = |(path, _): &&Version| path.filename() != Some(COMPACTED);
        let stands = |file: &Version| standing.contains(file);
        if !seal.is(&known.seal) || !known.files.iter().filter(is_loose).all(stands) {
            return Err(BooksError::Conflict { file: self.name(&path) });
        }
        self.swap(&path, &bytes, known.version.clone())?;
        known.files.iter().filter(is_loose).try_for_each(|(path, _)| self.delete(path))
    }

    /// The Parquet files under a folder, by name, and what the store calls their versions.
    fn versions(&self, folder: &Path) -> Result<Vec<Version>, BooksError> {
        let mut files = self.listed(folder)?;
        files.retain(|file| file.location.extension() == Some("parquet"));
        let mut files: Vec<Version> =
            files.into_iter().map(|file| (file.location, file.e_tag)).collect();
        files.sort_unstable();
        Ok(files)
    }

    /// The file that stands, and what the store calls this version of it; one that was given up
    /// does not stand.
    pub(super) fn standing(
        &self,
        path: &Path,
    ) -> Result<(Option<Bytes>, UpdateVersion), BooksError> {
        let (bytes, version, _) = self.standing_or_given_up(path)?;
        Ok((bytes, version))
    }

    /// As [`Books::standing`], and whether it was given up.
    pub(super) fn standing_or_given_up(
        &self,
        path: &Path,
    ) -> Result<(Option<Bytes>, UpdateVersion, bool), BooksError> {
        let (bytes, version) = self.found(path)?;
        let is_given_up = bytes.as_deref() == Some(GIVEN_UP);
        Ok((bytes.filter(|_| !is_given_up), version, is_given_up))
    }

    fn found(&self, path: &Path) -> Result<(Option<Bytes>, UpdateVersion), BooksError> {
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

    /// Writes a file if the version that was read still stands; in a folder the lock is held.
    pub(super) fn swap(
        &self,
        path: &Path,
        bytes: &Bytes,
        known: UpdateVersion,
    ) -> Result<(), BooksError> {
        use object_store::Error::{AlreadyExists, NotFound, Precondition};
        let put = |mode: PutMode| {
            let payload = PutPayload::from_bytes(bytes.clone());
            block_on(self.store.put_opts(path, payload, mode.into()))
        };
        let written = match (&self.folder, &known.e_tag, &known.version) {
            (Some(_), ..) => put(PutMode::Overwrite),
            (None, None, None) => put(PutMode::Create),
            (None, ..) => put(PutMode::Update(known)),
        };
        match written {
            Ok(_) => Ok(()),
            // A request that was tried again had perhaps been done: then what stands is ours.
            Err(AlreadyExists { .. } | Precondition { .. } | NotFound { .. }) => {
                let stands = self.found(path)?.0;
                let is_ours = stands.as_ref() == Some(bytes);
                if is_ours { Ok(()) } else { Err(BooksError::Conflict { file: self.name(path) }) }
            }
            Err(source) => Err(self.error(path, "written", source)),
        }
    }
}
