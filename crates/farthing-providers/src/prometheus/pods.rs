//! What pods use, as means over the last minutes: of cores and memory by cAdvisor, of whole
//! accelerators by DCGM's exporter. One question for each resource.
//!
//! The server makes the means, so that an answer has one value for each pod. A container that two
//! scrapers tell of counts once. It refuses to know what pods asked for, and instances of
//! partitioned accelerators: of what they do a pod's part is not told.

use super::answer::{Answer, Series};
use super::client::Reply;
use super::{Prometheus, PrometheusError};
use crate::exposition::number::{Reading, read};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// The shortest time that a mean is over: two scrapes have to be in it, and most scrape each minute
/// or more often.
const OVER_MIN: SignedDuration = SignedDuration::from_mins(2);

/// What one pod uses; `None` for what nobody told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodMeans {
    /// 10^-9 cores.
    pub cpu_nano: Option<u64>,
    /// Bytes in its working set.
    pub memory_bytes: Option<u64>,
    /// 10^-9 accelerators, over all that it has.
    pub gpu_nano: Option<u64>,
}

/// A resource: where its mean goes, digits of its unit, and how it is asked for. `OVER` stands for
/// the time.
type Question = (fn(&mut PodMeans) -> &mut Option<u64>, u32, &'static str);

const QUESTIONS: [Question; 3] = [
    (
        |means| &mut means.cpu_nano,
        9,
        concat!(
            "sum by (namespace, pod) (max by (namespace, pod, container, id) (",
            "rate(container_cpu_usage_seconds_total",
            r#"{container!="",container!="POD",pod!=""}[OVER])))"#,
        ),
    ),
    (
        |means| &mut means.memory_bytes,
        0,
        concat!(
            "sum by (namespace, pod) (max by (namespace, pod, container, id) (",
            "avg_over_time(container_memory_working_set_bytes",
            r#"{container!="",container!="POD",pod!=""}[OVER])))"#,
        ),
    ),
    (
        |means| &mut means.gpu_nano,
        9,
        concat!(
            "sum by (namespace, pod, exported_namespace, exported_pod) (",
            "max by (namespace, pod, exported_namespace, exported_pod, UUID) (",
            r#"avg_over_time(DCGM_FI_PROF_GR_ENGINE_ACTIVE{GPU_I_ID=""}[OVER]) or "#,
            r#"avg_over_time(DCGM_FI_DEV_GPU_UTIL{GPU_I_ID=""}[OVER]) / 100))"#,
        ),
    ),
];

impl Prometheus {
    /// What pods used on average in the time `over` before `at` (two minutes at least), by
    /// namespace and name. A pod of which nothing is told is not in it.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or answers what is no answer.
    pub fn pods(
        &self,
        at: Timestamp,
        over: SignedDuration,
    ) -> Result<BTreeMap<(String, String), PodMeans>, PrometheusError> {
        let over = over.max(OVER_MIN).as_secs();
        let mut found: BTreeMap<(String, String), PodMeans> = BTreeMap::new();
        for (place, digits, question) in QUESTIONS {
            let question = question.replace("OVER", &format!("{over}s"));
            for series in self.at(&question, at)?.series {
                let (Some(pod), Some(mean)) = (pod(&series), mean(&series, digits)) else {
                    continue;
                };
                let sum = place(found.entry(pod).or_default());
                *sum = Some(sum.unwrap_or(0).saturating_add(mean));
            }
        }
        Ok(found)
    }

    /// The values of an expression at a moment.
    fn at(&self, expression: &str, at: Timestamp) -> Result<Answer, PrometheusError> {
        let ms = at.as_millisecond();
        let time = format!("{}.{:03}", ms.div_euclid(1_000), ms.rem_euclid(1_000));
        let url = || self.client.url().to_owned();
        match self.client.ask("query", &[("query", expression), ("time", &time)])? {
            Reply::Body(body) => Answer::parse(&body)
                .map_err(|source| PrometheusError::Answer { url: url(), source }),
            Reply::TooMuch(said) => Err(PrometheusError::Status { url: url(), status: 422, said }),
            Reply::NotFound(status) => {
                Err(PrometheusError::Status { url: url(), status, said: String::new() })
            }
        }
    }
}

/// Whose a series is. A scraper that has labels of its own puts those of the exporter behind
/// `exported_`.
fn pod(series: &Series) -> Option<(String, String)> {
    let label = |name: &str| {
        let found = series.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    let exported = label("exported_namespace").zip(label("exported_pod"));
    exported.or_else(|| label("namespace").zip(label("pod")))
}

fn mean(series: &Series, digits: u32) -> Option<u64> {
    let (_, text) = series.points.last()?;
    match read(text.as_bytes(), digits)? {
        Reading::Value(value) => u64::try_from(value).ok(),
        Reading::NaN | Reading::Infinite => None,
    }
}
