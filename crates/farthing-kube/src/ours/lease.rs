//! Who of several replicas leads: whoever holds a Lease in the cluster.
//!
//! ```text
//! look every second -> nobody holds it, or it was not renewed for as long as it says -> take it
//!                                                                                        |
//!                          another one took it -> lost <- renew every three seconds <----+
//! ```
//!
//! How long it was not renewed is measured by our own clock between two looks, never by the times
//! that are written in it: clocks of other machines do not matter. Taking and renewing replace the
//! object as it was seen (`resourceVersion`), so of two that try, one fails. The holder counts as
//! leader for less time than others wait ([`HOLD`]), from before it asked for the renewal; past
//! that no call that changes anything is made ([`Fence`]), whatever whoever calls believes.
//!
//! The lease also names the journal that its holder keeps: one that would lead with another journal
//! would not know what was begun, and is refused.

use crate::call::{Body, Call, Flavour, Target, Verb};
use crate::client::Client;
use crate::error::ApiError;
use crate::manifest::OURS;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long others wait after the last renewal that they saw.
const LASTS: Duration = Duration::from_secs(12);
/// How long the holder leads after it last asked for a renewal that it got: what is in flight then
/// has three seconds to arrive.
const HOLD: Duration = Duration::from_secs(9);
/// Between two renewals.
const RENEW: Duration = Duration::from_secs(3);
/// Before a renewal that failed is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// The longest time that another holder may ask others to wait: a lease of ours says 12 seconds.
const LASTS_MAX: u64 = 60;
/// The annotation that names the journal.
const JOURNAL: &str = "farthing.dev/journal";
const GROUP: &str = "coordination.k8s.io";

const fn on_leases(verb: Verb) -> Call {
    Call { flavour: Flavour::Recommend, verb, group: GROUP, plural: "leases", part: "" }
}

/// Reading, making and replacing it.
pub(crate) static CALLS: [Call; 3] =
    [on_leases(Verb::Get), on_leases(Verb::Create), on_leases(Verb::Update)];

/// What came of asking to lead.
#[derive(Debug)]
pub enum Campaign {
    /// This replica leads.
    Leads(Standing),
    /// Another one does: its name, and since when it says it does.
    Follows {
        /// Its name.
        holder: String,
        /// Since when, as it wrote it.
        since: String,
    },
    /// Nobody leads, and whoever led before kept another journal than ours.
    OtherJournal {
        /// Who led before.
        holder: String,
        /// Its journal.
        theirs: String,
    },
}

/// A replica that asks to lead.
pub struct Lease {
    client: Arc<Client>,
    me: String,
    /// What was seen last, and when that was first seen.
    seen: Option<(String, Instant)>,
}

/// A lead, for as long as it is held. When it is dropped the lease is given back.
#[derive(Debug)]
pub struct Standing {
    fence: Arc<Fence>,
    term: u64,
    journal: Arc<Mutex<Option<String>>>,
    /// Hung up to end the renewing; a word makes it look at once.
    wake: Option<Sender<()>>,
    renewing: Option<thread::JoinHandle<()>>,
}

/// Whether changes may be made now.
#[derive(Debug)]
pub(crate) struct Fence {
    /// When the last renewal that succeeded was asked for, by the clock that only goes forwards and
    /// by the one that also counts sleep.
    renewed: Mutex<(Instant, Timestamp)>,
    lost: AtomicBool,
}

impl Fence {
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        let (monotonic, wall) = *lock(&self.renewed);
        let hold = SignedDuration::try_from(HOLD).unwrap_or(SignedDuration::ZERO);
        !self.lost.load(Ordering::SeqCst)
            && monotonic.elapsed() < HOLD
            && now.duration_since(wall) < hold
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Standing {
    /// How often the lease has changed hands, this time included.
    pub const fn term(&self) -> u64 {
        self.term
    }

    /// Whether this replica leads now.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.fence.holds(now)
    }

    /// Whether another replica leads, or may: for good.
    pub fn is_lost(&self) -> bool {
        self.fence.lost.load(Ordering::SeqCst)
    }

