//! Records of the journal, as far as they are someone's: his steps, his claims, and what plans say
//! of his work. Who was let in and who was refused is for those who may audit.

use super::names::Names;
use super::{Scoped, Teams, plans};
use crate::publish::View;
use crate::reader::{Archive, Unread};
use farthing_edge::{EdgeError, Record, RecordKind};
use farthing_engine::{Body, Scores, Story};
use farthing_model::Money;
use std::collections::{BTreeMap, VecDeque};

/// Records read at a time, and at most for one page: of a rare kind a page may be short.
const CHUNK: u64 = 1_000;
const READ_MAX: u64 = 50_000;
/// Steps and claims whose owner is remembered while a page is made.
const SUBJECTS_MAX: usize = 200_000;

/// A page that is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Only records before this number.
    pub(crate) before: Option<u64>,
    /// So many.
    pub(crate) limit: usize,
    /// Of these kinds; nothing = all.
    pub(crate) kinds: Vec<RecordKind>,
}

/// A record, or the part of one that is his.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The record.
    pub(crate) record: Record,
    /// Whether the reader sees only a part of the journal: then hashes are not for him.
    pub(crate) is_part: bool,
}

/// A page of records, newest first.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// The records.
    pub(crate) found: Vec<Found>,
    /// Before which number the next page begins.
    pub(crate) next: Option<u64>,
}

/// Through what records are looked at.
struct Lens {
    /// Whose; `None` = everybody's.
    own: Option<(Teams, Names)>,
    /// Whether records of people may be seen.
    audits: bool,
    subjects: Subjects,
}

/// Step -> workload, and claim -> team.
#[derive(Default)]
struct Subjects {
    of: BTreeMap<String, Option<String>>,
    order: VecDeque<String>,
}

impl Scoped {
    /// A page of records; `None` where there is no journal.
    pub(crate) async fn records(&self, wanted: Wanted) -> Result<Option<Page>, Unread> {
        let Some(journal) = &self.inner().journal else { return Ok(None) };
        let mut lens = self.lens().await?;
        let read = journal.read(move |journal| {
            lens.learn(journal)?;
            page(journal, &wanted, &lens)
        });
        read.await.map(Some).map_err(|why| self.unread(why))
    }

    /// The sums of his verified steps.
    pub(crate) async fn scores(&self) -> Result<Scores, Unread> {
        // What the loop has summed already, and what was written since: a page of the records has
        // those, too.
        let (mut scores, from) = match self.teams() {
            Some(_) => (Scores::default(), 1),
            None => summed(&self.inner().published.view()),
        };
        let Some(journal) = &self.inner().journal else { return Ok(scores) };
        let lens = self.lens().await?;
        let read = journal.read(move |journal| {
            each(journal, from, |record| {
                if let Some(Found { record, .. }) = lens.see(record)
                    && let Ok(Body::Verified(verified)) = Body::read(&record)
                {
                    add(&mut scores, &verified.predicted, &verified.realised);
                }
            })?;
            Ok::<_, EdgeError>(scores)
        });
        read.await.map_err(|why| self.unread(why))
    }

    /// What the journal says of a step or plan.
    pub(crate) async fn story(&self, id: &str) -> Result<Option<Story>, Unread> {
        let Some(journal) = &self.inner().journal else { return Ok(None) };
        let (names, id) = (self.names().await?, id.to_owned());
        let read = journal.read(move |journal| {
            let mut story = None;
            each(journal, 1, |record| {
                // A record that cannot be read says nothing of this step; `verify` names it.
                if let Ok(body) = Body::read(record) {
                    Story::read(&mut story, &id, record.at, body);
                }
            })?;
            Ok::<_, EdgeError>(match names {
                None => story,
                Some(names) => story.and_then(|story| narrow(story, &names)),
            })
        });
        read.await.map_err(|why| self.unread(why))
    }

    async fn lens(&self) -> Result<Lens, Unread> {
        let own = match (self.teams(), self.names().await?) {
            (Some(teams), Some(names)) => Some((teams.clone(), names)),
            _ => None,
        };
        let audits = self.who().may(crate::identity::Deed::Audit);
        Ok(Lens { own, audits, subjects: Subjects::default() })
    }
}

