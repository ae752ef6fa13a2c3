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

/// Reads a file, packed by gzip or not, which may have so many bytes unpacked; a larger one is
/// refused.
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
    let limited = Limited { bytes, left: bytes_max, bytes_max };
    let read = reader(&name, Box::new(limited));
    read.map_err(|error| unreadable(flag, &error).into())
}

/// Bytes that must end before there are too many: what is cut off is no smaller trace.
struct Limited {
    bytes: Box<dyn Read>,
    left: u64,
    bytes_max: u64,
}

impl Read for Limited {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            let more = self.bytes.read(&mut [0])?;
            if more == 0 {
                return Ok(0);
            }
            let what = format!("it has more than {} bytes, unpacked", self.bytes_max);
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, what));
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let count = self.bytes.read(&mut into[..most])?;
        self.left -= u64::try_from(count).unwrap_or(self.left);
        Ok(count)
    }
}

/// A trace that cannot be read is the user's to put right.
pub(super) fn unreadable(flag: &str, error: &TraceError) -> WrongUse {
    let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
    WrongUse::new(format!("{flag} {error}{cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    const ROWS: &[u8] = b"a,b\n1,2\n3,4\n";

    fn of(file: &[u8], bytes_max: u64) -> Result<usize, String> {
        let mut kept = tempfile::NamedTempFile::new().expect("a file");
        kept.write_all(file).expect("it is written");
        let count = |name: &str, mut bytes: Box<dyn Read>| {
            let mut all = Vec::new();
            let read = bytes.read_to_end(&mut all);
            read.map_err(|source| TraceError::File { file: name.to_owned(), source })
        };
        read("--trace", (kept.path(), bytes_max), count).map_err(|error| error.to_string())
    }

    /// Neither a file nor what it unpacks to is cut off unseen.
    #[test]
    fn a_file_beyond_its_limit_is_refused() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(ROWS).expect("it is packed");
        let packed = packed.finish().expect("it is packed");
        let all = u64::try_from(ROWS.len()).expect("a few bytes");
        for file in [ROWS, &packed] {
            assert_eq!(of(file, all), Ok(ROWS.len()));
            let refused = of(file, all - 1).expect_err("it is too large");
            assert!(refused.contains("it has more than 11 bytes, unpacked"), "{refused}");
        }
    }
}
