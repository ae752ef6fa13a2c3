//! The seal of a journal: digests of its blocks, beside it in `FILE-seal`.
//!
//! The hash chain holds the records; bytes of a `SQLite` file that belong to none (free space in
//! pages, counters of its header) are held by nothing. A seal is written when the journal is
//! closed with nothing left in its log, and taken away before the next write, so where there is
//! one every byte of the file is as it was. Without one (a crash) the chain still holds.

use farthing_edge::{Class, EdgeError};
use farthing_model::hex;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

const TITLE: &str = "farthing journal seal 1";
/// Bytes of one digest's block: a page of the file.
pub(crate) const BLOCK: usize = 4_096;
/// Bytes of a digest that are kept; it guards against accidents, the chain against people.
const DIGEST: usize = 8;

/// What a seal says of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    /// There is none.
    Absent,
    /// Every byte is as it was.
    Holds,
    /// The file or the seal changed; what is wrong.
    Broken(String),
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-seal");
    PathBuf::from(name)
}

/// What is kept of a digest.
fn digits(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..DIGEST])
}

/// Length and digest lines of a file.
fn digests(path: &Path) -> io::Result<(u64, Vec<String>)> {
    let mut file = File::open(path)?;
    let (mut len, mut lines) = (0_u64, Vec::new());
    let mut block = vec![0; BLOCK];
    loop {
        let mut filled = 0;
        while filled < BLOCK {
            match file.read(&mut block[filled..])? {
                0 => break,
                more => filled += more,
            }
        }
        if filled == 0 {
            return Ok((len, lines));
        }
        len += u64::try_from(filled).unwrap_or_default();
        lines.push(digits(&block[..filled]));
    }
}

fn render(len: u64, lines: &[String]) -> String {
    let mut text = format!("{TITLE}\n{len}\n");
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    let end = digits(text.as_bytes());
    text + "end " + &end + "\n"
}

/// Seals the file. The caller holds the write lock, and nothing is in the log.
pub(crate) fn write(path: &Path) -> Result<(), EdgeError> {
    let target = beside(path);
    let mut name = target.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let put = || {
        let (len, lines) = digests(path)?;
        let mut file = File::create(&new)?;
        file.write_all(render(len, &lines).as_bytes())?;
        file.sync_all()?;
        // A rename shows either no seal or all of it.
        fs::rename(&new, &target)
    };
    put().map_err(|error: io::Error| failed(&target, "written", error))
}

/// Takes the seal away, before the file changes.
pub(crate) fn remove(path: &Path) -> Result<(), EdgeError> {
    let target = beside(path);
    match fs::remove_file(&target) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&target, "removed", error)),
        _ => Ok(()),
    }
}

fn failed(target: &Path, done: &str, error: io::Error) -> EdgeError {
    let class = match error.kind() {
        ErrorKind::StorageFull => Class::Exhausted,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Class::Denied,
        _ => Class::Transient,
    };
    let message = format!("{}: the seal cannot be {done}", target.display());
    EdgeError::new(class, message).with_source(error)
}

/// Compares the file with its seal.
pub(crate) fn check(path: &Path) -> Result<Seal, EdgeError> {
    let target = beside(path);
    let text = match fs::read(&target) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Seal::Absent),
        Err(error) => return Err(failed(&target, "read", error)),
    };
    let (len, lines) = digests(path).map_err(|error| failed(path, "compared", error))?;
    if text == render(len, &lines) {
        return Ok(Seal::Holds);
    }
    let mut given = text.lines();
    let whole = text.rfind("end ").is_some_and(|at| {
        let end = digits(&text.as_bytes()[..at]);
        text[at..] == format!("end {end}\n")
    });
    if !whole || given.next() != Some(TITLE) {
        return Ok(Seal::Broken(format!("the seal {} itself is damaged", target.display())));
    }
    let sealed_len = given.next().unwrap_or_default();
    if sealed_len != len.to_string() {
        return Ok(Seal::Broken(format!(
            "the file has {len} bytes, and was sealed with {sealed_len}"
        )));
    }
    let block = given.zip(&lines).position(|(sealed, now)| sealed != now).unwrap_or_default();
    let (from, to) = (block * BLOCK, (block + 1) * BLOCK);
    Ok(Seal::Broken(format!("bytes {from} to {to} of the file are not as they were sealed")))
}
