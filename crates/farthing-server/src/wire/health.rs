//! `health`: what runs here and how it is; `savings`: the sums of verified steps.

use super::scalar::time;
use crate::publish::View;
use farthing_engine::Scores;
use serde::Serialize;

/// What runs here, and how it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HealthJson {
    /// `ok`, `starting` or `stuck`.
    pub status: &'static str,
    /// What is wrong, where something is; or why there are no more ticks.
    pub why: Option<String>,
    /// Version of the program.
    pub version: String,
    /// Whose books.
    pub cluster: String,
    /// What is looked at, in words.
    pub world: String,
    /// `observe`, `recommend`, `approve` or `enforce`.
    pub mode: &'static str,
    /// The currency of the books.
    pub currency: String,
    /// When the loop started, by its clock.
    pub started: String,
    /// The time of the last tick, by the loop's clock.
    pub at: Option<String>,
    /// Real time since then.
    pub age_s: Option<f64>,
    /// How long a tick is, in real time.
    pub every_s: f64,
    /// Ticks that succeeded.
    pub ticks: u64,
    /// Ticks that failed.
    pub failures: u64,
    /// The failure since the last tick that succeeded.
    pub last_error: Option<String>,
}

/// Sums of verified steps, one for each currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScoresJson {
    /// Steps verified.
    pub steps: u64,
    /// The sums.
    pub sums: Vec<ScoreJson>,
}

/// Predicted against realised in a currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScoreJson {
    /// Which.
    pub currency: String,
    /// What the steps promised.
    pub predicted: String,
    /// What the ledger found.
    pub realised: Option<String>,
}

/// The wire form of how a loop is.
pub fn health(view: &View) -> HealthJson {
    let about = &view.about;
    let ready = view.ready();
    HealthJson {
        status: match (&ready, &view.last) {
            (Ok(()), _) => "ok",
            (Err(_), None) => "starting",
            (Err(_), Some(_)) => "stuck",
        },
        why: ready.err().map(|why| why.to_string()).or(view.ended.map(str::to_owned)),
        version: about.version.clone(),
        cluster: about.cluster.to_string(),
        world: about.world.clone(),
        mode: about.policy.mode.name(),
        currency: about.currency.to_string(),
        started: time(about.started),
        at: view.last.as_ref().map(|last| time(last.tick.at)),
        age_s: view.age().map(|age| age.as_secs_f64()),
        every_s: about.every.as_secs_f64(),
        ticks: view.ticks,
        failures: view.failures,
        last_error: view.failure.as_ref().map(|failure| failure.text.clone()),
    }
}

/// The wire form of sums.
pub fn scores(scores: &Scores) -> ScoresJson {
    let sum = |(currency, predicted): (&_, &farthing_model::Money)| ScoreJson {
        currency: farthing_model::Currency::to_string(currency),
        predicted: predicted.to_decimal(),
        realised: scores.realised.get(currency).copied().map(farthing_model::Money::to_decimal),
    };
    ScoresJson { steps: scores.steps, sums: scores.predicted.iter().map(sum).collect() }
}
