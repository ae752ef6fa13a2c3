//! What people are told, and when: each thing once, again when it changes or after a while, and
//! once more when it is over.
//!
//! What is so is read off a tick. What was told is in the journal, so that a restart repeats
//! nothing and forgets nothing: a notice that nobody confirmed to have carried is told again.
//! Refuses to know who carries it (`farthing_edge::Notify`). Start at [`Engine::notices`].

use crate::Engine;
use crate::engine::World;
use crate::error::EngineError;
use crate::exposure::Exposure;
use crate::record::{Body, RecordError, time};
use crate::tick::Tick;
use farthing_edge::{Alert, Change, Notice, Severity, Store};
use farthing_ledger::all_anomalies;
use farthing_model::{EscalationAction, Limit, MoneyError, hour_floor};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Alerts at one time, at most: the ones that matter most are kept.
const ALERTS_MAX: usize = 200;
/// Seconds in a day.
const DAY_S: i64 = 86_400;

/// When people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertRules {
    /// What is still so is told again after this.
    pub repeat: SignedDuration,
    /// When only what matters enough is told.
    pub quiet: Option<Quiet>,
}

impl Default for AlertRules {
    fn default() -> Self {
        Self { repeat: SignedDuration::from_hours(24), quiet: None }
    }
}

/// Hours in which people sleep. What comes up in them is told after, if it is still so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// Seconds after midnight, UTC.
    pub from_s: i64,
    /// Seconds after midnight, UTC; before `from_s` where they go over midnight.
    pub to_s: i64,
    /// What matters this much is told all the same.
    pub unless: Severity,
}

impl Quiet {
    fn holds(&self, at: Timestamp, severity: Severity) -> bool {
        let second = at.as_second().rem_euclid(DAY_S);
        let inside = if self.from_s <= self.to_s {
            (self.from_s..self.to_s).contains(&second)
        } else {
            second >= self.from_s || second < self.to_s
        };
        inside && severity < self.unless
    }
}

/// An alert that was told and is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// As it was told last.
    pub alert: Alert,
    /// When.
    pub told: Timestamp,
    /// Whether a channel confirmed that it was carried.
    pub carried: bool,
}

/// Alerts that were told and are not over, by kind and object.
pub type Alerts = BTreeMap<(String, String), Raised>;

/// What became of a notice on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The notice.
    pub notice: Notice,
    /// Which channel.
    pub channel: String,
    /// Tries that it took.
    pub tries: u32,
    /// Why it was given up; `None`: it was carried.
    pub failed: Option<String>,
}

impl<W: World, S: Store> Engine<W, S> {
    /// What is to be told after a tick. It is in the journal when this returns.
    ///
    /// # Errors
    /// The journal failed, or the sums do not fit.
    pub fn notices(&mut self, tick: &Tick, rules: &AlertRules) -> Result<Vec<Notice>, EngineError> {
        let now = tick.at;
        self.look_for_anomalies(now)?;
        let mut alerts = self.alerts(tick)?;
        alerts.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| key(a).cmp(&key(b))));
        alerts.truncate(ALERTS_MAX);
        let raised = &self.journal.state().alerts;
        let notices = decide(raised, &alerts, &self.carrying, rules, now);
        let bodies: Vec<Body> =
            notices.iter().map(|notice| Body::Alerted(AlertedRecord::of(notice))).collect();
        self.journal.append(now, &bodies)?;
        self.carrying.extend(notices.iter().map(|notice| key(&notice.alert)));
        Ok(notices)
    }

    /// Journals what became of notices.
    ///
    /// # Errors
    /// The journal failed.
    pub fn delivered(
        &mut self,
        deliveries: &[Delivery],
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let bodies: Vec<Body> =
            deliveries.iter().map(|it| Body::Delivered(DeliveredRecord::of(it))).collect();
        self.journal.append(now, &bodies)
    }

    /// Once an hour, as only whole hours are compared.
    fn look_for_anomalies(&mut self, now: Timestamp) -> Result<(), EngineError> {
        let hour = hour_floor(now);
        if self.odd.as_ref().is_some_and(|(looked, _)| *looked == hour) {
            return Ok(());
        }
        let books = (self.accounts.books(), &self.config.cluster, self.config.currency);
        let odd = all_anomalies(books, now).map_err(EngineError::Report)?.into_iter();
        let found = odd.map(|(of, name, odd)| (format!("{of} {name}"), odd)).collect();
        self.odd = Some((hour, found));
        Ok(())
    }

    /// What is so after a tick.
    fn alerts(&self, tick: &Tick) -> Result<Vec<Alert>, EngineError> {
        let cluster = self.config.cluster.as_str();
        let alert = |kind: &str, object: &str, severity, summary| Alert {
            cluster: cluster.to_owned(),
            kind: kind.to_owned(),
            object: object.to_owned(),
            severity,
            summary,
            since: tick.at,
        };
        let mut alerts = Vec::new();
        for exposure in self.exposures(tick.at)? {
            let told = budget(&exposure).map_err(EngineError::Money)?;
            let id = exposure.state.budget.id.as_str();
            alerts.extend(told.map(|(severity, text)| alert("budget", id, severity, text)));
        }
        let raised = &self.journal.state().alerts;
        for (object, odd) in self.odd.iter().flat_map(|(_, odd)| odd) {
            // As it was said first: the next hour costs something else, and is no news.
            let said = raised.get(&("anomaly".to_owned(), object.clone()));
            let text = said.map_or_else(
                || {
                    let (spent, usual) = (odd.spent, odd.usual);
                    format!("{object} cost {spent} in the hour of {}, usual is {usual}", odd.hour)
                },
                |said| said.alert.summary.clone(),
            );
            alerts.push(alert("anomaly", object, Severity::Warning, text));
        }
        let least = self.config.policy.limits.coverage_min;
        if let Some(ratio) = tick.coverage.ratio().filter(|ratio| *ratio < least) {
            let text = format!("only {ratio} was measured: no step is taken under {least}");
            alerts.push(alert("coverage", cluster, Severity::Warning, text));
        }
        Ok(alerts)
    }
}

