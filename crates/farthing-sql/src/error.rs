//! Why a question has no answer.

use datafusion::error::DataFusionError;
use farthing_ledger::BooksError;
use farthing_model::ClusterId;
use std::path::PathBuf;

/// Why books could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// No charges.
    #[error("the books of {cluster} have no charges yet: there is no {}", folder.display())]
    NoCharges {
        /// Whose.
        cluster: ClusterId,
        /// Where they would be.
        folder: PathBuf,
    },
    /// The books.
    #[error(transparent)]
    Books(BooksError),
    /// Threads cannot be started.
    #[error("a query cannot be started")]
    Start(#[source] std::io::Error),
    /// The question is wrong, or the files are.
    #[error("{0}")]
    Query(String),
}

impl SqlError {
    /// What DataFusion says, without its stack of origins.
    pub(crate) fn query(error: &DataFusionError) -> Self {
        Self::Query(error.strip_backtrace())
    }
}
