//! What pods use, as somebody else tells it who keeps the time ([`Uses`], such as a Prometheus), or
//! the cluster's metrics server (`metrics.k8s.io`): the mean of the last seconds of each container,
//! asked for with one request for each tick.
//!
//! A mean of a quarter of a minute stands for the whole tick: that is what such a server knows.
//! What is older than [`OLD`] stands for nothing, and what is not told (accelerators by the metrics
//! server, pods that came and went) is not known. It refuses to know what was asked for.

use crate::client::Client;
use crate::error::ApiError;
use crate::object::{Key, time};
use farthing_model::Window;
use farthing_model::amount::{bytes, cores_nano};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;

/// Where the server is asked.
const PATH: &str = "/apis/metrics.k8s.io/v1beta1/pods";
/// What was measured so long before the end of a window says nothing of it.
const OLD: SignedDuration = SignedDuration::from_secs(120);

/// Tells what pods used, better than the metrics server does.
pub trait Uses: Send {
    /// What each pod used on average in a window, or in a longer time that ends with it.
    ///
    /// # Errors
    /// Why that is not known: then the metrics server is asked.
    fn pods(&mut self, window: Window) -> Result<Vec<PodUse>, String>;

    /// Who tells it, in words.
    fn name(&self) -> String;
}

/// What one pod used; `None` for what nobody told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodUse {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// 10^-9 cores.
    pub cpu_nano: Option<u64>,
    /// Bytes.
    pub memory_bytes: Option<u64>,
    /// 10^-9 accelerators, over all that it has.
    pub gpu_nano: Option<u64>,
}

/// What is known of use.
#[derive(Debug)]
pub(crate) enum Usage {
    /// Nothing, and why.
    Unknown(String),
    /// Of pods, and who told it.
    Known(HashMap<Key, Used>, String),
}

