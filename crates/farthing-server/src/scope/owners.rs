//! Whose a workload was: the view knows those of now, the books those of before.

use super::names::Names;
use super::{Scoped, view};
use crate::reader::Unread;
use farthing_ledger::{Books, Key, ReportError, StatementQuery, statement};
use farthing_model::Window;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How far the books are asked: longer than a month, which budgets and people look back on.
const BACK: SignedDuration = SignedDuration::from_hours(35 * 24);
/// What the books said is good for so long.
const FRESH: Duration = Duration::from_secs(60);

/// Workload -> the teams that it was charged to.
type Owners = BTreeMap<String, BTreeSet<String>>;

/// What the books said.
pub(super) struct Kept {
    read: Instant,
    owners: Arc<Owners>,
}

impl Scoped {
    /// What is his by name, now and of late; `None` where everything is.
    pub(super) async fn names(&self) -> Result<Option<Names>, Unread> {
        let Some(teams) = self.teams() else { return Ok(None) };
        let whole = self.inner().published.view();
        let mut names = view::names(&whole, teams);
        if let Some(last) = &whole.last {
            let owners = self.owners(&whole.about, last.tick.at).await?;
            let (mut own, mut others) = (BTreeSet::new(), BTreeSet::new());
            for (workload, of) in &*owners {
                let is_own = of.iter().all(|team| teams.iter().any(|own| own.as_str() == team));
                let all = if is_own { &mut own } else { &mut others };
                all.insert(workload.clone());
            }
            names = names.and(own, others);
        }
        Ok(Some(names))
    }

    async fn owners(
        &self,
        about: &crate::publish::About,
        now: jiff::Timestamp,
    ) -> Result<Arc<Owners>, Unread> {
        let mut kept = self.inner().owners.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.read.elapsed() < FRESH) {
            return Ok(Arc::clone(&kept.owners));
        }
        let from = now.checked_sub(BACK).unwrap_or(jiff::Timestamp::MIN);
        let Ok(window) = Window::new(from, now) else { return Ok(Arc::default()) };
        let all = StatementQuery::of(about.cluster.clone(), window, about.currency);
        let query = StatementQuery { by: vec![Key::Team, Key::Workload], ..all };
        let read = move |books: &Books| -> Result<Owners, ReportError> {
            let mut owners = Owners::new();
            for row in statement(books, &query)?.rows {
                if let [team, workload] = row.keys.as_slice() {
                    owners.entry(workload.clone()).or_default().insert(team.clone());
                }
            }
            Ok(owners)
        };
        let read = self.inner().books.read(read).await.map_err(|why| self.unread(why))?;
        let owners = Arc::new(read);
        *kept = Some(Kept { read: Instant::now(), owners: Arc::clone(&owners) });
        Ok(owners)
    }
}
