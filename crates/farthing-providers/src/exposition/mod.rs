//! Metrics as text: the Prometheus text format and `OpenMetrics`, read as a stream.
//!
//! A line is split into borrowed slices and nothing more: [`split`] finds the series, the value and
//! the time, [`Sample::series`] reads its name and labels, [`number`] reads digits into fixed
//! point, so that no amount ever is a float. [`Lines`] cuts a stream of any length into lines
//! within [`Limits`]. A bad line is a [`What`] and its neighbours go on.
//!
//! This module refuses to know what a metric means and what it is kept for. Both formats are read
//! by one grammar, the union of the two: what differs is the unit of time, see [`TimeUnit`].

mod labels;
mod line;
pub mod number;
mod stream;
mod time;

pub use labels::{Labels, Series};
pub use line::{Comment, Line, Sample, split};
pub use stream::{Lines, StreamError, open};
pub use time::TimeUnit;

/// What is more than these is a fault of its line, or ends the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one line. The annotations of one pod, which become labels, are up to 256 KiB.
    pub line_bytes_max: usize,
    /// Labels of one series. A node with every label exported has about a hundred.
    pub labels_max: usize,
    /// Bytes that a compressed file may unpack to.
    pub unpacked_bytes_max: u64,
    /// How many times its own size a compressed file may unpack to, once that is over 1 GiB. Text
    /// of real exporters packs 20 to 200 times, what was made to fill a disk over 1000 times.
    pub unpacked_ratio_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes_max: 1 << 20,
            labels_max: 512,
            unpacked_bytes_max: 1 << 40,
            unpacked_ratio_max: 500,
        }
    }
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// More bytes than a line may have.
    #[error("a line of over {0} bytes; the rest of it is skipped")]
    LineTooLong(usize),
    /// No series, or one whose name is not a name.
    #[error("`{0}` does not start with the name of a metric")]
    Name(String),
    /// A list of labels that does not parse.
    #[error("`{text}`: {why}")]
    Labels {
        /// What was read, from where it is wrong.
        text: String,
        /// What is wrong and what would be right.
        why: &'static str,
    },
    /// More labels than a series may have.
    #[error("a series with over {0} labels")]
    TooManyLabels(usize),
    /// Bytes that are not text.
    #[error("not a text in UTF-8")]
    NotText,
    /// No value behind the series.
    #[error("`{0}` has no value")]
    NoValue(String),
    /// A value that is not a number.
    #[error("`{0}` is not a value: a number, NaN, +Inf or -Inf")]
    Value(String),
    /// A time that is not one.
    #[error("`{0}` is not a time: seconds (OpenMetrics) or milliseconds (Prometheus) since 1970")]
    Time(String),
    /// A time that lies where no measurement can be.
    #[error("`{text}` is a time {why}")]
    Implausible {
        /// The time as written.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A line that says nothing of when.
    #[error("has no time, and none was given for the file (`--at`)")]
    NoTime,
    /// More series, or more different labels, than are kept.
    #[error("{0}")]
    TooMuch(String),
    /// Something behind the value and the time.
    #[error("`{0}` stands behind the value and the time")]
    Trailing(String),
}

/// At most so many bytes of a line are repeated in a message.
const SHOWN_BYTES: usize = 60;

/// The start of foreign bytes, fit for a message of one line.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let text: String = String::from_utf8_lossy(cut)
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if cut.len() < bytes.len() { text + "…" } else { text }
}

#[cfg(test)]
mod tests;
