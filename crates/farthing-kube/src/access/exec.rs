//! Credential plugins: programs that say who we are (`client.authentication.k8s.io`).

use super::{AccessError, Credentials};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a plugin may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Asked again so long before it says that its answer ends.
const BEFORE_END: SignedDuration = SignedDuration::from_secs(30);
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// A program that prints an `ExecCredential`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// The program: a path, or a name to be found in `PATH`.
    pub command: PathBuf,
    /// What it is called with.
    pub args: Vec<String>,
    /// What is added to its environment.
    pub env: Vec<(String, String)>,
    /// `client.authentication.k8s.io/v1` or `/v1beta1`.
    pub api_version: String,
}

#[derive(Deserialize)]
struct Answer {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default, deserialize_with = "crate::object::time")]
    expiration_timestamp: Option<Timestamp>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

impl Plugin {
    pub(super) fn ask(&self, server: &str) -> Result<Credentials, AccessError> {
        let fault = |what: String| AccessError::Plugin {
            command: self.command.display().to_string(),
            what,
        };
        let said = self.run(server).map_err(&fault)?;
        let answer: Answer = serde_json::from_slice(&said)
            .map_err(|error| fault(format!("says no ExecCredential: {error}")))?;
        let Some(status) = answer.status else {
            return Err(fault("says no `status`".to_owned()));
        };
        let pair = status.client_certificate_data.zip(status.client_key_data);
        if status.token.is_none() && pair.is_none() {
            return Err(fault("says neither a token nor a certificate with its key".to_owned()));
        }
        let until = status.expiration_timestamp.map(|end| end.checked_sub(BEFORE_END));
        Ok(Credentials {
            bearer: status.token,
            certificate: pair.map(|(certificate, key)| (certificate.into(), key.into())),
            until: until.and_then(Result::ok),
        })
    }

    fn run(&self, server: &str) -> Result<Vec<u8>, String> {
        let info = serde_json::json!({
            "apiVersion": self.api_version,
            "kind": "ExecCredential",
            "spec": {"interactive": false, "cluster": {"server": server}},
        });
        let mut child = Command::new(&self.command)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env("KUBERNETES_EXEC_INFO", info.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot be started: {error}"))?;
        let out = child.stdout.take();
        let reader = std::thread::spawn(move || {
            let mut said = Vec::new();
            let read = out.map(|out| out.take(ANSWER_BYTES_MAX).read_to_end(&mut said));
            read.transpose().map(|_| said)
        });
        let late = Instant::now() + PATIENCE;
        let status = loop {
            match child.try_wait().map_err(|error| format!("cannot be waited for: {error}"))? {
                Some(status) => break status,
                None if Instant::now() > late => {
                    // It may have ended meanwhile; either way nothing of it is left.
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("does not answer within {} s", PATIENCE.as_secs()));
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        if !status.success() {
            return Err(format!("ends with {status}"));
        }
        let said = reader.join().map_err(|_| "cannot be read".to_owned())?;
        said.map_err(|error| format!("cannot be read: {error}"))
    }
}
