//! Reading a window of a server: part by part, metric by metric, stretch by stretch.

use super::answer::Answer;
use super::client::Reply;
use super::{Prometheus, PrometheusError};
use crate::telemetry::Intake;
use farthing_model::Window;
use jiff::SignedDuration;

/// The longest stretch that is asked for at once.
const STRETCH_MS: i64 = 3_600_000;
/// The shortest; what is too much for it is too much.
const STRETCH_MS_MIN: i64 = 60_000;
/// Parts of the first hour: of a server that fails early something is told whole, too.
const FIRST: SignedDuration = SignedDuration::from_mins(15);
/// The distance of values where a server cannot give the samples themselves.
const STEP_MS: i64 = 30_000;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The time to account for.
    pub window: Window,
    /// Values at this distance instead of the samples themselves.
    pub step: Option<SignedDuration>,
    /// Only series with these labels: what would stand between the braces.
    pub select: Option<String>,
    /// How long before the window is read too, so that what held at its start is known.
    pub hold: SignedDuration,
}

/// What was read.
#[derive(Debug)]
pub struct Read {
    /// The part of the window of which every metric was told.
    pub window: Window,
    /// The rest of it, and why it is missing. Asking again for the whole completes it.
    pub missing: Option<(Window, PrometheusError)>,
}

/// How samples are asked for.
#[derive(Clone, Copy)]
enum How {
    /// As they were scraped.
    Raw,
    /// At even distances, in milliseconds.
    Stepped(i64),
}