/// The sums of what the loop published last, and the number of the first record after those.
fn summed(view: &View) -> (Scores, u64) {
    let next = view.last.as_ref().map_or(1, |last| last.head.seq.saturating_add(1));
    let scores = view.last.as_ref().map(|last| last.open.scores.clone());
    (scores.unwrap_or_default(), next)
}

/// Sees each record from a number on.
fn each(journal: &Archive, mut from: u64, mut see: impl FnMut(&Record)) -> Result<(), EdgeError> {
    loop {
        let page = journal.read(from, usize::try_from(CHUNK).unwrap_or(usize::MAX))?;
        let Some(last) = page.last() else { return Ok(()) };
        from = last.seq + 1;
        page.iter().for_each(&mut see);
    }
}

fn narrow(story: Story, names: &Names) -> Option<Story> {
    let plan = plans::narrow_record(&story.plan, names)?;
    let step = match story.step {
        None => None,
        // What is not in the narrowed plan is not his.
        Some(step) => Some(plan.steps.iter().find(|own| own.step == step.step)?.clone()),
    };
    let then = story.then.into_iter().map(|(at, body)| (at, hide(body, names)));
    Some(Story { then: then.collect(), plan, step })
}

/// A record of his own, without what it says of others.
fn hide(body: Body, names: &Names) -> Body {
    match body {
        Body::Reserved { step, workload, amount, posted_before, mut budgets, until, gpu } => {
            budgets.retain(|budget| names.owns(budget));
            Body::Reserved { step, workload, amount, posted_before, budgets, until, gpu }
        }
        Body::Receipted { step, at, outcome, detail } => {
            let detail = names.text(&detail);
            Body::Receipted { step, at, outcome, detail }
        }
        Body::Claimed(mut claim) => {
            claim.budgets.retain(|budget| names.owns(budget));
            Body::Claimed(claim)
        }
        other => other,
    }
}

fn add(scores: &mut Scores, predicted: &str, realised: &str) {
    let (Ok(predicted), Ok(realised)) = (predicted.parse::<Money>(), realised.parse::<Money>())
    else {
        return;
    };
    scores.steps += 1;
    for (sums, amount) in [(&mut scores.predicted, predicted), (&mut scores.realised, realised)] {
        let sum = sums.entry(amount.currency()).or_insert_with(|| Money::zero(amount.currency()));
        // Parts of sums that fit.
        *sum = sum.checked_add(amount).unwrap_or(*sum);
    }
}

impl Lens {
    /// Learns whose steps and claims are, where that is asked.
    fn learn(&mut self, journal: &Archive) -> Result<(), EdgeError> {
        if self.own.is_none() {
            return Ok(());
        }
        let subjects = &mut self.subjects;
        each(journal, 1, |record| {
            if !matches!(record.kind, RecordKind::Planned | RecordKind::Reserved) {
                return;
            }
            match Body::read(record) {
                Ok(Body::Planned(plan)) => {
                    for step in plan.steps {
                        let action = step.to_step().ok().map(|step| step.action);
                        let workload =
                            action.and_then(|action| action.workload().map(ToString::to_string));
                        subjects.put(step.step, workload);
                    }
                }
                Ok(Body::Claimed(claim)) => subjects.put(claim.claim, claim.team),
                _ => {}
            }
        })
    }

