//! The formats of traces: one module each, listed here and nowhere else.
//!
//! To add one: a module that implements [`Format`], and a line in [`FORMATS`]. What flags it takes
//! beyond `--trace`, `--format` and `--policy` it says itself; others are refused before it is run.

use super::chronus::Chronus;
use super::gavel::Gavel;
use super::jobs::Jobs;
use super::journal::Recorded;
use super::names::unknown;
use super::openb::Openb;
use super::result::Simulated;
use super::shift::{Elastic, Grid, Lending};
use super::spot_windows::SpotWindows;
use crate::args::{Output, SimulateArgs};
use crate::outcome::{Outcome, WrongUse};
use farthing_sim::trace::jobs::JobFormat;
use std::path::Path;

/// All formats, in the order in which they are named to people.
const FORMATS: &[&dyn Format] = &[
    &SpotWindows,
    &Gavel,
    &Chronus,
    &Openb,
    &Jobs(JobFormat::Philly),
    &Jobs(JobFormat::Pai),
    &Jobs(JobFormat::Slurm),
    &Jobs(JobFormat::Helios),
    &Jobs(JobFormat::Csv),
    &Grid,
    &Lending,
    &Elastic,
    &Recorded,
];

/// A kind of trace: what it takes, and how it is replayed.
pub(super) trait Format {
    /// As after `--format`.
    fn name(&self) -> &'static str;

    /// What such a trace is, in a few words.
    fn what(&self) -> &'static str;

    /// Flags that it takes of those in [`SimulateArgs::given`].
    fn takes(&self) -> &'static [&'static str];

    /// Its policies.
    fn policies(&self) -> Policies;

    /// Replays the trace under the policies.
    ///
    /// # Errors
    /// [`WrongUse`] for arguments and traces that cannot be used.
    fn run(&self, asked: &Asked<'_>) -> anyhow::Result<Simulated>;

    /// Prints why one part of the trace was decided as it was, for formats that take `--explain`.
    ///
    /// # Errors
    /// There is no such part.
    fn explain(&self, _: &Asked<'_>, part: &str, _: Output) -> anyhow::Result<Outcome> {
        Err(WrongUse::new(format!("--explain {part}: {} has no reasons", self.name())).into())
    }
}

/// The policies of a format.
pub(super) struct Policies {
    /// All names.
    pub(super) all: &'static [&'static str],
    /// Those that are run where none is named.
    pub(super) usual: &'static [&'static str],
}

/// What was asked for, with all that formats have in common checked.
pub(super) struct Asked<'a> {
    /// The arguments as they were given; only flags that the format takes are there.
    pub(super) args: &'a SimulateArgs,
    /// Where the trace is.
    pub(super) trace: &'a Path,
    /// Which policies, by name, none twice; each one is among those of the format.
    pub(super) policies: Vec<&'static str>,
    /// Where the books of the simulation are kept, if they are.
    pub(super) books: Option<&'a str>,
}

/// The format that was asked for.
pub(super) fn named(args: &SimulateArgs) -> anyhow::Result<&'static dyn Format> {
    let guessed = || args.trace.as_deref().and_then(JobFormat::guess).map(JobFormat::name);
    let guessed = if args.format.is_none() && !args.cluster.is_empty() { guessed() } else { None };
    let name = args.format.as_deref().or(guessed).unwrap_or(SpotWindows.name());
    let found = FORMATS.iter().copied().find(|format| format.name() == name);
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name()).collect();
    found.ok_or_else(|| unknown(("--format", "format"), name, &names).into())
}

impl<'a> Asked<'a> {
    /// Checks what all formats have in common.
    pub(super) fn read(args: &'a SimulateArgs, format: &dyn Format) -> anyhow::Result<Self> {
        let name = format.name();
        if let Some(flag) = args.given().into_iter().find(|flag| !format.takes().contains(flag)) {
            let what = format!("{flag} means nothing for --format {name}");
            let takes = format.takes().join(", ");
            return Err(WrongUse::new(what).hint(format!("it takes {takes}")).into());
        }
        let policies = policies(args, &format.policies())?;
        let trace = args.trace.as_deref().ok_or_else(|| {
            WrongUse::new("--trace is missing: the trace that is replayed")
                .hint(format!("--format {name} is {}", format.what()))
        })?;
        Ok(Self { args, trace, policies, books: None })
    }

    /// A flag that the format cannot do without.
    pub(super) fn needed<T>(flag: &str, value: Option<T>, like: &str) -> anyhow::Result<T> {
        let missing = || WrongUse::new(format!("{flag} is missing")).hint(format!("like {like}"));
        value.ok_or_else(|| missing().into())
    }
}

/// The policies that were named, or the usual ones.
fn policies(args: &SimulateArgs, known: &Policies) -> anyhow::Result<Vec<&'static str>> {
    if args.policy.is_empty() {
        return Ok(known.usual.to_vec());
    }
    let mut found: Vec<&'static str> = Vec::new();
    for name in args.policy.iter().map(|name| name.trim()) {
        let policy = known.all.iter().find(|policy| **policy == name);
        let policy = policy.ok_or_else(|| unknown(("--policy", "policy"), name, known.all))?;
        if found.contains(policy) {
            return Err(WrongUse::new(format!("--policy {name} is there twice")).into());
        }
        found.push(policy);
    }
    Ok(found)
}
