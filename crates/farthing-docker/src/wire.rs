//! The objects of the Docker Engine API, as far as they are read or written here.
//!
//! What a server leaves out is empty, and what it adds is passed over. It refuses to know what any
//! of it means: `container` does.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `GET /version`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Version {
    #[serde(rename = "ApiVersion")]
    pub(crate) newest: String,
    #[serde(rename = "MinAPIVersion")]
    pub(crate) least: Option<String>,
    #[serde(rename = "Version", default)]
    engine: String,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    details: Option<BTreeMap<String, serde_json::Value>>,
}

impl Version {
    /// What listens, in words: `Podman Engine 4.3.1`.
    pub(crate) fn engine(&self) -> String {
        let (name, version) = match self.components.first() {
            // Docker's own calls itself that.
            Some(first) if first.name == "Engine" => ("Docker Engine", first.version.as_str()),
            Some(first) => (first.name.as_str(), first.version.as_str()),
            None => ("Docker", self.engine.as_str()),
        };
        crate::error::plain(format!("{name} {version}").trim(), 80)
    }

    /// The version of Podman's own API, where it is Podman that listens.
    pub(crate) fn podman(&self) -> Option<String> {
        let podman = self.components.iter().find(|it| it.name == "Podman Engine")?;
        let version = podman.details.as_ref()?.get("APIVersion")?.as_str()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        version.bytes().all(plain).then(|| version.to_owned())
    }
}

/// `POST /containers/ID/update` of Docker.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NewLimits {
    pub(crate) nano_cpus: i64,
    pub(crate) memory: i64,
    /// Memory and swap together.
    pub(crate) memory_swap: i64,
}

/// `POST /libpod/containers/ID/update` of Podman: resources as the runtime has them.
#[derive(Debug, Serialize)]
pub(crate) struct NewResources {
    pub(crate) cpu: NewCpu,
    pub(crate) memory: NewMemory,
}

#[derive(Debug, Serialize)]
pub(crate) struct NewCpu {
    pub(crate) quota: i64,
    pub(crate) period: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct NewMemory {
    pub(crate) limit: i64,
    /// Memory and swap together.
    pub(crate) swap: i64,
}

/// One of `GET /containers/json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Listed {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) names: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) state: String,
}

/// `GET /containers/ID/json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inspected {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) state: State,
    #[serde(default)]
    pub(crate) config: Config,
    #[serde(default)]
    pub(crate) host_config: Limits,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct State {
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) exit_code: i64,
    #[serde(rename = "OOMKilled", default)]
    pub(crate) oom_killed: bool,
    #[serde(default)]
    pub(crate) started_at: String,
    #[serde(default)]
    pub(crate) finished_at: String,
    /// One of its processes; 0 where it does not run.
    #[serde(default)]
    pub(crate) pid: i64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) labels: Option<BTreeMap<String, String>>,
    /// `NAME=VALUE`, of the image as well.
    #[serde(default)]
    pub(crate) env: Option<Vec<String>>,
}

/// Limits of a container, where zero is none, and the devices that it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Limits {
    #[serde(default)]
    pub(crate) nano_cpus: i64,
    #[serde(default)]
    pub(crate) memory: i64,
    #[serde(default)]
    pub(crate) runtime: Option<String>,
    #[serde(default)]
    pub(crate) devices: Option<Vec<HostDevice>>,
    #[serde(default)]
    pub(crate) device_requests: Option<Vec<DeviceRequest>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct HostDevice {
    #[serde(default)]
    pub(crate) path_on_host: String,
}

/// What `--gpus` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeviceRequest {
    #[serde(default)]
    pub(crate) driver: Option<String>,
    /// So many of any; -1 is all.
    #[serde(default)]
    pub(crate) count: i64,
    #[serde(rename = "DeviceIDs", default)]
    pub(crate) device_ids: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) capabilities: Option<Vec<Vec<String>>>,
}

/// `POST /containers/create`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NewContainer {
    pub(crate) image: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cmd: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) env: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) host_config: NewHost,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NewHost {
    pub(crate) nano_cpus: i64,
    pub(crate) memory: i64,
    /// Memory and swap together: the same as memory, so that there is no swap.
    pub(crate) memory_swap: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) binds: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Created {
    pub(crate) id: String,
}
