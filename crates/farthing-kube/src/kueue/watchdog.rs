//! What becomes of Workloads that nobody answers, as when the loop is down: Kueue itself waits for
//! ever, with the quota that they hold.
//!
//! It runs apart from the loop and knows no budgets. What it did is said on the objects: in our
//! entry of what was let in, in the note on what was held, which the loop lets try again when it is
//! back, and on the check, which then lets nothing reserve quota.

use super::brake::Note;
use super::object::{CheckState, HELD, Queued};
use super::queues::Queues;
use super::rules::Fail;
use super::turn::HELD_WITH_QUOTA;
use super::write::{Answer, Change, Writes};
use crate::access::Access;
use crate::client::{Client, SharedClock};
use crate::error::ApiError;
use crate::object::Names;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Where the kinds are: those that it reads.
const KINDS: [(&str, &str); 2] = [
    ("AdmissionCheck", "/apis/kueue.x-k8s.io/v1beta2/admissionchecks"),
    ("Workload", "/apis/kueue.x-k8s.io/v1beta2/workloads"),
];
/// Objects of a page.
const PAGE: &str = "500";

/// When it acts, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchdog {
    /// What becomes of what nobody answers.
    pub fail: Fail,
    /// After so long.
    pub after: SignedDuration,
}

/// What it found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Barked {
    /// Workloads that wait for an answer, whether long or not.
    pub waiting: usize,
    /// What was done, a line each.
    pub done: Vec<String>,
    /// What could not be done, and why.
    pub faults: Vec<String>,
}

#[derive(Deserialize)]
struct List<'a> {
    metadata: ListMeta,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct ListMeta {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

impl Watchdog {
    /// Looks once at a cluster, and does what there is to do.
    ///
    /// # Errors
    /// The cluster cannot be reached, has no Kueue, or does not let us look.
    pub fn look(&self, access: Access, clock: SharedClock) -> Result<Barked, ApiError> {
        let client = Client::new(access, clock);
        let now = client.now();
        let mut barked = Barked::default();
        let queues = read(&client, now, &mut barked.faults)?;
        self.act(&queues, &client, now, &mut barked);
        Ok(barked)
    }

    pub(super) fn act(
        &self,
        queues: &Queues,
        writes: &dyn Writes,
        now: Timestamp,
        barked: &mut Barked,
    ) {
        let mut silent = Vec::new();
        for it in queues.workloads.values() {
            let ours: Vec<Arc<str>> = pending(it, queues).collect();
            let Some(since) = it.reserved.filter(|_| !ours.is_empty()) else { continue };
            barked.waiting += 1;
            if now.duration_since(since) < self.after || it.excluded {
                continue;
            }
            match self.decide(it, &ours, writes, now) {
                Ok(done) => barked.done.push(format!("{}: {done}", it.named())),
                // It was answered meanwhile, or is no more.
                Err(error) if matches!(error.code(), Some(404 | 409)) => continue,
                Err(error) => barked.faults.push(format!("{}: {error}", it.named())),
            }
            silent.extend(ours);
        }
        silent.sort();
        silent.dedup();
        for check in silent.iter().filter(|_| self.fail == Fail::Closed) {
            let why = format!("nobody answers for {}: {}", self.after_text(), self.fail.name());
            if let Err(error) = writes.say_active(check, (false, &why), now) {
                barked.faults.push(format!("admission check {check}: {error}"));
            }
        }
    }

    fn after_text(&self) -> String {
        format!("{} s", self.after.as_secs())
    }

    fn decide(
        &self,
        it: &Queued,
        ours: &[Arc<str>],
        writes: &dyn Writes,
        now: Timestamp,
    ) -> Result<&'static str, ApiError> {
        let why =
            format!("Farthing did not answer for {} ({})", self.after_text(), self.fail.name());
        match self.fail {
            Fail::Open => {
                let message = format!("let in by the watchdog, nothing is set aside: {why}");
                let answer = Answer { state: CheckState::Ready, message, claim: None };
                writes.answer(it, ours, &answer, now).map(|()| "let in")
            }
            Fail::Closed => {
                let note = Note {
                    since: now.to_string(),
                    why,
                    amount: None,
                    gpu_hours_milli: 0,
                    seconds: 0,
                    times: 0,
                };
                let notes = vec![(HELD, Some(note.to_text()))];
                let change = Change { active: Some(false), notes };
                writes.change(it, &change).map(|()| "held, its quota is free")
            }
        }
    }
}

/// Our checks that a Workload waits for. What was said to be held is no silence.
fn pending<'q>(it: &'q Queued, queues: &'q Queues) -> impl Iterator<Item = Arc<str>> + 'q {
    let waits = it.active && it.finished.is_none() && it.evicted.is_none();
    let entries = it.checks.iter().filter(move |entry| {
        waits
            && entry.state == CheckState::Pending
            && !entry.message.starts_with(HELD_WITH_QUOTA)
            && queues.ours().any(|check| check.name == entry.check)
    });
    entries.map(|entry| Arc::clone(&entry.check))
}

fn read(client: &Client, now: Timestamp, faults: &mut Vec<String>) -> Result<Queues, ApiError> {
    let (mut queues, mut names) = (Queues::default(), Names::default());
    for (kind, path) in KINDS {
        let mut next: Option<String> = None;
        loop {
            let mut query = vec![("limit", PAGE)];
            query.extend(next.as_deref().map(|next| ("continue", next)));
            let said = client.get(path, &query)?;
            let list: List<'_> = serde_json::from_slice(&said).map_err(|error| {
                ApiError::Syntax { url: path.to_owned(), what: error.to_string() }
            })?;
            for raw in list.items.unwrap_or_default() {
                match super::read(kind, raw.get(), &mut names, now) {
                    Ok(object) => queues.put(kind, object),
                    Err(why) => faults.push(format!("a {kind} cannot be read: {why}")),
                }
            }
            next = list.metadata.next.filter(|next| !next.is_empty());
            if next.is_none() {
                break;
            }
        }
    }
    Ok(queues)
}