    /// What of a record may be seen.
    fn see(&self, record: &Record) -> Option<Found> {
        let is_of_people = matches!(record.kind, RecordKind::Identity | RecordKind::Accessed);
        if is_of_people {
            let whole = Found { record: record.clone(), is_part: false };
            return (self.audits && self.own.is_none()).then_some(whole);
        }
        let Some((teams, names)) = &self.own else {
            return Some(Found { record: record.clone(), is_part: false });
        };
        let body = Body::read(record).ok()?;
        let shown = match body {
            Body::Planned(plan) => Body::Planned(plans::narrow_record(&plan, names)?),
            Body::Verified(verified) if names.owns(&verified.target) => Body::Verified(verified),
            Body::Claimed(claim) if is_of(teams, claim.team.as_deref()) => {
                hide(Body::Claimed(claim), names)
            }
            Body::Released { claim, spent, why } if is_of(teams, self.subjects.get(&claim)) => {
                Body::Released { claim, spent, why }
            }
            Body::Verified(_) | Body::Claimed(_) | Body::Released { .. } => return None,
            other => {
                let workload = self.subjects.get(other.step()?)?;
                if !names.owns(workload) {
                    return None;
                }
                hide(other, names)
            }
        };
        let record = Record { body: shown.seal(record.at).ok()?.body, ..record.clone() };
        // Also of a whole record the hash says what was recorded before it, of whomever.
        Some(Found { record, is_part: true })
    }
}

fn is_of(teams: &Teams, team: Option<&str>) -> bool {
    team.is_some_and(|team| teams.iter().any(|own| own.as_str() == team))
}

impl Subjects {
    fn put(&mut self, subject: String, of: Option<String>) {
        if self.order.len() >= SUBJECTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.of.remove(&oldest);
        }
        self.order.push_back(subject.clone());
        self.of.insert(subject, of);
    }

    fn get(&self, subject: &str) -> Option<&str> {
        self.of.get(subject)?.as_deref()
    }
}

/// The newest records of the kinds before a number.
fn page(journal: &Archive, wanted: &Wanted, lens: &Lens) -> Result<Page, EdgeError> {
    let head = journal.head()?.seq;
    // Records `1 .. end` are still to be looked at.
    let mut end = wanted.before.unwrap_or(head + 1).min(head + 1);
    let stop = end.saturating_sub(READ_MAX).max(1);
    let mut found = Vec::new();
    while end > stop && found.len() < wanted.limit {
        let from = end.saturating_sub(CHUNK).max(stop);
        let chunk = journal.read(from, usize::try_from(end - from).unwrap_or(usize::MAX))?;
        for record in chunk.into_iter().rev() {
            if found.len() == wanted.limit {
                break;
            }
            end = record.seq;
            if wanted.kinds.is_empty() || wanted.kinds.contains(&record.kind) {
                found.extend(lens.see(&record));
            }
        }
        if found.len() < wanted.limit {
            end = from;
        }
    }
    Ok(Page { found, next: (end > 1).then_some(end) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_edge::{Head, MemoryStore, NewRecord, Store as _};
    use jiff::Timestamp;

    fn journal(count: usize) -> Archive {
        let mut store = MemoryStore::default();
        let record = |index: usize| NewRecord {
            at: Timestamp::UNIX_EPOCH,
            kind: if index.is_multiple_of(10) { RecordKind::Planned } else { RecordKind::Noted },
            body: index.to_string(),
        };
        let records: Vec<_> = (1..=count).map(record).collect();
        store.append(&Head::GENESIS, &records).unwrap();
        Box::new(store)
    }

    /// Follows the pages to the end.
    fn all(journal: &Archive, limit: usize, kinds: &[RecordKind]) -> Vec<u64> {
        let lens = Lens { own: None, audits: true, subjects: Subjects::default() };
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page =
                page(journal, &Wanted { before, limit, kinds: kinds.to_vec() }, &lens).unwrap();
            seen.extend(page.found.iter().map(|found| found.record.seq));
            before = page.next;
            if before.is_none() {
                return seen;
            }
        }
    }

    #[test]
    fn pages_meet_without_a_gap() {
        for count in [0, 1, 7, 999, 1_000, 1_001, 2_345] {
            let journal = journal(count);
            let every: Vec<u64> = (1..=count as u64).rev().collect();
            for limit in [1, 7, 500, 5_000] {
                assert_eq!(all(&journal, limit, &[]), every, "{count} by {limit}");
            }
            let tenth: Vec<u64> =
                every.iter().copied().filter(|seq| seq.is_multiple_of(10)).collect();
            assert_eq!(all(&journal, 3, &[RecordKind::Planned]), tenth);
        }
    }
}