impl Prometheus {
    /// Reads all metrics of the intake's source map, hour by hour and the first one by quarters, so
    /// that a server that fails on the way has told some time whole. `progress` is told what is
    /// being read.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or answers what is no answer, before it has told a
    /// quarter of an hour whole; later, that is in what was read. What is missing in an answer is a
    /// fault of the intake.
    pub fn read(
        &self,
        query: &Query,
        intake: &mut Intake,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Read, PrometheusError> {
        let hold = i64::try_from(query.hold.as_millis()).unwrap_or(0);
        let from = query.window.from().as_millisecond() - hold;
        let to = query.window.to().as_millisecond();
        let mut how = match query.step {
            Some(step) => How::Stepped(i64::try_from(step.as_millis()).unwrap_or(STEP_MS).max(1)),
            None => How::Raw,
        };
        let metrics: Vec<String> = intake.map().metrics().map(str::to_owned).collect();
        let known = self.names(from, to)?;
        let there = |metric: &&String| {
            known.as_ref().is_none_or(|known| known.binary_search(metric).is_ok())
        };
        let wanted: Vec<&String> = metrics.iter().filter(there).collect();
        let mut whole: Option<Window> = None;
        for part in parts(query.window) {
            let begins = if whole.is_none() { from } else { part.from().as_millisecond() };
            for (nth, metric) in wanted.iter().enumerate() {
                progress(&format!("{part}, {} of {}: {metric}", nth + 1, wanted.len()));
                let span = (begins, part.to().as_millisecond());
                let Err(why) = self.metric(metric, (query, span), &mut how, intake) else {
                    continue;
                };
                // What there is of this part is not all of it: it is left for the next time.
                return match whole.zip(Window::new(part.from(), query.window.to()).ok()) {
                    Some((window, rest)) => Ok(Read { window, missing: Some((rest, why)) }),
                    None => Err(why),
                };
            }
            let first = whole.map_or(part.from(), Window::from);
            whole = Window::new(first, part.to()).ok();
        }
        Ok(Read { window: query.window, missing: None })
    }

    /// Reads one metric over a span in milliseconds.
    fn metric(
        &self,
        metric: &str,
        (query, (from, to)): (&Query, (i64, i64)),
        how: &mut How,
        intake: &mut Intake,
    ) -> Result<(), PrometheusError> {
        let url = || self.client.url().to_owned();
        let (mut at, mut stretch) = (from, STRETCH_MS);
        while at < to {
            let end = to.min(at + stretch);
            match self.stretch(metric, query, (at, end), *how)? {
                Reply::Body(body) => {
                    self.take(&body, intake)?;
                    at = end;
                }
                Reply::TooMuch(_) if stretch > STRETCH_MS_MIN => {
                    stretch = ((end - at) / 2).max(STRETCH_MS_MIN);
                }
                Reply::TooMuch(what) => {
                    let metric = metric.to_owned();
                    return Err(PrometheusError::TooMuch { url: url(), metric, what });
                }
                Reply::NotFound(_) if matches!(how, How::Raw) => *how = How::Stepped(STEP_MS),
                Reply::NotFound(status) => {
                    let said = "there is no /api/v1/query_range: is the address right?".to_owned();
                    return Err(PrometheusError::Status { url: url(), status, said });
                }
            }
        }
        Ok(())
    }

    /// The names of metrics that there are; `None` where the server does not say.
    fn names(&self, from: i64, to: i64) -> Result<Option<Vec<String>>, PrometheusError> {
        let (start, end) = (seconds(from), seconds(to));
        let form = [("start", start.as_str()), ("end", end.as_str())];
        // A GET endpoint on most servers: where POST is not allowed it is simply not known.
        match self.client.get("label/__name__/values", &form)? {
            Reply::Body(body) => match Answer::names(&body) {
                Ok(mut names) => {
                    names.sort_unstable();
                    Ok(Some(names))
                }
                Err(source) => {
                    let url = self.client.url().to_owned();
                    Err(PrometheusError::Answer { url, source })
                }
            },
            Reply::TooMuch(_) | Reply::NotFound(_) => Ok(None),
        }
    }

    fn stretch(
        &self,
        metric: &str,
        query: &Query,
        (from, to): (i64, i64),
        how: How,
    ) -> Result<Reply, PrometheusError> {
        let select = query.select.as_deref().unwrap_or_default();
        let comma = if select.is_empty() { "" } else { "," };
        // The name as a label, so that one with a colon or a dot is asked for alike.
        let series = format!("{{__name__=\"{metric}\"{comma}{select}}}");
        let (start, end) = (seconds(from), seconds(to));
        match how {
            How::Raw => {
                let range = format!("{series}[{}ms]", to - from);
                self.client.ask("query", &[("query", &range), ("time", &end)])
            }
            How::Stepped(step) => {
                // On a grid that does not depend on where a stretch starts.
                let start_at = from.div_euclid(step) * step;
                let start = if start_at < from { seconds(start_at + step) } else { start };
                let step = seconds(step);
                let form =
                    [("query", series.as_str()), ("start", &start), ("end", &end), ("step", &step)];
                self.client.ask("query_range", &form)
            }
        }
    }

    fn take(&self, body: &[u8], intake: &mut Intake) -> Result<(), PrometheusError> {
        let url = || self.client.url().to_owned();
        let answer =
            Answer::parse(body).map_err(|source| PrometheusError::Answer { url: url(), source })?;
        for warning in &answer.warnings {
            intake.note(&url(), &format!("the server warns that {warning}"));
        }
        for series in &answer.series {
            let points = series.points.iter().map(|(at, value)| (*at, value.as_bytes()));
            if let Err(what) = intake.push_series(&series.name, &series.labels, points) {
                intake.note(&url(), &what.to_string());
            }
        }
        Ok(())
    }
}

/// What is read one after the other.
fn parts(window: Window) -> Vec<Window> {
    let mut parts = Vec::new();
    for hour in window.by_hour() {
        let mut rest = hour;
        while parts.len() < 4
            && let Ok(end) = rest.from().checked_add(FIRST)
            && let (Ok(first), Ok(left)) =
                (Window::new(rest.from(), end), Window::new(end, rest.to()))
        {
            parts.push(first);
            rest = left;
        }
        parts.push(rest);
    }
    parts
}

/// Milliseconds as seconds with three places.
fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms.div_euclid(1_000), ms.rem_euclid(1_000))
}
