//! SQL over the books of a cluster, by DataFusion on the same Parquet files that statements are
//! made from. For people who know what they want; the statements of `farthing cost` are made by
//! the ledger itself, and a test holds both to equal sums.
//!
//! One table, `charges`, with the columns that the files have (see `farthing_ledger::Books`).
//! Names are case-sensitive, so that those of FOCUS need no quotes. Only queries are taken:
//! nothing can be written.
//!
//! This crate refuses to know how charges are made, and trusts the files: their seals are checked
//! by `farthing verify`. Start with [`Sql::open`].
#![deny(clippy::float_arithmetic)]

mod answer;
mod error;

pub use answer::{Answer, Cell};
pub use error::SqlError;

use datafusion::arrow::datatypes::Schema;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::execution::context::SQLOptions;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use farthing_ledger::Books;
use farthing_model::ClusterId;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// Bytes that a query may hold in memory; what does not fit is spilled to temporary files or, where
/// an operator cannot, refused.
const MEMORY_MAX: usize = 1 << 30;

/// The books of a cluster, ready to be asked.
pub struct Sql {
    runtime: Runtime,
    context: SessionContext,
}

impl Sql {
    /// Opens the charges of a cluster in books that are kept in a folder.
    ///
    /// # Errors
    /// There are none, or threads cannot be started.
    pub fn open(books: &Path, cluster: &ClusterId) -> Result<Self, SqlError> {
        let runtime = Builder::new_multi_thread().enable_all().build().map_err(SqlError::Start)?;
        let folder = Books::charges_folder(books, cluster);
        if !folder.is_dir() {
            return Err(SqlError::NoCharges { cluster: cluster.clone(), folder });
        }
        let limits = RuntimeEnvBuilder::new().with_memory_limit(MEMORY_MAX, 1.0);
        let limits = limits.build_arc().map_err(|source| SqlError::query(&source))?;
        let mut config = SessionConfig::new().with_information_schema(true);
        // FOCUS writes `BilledCost`; people should not have to quote it.
        config.options_mut().sql_parser.enable_ident_normalization = false;
        let context = SessionContext::new_with_config_rt(config, limits);
        let schema = Books::charge_schema().map_err(SqlError::Books)?;
        let table = table(&folder, schema).map_err(|source| SqlError::query(&source))?;
        context
            .register_table("charges", Arc::new(table))
            .map_err(|source| SqlError::query(&source))?;
        Ok(Self { runtime, context })
    }

    /// Asks. Rows come as they are made; nothing is read before [`Answer::rows`].
    ///
    /// # Errors
    /// It is not a query, or names what is not there.
    pub fn query(&self, sql: &str) -> Result<Answer<'_>, SqlError> {
        let only_queries = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let frame = self.context.sql_with_options(sql, only_queries);
        let frame = self.runtime.block_on(frame).map_err(|source| SqlError::query(&source))?;
        Ok(Answer::new(&self.runtime, frame))
    }
}

/// The files of all hours. The columns are those of the newest format: what an older file does
/// not have is null in it.
fn table(folder: &Path, schema: Schema) -> datafusion::error::Result<ListingTable> {
    let format = ParquetFormat::default().with_enable_pruning(true);
    let options = ListingOptions::new(Arc::new(format)).with_file_extension(".parquet");
    // The slash at its end says that it is a folder.
    let url = ListingTableUrl::parse(format!("{}/", folder.display()))?;
    let config = ListingTableConfig::new(url).with_listing_options(options);
    ListingTable::try_new(config.with_schema(Arc::new(schema)))
}
