//! Why the books could not be read or written.

/// Why the books could not be read or written. Each names its file.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The store refused.
    #[error("{file} cannot be {doing}")]
    Store {
        /// The file or folder.
        file: String,
        /// `read`, `written`, `listed`, `deleted`, `opened`.
        doing: &'static str,
        /// What the store says.
        #[source]
        source: Box<object_store::Error>,
    },
    /// The folder cannot be made.
    #[error("{folder} cannot hold the books: it must be a folder that can be written to")]
    Folder {
        /// The folder.
        folder: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Another writer posted the hour since it was read.
    #[error(
        "{file} was posted by another writer since it was read, and is left as it is: only one \
         Farthing at a time may keep these books"
    )]
    Conflict {
        /// The file.
        file: String,
    },
    /// Compaction gave the hour's own file up and was cut off, or goes on.
    #[error(
        "{file} is being folded into the file of its day, or that was cut off: run `farthing books \
         compact`, then do it again"
    )]
    Folding {
        /// The file.
        file: String,
    },
    /// A copy of the books cannot be made.
    #[error("{file} is not copied: {why}")]
    NotCopied {
        /// What.
        file: String,
        /// Why not.
        why: &'static str,
    },
    /// The lock of the folder cannot be had.
    #[error("{file} cannot be locked, which keeps two writers apart")]
    Lock {
        /// The file.
        file: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what was written.
    #[error("{file} is damaged: {what}; {}", remedy(file))]
    Damaged {
        /// The file.
        file: String,
        /// How that is known.
        what: String,
    },
    /// Parquet that cannot be written or read.
    #[error("{file} is not readable as Parquet")]
    Parquet {
        /// The file.
        file: String,
        /// What the reader says.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A row that is wrong.
    #[error("{file}, row {row}: {what}")]
    Row {
        /// The file.
        file: String,
        /// The row, from 0.
        row: u64,
        /// What is wrong.
        what: String,
    },
}

/// What helps when a file of the books is damaged.
fn remedy(file: &str) -> &'static str {
    if file.contains("/telemetry/") {
        "put back a copy, or delete it: what it measured is then lost"
    } else {
        "put back a copy, or delete it: `farthing up` then meters its hour again from telemetry"
    }
}

impl BooksError {
    pub(crate) fn damaged(file: &str, what: &str) -> Self {
        Self::Damaged { file: file.to_owned(), what: what.to_owned() }
    }

    /// Whether the file was there when it was looked for, and not any more when it was read.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Store { source, .. }
            if matches!(**source, object_store::Error::NotFound { .. }))
    }

    /// What is wrong, without the name of the file.
    pub fn what(&self) -> String {
        let (file, row) = self.place();
        let (text, place) = (self.to_string(), row.map(|row| format!(", row {row}")));
        let rest = text.strip_prefix(file).unwrap_or(&text);
        let rest = place.as_deref().and_then(|place| rest.strip_prefix(place)).unwrap_or(rest);
        let cause = std::error::Error::source(self).map(|cause| format!(": {cause}"));
        let rest = rest.trim_start_matches([':', ' ']);
        rest.to_owned() + cause.as_deref().unwrap_or_default()
    }

    /// The file, and the row where that is known.
    pub fn place(&self) -> (&str, Option<u64>) {
        match self {
            Self::Store { file, .. }
            | Self::NotCopied { file, .. }
            | Self::Damaged { file, .. }
            | Self::Conflict { file }
            | Self::Folding { file }
            | Self::Lock { file, .. }
            | Self::Parquet { file, .. } => (file, None),
            Self::Folder { folder, .. } => (folder, None),
            Self::Row { file, row, .. } => (file, Some(*row)),
        }
    }
}
