//! What pods use, as the cluster's metrics server tells it (`metrics.k8s.io`): the mean of the last
//! seconds of each container, asked for with one request for each tick.
//!
//! A mean of a quarter of a minute stands for the whole tick: that is what such a server knows.
//! What is older than [`OLD`] stands for nothing, and what it does not tell (accelerators, pods
//! that came and went) is not known. It refuses to know what was asked for.

use crate::client::Client;
use crate::error::ApiError;
use crate::object::time;
use farthing_model::amount::{bytes, cores_nano};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::collections::HashMap;

/// Where the server is asked.
const PATH: &str = "/apis/metrics.k8s.io/v1beta1/pods";
/// What was measured so long before the end of a window says nothing of it.
const OLD: SignedDuration = SignedDuration::from_secs(120);

/// What is known of use.
#[derive(Debug)]
pub(crate) enum Usage {
    /// Nothing, and why.
    Unknown(String),
    /// Of pods, by namespace and name.
    Known(HashMap<(Box<str>, Box<str>), Used>),
}

/// What one pod uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    /// 10^-9 cores.
    pub(crate) cpu_nano: u64,
    pub(crate) memory_bytes: u64,
    /// When that was so.
    at: Timestamp,
}

#[derive(Deserialize)]
struct List {
    #[serde(default, deserialize_with = "crate::object::or_default")]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Name,
    #[serde(default, deserialize_with = "time")]
    timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "crate::object::or_default")]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Name {
    name: Box<str>,
    #[serde(default)]
    namespace: Box<str>,
}

#[derive(Deserialize)]
struct Container {
    usage: Amounts,
}

#[derive(Deserialize)]
struct Amounts {
    cpu: String,
    memory: String,
}

impl Usage {
    /// Asks the server; `faults` hears of pods whose amounts cannot be read.
    pub(crate) fn ask(client: &Client, faults: &mut Vec<String>) -> Self {
        let said = match client.get(PATH, &[]) {
            Ok(said) => said,
            Err(error) if error.code() == Some(404) => {
                return Self::Unknown("the cluster has no metrics server".to_owned());
            }
            Err(error) => return Self::Unknown(error.to_string()),
        };
        Self::read(&said, faults).unwrap_or_else(|error| Self::Unknown(error.to_string()))
    }

    /// Reads what a server said.
    pub(crate) fn read(said: &[u8], faults: &mut Vec<String>) -> Result<Self, ApiError> {
        let syntax = |error: serde_json::Error| {
            let (url, what) = (PATH.to_owned(), error.to_string());
            ApiError::Syntax { url, what }
        };
        let list: List = serde_json::from_slice(said).map_err(syntax)?;
        let mut known = HashMap::with_capacity(list.items.len());
        for item in list.items {
            let Name { name, namespace } = &item.metadata;
            match used(&item) {
                Ok(Some(used)) => {
                    known.insert((namespace.clone(), name.clone()), used);
                }
                Ok(None) => {}
                Err(why) => faults.push(format!("use of pod {namespace}/{name}: {why}")),
            }
        }
        Ok(Self::Known(known))
    }

    /// What a pod used, as far as that is known at the end of a window.
    pub(crate) fn of(&self, (namespace, name): (&str, &str), end: Timestamp) -> Option<Used> {
        let Self::Known(known) = self else { return None };
        // Names of two parts cannot be looked up without making them.
        let used = known.get(&(Box::from(namespace), Box::from(name)))?;
        (end.duration_since(used.at) <= OLD).then_some(*used)
    }

    /// Why nothing is known, if so.
    pub(crate) fn unknown(&self) -> Option<&str> {
        match self {
            Self::Unknown(why) => Some(why),
            Self::Known(_) => None,
        }
    }
}

/// The sum over containers; nothing where nothing is told.
fn used(item: &Item) -> Result<Option<Used>, String> {
    let Some(at) = item.timestamp.filter(|_| !item.containers.is_empty()) else { return Ok(None) };
    let (mut cpu_nano, mut memory_bytes) = (0_u64, 0_u64);
    for Container { usage } in &item.containers {
        cpu_nano = cpu_nano.saturating_add(cores_nano(&usage.cpu)?);
        memory_bytes = memory_bytes.saturating_add(bytes(&usage.memory)?);
    }
    Ok(Some(Used { cpu_nano, memory_bytes, at }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Access, Identity};
    use crate::watch::tests::{Still, serve};
    use std::sync::Arc;

    fn ask(code: u16, body: &str) -> (Usage, Vec<String>, String) {
        let (server, asked) = serve(vec![(code, "", body.to_owned())]);
        let (ca, name) = (None, "test".to_owned());
        let access = Access { server, ca, insecure: false, identity: Identity::Anonymous, name };
        let mut faults = Vec::new();
        let usage = Usage::ask(&Client::new(access, Arc::new(Still)), &mut faults);
        (usage, faults, asked.recv().unwrap())
    }

    #[test]
    fn use_is_the_sum_of_containers_as_long_as_it_is_new() {
        let pod = |name: &str, containers: &str| {
            format!(
                r#"{{"metadata": {{"name": "{name}", "namespace": "n"}}, "window": "15.1s",
                "timestamp": "2026-12-01T00:00:00Z", "containers": {containers}}}"#
            )
        };
        let usage = |cpu: &str, memory: &str| {
            format!(r#"{{"name": "c", "usage": {{"cpu": "{cpu}", "memory": "{memory}"}}}}"#)
        };
        let two = format!("[{},{}]", usage("1500000001n", "1Gi"), usage("250m", "1Ki"));
        let items = [pod("p", &two), pod("odd", &format!("[{}]", usage("x", "1"))), pod("q", "[]")];
        let (usage, faults, asked) = ask(200, &format!("{{\"items\": [{}]}}", items.join(",")));
        assert_eq!(asked, PATH);
        assert!(usage.unknown().is_none());
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let used = usage.of(("n", "p"), at("2026-12-01T00:01:59Z")).unwrap();
        assert_eq!((used.cpu_nano, used.memory_bytes), (1_750_000_001, (1 << 30) + 1_024));
        assert_eq!(usage.of(("n", "p"), at("2026-12-01T00:02:01Z")), None, "too old");
        assert_eq!(usage.of(("m", "p"), at("2026-12-01T00:00:00Z")), None);
        assert_eq!(usage.of(("n", "q"), at("2026-12-01T00:00:00Z")), None, "nothing is told");
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("use of pod n/odd: `x` is not a quantity"), "{faults:?}");
    }

    #[test]
    fn a_cluster_without_a_metrics_server_says_so() {
        let why = |code: u16, body: &str| ask(code, body).0.unknown().map(str::to_owned);
        assert_eq!(why(404, "404 page not found").unwrap(), "the cluster has no metrics server");
        assert!(why(503, "service unavailable").unwrap().contains("503"));
        assert!(why(200, "nonsense").unwrap().contains("expected"));
    }
}
