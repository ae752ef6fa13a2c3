//! The files of a price book: itself, or those of a folder.
//!
//! A folder in `SkyPilot` layout has one folder for each cloud with `vms.csv`, maybe compressed;
//! any other folder is read file by file.

use crate::catalog::error::BookError;
use std::path::{Path, PathBuf};

/// Files that are read of a folder of no known layout.
const ENDINGS: [&str; 6] = [".csv", ".csv.gz", ".parquet", ".go", ".json", ".json.gz"];
/// Most files of a folder; a catalogue has one for each cloud.
const FILES_MAX: usize = 1_000;

/// A file, and the provider that its place says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    pub(crate) provider: Option<String>,
}

/// The files that a path stands for, in the order of their names.
///
/// # Errors
/// A folder without a file that is read, or that cannot be listed.
pub(crate) fn files(path: &Path) -> Result<Vec<SourceFile>, BookError> {
    if !path.is_dir() {
        return Ok(vec![alone(path)]);
    }
    let entries = list(path)?;
    let clouds: Vec<SourceFile> =
        entries.iter().filter(|it| it.is_dir()).filter_map(|it| cloud(it)).collect();
    if !clouds.is_empty() {
        return Ok(clouds);
    }
    if let Some(one) = cloud(path) {
        return Ok(vec![one]);
    }
    let named = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
        name.is_some_and(|name| ENDINGS.iter().any(|ending| name.ends_with(ending)))
    };
    let files: Vec<SourceFile> =
        entries.iter().filter(|it| it.is_file() && named(it)).map(|it| alone(it)).collect();
    if files.is_empty() { Err(BookError::Folder(path.to_owned())) } else { Ok(files) }
}

/// The catalogue of one cloud: `vms.csv` wins over `vms.csv.gz`, as what was unpacked is newer.
fn cloud(folder: &Path) -> Option<SourceFile> {
    let file = ["vms.csv", "vms.csv.gz"].map(|name| folder.join(name));
    let path = file.into_iter().find(|path| path.is_file())?;
    Some(SourceFile { provider: name(folder), path })
}

/// `aws/vms.csv` and `aws.csv` are both of aws.
fn alone(path: &Path) -> SourceFile {
    let file = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let stem = file.as_deref().and_then(|file| file.split('.').next()).unwrap_or_default();
    let provider = match stem {
        "vms" => path.parent().and_then(name),
        "" => None,
        stem => Some(stem.to_owned()),
    };
    SourceFile { path: path.to_owned(), provider }
}

fn name(folder: &Path) -> Option<String> {
    folder.file_name().map(|name| name.to_string_lossy().to_lowercase())
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, BookError> {
    let io =
        |source| BookError::Read(crate::text::ReadError::Io { path: folder.to_owned(), source });
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        paths.push(entry.map_err(io)?.path());
        if paths.len() > FILES_MAX {
            let what = std::io::Error::other(format!("has over {FILES_MAX} entries"));
            return Err(io(what));
        }
    }
    paths.sort();
    Ok(paths)
}
