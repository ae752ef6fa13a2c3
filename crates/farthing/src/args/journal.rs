//! `farthing journal` and `farthing store`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `farthing journal`.
#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) what: JournalWhat,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum JournalWhat {
    /// Write all records to a file, one line of JSON each with its hash, and sign its end
    Export(JournalExportArgs),
    /// Print the public key that checks what is signed here; the key is made at first use
    Key,
}

/// `farthing journal export`.
#[derive(Debug, Args)]
pub(crate) struct JournalExportArgs {
    /// The file, which must not be there
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Whose journal [default: of the last run]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// `farthing store`.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) what: StoreWhat,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreWhat {
    /// Write a journal to a file, and the books to a folder, also while the loop runs
    Backup(BackupArgs),
    /// Put a journal back from a file, into --store or files, and verify it there
    Restore(RestoreArgs),
}

/// `farthing store backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file, which must not be there
    pub(crate) file: PathBuf,
    /// Also copy the books (what was measured and charged) to this folder, or address of a
    /// bucket; while a loop runs without the newest hour, which it still writes
    #[arg(long, value_name = "FOLDER")]
    pub(crate) with_books: Option<String>,
    /// Whose journal [default: of the last run]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// `farthing store restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The file
    pub(crate) file: PathBuf,
    /// Put it in the place of the journal that is there
    #[arg(long)]
    pub(crate) replace: bool,
    /// A public key that is trusted to sign, as digits or a PEM file; several times for several
    /// [default: that of the key that signs here; where there is none, any]
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
}
