//! Compressed files, up to a limit: a few bytes can stand for a disk full of them.

use super::error::BookError;
use flate2::read::MultiGzDecoder;
use std::io::Read as _;
use std::path::Path;

/// The first bytes of gzip.
pub(crate) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Unpacks at most `max` bytes.
///
/// # Errors
/// Cut off, damaged, or more than `max` bytes.
pub(crate) fn unpack(path: &Path, bytes: &[u8], max: u64) -> Result<Vec<u8>, BookError> {
    let bad = |what: String| BookError::Compressed { path: path.to_owned(), what };
    // Text packs five to ten times; a hint of that saves copies.
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(8).min(64 << 20));
    MultiGzDecoder::new(bytes)
        .take(max.saturating_add(1))
        .read_to_end(&mut out)
        .map_err(|error| bad(format!("is cut off or damaged: {error} (gzip)")))?;
    if u64::try_from(out.len()).is_ok_and(|len| len > max) {
        return Err(bad(format!("unpacks to more than {max} bytes; at most so many are read")));
    }
    Ok(out)
}
