//! What pods use by a Prometheus, for a cluster that is looked at.

use crate::args::KubeArgs;
use crate::commands::import::secret;
use crate::outcome::WrongUse;
use farthing_kube::{PodUse, Uses};
use farthing_model::Window;
use farthing_providers::prometheus::{Access, Prometheus};
use std::time::Duration;

/// A tick does not wait longer for an answer; the metrics server is asked then.
const PATIENCE: Duration = Duration::from_secs(10);

/// A Prometheus.
pub(super) struct ByPrometheus {
    server: Prometheus,
    url: String,
}

impl ByPrometheus {
    /// The one that the arguments name, if they do.
    pub(super) fn of(args: &KubeArgs) -> anyhow::Result<Option<Self>> {
        let Some(url) = &args.prometheus else { return Ok(None) };
        let token = args.prometheus_token_file.as_deref().map(secret).transpose()?;
        let bearer = token.map(|text| text.trim().to_owned());
        let access = Access { bearer, timeout: PATIENCE, ..Access::default() };
        let server = Prometheus::new(url, &access);
        let server = server.map_err(|error| WrongUse::new(format!("--prometheus: {error}")))?;
        Ok(Some(Self { server, url: url.clone() }))
    }
}

impl Uses for ByPrometheus {
    fn pods(&mut self, window: Window) -> Result<Vec<PodUse>, String> {
        let over = window.to().duration_since(window.from());
        let told = self.server.pods(window.to(), over).map_err(|error| error.to_string())?;
        if told.is_empty() {
            return Err(format!("{}: no metric of a pod is there", self.url));
        }
        let uses = told.into_iter().map(|((namespace, name), means)| PodUse {
            namespace,
            name,
            cpu_nano: means.cpu_nano,
            memory_bytes: means.memory_bytes,
            gpu_nano: means.gpu_nano,
        });
        Ok(uses.collect())
    }

    fn name(&self) -> String {
        format!("the Prometheus at {}", self.url)
    }
}
