//! What recorded plans were made from, kept beside the journal, so that a decision can be made
//! again from exactly what was known then.
//!
//! One file for each plan that the journal has, packed, written whole; the oldest are let go of
//! when all of them are too large together. Losing them loses a replay and nothing else: a run goes
//! on where one cannot be written.

use anyhow::Context as _;
use farthing_engine::{Open, Tick};
use farthing_planner::Input;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Bytes of all inputs of a cluster.
const BYTES_MAX: u64 = 256 << 20;
/// Bytes that one unpacks to: a cluster of 10,000 nodes has some tens of millions.
const UNPACKED_MAX: u64 = 1 << 30;
/// The end of the name of a file.
const ENDING: &str = ".input.gz";

/// The inputs of a cluster, as a run keeps them.
pub(crate) struct Inputs {
    folder: PathBuf,
    bytes_max: u64,
    /// Bytes by the number of the plan.
    kept: BTreeMap<u64, u64>,
    /// The plan that was kept last.
    last: String,
    /// Somebody was told that one could not be kept.
    told: bool,
}

impl Inputs {
    /// Those in a folder, which is made with the first one.
    pub(crate) fn open(folder: PathBuf) -> Self {
        let mut kept = BTreeMap::new();
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| number(name.strip_suffix(ENDING)?));
            if let (Some(number), Ok(meta)) = (number, entry.metadata()) {
                kept.insert(number, meta.len());
            }
        }
        Self { folder, bytes_max: BYTES_MAX, kept, last: String::new(), told: false }
    }

    /// Keeps the input of a tick if its plan is the one that the journal has. What people should
    /// know comes back, once.
    pub(crate) fn keep(&mut self, open: &Open, tick: &Tick) -> Option<String> {
        let input = tick.input.as_ref()?;
        let recorded = open.plan.as_ref()?.plan.as_str();
        if recorded != input.id.as_str() || recorded == self.last {
            return None;
        }
        recorded.clone_into(&mut self.last);
        let error = self.write(input).err()?;
        if std::mem::replace(&mut self.told, true) {
            return None;
        }
        Some(format!("what plans are made from is not kept for a replay: {error:#}"))
    }

    fn write(&mut self, input: &Input) -> anyhow::Result<()> {
        let Some(number) = number(input.id.as_str()) else { return Ok(()) };
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&input.to_bytes())?;
        let packed = packed.finish()?;
        let path = file(&self.folder, input.id.as_str());
        let name = || path.display().to_string();
        fs::create_dir_all(&self.folder).with_context(name)?;
        // A rename shows either nothing or all of it.
        let new = path.with_extension("new");
        fs::write(&new, &packed).and_then(|()| fs::rename(&new, &path)).with_context(name)?;
        self.kept.insert(number, u64::try_from(packed.len())?);
        while self.kept.values().sum::<u64>() > self.bytes_max && self.kept.len() > 1 {
            let Some((oldest, _)) = self.kept.pop_first() else { break };
            let path = file(&self.folder, &format!("p{oldest}"));
            fs::remove_file(&path).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

/// The input of a plan, if it was kept.
///
/// # Errors
/// The file cannot be read, is damaged, or another version wrote it.
pub(crate) fn of_plan(folder: &Path, plan: &str) -> anyhow::Result<Option<Input>> {
    if number(plan).is_none() {
        return Ok(None);
    }
    let path = file(folder, plan);
    let name = || path.display().to_string();
    let packed = match fs::File::open(&path) {
        Ok(packed) => packed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(name),
    };
    let mut bytes = Vec::new();
    GzDecoder::new(packed).take(UNPACKED_MAX).read_to_end(&mut bytes).with_context(name)?;
    Input::from_bytes(&bytes).with_context(name).map(Some)
}

fn file(folder: &Path, plan: &str) -> PathBuf {
    folder.join(format!("{plan}{ENDING}"))
}

/// The number of a plan: `p17`.
fn number(plan: &str) -> Option<u64> {
    let digits = plan.strip_prefix('p')?;
    digits.parse().ok().filter(|number: &u64| number.to_string() == digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_numbered_and_nothing_else_is_a_file() {
        assert_eq!(number("p17"), Some(17));
        for other in ["17", "p", "p017", "p+1", "p1/../x", "px"] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn what_was_not_kept_is_none_and_what_is_damaged_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(of_plan(folder.path(), "p1").expect("nothing there").is_none());
        fs::write(file(folder.path(), "p1"), b"no gzip").expect("it is written");
        let error = format!("{:#}", of_plan(folder.path(), "p1").expect_err("it is damaged"));
        assert!(error.contains("p1.input.gz"), "{error}");
        let mut cut = GzEncoder::new(Vec::new(), Compression::fast());
        cut.write_all(&[1, 2, 3]).expect("it is packed");
        fs::write(file(folder.path(), "p2"), cut.finish().expect("it is packed")).expect("kept");
        let error = format!("{:#}", of_plan(folder.path(), "p2").expect_err("it is cut short"));
        assert!(error.contains("p2.input.gz"), "{error}");
    }
}
