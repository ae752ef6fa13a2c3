//! The mutating webhook: what has to be written on a job before Kueue sees it, as it cannot be
//! changed once it is admitted.
//!
//! ```text
//! annotation farthing.dev/max-cost: 12.50 USD  ->  label kueue.x-k8s.io/max-exec-time-seconds
//! ```
//!
//! So much money is so much time of the dearest machines that the job could be given: it ends by
//! Kueue's own hand, also when we are down. It is optional, and looks at nothing but what it is
//! asked about: [`Board`] has the prices, which the loop writes there. Start with
//! [`Webhook::answer`], which is a function of a question; `serve` brings it over TLS.

mod job;
mod serve;

pub use serve::{ServeError, serve};

use crate::kueue::{Fail, FlavorPrices};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use farthing_model::Money;
use job::{Job, Patch};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// How much a job may cost at most, as `12.50 USD`.
pub const MAX_COST: &str = "farthing.dev/max-cost";
/// Kueue's own: a Workload that was admitted for so long is stopped.
pub const MAX_SECONDS: &str = "kueue.x-k8s.io/max-exec-time-seconds";

/// As many as Kueue can count.
const SECONDS_MAX: u64 = 2_147_483_647;

/// The prices that the loop knows now.
#[derive(Debug, Default)]
pub struct Board(Mutex<Option<FlavorPrices>>);

impl Board {
    pub(crate) fn write(&self, prices: FlavorPrices) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(prices);
    }

    fn read(&self) -> Option<FlavorPrices> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers what the API server asks.
#[derive(Clone, Debug)]
pub struct Webhook {
    board: Arc<Board>,
    fail: Fail,
}

/// An `AdmissionReview` as the server sends it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    api_version: String,
    kind: String,
    request: Request,
}

#[derive(Deserialize)]
struct Request {
    uid: String,
    kind: GroupKind,
    operation: String,
    #[serde(default)]
    object: Value,
}

#[derive(Deserialize)]
struct GroupKind {
    group: String,
    kind: String,
}

/// What becomes of a job.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// As it is; with what people should know.
    Admitted(Option<String>),
    /// With changes.
    Changed(Vec<Patch>),
    /// Not at all, and why.
    Refused(String),
}

impl Webhook {
    /// By what the board says; `fail` says what becomes of jobs whose price is not known.
    pub const fn new(board: Arc<Board>, fail: Fail) -> Self {
        Self { board, fail }
    }

    /// The answer to one question, as JSON.
    ///
    /// # Errors
    /// It is no question, and why: whoever asked it then goes by its own policy of failure.
    pub fn answer(&self, body: &[u8]) -> Result<Vec<u8>, String> {
        let review: Review = serde_json::from_slice(body)
            .map_err(|error| format!("this is no AdmissionReview: {error}"))?;
        if (review.api_version.as_str(), review.kind.as_str())
            != ("admission.k8s.io/v1", "AdmissionReview")
        {
            let (version, kind) = (review.api_version, review.kind);
            return Err(format!(
                "{kind} of {version} is no AdmissionReview of admission.k8s.io/v1"
            ));
        }
        let Request { uid, kind, operation, object } = review.request;
        let is_new_job = kind.group == "batch" && kind.kind == "Job" && operation == "CREATE";
        let verdict = if is_new_job { self.decide(&object) } else { Verdict::Admitted(None) };
        let response = written(&uid, verdict);
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response,
        });
        Ok(review.to_string().into_bytes())
    }

    fn decide(&self, object: &Value) -> Verdict {
        let job = match Job::read(object) {
            Ok(Some(job)) => job,
            // It says no limit, or that nothing of ours touches it.
            Ok(None) => return Verdict::Admitted(None),
            Err(why) => return Verdict::Refused(why),
        };
        if !job.queued {
            let why =
                format!("{MAX_COST} holds for jobs of Kueue's queues only, and it is in none");
            return Verdict::Admitted(Some(why));
        }
        let hourly = self.hourly(&job);
        let (seconds, hourly) =
            match hourly.and_then(|hourly| Ok((time(job.most, hourly)?, hourly))) {
                Ok(found) => found,
                Err(why) => return self.unknown(&job, &why),
            };
        if seconds == 0 {
            return Verdict::Refused(format!(
                "{MAX_COST}: {} pays for less than a second of it, at up to {} an hour",
                job.most,
                hourly.rounded(2),
            ));
        }
        if job.seconds.is_some_and(|own| own <= seconds) {
            return Verdict::Admitted(None);
        }
        Verdict::Changed(job.limited_to(seconds))
    }

    /// What a job costs in an hour at most.
    fn hourly(&self, job: &Job) -> Result<Money, String> {
        let prices = self.board.read().ok_or("no prices are known yet")?;
        prices.dearest(&job.asks, job.pods)
    }

    fn unknown(&self, job: &Job, why: &str) -> Verdict {
        let most = &job.most;
        match self.fail {
            Fail::Open => Verdict::Admitted(Some(format!(
                "{MAX_COST}: {most} does not hold, as its price is not known: {why}"
            ))),
            Fail::Closed => Verdict::Refused(format!(
                "{MAX_COST}: {most} cannot be held to, as its price is not known: {why}"
            )),
        }
    }
}

/// For how many seconds an amount lasts, rounded down; at most as many as Kueue can count.
fn time(most: Money, hourly: Money) -> Result<u64, String> {
    if most.currency() != hourly.currency() {
        let (of, in_) = (most.currency(), hourly.currency());
        return Err(format!("it is in {of}, and machines are priced in {in_}"));
    }
    if hourly.pico() <= 0 {
        return Ok(SECONDS_MAX);
    }
    let seconds = most.pico().checked_mul(3_600).ok_or("it is more than fits")? / hourly.pico();
    Ok(u64::try_from(seconds).unwrap_or(0).min(SECONDS_MAX))
}

fn written(uid: &str, verdict: Verdict) -> Value {
    match verdict {
        Verdict::Admitted(None) => json!({ "uid": uid, "allowed": true }),
        Verdict::Admitted(Some(why)) => {
            json!({ "uid": uid, "allowed": true, "warnings": [why] })
        }
        Verdict::Changed(patches) => {
            let patch = patches.into_iter().map(Patch::into_json).collect::<Value>();
            json!({
                "uid": uid,
                "allowed": true,
                "patchType": "JSONPatch",
                "patch": STANDARD.encode(patch.to_string()),
            })
        }
        Verdict::Refused(why) => {
            let status = json!({ "code": 422, "reason": "Invalid", "message": why });
            json!({ "uid": uid, "allowed": false, "status": status })
        }
    }
}

#[cfg(test)]
mod tests;
