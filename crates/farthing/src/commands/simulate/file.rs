//! Files of traces: opened whether or not they are packed, and what is said where that fails.

use crate::outcome::WrongUse;
use farthing_sim::trace::TraceError;
use flate2::read::MultiGzDecoder;
use std::error::Error as _;
use std::fs::File;
use std::io::{BufReader, Read, Seek as _};
use std::path::Path;

/// What a file of gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a file, packed by gzip or not, of which no more than so many bytes are looked at.
pub(super) fn read<T>(
    flag: &str,
    (path, bytes_max): (&Path, u64),
    reader: impl FnOnce(&str, Box<dyn Read>) -> Result<T, TraceError>,
) -> anyhow::Result<T> {
    let name = path.display().to_string();
    let cannot =
        |error: std::io::Error| WrongUse::new(format!("{flag} {name} cannot be read: {error}"));
    let mut file = File::open(path).map_err(cannot)?;
    let mut begin = [0; GZIP.len()];
    let packed = file.read_exact(&mut begin).is_ok() && begin == GZIP;
    file.rewind().map_err(cannot)?;
    let file = BufReader::new(file);
    let bytes: Box<dyn Read> =
        if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let read = reader(&name, Box::new(bytes.take(bytes_max)));
    read.map_err(|error| unreadable(flag, &error).into())
}

/// A trace that cannot be read is the user's to put right.
pub(super) fn unreadable(flag: &str, error: &TraceError) -> WrongUse {
    let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
    WrongUse::new(format!("{flag} {error}{cause}"))
}
