//! Kubernetes: what its API server says, as a snapshot, and as what is paid and set aside.
//!
//! ```text
//! Access -> Client -> a watcher for each kind -> State -> Observe: nodes and workloads
//!                                                      -> Measure: spans and samples by requests
//! ```
//!
//! [`Kube`] lists and watches (`watch`), keeps little of each object (`object`), follows pods up
//! their owners (`whose`) and reads devices as shares of accelerators (`gpu`). Objects of our own
//! are in `ours`; what may be asked beside lists and watches is in `call`. It changes only what it
//! is told to, one step at a time (`act`). It refuses to know prices ([`Prices`] brings them), the
//! clock and the environment. Start with [`Kubeconfig`] and [`Kube::open`].

pub mod access;
mod act;
mod buy;
mod call;
mod client;
mod error;
mod gpu;
mod kind;
pub mod kueue;
mod manifest;
mod measure;
mod object;
mod observe;
mod ours;
mod price;
mod state;
mod subject;
mod terms;
#[cfg(test)]
mod tests;
mod usage;
mod watch;
pub mod webhook;
mod whose;

pub use access::{Access, AccessError, Identity, Kubeconfig, in_cluster};
pub use act::Rules;
pub use call::Flavour;
pub use client::SharedClock;
pub use error::ApiError;
pub use gpu::product;
pub use manifest::{Reach, deployment, mutating_webhook, roles, webhook_service};
pub use object::OurObject;
pub use ours::{Campaign, Known, Lease, Ours, Standing};
pub use price::{Priced, Prices};
pub use subject::Subject;
pub use usage::{PodUse, Uses};

use client::Client;
use farthing_edge::{Buyable, Class, EdgeError, Measure, Measured, Observe, Quote};
use farthing_model::{ClusterId, Coverage, Offer, Snapshot, SourceId, Window, WorkloadId};
use jiff::{SignedDuration, Timestamp};
use kind::KINDS;
use measure::{Faces, Measuring};
use price::NodePrices;
use serde::Deserialize;
use state::State;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use usage::Usage;
use watch::Shared;

/// A cluster that is watched.
pub struct Kube {
    cluster: ClusterId,
    client: Arc<Client>,
    shared: Arc<Shared>,
    prices: NodePrices,
    source: SourceId,
    faces: Faces,
    seen: observe::Seen,
    coverage: Coverage,
    /// Faults of the last snapshot, for the next measurement.
    faults: BTreeSet<String>,
    version: String,
    acting: act::Acting,
    usage: Usage,
    /// Who knows what pods use better than the metrics server.
    uses: Option<Box<dyn Uses>>,
    /// Requests that were told of.
    requests: u64,
}