/// What is told of a budget: the rung that it is on.
fn budget(exposure: &Exposure) -> Result<Option<(Severity, String)>, MoneyError> {
    let Some(rung) = exposure.rung()? else { return Ok(None) };
    let (what, severity) = match rung.action {
        EscalationAction::Notify => ("", Severity::Warning),
        EscalationAction::Hold => (": new work is held", Severity::Critical),
        EscalationAction::Cut => (": jobs and services are cut", Severity::Critical),
        EscalationAction::Suspend => (": jobs are suspended, services cut", Severity::Critical),
    };
    let mode = rung.mode.name();
    let what = match what {
        "" => String::new(),
        what if rung.holds() => what.to_owned(),
        what => format!("{what} (mode {mode}: only told)"),
    };
    let limit = match exposure.state.limit {
        Limit::Money(limit) => limit.to_string(),
        Limit::GpuHoursMilli(milli) => format!("{} GPU-hours", milli / 1_000),
    };
    let id = &exposure.state.budget.id;
    // The rung and not the amount: a text that changes with every tick would be told each time.
    let text = format!("budget {id} has reached {} of {limit}{what}", rung.at);
    Ok(Some((severity, text)))
}

fn key(alert: &Alert) -> (String, String) {
    (alert.kind.clone(), alert.object.clone())
}

/// What is told now of what is so: `raised` was told before, and `carrying` is on its way.
fn decide(
    raised: &Alerts,
    alerts: &[Alert],
    carrying: &BTreeSet<(String, String)>,
    rules: &AlertRules,
    now: Timestamp,
) -> Vec<Notice> {
    let is_quiet = |severity| rules.quiet.is_some_and(|quiet| quiet.holds(now, severity));
    let mut notices = Vec::new();
    for alert in alerts {
        let before = raised.get(&key(alert));
        let change = match before {
            None => Change::Raised,
            Some(before) if before.alert.severity != alert.severity => Change::Changed,
            Some(before) if before.alert.summary != alert.summary => Change::Changed,
            Some(before) if now.duration_since(before.told) >= rules.repeat => Change::Repeated,
            // A run before this one may have ended before anybody carried it.
            Some(before) if !before.carried && !carrying.contains(&key(alert)) => Change::Repeated,
            Some(_) => continue,
        };
        if is_quiet(alert.severity) {
            continue;
        }
        let since = before.map_or(alert.since, |before| before.alert.since);
        notices.push(Notice { alert: Alert { since, ..alert.clone() }, change, at: now });
    }
    let over = raised.iter().filter(|(key, _)| {
        !alerts.iter().any(|alert| alert.kind == key.0 && alert.object == key.1)
    });
    for (_, before) in over.filter(|(_, before)| !is_quiet(before.alert.severity)) {
        let (alert, change) = (before.alert.clone(), Change::Resolved);
        notices.push(Notice { alert, change, at: now });
    }
    notices
}

/// A notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertedRecord {
    /// Which cluster.
    pub cluster: String,
    /// What it is about.
    pub kind: String,
    /// The budget, team or cluster.
    pub object: String,
    /// How much it matters.
    pub severity: String,
    /// `raised`, `changed`, `repeated` or `resolved`.
    pub change: String,
    /// In one line.
    pub summary: String,
    /// Since when it is so.
    pub since: String,
}

