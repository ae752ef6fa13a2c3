//! Lines of a stream of any length, in memory that does not grow with it.

use super::{Limits, What};
use flate2::bufread::MultiGzDecoder;
use memchr::{memchr, memrchr};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

/// The first bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Bytes that are read at once.
const BLOCK_BYTES: usize = 1 << 20;
/// Compressed files up to this are not judged by their ratio.
const RATIO_FROM_BYTES: u64 = 1 << 30;

/// Why a stream ended early. What came before stands.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The system refuses, or compressed data is damaged.
    #[error("cannot be read from byte {at} on: {source}")]
    Read {
        /// How many bytes of text came before.
        at: u64,
        /// What the system says.
        source: io::Error,
    },
    /// Compressed data that unpacks to more than the limit.
    #[error("unpacks to over {0} bytes, far more than text of metrics does; the rest is not read")]
    Bomb(u64),
}

/// Cuts a stream into blocks of whole lines.
pub struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// Bytes of the buffer that hold text.
    filled: usize,
    /// Bytes of the buffer that were given out.
    given: usize,
    line: u64,
    read: u64,
    line_bytes_max: usize,
    ended: bool,
    /// What ended it early, until the lines before were given out.
    fault: Option<StreamError>,
}

impl<R: Read> Lines<R> {
    /// Reads `input` from its start.
    pub fn new(input: R, limits: &Limits) -> Self {
        let line_bytes_max = limits.line_bytes_max.max(1);
        Self {
            input,
            buffer: vec![0; BLOCK_BYTES.max(line_bytes_max + 1)],
            filled: 0,
            given: 0,
            line: 1,
            read: 0,
            line_bytes_max,
            ended: false,
            fault: None,
        }
    }

    /// Bytes of text that were read so far.
    pub const fn bytes(&self) -> u64 {
        self.read
    }

    /// The next lines; `None` at the end.
    ///
    /// # Errors
    /// The stream cannot be read on; the whole lines before were given.
    pub fn next_block(&mut self) -> Result<Option<(u64, &[u8])>, StreamError> {
        self.buffer.copy_within(self.given..self.filled, 0);
        self.filled -= self.given;
        self.given = 0;
        while !self.ended && self.fault.is_none() && self.filled < self.buffer.len() {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    self.filled += count;
                    self.read += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    self.fault = Some(StreamError::Read { at: self.read, source });
                }
            }
        }
        let text = &self.buffer[..self.filled];
        self.given = match memrchr(b'\n', text) {
            Some(last) => last + 1,
            // Of a line that was cut off nobody knows the end: `1` may have been `100`.
            None if self.fault.is_some() => 0,
            // A last line without a line feed, or one that fills the buffer: [`Self::lines`]
            // refuses what is over the limit.
            None => self.filled,
        };
        if self.ended {
            self.given = self.filled;
        }
        if self.given == 0 {
            self.filled = 0;
            return self.fault.take().map_or(Ok(None), |fault| {
                self.ended = true;
                Err(fault)
            });
        }
        Ok(Some((self.line, &self.buffer[..self.given])))
    }

    /// Gives every line to `each` with its number, without its line feed; one that is too long as
    /// what is wrong with it.
    ///
    /// # Errors
    /// The stream cannot be read on; the lines before were given.
    pub fn for_each(
        &mut self,
        mut each: impl FnMut(u64, Result<&[u8], What>),
    ) -> Result<(), StreamError> {
        let mut skipping = false;
        let max = self.line_bytes_max;
        while let Some((mut number, mut text)) = self.next_block()? {
            while !text.is_empty() {
                let end = memchr(b'\n', text);
                let (line, rest) = text.split_at(end.unwrap_or(text.len()));
                if skipping {
                    // The rest of a line that was refused.
                } else if line.len() > max {
                    each(number, Err(What::LineTooLong(max)));
                } else {
                    each(number, Ok(line));
                }
                skipping = end.is_none();
                number += u64::from(end.is_some());
                text = rest.get(1..).unwrap_or_default();
            }
            self.line = number;
        }
        Ok(())
    }
}

/// A file to read lines from, unpacked where it is compressed.
///
/// # Errors
/// The file cannot be opened.
pub fn open(path: &Path, limits: &Limits) -> io::Result<Box<dyn Read>> {
    let mut file = BufReader::with_capacity(BLOCK_BYTES, File::open(path)?);
    if !file.fill_buf()?.starts_with(&GZIP) {
        return Ok(Box::new(file));
    }
    let packed = file.get_ref().metadata()?.len();
    let by_ratio = packed.saturating_mul(limits.unpacked_ratio_max).max(RATIO_FROM_BYTES);
    let max = limits.unpacked_bytes_max.min(by_ratio);
    Ok(Box::new(Unpacked { inner: MultiGzDecoder::new(file), left: max, max }))
}

/// Unpacked bytes, up to a limit.
struct Unpacked<R> {
    inner: R,
    left: u64,
    max: u64,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(StreamError::Bomb(self.max))),
        }
        Ok(count)
    }
}
