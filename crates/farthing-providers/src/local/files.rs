//! Reading kernel files under a root folder, without an allocation per file.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, openat, readlinkat};
use rustix::io::{Errno, read};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Most bytes read of one file. The longest that is read, the mount table of a large container
/// host, is far shorter.
const FILE_BYTES_MAX: usize = 4 << 20;

/// What `/proc/<pid>/stat` and its like fit in, so that one read call gets all of them.
const SMALL_BYTES: usize = 4 << 10;

/// Files under a root folder, `/` for the machine itself and a fixture in tests.
pub(super) struct Files {
    root: PathBuf,
    folder: OwnedFd,
    proc: OwnedFd,
    path: String,
    buffer: Vec<u8>,
}

impl Files {
    /// Opens `root`, which must have a `proc` folder.
    pub(super) fn open(root: &Path) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(rustix::fs::CWD, root, flags, Mode::empty())?;
        let proc = openat(&folder, "proc", flags, Mode::empty())?;
        let buffer = vec![0; SMALL_BYTES];
        Ok(Self { root: root.to_owned(), folder, proc, path: String::with_capacity(64), buffer })
    }

    /// The folder that all paths are under.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// All of a file by its absolute path; a longer one than 4 MiB is cut there.
    pub(super) fn whole(&mut self, path: &str) -> Result<&[u8], Errno> {
        let file = open(&self.folder, path.trim_start_matches('/'))?;
        let mut filled = 0;
        loop {
            if filled == self.buffer.len() {
                if filled >= FILE_BYTES_MAX {
                    break;
                }
                self.buffer.resize(filled * 2, 0);
            }
            match read(&file, &mut self.buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(&self.buffer[..filled])
    }

    /// All of a file as text, what is no UTF-8 replaced.
    pub(super) fn text(&mut self, path: &str) -> Result<String, Errno> {
        self.whole(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// A file of a process, in one read call. The kernel makes such a file whole for each read,
    /// so a second call that only returns nothing would cost as much again.
    pub(super) fn of_process(&mut self, pid: u32, name: &str) -> Result<&[u8], Errno> {
        self.path.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.path, "{pid}/{name}");
        let file = open(&self.proc, &self.path)?;
        let count = read(&file, &mut self.buffer[..])?;
        Ok(&self.buffer[..count])
    }

    /// Where a symbolic link points to.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        let link = readlinkat(&self.folder, path.trim_start_matches('/'), Vec::new()).ok()?;
        link.into_string().ok()
    }

    /// The names in a folder; none where it cannot be read.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.root.join(path.trim_start_matches('/'))) else {
            return Vec::new();
        };
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
    }

    /// The process ids in `/proc`, in no order; at most `most` of them, and how many there are.
    pub(super) fn pids(&self, most: usize, pids: &mut Vec<u32>) -> std::io::Result<usize> {
        pids.clear();
        let mut count = 0;
        for entry in std::fs::read_dir(self.root.join("proc"))? {
            let Ok(entry) = entry else { continue };
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            count += 1;
            if pids.len() < most {
                pids.push(pid);
            }
        }
        Ok(count)
    }
}

fn open(folder: &impl AsFd, path: &str) -> Result<OwnedFd, Errno> {
    openat(folder, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Whether a process's file could not be opened because it is someone else's.
pub(super) fn is_denied(error: Errno) -> bool {
    error == Errno::ACCESS || error == Errno::PERM
}

/// The first whitespace separated word of `bytes` as a number.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    let text = bytes.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let ends = text.get(digits).is_none_or(u8::is_ascii_whitespace);
    if digits == 0 || !ends {
        return None;
    }
    std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The lines of a file.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}