/// What became of a notice on a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveredRecord {
    /// What it was about.
    pub kind: String,
    /// The budget, team or cluster.
    pub object: String,
    /// `raised`, `changed`, `repeated` or `resolved`.
    pub change: String,
    /// Which channel.
    pub channel: String,
    /// Tries that it took.
    pub tries: u32,
    /// Why it was given up; absent: it was carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl AlertedRecord {
    fn of(notice: &Notice) -> Self {
        let alert = &notice.alert;
        Self {
            cluster: alert.cluster.clone(),
            kind: alert.kind.clone(),
            object: alert.object.clone(),
            severity: alert.severity.name().to_owned(),
            change: notice.change.name().to_owned(),
            summary: alert.summary.clone(),
            since: alert.since.to_string(),
        }
    }

    /// Folds it into what is raised.
    pub(crate) fn fold(&self, at: Timestamp, alerts: &mut Alerts) -> Result<(), RecordError> {
        let key = (self.kind.clone(), self.object.clone());
        if self.change == Change::Resolved.name() {
            alerts.remove(&key);
            return Ok(());
        }
        let severity = Severity::of(&self.severity);
        let alert = Alert {
            cluster: self.cluster.clone(),
            kind: self.kind.clone(),
            object: self.object.clone(),
            severity: severity.ok_or_else(|| RecordError::Word(self.severity.clone()))?,
            summary: self.summary.clone(),
            since: time(&self.since)?,
        };
        alerts.insert(key, Raised { alert, told: at, carried: false });
        Ok(())
    }
}

impl DeliveredRecord {
    fn of(delivery: &Delivery) -> Self {
        let alert = &delivery.notice.alert;
        Self {
            kind: alert.kind.clone(),
            object: alert.object.clone(),
            change: delivery.notice.change.name().to_owned(),
            channel: delivery.channel.clone(),
            tries: delivery.tries,
            failed: delivery.failed.clone(),
        }
    }

    /// Folds it into what is raised.
    pub(crate) fn fold(&self, alerts: &mut Alerts) {
        let key = (self.kind.clone(), self.object.clone());
        if let Some(raised) = alerts.get_mut(&key).filter(|_| self.failed.is_none()) {
            raised.carried = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn alert(object: &str, severity: Severity, summary: &str) -> Alert {
        Alert {
            cluster: "lab".to_owned(),
            kind: "budget".to_owned(),
            object: object.to_owned(),
            severity,
            summary: summary.to_owned(),
            since: at(0),
        }
    }

    /// Plays ticks; what was told, as words.
    fn play(rules: &AlertRules, ticks: &[(i64, &[Alert])]) -> Vec<String> {
        let (mut raised, mut told) = (Alerts::new(), Vec::new());
        let mut carrying = BTreeSet::new();
        for (second, alerts) in ticks {
            for notice in decide(&raised, alerts, &carrying, rules, at(*second)) {
                AlertedRecord::of(&notice).fold(at(*second), &mut raised).unwrap();
                carrying.insert(key(&notice.alert));
                told.push(format!("{second} {} {}", notice.change.name(), notice.alert.object));
            }
        }
        told
    }

    #[test]
    fn each_thing_is_told_once_and_when_it_changes_and_when_it_is_over() {
        let warning = [alert("a", Severity::Warning, "80 %")];
        let critical = [alert("a", Severity::Critical, "100 %")];
        let rules = AlertRules { repeat: SignedDuration::from_secs(1_000), quiet: None };
        let told = play(
            &rules,
            &[
                (0, &warning),
                (300, &warning),
                (600, &critical),
                (900, &critical),
                (1_600, &critical),
                (1_900, &[]),
                (2_200, &[]),
            ],
        );
        assert_eq!(told, ["0 raised a", "600 changed a", "1600 repeated a", "1900 resolved a"]);
    }

    #[test]
    fn at_night_only_what_matters_enough_is_told_and_the_rest_in_the_morning() {
        let quiet = Quiet { from_s: 22 * 3_600, to_s: 6 * 3_600, unless: Severity::Critical };
        let rules = AlertRules { quiet: Some(quiet), ..AlertRules::default() };
        let both = [alert("a", Severity::Warning, "80 %"), alert("b", Severity::Critical, "100 %")];
        let one = [alert("a", Severity::Warning, "80 %")];
        let hour = 3_600;
        let told = play(
            &rules,
            &[(23 * hour, &both), (24 * hour + 60, &one), (29 * hour, &one), (30 * hour, &one)],
        );
        assert_eq!(told, ["82800 raised b", "86460 resolved b", "108000 raised a"]);
        // What came and went at night was never told.
        assert_eq!(play(&rules, &[(23 * hour, &one), (30 * hour, &[])]), Vec::<String>::new());
    }

    #[test]
    fn what_nobody_carried_is_told_again_after_a_restart() {
        let alerts = [alert("a", Severity::Warning, "80 %")];
        let rules = AlertRules::default();
        let mut raised = Alerts::new();
        let first = decide(&raised, &alerts, &BTreeSet::new(), &rules, at(0)).remove(0);
        AlertedRecord::of(&first).fold(at(0), &mut raised).unwrap();
        let again = decide(&raised, &alerts, &BTreeSet::new(), &rules, at(300));
        assert_eq!(again[0].change, Change::Repeated);
        let (channel, tries) = ("mail".to_owned(), 2);
        let mut delivery =
            Delivery { notice: first, channel, tries, failed: Some("no".to_owned()) };
        DeliveredRecord::of(&delivery).fold(&mut raised);
        assert!(!raised.values().next().unwrap().carried);
        delivery.failed = None;
        DeliveredRecord::of(&delivery).fold(&mut raised);
        assert_eq!(decide(&raised, &alerts, &BTreeSet::new(), &rules, at(600)), []);
    }
}
