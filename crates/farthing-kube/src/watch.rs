//! Keeping one kind of object up to date: all of it once, in pages, then every change.
//!
//! ```text
//! list (500 a page) -> watch from its version -> the stream ends -> watch from the last version
//!        ^                                       410 Gone          |
//!        +---------------------------------------------------------+
//! ```
//!
//! Bookmarks move the version on while nothing changes, and are a sign of life: a stream that is
//! silent for a minute and a half is given up. What fails is tried again after a pause that doubles
//! up to half a minute, or as long as the server asks for (`Retry-After`). A kind that the server
//! does not have, or that we may not see, is asked for again every minute.

use crate::client::Client;
use crate::error::{ApiError, Status};
use crate::kind::{KINDS, Kind, Object};
use crate::object::Names;
use crate::state::{Health, State};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Objects of a page.
const PAGE: &str = "500";
/// How long the server is asked to go on with a stream, in seconds.
const STREAM: &str = "290";
/// Before a request is tried again; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Before a kind that is not there, or not to be seen, is asked for again.
const ABSENT: Duration = Duration::from_secs(60);
/// A stream that said nothing for so long was not alive to its end.
const SILENCE_MIN: Duration = Duration::from_secs(80);
/// The longest pause that a server can ask for.
const ASKED_MAX: Duration = Duration::from_secs(120);

