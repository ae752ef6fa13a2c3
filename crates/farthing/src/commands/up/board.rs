//! Where a running loop is told things and says things: objects in its cluster. A loop on this
//! machine has none, and is told by files alone.

use super::kube::Word;
use crate::args::UpArgs;
use farthing_engine::{Exposure, Open};
use farthing_ledger::Books;
use farthing_model::{Budget, ClusterId, Currency, Mode, Policy};
use farthing_providers::manifest::Manifests;
use jiff::Timestamp;

/// What a board is told after a tick, to be shown.
pub(crate) struct Said<'s> {
    pub(crate) at: Timestamp,
    pub(crate) open: &'s Open,
    pub(crate) exposures: &'s [Exposure],
    pub(crate) policy: &'s Policy,
    pub(crate) books: &'s Books,
    pub(crate) currency: Currency,
    pub(crate) cluster: &'s ClusterId,
}

/// What is new on a board.
#[derive(Default)]
pub(crate) struct News {
    /// What the loop is told from now on; `None`: nothing changed.
    pub(crate) told: Option<Manifests>,
    /// What people say on proposals.
    pub(crate) words: Vec<Word>,
}

/// A board.
pub(crate) trait Board {
    /// What the loop is told at its start, with the mode of a policy where nobody names one. `last`
    /// says which budgets the run before was told.
    fn begin(
        &mut self,
        args: &UpArgs,
        mode: Mode,
        last: &dyn Fn() -> anyhow::Result<Vec<Budget>>,
    ) -> anyhow::Result<Manifests>;

    /// The same again, as files may say something else by now.
    ///
    /// # Errors
    /// A file is not in order.
    fn again(&mut self, args: &UpArgs, mode: Mode) -> anyhow::Result<Manifests>;

    /// That the journal is open, by the hash of its first record.
    fn opened(&mut self, journal: &str);

    /// What is new before a tick.
    fn news(&mut self, open: &Open, now: Timestamp) -> News;

    /// Shows what a tick came to; what could not be shown, in lines.
    fn show(&mut self, said: &Said<'_>) -> Vec<String>;
}

/// No board: what the files of `--config` say, by whoever reads them.
pub(crate) struct Files(pub(crate) fn(&UpArgs, Mode) -> anyhow::Result<Manifests>);

impl Board for Files {
    fn begin(
        &mut self,
        args: &UpArgs,
        mode: Mode,
        _last: &dyn Fn() -> anyhow::Result<Vec<Budget>>,
    ) -> anyhow::Result<Manifests> {
        (self.0)(args, mode)
    }

    fn again(&mut self, args: &UpArgs, mode: Mode) -> anyhow::Result<Manifests> {
        (self.0)(args, mode)
    }

    fn opened(&mut self, _journal: &str) {}

    fn news(&mut self, _open: &Open, _now: Timestamp) -> News {
        News::default()
    }

    fn show(&mut self, _said: &Said<'_>) -> Vec<String> {
        Vec::new()
    }
}
