//! Why something is not a price book.

use crate::manifest::ManifestError;
use crate::text::ReadError;
use farthing_model::offer_table::TableError;
use std::path::PathBuf;

/// Why a file is not a price book.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// It could not be read as a file.
    #[error(transparent)]
    Read(ReadError),
    /// A folder with nothing in it that is read.
    #[error(
        "{}: is a folder without a price book: expected <cloud>/vms.csv or vms.csv.gz (SkyPilot \
         layout), or CSV, Parquet, Go or JSON files of prices",
        .0.display()
    )]
    Folder(PathBuf),
    /// Compressed data that is cut off, damaged or too much.
    #[error("{}: {what}", .path.display())]
    Compressed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Bytes of something else.
    #[error(
        "{}: is not a price book: neither CSV, Parquet, a PriceBook manifest, a SkyPilot \
         catalogue, Karpenter's price table nor instance types in JSON",
        .0.display()
    )]
    Unknown(PathBuf),
    /// The columns are not those of a price book.
    #[error("{}: is not a price book: {what}", .path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong with its columns.
        what: String,
    },
    /// Parquet that cannot be read.
    #[error("{}: is not readable as Parquet: {what}", .path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A price table in Go or instance types in JSON that cannot be read.
    #[error("{}:{line}: {what}", .path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A manifest with faults.
    #[error(transparent)]
    Manifest(ManifestError),
    /// A manifest of something else.
    #[error("{}: has no object of kind PriceBook", .0.display())]
    NoBook(PathBuf),
    /// Not one row is an offer.
    #[error("{}: has no usable offer: {what}", .path.display())]
    NoOffer {
        /// The file.
        path: PathBuf,
        /// The first reason.
        what: String,
    },
    /// More rows than are read.
    #[error("{}: has over {max} rows; at most so many are read", .path.display())]
    Rows {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// A discount or a rate that does not fit the prices.
    #[error("the price book's contract cannot be applied: {0}")]
    Overlay(String),
    /// The rows make no table.
    #[error("the prices make no table: {0}")]
    Table(TableError),
}