/// What the threads and the loop share.
#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stopped: AtomicBool,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked did so outside of the tables, which are whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Waits until `enough` holds, for so long at most; whether it holds.
    pub(crate) fn wait(&self, most: Duration, enough: impl Fn(&State) -> bool) -> bool {
        let late = Instant::now() + most;
        let mut state = self.state();
        loop {
            if enough(&state) {
                return true;
            }
            let left = late.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_stopped() {
                return false;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Passes a pause; `false` when it was told to stop.
    fn pause(&self, length: Duration) -> bool {
        !self.wait(length, |_| self.is_stopped()) && !self.is_stopped()
    }
}

/// Starts a thread for each kind. They end when [`Shared::stop`] was called, at the latest when
/// their streams next say something.
pub(crate) fn start(client: &Arc<Client>, shared: &Arc<Shared>) -> std::io::Result<()> {
    for (index, kind) in KINDS.iter().enumerate() {
        let (client, shared) = (Arc::clone(client), Arc::clone(shared));
        let watcher =
            Watcher { client, shared, kind, index, names: Names::default(), version: None };
        std::thread::Builder::new()
            .name(format!("watch-{}", kind.plural))
            .stack_size(512 << 10)
            .spawn(move || watcher.run())?;
    }
    Ok(())
}

struct Watcher {
    client: Arc<Client>,
    shared: Arc<Shared>,
    kind: &'static Kind,
    index: usize,
    names: Names,
    /// The version of the API that is asked for, once it is known.
    version: Option<&'static str>,
}

/// Why a stream of changes ended.
enum Ended {
    /// As it should, or in the middle: go on from the version.
    Cut(String, Option<ApiError>),
    /// What was read last is too old to go on from.
    Gone,
}

#[derive(Deserialize)]
struct List<'a> {
    metadata: ListMeta,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMeta {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Change<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// The least that is read of any object, for its version and for messages.
#[derive(Deserialize)]
struct Face {
    metadata: FaceMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FaceMeta {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    resource_version: String,
}

#[derive(Deserialize)]
struct Group {
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize)]
struct GroupVersion {
    version: String,
}

impl Watcher {
    fn run(mut self) {
        let mut pause = PAUSE_MIN;
        while !self.shared.is_stopped() {
            match self.list() {
                Ok(version) => {
                    pause = PAUSE_MIN;
                    self.follow(version);
                }
                Err(error) => {
                    let length = self.failed(&error, &mut pause);
                    if !self.shared.pause(length) {
                        return;
                    }
                }
            }
        }
    }

    /// Follows changes until a new list is needed.
    fn follow(&mut self, mut version: String) {
        let mut pause = PAUSE_MIN;
        while !self.shared.is_stopped() {
            let began = Instant::now();
            match self.stream(version) {
                Ended::Gone => return,
                Ended::Cut(last, error) => {
                    version = last;
                    // A stream that lasted is no sign that the next will not.
                    if began.elapsed() > PAUSE_MAX {
                        pause = PAUSE_MIN;
                    }
                    let length = match &error {
                        Some(error) => self.failed(error, &mut pause),
                        None => PAUSE_MIN,
                    };
                    if !self.shared.pause(length) {
                        return;
                    }
                }
            }
        }
    }

    /// Notes why nothing is heard; the pause before the next try.
    fn failed(&self, error: &ApiError, pause: &mut Duration) -> Duration {
        let absent = error.code() == Some(404);
        self.health(|health| {
            health.connected = false;
            if absent {
                health.served = Some(false);
            }
            health.why = Some(error.to_string());
        });
        if absent || error.code() == Some(403) {
            return ABSENT;
        }
        let own = *pause;
        *pause = (own * 2).min(PAUSE_MAX);
        error.retry_after().map_or(own, |asked| asked.min(ASKED_MAX))
    }

    fn health(&self, change: impl FnOnce(&mut Health)) {
        if let Some(health) = self.shared.state().health.get_mut(self.index) {
            change(health);
        }
        self.shared.changed.notify_all();
    }

    /// The version of the API that this kind is read in.
    fn version(&mut self) -> Result<&'static str, ApiError> {
        if let Some(version) = self.version {
            return Ok(version);
        }
        let kind = self.kind;
        if let ([only], true) = (kind.versions, kind.built_in) {
            self.version = Some(only);
            return Ok(only);
        }
        let path = format!("/apis/{}", kind.group);
        let said = self.client.get(&path, &[])?;
        let group: Group = serde_json::from_slice(&said)
            .map_err(|error| ApiError::Syntax { url: path.clone(), what: error.to_string() })?;
        let served = |version: &&&str| group.versions.iter().any(|it| it.version == **version);
        let Some(version) = kind.versions.iter().find(served) else {
            let versions: Vec<_> = group.versions.into_iter().map(|it| it.version).collect();
            let what = format!("serves {} only", versions.join(", "));
            return Err(ApiError::refused(&path, 404, what.as_bytes(), None));
        };
        self.version = Some(version);
        Ok(version)
    }

    /// Reads all of the kind, in pages; its version.
    fn list(&mut self) -> Result<String, ApiError> {
        let path = self.kind.path(self.version()?);
        let mut objects: Vec<Object> = Vec::new();
        let mut faults = Vec::new();
        let mut next: Option<String> = None;
        let version = loop {
            let mut query = vec![("limit", PAGE)];
            query.extend(next.as_deref().map(|next| ("continue", next)));
            let said = self.client.get(&path, &query)?;
            let syntax = |what: String| ApiError::Syntax { url: path.clone(), what };
            let list: List<'_> =
                serde_json::from_slice(&said).map_err(|error| syntax(error.to_string()))?;
            let now = self.client.now();
            for raw in list.items.unwrap_or_default() {
                match self.kind.read(raw.get(), &mut self.names, now) {
                    Ok(object) => objects.push(object),
                    Err(why) => faults.push(self.fault(raw, &why)),
                }
            }
            next = list.metadata.next.filter(|next| !next.is_empty());
            if next.is_none() {
                break list.metadata.resource_version;
            }
            if self.shared.is_stopped() {
                break list.metadata.resource_version;
            }
        };
        let now = self.client.now();
        {
            let mut state = self.shared.state();
            state.replace(self.kind, objects, now);
            for fault in faults {
                state.fault(fault);
            }
        }
        self.names.forget_unused();
        self.health(|health| {
            (health.served, health.listed, health.heard) = (Some(true), true, Some(now));
            health.version = self.version;
            health.lists += 1;
            health.why = None;
        });
        Ok(version)
    }

    /// Follows one stream of changes to its end.
    fn stream(&mut self, mut version: String) -> Ended {
        let api = match self.version() {
            Ok(api) => api,
            Err(error) => return Ended::Cut(version, Some(error)),
        };
        let query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", STREAM),
            ("resourceVersion", version.as_str()),
        ];
        let mut lines = match self.client.lines(&self.kind.path(api), &query) {
            Ok(lines) => lines,
            Err(error) if error.is_gone() => return Ended::Gone,
            Err(error) => return Ended::Cut(version, Some(error)),
        };
        self.heard();
        let mut line = Vec::new();
        let mut heard = Instant::now();
        let ended = loop {
            if self.shared.is_stopped() {
                break Ended::Cut(version, None);
            }
            match lines.next(&mut line) {
                Ok(None) => break Ended::Cut(version, None),
                Ok(Some(())) => match self.change(&line) {
                    Ok(new) => version = new.unwrap_or(version),
                    Err(error) if error.is_gone() => break Ended::Gone,
                    Err(error) => break Ended::Cut(version, Some(error)),
                },
                Err(error) => break Ended::Cut(version, Some(error)),
            }
            heard = Instant::now();
        };
        // Up to its end everything was told, unless it was silence that ended it.
        if heard.elapsed() < SILENCE_MIN {
            self.heard();
        }
        ended
    }

    fn heard(&self) {
        let now = self.client.now();
        self.health(|health| {
            (health.connected, health.heard, health.why) = (true, Some(now), None);
        });
    }

    /// Takes one change; the version after it.
    fn change(&mut self, line: &[u8]) -> Result<Option<String>, ApiError> {
        let url = || self.kind.plural.to_owned();
        let change: Change<'_> = serde_json::from_slice(line)
            .map_err(|error| ApiError::Syntax { url: url(), what: error.to_string() })?;
        if change.r#type == "ERROR" {
            let status: Status = serde_json::from_str(change.object.get()).unwrap_or_default();
            return Err(ApiError::status(&url(), 500, status, None));
        }
        let now = self.client.now();
        let face: Option<Face> = serde_json::from_str(change.object.get()).ok();
        let version = face.map(|face| face.metadata.resource_version);
        let version = version.filter(|version| !version.is_empty());
        if change.r#type != "BOOKMARK" {
            let read = self.kind.read(change.object.get(), &mut self.names, now);
            let mut state = self.shared.state();
            match (change.r#type, read) {
                ("DELETED", Ok(object)) => state.remove(self.kind, object, now),
                (_, Ok(object)) => state.put(self.kind, object),
                (_, Err(why)) => {
                    let fault = self.fault(change.object, &why);
                    state.fault(fault);
                }
            }
        }
        self.health(|health| health.heard = Some(now));
        Ok(version)
    }

    fn fault(&self, raw: &RawValue, why: &str) -> String {
        let face: Option<Face> = serde_json::from_str(raw.get()).ok();
        let name = face.map_or_else(
            || "without a name".to_owned(),
            |face| match face.metadata.namespace.as_str() {
                "" => face.metadata.name,
                namespace => format!("{namespace}/{}", face.metadata.name),
            },
        );
        format!("{} {name} cannot be read: {why}", self.kind.name)
    }
}

#[cfg(test)]
pub(crate) mod tests;