/// What is known of a cluster, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// The server's address.
    pub server: String,
    /// Its version.
    pub version: String,
    /// How many objects of each kind there are, for kinds that are there.
    pub objects: BTreeMap<&'static str, usize>,
    /// Kinds that the server does not have.
    pub absent: Vec<&'static str>,
    /// Kinds that are not known, and why.
    pub unknown: Vec<(&'static str, String)>,
    /// Requests that were made so far.
    pub requests: u64,
    /// How often kinds were read whole: once each, and again when a stream had ended too long ago.
    pub lists: u64,
    /// Why what pods use is not known, if it is not: then they are known by what they ask for.
    pub use_unknown: Option<String>,
    /// Who told what they use, where that is known.
    pub use_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

impl Kube {
    /// Asks a server for its version, and begins to watch it. Nothing is known yet:
    /// [`Self::wait`] waits until it is.
    ///
    /// # Errors
    /// The server cannot be reached, or does not let us in.
    pub fn open(
        access: Access,
        cluster: ClusterId,
        clock: SharedClock,
        prices: Box<dyn Prices + Send>,
    ) -> Result<Self, ApiError> {
        let client = Arc::new(Client::new(access, clock));
        let said = client.get("/version", &[])?;
        let syntax = |what: String| ApiError::Syntax { url: client.access().server.clone(), what };
        let version: Version =
            serde_json::from_slice(&said).map_err(|error| syntax(error.to_string()))?;
        let source = SourceId::new("kubernetes").map_err(|error| syntax(error.to_string()))?;
        let shared = Arc::new(Shared::default());
        let usage = Usage::ask(&client, &mut Vec::new());
        watch::start(&client, &shared)
            .map_err(|error| syntax(format!("no thread can be started: {error}")))?;
        Ok(Self {
            cluster,
            client,
            shared,
            prices: NodePrices::new(prices),
            source,
            faces: Faces::default(),
            seen: observe::Seen::new(),
            coverage: Coverage::default(),
            faults: BTreeSet::new(),
            version: version.git_version,
            acting: act::Acting::default(),
            usage,
            uses: None,
            requests: 0,
        })
    }

    /// Waits until every kind that there is was read whole, for so long at most; whether that is
    /// so. Kinds that are not to be seen are not waited for.
    pub fn wait(&self, most: Duration) -> bool {
        self.shared.wait(most, |state| {
            state.health.iter().all(|it| it.listed || it.served == Some(false) || it.why.is_some())
        })
    }

    /// Asks somebody else from now on what pods use, as at `now` for the first time; only where he
    /// does not know it, the metrics server.
    pub fn learn_use_from(&mut self, mut uses: Box<dyn Uses>, now: Timestamp) {
        let before = now.checked_sub(SignedDuration::from_mins(1)).unwrap_or(now);
        if let Ok(window) = Window::new(before, now) {
            let mut faults = Vec::new();
            self.usage = Usage::of_window((Some(&mut *uses), &self.client), window, &mut faults);
            self.faults.extend(faults);
        }
        self.uses = Some(uses);
    }

    /// Objects of our own in it, for as long as this is there.
    pub fn ours(&self) -> Ours {
        Ours { client: Arc::clone(&self.client), shared: Arc::clone(&self.shared) }
    }

    /// A replica, by a name that no other has, that may lead in this cluster.
    pub fn lease(&self, me: String) -> Lease {
        Lease::new(Arc::clone(&self.client), me)
    }

    /// The object that stands for a workload, as last seen: what is changed when the workload is
    /// to be.
    pub fn subject(&self, workload: &WorkloadId) -> Option<Subject> {
        subject::subject(&self.shared.state(), workload)
    }

    /// Answers the checks of Kueue in the same cluster, by what is watched here.
    pub fn kueue(&self, prices: Box<dyn Prices + Send>, rules: kueue::Rules) -> kueue::Kueue {
        let (client, shared) = (Arc::clone(&self.client), Arc::clone(&self.shared));
        kueue::Kueue::new(client, shared, prices, rules)
    }

    /// What is known.
    pub fn inventory(&self) -> Inventory {
        let state = self.shared.state();
        let mut inventory = Inventory {
            server: self.client.access().server.clone(),
            version: self.version.clone(),
            objects: BTreeMap::new(),
            absent: Vec::new(),
            unknown: Vec::new(),
            requests: self.client.requests(),
            lists: state.health.iter().map(|health| health.lists).sum(),
            use_unknown: self.usage.unknown().map(str::to_owned),
            use_by: self.usage.told_by().map(str::to_owned),
        };
        for (kind, health) in KINDS.iter().zip(&state.health) {
            match (health.served, &health.why) {
                (Some(false), _) => inventory.absent.push(kind.name),
                (_, Some(why)) => inventory.unknown.push((kind.name, why.clone())),
                (None, None) => inventory.unknown.push((kind.name, "not read yet".to_owned())),
                (Some(true), None) => {}
            }
            if health.listed {
                inventory.objects.insert(kind.name, count(&state, kind));
            }
        }
        inventory
    }
}

fn count(state: &State, kind: &kind::Kind) -> usize {
    use kind::Keep;
    match kind.keep() {
        Keep::Node => state.nodes.len(),
        Keep::Pod => state.pods.len(),
        Keep::Namespace => state.namespaces.len(),
        Keep::Owner | Keep::OwnerOfPods => state.owners.get(kind.name).map_or(0, BTreeMap::len),
        Keep::Claim => state.claims.len(),
        Keep::Slices => state.slices.len(),
        Keep::Queue => state.kueue.count(kind.name),
        Keep::Rule => state.rules.get(kind.name).map_or(0, BTreeMap::len),
        Keep::Ours => state.ours.get(kind.name).map_or(0, BTreeMap::len),
    }
}

/// Why what everything rests on is not known.
fn unknown(state: &State) -> Option<EdgeError> {
    KINDS.iter().zip(&state.health).take(2).find(|(_, health)| !health.listed).map(
        |(kind, health)| {
            let why = health.why.as_deref().unwrap_or("they were not read yet");
            let message = format!("the {} of the cluster are not known: {why}", kind.plural);
            EdgeError::new(Class::Transient, message)
        },
    )
}

impl Observe for Kube {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        let state = self.shared.state();
        if let Some(error) = unknown(&state) {
            return Err(error);
        }
        let about = (&self.cluster, now);
        self.prices.refresh(state.nodes.len());
        let (prices, faults) = (&mut self.prices, &mut self.faults);
        let last = (&*state, &mut self.seen);
        Ok(observe::snapshot(last, about, prices, self.coverage, faults))
    }
}

impl Measure for Kube {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        let mut unread = Vec::new();
        let uses = self.uses.as_mut().map(|uses| &mut **uses as &mut dyn Uses);
        self.usage = Usage::of_window((uses, &self.client), window, &mut unread);
        let mut state = self.shared.state();
        if let Some(error) = unknown(&state) {
            return Err(error);
        }
        let known = state.health.iter().take(2).map(|health| health.known_to(window.to()));
        let known = known.min().flatten().unwrap_or(window.from());
        let (source, usage) = (&self.source, &self.usage);
        let measuring = Measuring { state: &state, window, known, source, usage };
        let mut measured = measuring.measure(&mut self.prices, &mut self.faces);
        if known < window.to() {
            let why = state.health.iter().take(2).find_map(|health| health.why.clone());
            measured.faults.push(format!(
                "the cluster is not known since {known}: {}",
                why.unwrap_or_else(|| "the streams of changes ended".to_owned())
            ));
        }
        state.metered(window.to());
        let faults = std::mem::take(&mut self.faults).into_iter();
        let faults = faults.filter(|fault| !measured.faults.contains(fault));
        let read = state.take_faults();
        let all: Vec<String> = faults.chain(read).chain(unread).collect();
        measured.faults.extend(all);
        self.coverage = measured.coverage;
        let requests = self.client.requests();
        measured.requests = requests - std::mem::replace(&mut self.requests, requests);
        Ok(measured)
    }
}

impl Quote for Kube {
    /// What the nodes that are there were bought as; not what else could be.
    fn offers(&mut self, _now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        let state = self.shared.state();
        Ok(observe::offers(&state, &mut self.prices, &mut self.faults))
    }

    fn to_buy(&mut self, id: &WorkloadId, _now: Timestamp) -> Result<Vec<Buyable>, EdgeError> {
        let state = self.shared.state();
        Ok(buy::to_buy(&state, &mut self.prices, id))
    }
}

impl Drop for Kube {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
