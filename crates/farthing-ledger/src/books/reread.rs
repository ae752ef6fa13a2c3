//! Telemetry that is read again by whoever meters the running hour: file by file, or only that of
//! some nodes.
//!
//! It refuses to know why.

use super::{Books, BooksError, COMPACTED, Hour, Segment, segment_file};
use crate::meter::Telemetry as _;
use farthing_model::{ClusterId, Sample};
use jiff::Timestamp;
use object_store::path::Path;

impl Books {
    /// As [`Books::segments`], one after the other: memory is for one file and not for the hour,
    /// unless some of its ticks were folded and others were not.
    ///
    /// # Errors
    /// As [`Books::segments`]; also where another writer folds the hour meanwhile.
    pub fn each_segment<'a>(
        &'a self,
        cluster: &ClusterId,
        at: Timestamp,
    ) -> Result<Box<dyn Iterator<Item = Result<Segment, BooksError>> + 'a>, BooksError> {
        let files = self.list(&Hour::of(at).telemetry(cluster))?;
        if files.len() > 1 && files.iter().any(|path| path.filename() == Some(COMPACTED)) {
            return Ok(Box::new(self.segments(cluster, at)?.into_iter().map(Ok)));
        }
        Ok(Box::new(files.into_iter().flat_map(move |path| self.segments_in(&path))))
    }

    /// The segments of a file, or why they cannot be had.
    pub(super) fn segments_in(&self, path: &Path) -> Vec<Result<Segment, BooksError>> {
        let bytes = self.read(path);
        match bytes.and_then(|bytes| segment_file::decode(&self.name(path), bytes)) {
            Ok(segments) => segments.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        }
    }

    /// The samples of some nodes in the UTC hour that holds `at`, in no order.
    ///
    /// # Errors
    /// A file cannot be read or is damaged.
    pub fn samples_of(
        &self,
        (cluster, at): (&ClusterId, Timestamp),
        is_asked: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Sample>, BooksError> {
        if let Some(kept) = self.kept(cluster, at)? {
            return kept.of_nodes(is_asked);
        }
        let segments = self.segments(cluster, at)?;
        let samples = segments.into_iter().flat_map(|segment| segment.samples);
        Ok(samples.filter(|sample| is_asked(sample.node.as_str())).collect())
    }
}
