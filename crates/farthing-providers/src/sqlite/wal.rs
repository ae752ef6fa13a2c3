//! Looking into `SQLite`'s write-ahead log: a damaged frame ends it without a word, and what comes
//! after it is lost. `SQLite` cannot tell that from an unfinished write, so this looks itself.
//!
//! Format: <https://www.sqlite.org/fileformat2.html#walformat>.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The magic number; its last bit says that checksums are over big-endian words.
const MAGIC: u32 = 0x377f_0682;
/// Largest log that is looked through; `SQLite` folds it into the file at 4 MB.
const BYTES_MAX: u64 = 1 << 30;

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Whether nothing is in the log.
pub(crate) fn is_empty(path: &Path) -> bool {
    fs::metadata(beside(path)).map_or(true, |meta| meta.len() == 0)
}

/// What is wrong with the log, if anything. A frame that is not complete at its end is a write that
/// a crash cut off, and nothing that was acknowledged.
pub(crate) fn check(path: &Path) -> io::Result<Option<String>> {
    let path = beside(path);
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(meta) if meta.len() > BYTES_MAX => {
            return Ok(Some(format!("the log has {} bytes, more than any should", meta.len())));
        }
        Ok(_) => {}
    }
    Ok(scan(&fs::read(&path)?))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| <[u8; 4]>::try_from(word).ok());
    u32::from_be_bytes(word.unwrap_or_default())
}

/// `SQLite`'s checksum over pairs of words, going on from `sum`.
fn checksum(bytes: &[u8], big_endian: bool, sum: (u32, u32)) -> (u32, u32) {
    let number = |at: usize| {
        let word = word(bytes, at);
        if big_endian { word } else { word.swap_bytes() }
    };
    (0..bytes.len() / 8).fold(sum, |(a, b), pair| {
        let a = a.wrapping_add(number(pair * 8)).wrapping_add(b);
        (a, b.wrapping_add(number(pair * 8 + 4)).wrapping_add(a))
    })
}

fn scan(log: &[u8]) -> Option<String> {
    if log.len() < HEADER {
        // Nothing was committed before the header was complete.
        return None;
    }
    let big_endian = word(log, 0) & 1 == 1;
    let mut sum = checksum(&log[..24], big_endian, (0, 0));
    if word(log, 0) & !1 != MAGIC || sum != (word(log, 24), word(log, 28)) {
        return Some("the header of the log is damaged, and what is in it is lost".to_owned());
    }
    let page = usize::try_from(word(log, 8)).unwrap_or_default();
    let salts = (word(log, 16), word(log, 20));
    for (index, frame) in log[HEADER..].chunks_exact(FRAME_HEADER + page).enumerate() {
        let own = (word(frame, 8), word(frame, 12));
        sum = checksum(&frame[..8], big_endian, sum);
        sum = checksum(&frame[FRAME_HEADER..], big_endian, sum);
        if own == salts && sum == (word(frame, 16), word(frame, 20)) {
            continue;
        }
        // Frames of an earlier round stay behind the last valid one; both their salts differ.
        let leftover = own.0 != salts.0 && own.1 != salts.1;
        return (!leftover).then(|| {
            format!(
                "frame {} of the log is damaged, and what was written after it may be lost (or \
                 the power failed while it was written)",
                index + 1
            )
        });
    }
    None
}
