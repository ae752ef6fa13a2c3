//! Asking an engine: the questions of the Docker Engine API that are asked here, and no others.
//!
//! One request at a time, bounded in time and in bytes. What the answers mean is `wire`'s.

use crate::error::DockerError;
use crate::socket;
use crate::wire::{
    Created, Inspected, Listed, NewContainer, NewCpu, NewLimits, NewMemory, NewResources, Version,
};
use farthing_model::Resources;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::{Agent, Error};

/// How long an answer may take, beside what the question itself lets time pass.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of one answer: ten thousand containers, each with a page of labels.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// The newest version of the API that was read about here; older servers say theirs.
const VERSION_MAX: (u32, u32) = (1, 51);
const BUFFER_BYTES: usize = 16 << 10;
/// The kernel's time in which a quota of processor time is used up, in microseconds.
const PERIOD_MICRO: u64 = 100_000;

/// Speaks to one engine.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    socket: PathBuf,
    prefix: String,
    engine: String,
    /// Where Podman's own API is, if it is Podman.
    podman: Option<String>,
}

impl Client {
    /// Asks who listens, and agrees on a version.
    pub(crate) fn open(socket: &Path) -> Result<Self, DockerError> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .max_idle_connections(0)
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .user_agent(concat!("farthing/", env!("CARGO_PKG_VERSION")));
        let agent = socket::agent(socket.to_owned(), config.build());
        let mut client = Self {
            agent,
            socket: socket.to_owned(),
            prefix: String::new(),
            engine: String::new(),
            podman: None,
        };
        let version: Version = client.get("/version", &[], "ask for the version")?;
        let syntax =
            |what: String| DockerError::Syntax { question: "ask for the version".to_owned(), what };
        let newest = parse_version(&version.newest)
            .ok_or_else(|| syntax(format!("`{}` is no version", version.newest)))?;
        let least = version.least.as_deref().and_then(parse_version).unwrap_or_default();
        if least > VERSION_MAX {
            let (major, minor) = VERSION_MAX;
            return Err(syntax(format!("its oldest API is newer than {major}.{minor}")));
        }
        let (major, minor) = newest.min(VERSION_MAX);
        client.prefix = format!("/v{major}.{minor}");
        client.engine = version.engine();
        client.podman = version.podman().map(|version| format!("/v{version}/libpod"));
        Ok(client)
    }

    /// What listens, in words.
    pub(crate) fn engine(&self) -> &str {
        &self.engine
    }

    /// All containers, running or not.
    pub(crate) fn list(&self) -> Result<Vec<Listed>, DockerError> {
        self.get("/containers/json", &[("all", "1")], "list the containers")
    }

    /// Everything about a container; `None` where it is gone.
    pub(crate) fn inspect(&self, id: &str) -> Result<Option<Inspected>, DockerError> {
        let path = format!("/containers/{}/json", encoded(id));
        match self.get(&path, &[], &format!("look at container {id}")) {
            Err(error) if error.code() == Some(404) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Whether an image is here.
    pub(crate) fn has_image(&self, name: &str) -> Result<bool, DockerError> {
        let path = format!("/images/{}/json", encoded(name));
        match self.get::<serde::de::IgnoredAny>(&path, &[], &format!("look at image {name}")) {
            Err(error) if error.code() == Some(404) => Ok(false),
            other => other.map(|_| true),
        }
    }

    /// Makes a container, which does not run yet; its id.
    pub(crate) fn create(&self, name: &str, new: &NewContainer) -> Result<String, DockerError> {
        let question = format!("create container {name}");
        let body = self.post("/containers/create", &[("name", name)], (&question, Some(new)))?;
        let created: Created = read(&body, &question)?;
        Ok(created.id)
    }

    /// Starts a container; one that runs already is left alone.
    pub(crate) fn start(&self, id: &str) -> Result<(), DockerError> {
        self.order(id, "start", &[])
    }

    /// Asks a container to end, and ends it when `grace` has passed; `false` where it had ended.
    pub(crate) fn stop(&self, id: &str, grace: Duration) -> Result<bool, DockerError> {
        let seconds = whole_seconds(grace).to_string();
        let path = format!("/containers/{}/stop", encoded(id));
        let question = format!("stop container {id}");
        let patience = PATIENCE.saturating_add(grace);
        let request = self.agent.post(self.url(&path)).query("t", &seconds);
        let request = request.config().timeout_global(Some(patience)).build();
        self.done(request.send_empty(), &question).map(|(code, _)| code != 304)
    }

    /// Freezes a container.
    pub(crate) fn pause(&self, id: &str) -> Result<(), DockerError> {
        self.order(id, "pause", &[])
    }

    /// Lets a frozen container go on.
    pub(crate) fn unpause(&self, id: &str) -> Result<(), DockerError> {
        self.order(id, "unpause", &[])
    }

    /// Sets what a container that runs may use.
    ///
    /// Docker keeps its limit of processors as it was asked for one, and refuses to set the other;
    /// Podman does not know the question before 5.0, and passes over `NanoCpus` since. So Podman is
    /// asked by its own API, which takes what the runtime takes in every version that has it (4.3).
    pub(crate) fn update(&self, id: &str, limits: Resources) -> Result<(), DockerError> {
        let number = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
        let memory = number(limits.memory_bytes);
        let question = format!("update container {id}");
        let path = format!("/containers/{}/update", encoded(id));
        let Some(podman) = &self.podman else {
            let new = NewLimits {
                nano_cpus: number(limits.cpu_milli.saturating_mul(1_000_000)),
                memory,
                memory_swap: memory,
            };
            return self.post(&path, &[], (&question, Some(&new))).map(|_| ());
        };
        let new = NewResources {
            cpu: NewCpu {
                quota: number(limits.cpu_milli.saturating_mul(PERIOD_MICRO / 1_000)),
                period: PERIOD_MICRO,
            },
            memory: NewMemory { limit: memory, swap: memory },
        };
        let url = format!("http://docker{podman}{path}");
        self.post_to(&url, &[], (&question, Some(&new))).map(|_| ())
    }

    /// Gives a container another name.
    pub(crate) fn rename(&self, id: &str, name: &str) -> Result<(), DockerError> {
        self.order(id, "rename", &[("name", name)])
    }

    /// Removes a container that does not run; `false` where it runs, true where it is gone.
    pub(crate) fn remove(&self, id: &str) -> Result<bool, DockerError> {
        let question = format!("remove container {id}");
        let path = format!("/containers/{}", encoded(id));
        let request = self.agent.delete(self.url(&path)).query("force", "false");
        let request = request.config().timeout_global(Some(PATIENCE)).build();
        match self.done(request.call(), &question) {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(404) => Ok(true),
            // Docker says 409; Podman 500 with a message about its state.
            Err(DockerError::Refused { code: 409, .. }) => Ok(false),
            Err(DockerError::Refused { code: 500, message, .. }) if message.contains("running") => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn order(&self, id: &str, what: &str, query: &[(&str, &str)]) -> Result<(), DockerError> {
        let path = format!("/containers/{}/{what}", encoded(id));
        let question = format!("{what} container {id}");
        self.post::<()>(&path, query, (&question, None)).map(|_| ())
    }

    fn url(&self, path: &str) -> String {
        format!("http://docker{}{path}", self.prefix)
    }

    fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        question: &str,
    ) -> Result<T, DockerError> {
        let request = self.agent.get(self.url(path)).query_pairs(query.iter().copied());
        let request = request.config().timeout_global(Some(PATIENCE)).build();
        read(&self.done(request.call(), question)?.1, question)
    }

    fn post<B: Serialize>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        (question, body): (&str, Option<&B>),
    ) -> Result<Vec<u8>, DockerError> {
        self.post_to(&self.url(path), query, (question, body))
    }

    fn post_to<B: Serialize>(
        &self,
        url: &str,
        query: &[(&str, &str)],
        (question, body): (&str, Option<&B>),
    ) -> Result<Vec<u8>, DockerError> {
        let request = self.agent.post(url).query_pairs(query.iter().copied());
        let request = request.config().timeout_global(Some(PATIENCE)).build();
        let answer = match body {
            None => request.send_empty(),
            Some(body) => {
                let syntax = |error: serde_json::Error| DockerError::Syntax {
                    question: question.to_owned(),
                    what: error.to_string(),
                };
                let bytes = serde_json::to_vec(body).map_err(syntax)?;
                request.header("content-type", "application/json").send(&bytes[..])
            }
        };
        self.done(answer, question).map(|(_, body)| body)
    }

    /// Status and body of an answer that says yes; what is so already (304) is a yes, too.
    fn done(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, Error>,
        question: &str,
    ) -> Result<(u16, Vec<u8>), DockerError> {
        let mut answer = answer.map_err(|error| self.unreachable(&error))?;
        let code = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| self.unreachable(&error))?;
        match code {
            200..=299 | 304 => Ok((code, body)),
            code => Err(DockerError::refused(question, code, &body)),
        }
    }

    fn unreachable(&self, error: &Error) -> DockerError {
        let what = match error {
            Error::Timeout(_) => "does not answer in time".to_owned(),
            Error::BodyExceedsLimit(_) => {
                format!("answers with more than {ANSWER_BYTES_MAX} bytes")
            }
            Error::Io(error) => match error.kind() {
                std::io::ErrorKind::NotFound => "there is no such socket".to_owned(),
                std::io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
                std::io::ErrorKind::PermissionDenied => {
                    "this user may not speak to it (the group of the socket may)".to_owned()
                }
                _ => error.to_string(),
            },
            other => other.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        DockerError::Unreachable { socket: self.socket.clone(), what }
    }
}

fn read<T: DeserializeOwned>(body: &[u8], question: &str) -> Result<T, DockerError> {
    serde_json::from_slice(body).map_err(|error| DockerError::Syntax {
        question: question.to_owned(),
        what: error.to_string(),
    })
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A part of a path: everything but letters, digits and what never ends a part is written as `%XX`.
/// The slashes of an image's name stay.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend(
                [byte >> 4, byte & 15]
                    .map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])),
            );
        }
    }
    out
}

/// A time as engines take it: whole seconds, and never less than was asked for.
const fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add((time.subsec_nanos() > 0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_one_part_of_a_path() {
        assert_eq!(encoded("farthing.p1-2.0"), "farthing.p1-2.0");
        assert_eq!(encoded("registry:5000/team/image:1"), "registry:5000/team/image:1");
        assert_eq!(encoded("a b?c#d%\u{e9}\n"), "a%20b%3Fc%23d%25%C3%A9%0A");
    }

    #[test]
    fn versions_are_numbers() {
        assert_eq!(parse_version("1.41"), Some((1, 41)));
        assert!(parse_version("1.9") < parse_version("1.24"));
        assert_eq!(parse_version("latest"), None);
    }
}