    /// Names the journal that is kept, for whoever leads next.
    pub fn keeps_journal(&self, journal: &str) {
        *lock(&self.journal) = Some(journal.to_owned());
        if let Some(wake) = &self.wake {
            // Where nobody renews it any more, it is lost anyway.
            let _ = wake.send(());
        }
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(renewing) = self.renewing.take() {
            // One that panicked has ended, too.
            let _ = renewing.join();
        }
    }
}

impl Lease {
    pub(crate) const fn new(client: Arc<Client>, me: String) -> Self {
        Self { client, me, seen: None }
    }

    /// Asks to lead; does not wait. `journal` is the one that this replica would keep, where it has
    /// one already.
    ///
    /// # Errors
    /// The server cannot be asked, or does not allow it.
    pub fn campaign(&mut self, journal: Option<&str>) -> Result<Campaign, ApiError> {
        let asked = Instant::now();
        let asked_at = self.client.now();
        let found = match ask(&self.client, &CALLS[0], &Body::Nothing) {
            Ok(found) => Some(found),
            Err(error) if error.code() == Some(404) => None,
            Err(error) => return Err(error),
        };
        let spec = |name: &str| found.as_ref().map_or(&Value::Null, |it| &it["spec"][name]);
        let holder = spec("holderIdentity").as_str().unwrap_or_default().to_owned();
        if let Some(found) = &found
            && !holder.is_empty()
            && !self.is_over(found)
        {
            let since = spec("acquireTime").as_str().unwrap_or_default().to_owned();
            return Ok(Campaign::Follows { holder, since });
        }
        let theirs = found.as_ref().and_then(|it| it["metadata"]["annotations"][JOURNAL].as_str());
        if let Some(theirs) = theirs.filter(|theirs| journal != Some(theirs)) {
            return Ok(Campaign::OtherJournal { holder, theirs: theirs.to_owned() });
        }
        let term = spec("leaseTransitions").as_u64().unwrap_or(0) + 1;
        let journal = journal.or(theirs).map(str::to_owned);
        let face = Face { me: self.me.clone(), term, since: asked_at };
        let version = found.as_ref().and_then(|it| it["metadata"]["resourceVersion"].as_str());
        let taken = put(&self.client, &face, journal.as_deref(), version);
        let taken = match taken {
            Ok(taken) => taken,
            // Another one was faster.
            Err(error) if error.code() == Some(409) => {
                let holder = "another replica".to_owned();
                return Ok(Campaign::Follows { holder, since: String::new() });
            }
            Err(error) => return Err(error),
        };
        Ok(Campaign::Leads(self.lead(face, journal, &taken, (asked, asked_at))))
    }

    /// Whether it was not renewed for as long as it says, as far as we saw.
    fn is_over(&mut self, found: &Value) -> bool {
        let version = found["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        let lasts = found["spec"]["leaseDurationSeconds"].as_u64().unwrap_or(LASTS.as_secs());
        let lasts = Duration::from_secs(lasts.min(LASTS_MAX));
        match &self.seen {
            Some((seen, since)) if seen == version => since.elapsed() >= lasts,
            _ => {
                self.seen = Some((version.to_owned(), Instant::now()));
                false
            }
        }
    }

    fn lead(
        &self,
        face: Face,
        journal: Option<String>,
        taken: &Value,
        renewed: (Instant, Timestamp),
    ) -> Standing {
        let fence = Arc::new(Fence { renewed: Mutex::new(renewed), lost: AtomicBool::new(false) });
        self.client.fence(Arc::clone(&fence));
        let journal = Arc::new(Mutex::new(journal));
        let (wake, word) = channel();
        let term = face.term;
        let renewal = Renewal {
            client: Arc::clone(&self.client),
            fence: Arc::clone(&fence),
            journal: Arc::clone(&journal),
            face,
            version: version_of(taken),
            word,
        };
        let renewing = thread::Builder::new().name("lease".to_owned()).spawn(move || renewal.run());
        if renewing.is_err() {
            // Nobody would renew it: it is over when it is.
            fence.lost.store(true, Ordering::SeqCst);
        }
        Standing { fence, term, journal, wake: Some(wake), renewing: renewing.ok() }
    }
}

/// What a holder writes.
struct Face {
    me: String,
    term: u64,
    since: Timestamp,
}

fn ask(client: &Client, call: &Call, body: &Body<'_>) -> Result<Value, ApiError> {
    let name = if call.verb == Verb::Create { "" } else { OURS };
    let target = Target { version: "v1", namespace: Some(OURS), name };
    client.call_unfenced(call, &target, body)
}

/// Writes the lease: makes it, or replaces the version that was seen.
fn put(
    client: &Client,
    face: &Face,
    journal: Option<&str>,
    version: Option<&str>,
) -> Result<Value, ApiError> {
    let mut lease = json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": "Lease",
        "metadata": { "name": OURS, "namespace": OURS },
        "spec": {
            "holderIdentity": face.me,
            "leaseDurationSeconds": LASTS.as_secs(),
            "acquireTime": micro(face.since),
            "renewTime": micro(client.now()),
            "leaseTransitions": face.term,
        },
    });
    if let Some(journal) = journal {
        lease["metadata"]["annotations"] = json!({ JOURNAL: journal });
    }
    let call = match version {
        Some(version) => {
            lease["metadata"]["resourceVersion"] = json!(version);
            &CALLS[2]
        }
        None => &CALLS[1],
    };
    ask(client, call, &Body::Whole(&lease))
}