/// What one pod uses; `None` for what nobody told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    /// 10^-9 cores.
    pub(crate) cpu_nano: Option<u64>,
    pub(crate) memory_bytes: Option<u64>,
    /// 10^-9 accelerators.
    pub(crate) gpu_nano: Option<u64>,
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
    name: Arc<str>,
    #[serde(default)]
    namespace: Arc<str>,
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
    /// Asks who knows the use of a window best; `faults` hears why it is not the first, and of
    /// pods whose amounts cannot be read.
    pub(crate) fn of_window(
        (uses, client): (Option<&mut (dyn Uses + '_)>, &Client),
        window: Window,
        faults: &mut Vec<String>,
    ) -> Self {
        let Some(uses) = uses else { return Self::ask(client, faults) };
        match uses.pods(window) {
            Ok(pods) => Self::told(pods, uses.name(), window.to()),
            Err(why) => {
                let known = Self::ask(client, faults);
                let other = match &known {
                    Self::Known(..) => "the metrics server is asked instead",
                    Self::Unknown(_) => "pods are charged for what they ask for",
                };
                faults.push(format!("use of pods: {why}; {other}"));
                known
            }
        }
    }

    pub(crate) fn told(pods: Vec<PodUse>, by: String, at: Timestamp) -> Self {
        let known = pods.into_iter().map(|pod| {
            let PodUse { namespace, name, cpu_nano, memory_bytes, gpu_nano } = pod;
            let key = Key { namespace: Arc::from(namespace), name: Arc::from(name) };
            (key, Used { cpu_nano, memory_bytes, gpu_nano, at })
        });
        Self::Known(known.collect(), by)
    }

    /// Asks the metrics server; `faults` hears of pods whose amounts cannot be read.
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
            let used = used(&item);
            let Name { name, namespace } = item.metadata;
            let key = Key { namespace, name };
            match used {
                Ok(Some(used)) => drop(known.insert(key, used)),
                Ok(None) => {}
                Err(why) => faults.push(format!("use of pod {key}: {why}")),
            }
        }
        Ok(Self::Known(known, "the metrics server".to_owned()))
    }

    /// What a pod used, as far as that is known at the end of a window.
    pub(crate) fn of(&self, pod: &Key, end: Timestamp) -> Option<Used> {
        let Self::Known(known, _) = self else { return None };
        let used = known.get(pod)?;
        (end.duration_since(used.at) <= OLD).then_some(*used)
    }

    /// Why nothing is known, if so.
    pub(crate) fn unknown(&self) -> Option<&str> {
        match self {
            Self::Unknown(why) => Some(why),
            Self::Known(..) => None,
        }
    }

    /// Who told what is known.
    pub(crate) fn told_by(&self) -> Option<&str> {
        match self {
            Self::Unknown(_) => None,
            Self::Known(_, by) => Some(by),
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
    let (cpu_nano, memory_bytes) = (Some(cpu_nano), Some(memory_bytes));
    Ok(Some(Used { cpu_nano, memory_bytes, gpu_nano: None, at }))
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
        let key =
            |namespace: &str, name: &str| Key { namespace: namespace.into(), name: name.into() };
        let used = usage.of(&key("n", "p"), at("2026-12-01T00:01:59Z")).unwrap();
        assert_eq!(used.cpu_nano, Some(1_750_000_001));
        assert_eq!((used.memory_bytes, used.gpu_nano), (Some((1 << 30) + 1_024), None));
        assert_eq!(usage.of(&key("n", "p"), at("2026-12-01T00:02:01Z")), None, "too old");
        assert_eq!(usage.of(&key("m", "p"), at("2026-12-01T00:00:00Z")), None);
        assert_eq!(usage.of(&key("n", "q"), at("2026-12-01T00:00:00Z")), None, "nothing is told");
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

    struct Other(Result<Vec<PodUse>, String>);

    impl Uses for Other {
        fn pods(&mut self, _window: Window) -> Result<Vec<PodUse>, String> {
            self.0.clone()
        }

        fn name(&self) -> String {
            "somebody".to_owned()
        }
    }

    #[test]
    fn somebody_else_is_asked_first_and_the_metrics_server_where_he_does_not_know() {
        let item = r#"{"metadata": {"name": "p", "namespace": "n"}, "timestamp":
            "2026-12-01T00:00:00Z", "containers": [{"usage": {"cpu": "2", "memory": "1Ki"}}]}"#;
        let (server, _asked) = serve(vec![(200, "", format!("{{\"items\": [{item}]}}"))]);
        let (ca, name) = (None, "test".to_owned());
        let access = Access { server, ca, insecure: false, identity: Identity::Anonymous, name };
        let client = Client::new(access, Arc::new(Still));
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let window = Window::new(at("2026-12-01T00:00:00Z"), at("2026-12-01T00:01:00Z")).unwrap();
        let pod = Key { namespace: "n".into(), name: "p".into() };
        let ask = |said: Result<Vec<PodUse>, String>| {
            let (mut faults, mut other) = (Vec::new(), Other(said));
            let usage = Usage::of_window((Some(&mut other), &client), window, &mut faults);
            (usage.told_by().map(str::to_owned), usage.of(&pod, window.to()), faults)
        };
        let (namespace, name) = ("n".to_owned(), "p".to_owned());
        let told = PodUse { namespace, name, gpu_nano: Some(7), ..PodUse::default() };
        let (by, used, faults) = ask(Ok(vec![told]));
        assert_eq!((by.as_deref(), faults), (Some("somebody"), Vec::new()));
        let used = used.unwrap();
        assert_eq!((used.cpu_nano, used.gpu_nano), (None, Some(7)), "what is told, and no more");
        let (by, used, faults) = ask(Err("he is out".to_owned()));
        assert_eq!(by.as_deref(), Some("the metrics server"));
        assert_eq!(used.unwrap().cpu_nano, Some(2_000_000_000));
        assert_eq!(faults, ["use of pods: he is out; the metrics server is asked instead"]);
    }
}