/// As leases have times: six places.
fn micro(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

fn version_of(lease: &Value) -> String {
    lease["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}

/// What goes on renewing.
struct Renewal {
    client: Arc<Client>,
    fence: Arc<Fence>,
    journal: Arc<Mutex<Option<String>>>,
    face: Face,
    version: String,
    word: Receiver<()>,
}

impl Renewal {
    fn run(mut self) {
        let mut written = lock(&self.journal).clone();
        let mut pause = RENEW;
        while self.word.recv_timeout(pause) != Err(RecvTimeoutError::Disconnected) {
            let journal = lock(&self.journal).clone();
            pause = match self.renew(journal.as_deref()) {
                Ok(true) => {
                    written = journal;
                    RENEW
                }
                Ok(false) => {
                    self.fence.lost.store(true, Ordering::SeqCst);
                    return;
                }
                // The server may be back in time; if not, nobody else can take it either.
                Err(_) => TRY_AGAIN,
            };
        }
        self.give_back(written.as_deref());
    }

    /// One renewal; `false` where another one holds it.
    fn renew(&mut self, journal: Option<&str>) -> Result<bool, ApiError> {
        let asked = (Instant::now(), self.client.now());
        match put(&self.client, &self.face, journal, Some(&self.version)) {
            Ok(lease) => {
                self.version = version_of(&lease);
                *lock(&self.fence.renewed) = asked;
                Ok(true)
            }
            // Written by us, where an answer was lost; by a person; or by whoever leads now.
            Err(error) if error.code() == Some(409) => {
                let found = ask(&self.client, &CALLS[0], &Body::Nothing)?;
                let spec = &found["spec"];
                let ours = spec["holderIdentity"] == json!(self.face.me)
                    && spec["leaseTransitions"].as_u64() == Some(self.face.term);
                self.version = version_of(&found);
                // Renewed by the next try, which is at once.
                if ours { self.renew_again(journal) } else { Ok(false) }
            }
            // It was deleted: whoever did so wants another one to lead, or the same.
            Err(error) if error.code() == Some(404) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn renew_again(&mut self, journal: Option<&str>) -> Result<bool, ApiError> {
        let asked = (Instant::now(), self.client.now());
        let lease = put(&self.client, &self.face, journal, Some(&self.version))?;
        self.version = version_of(&lease);
        *lock(&self.fence.renewed) = asked;
        Ok(true)
    }

    /// Nobody has to wait for one that ended as it should.
    fn give_back(&mut self, journal: Option<&str>) {
        self.fence.lost.store(true, Ordering::SeqCst);
        self.face.me.clear();
        // Where it cannot be given back it runs out.
        let _ = put(&self.client, &self.face, journal, Some(&self.version));
    }
}
