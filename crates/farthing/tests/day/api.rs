//! Asking the API server as people and controllers do: whole objects in and out.

use super::at;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) agent: Agent,
    pub(crate) server: String,
    pub(crate) token: String,
}

impl Api {
    /// As the administrator of a kubeconfig of the test cluster.
    pub(crate) fn open(kubeconfig: &std::path::Path) -> Self {
        let text = std::fs::read_to_string(kubeconfig).unwrap();
        let after = |name: &str| {
            let (_, rest) = text.split_once(&format!("{name}: ")).unwrap();
            rest.split([',', '}', '\n']).next().unwrap().trim_matches('"').to_owned()
        };
        let pem = std::fs::read(after("certificate-authority")).unwrap();
        let trusted: Vec<Certificate<'static>> = parse_pem(&pem)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&trusted))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .tls_config(tls)
            .max_idle_connections(40)
            .timeout_connect(Some(Duration::from_secs(10)));
        let (server, token) = (after("server"), after("token"));
        Self { agent: config.build().into(), server, token }
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let request = self.agent.get(format!("{}{path}", self.server));
        read(path, request.header("authorization", self.bearer()).call())
    }

    pub(crate) fn items(&self, path: &str) -> Vec<Value> {
        at(&self.get(path), "/items").as_array().cloned().unwrap_or_default()
    }

    pub(crate) fn create(&self, path: &str, object: &Value) -> Value {
        let request = self.agent.post(format!("{}{path}", self.server));
        let request = request.header("authorization", self.bearer());
        read(path, request.header("content-type", "application/json").send(object.to_string()))
    }

    pub(crate) fn merge(&self, path: &str, patch: &Value) -> Value {
        self.patch(path, "application/merge-patch+json", patch)
    }

    /// With lists merged by their keys.
    pub(crate) fn strategic(&self, path: &str, patch: &Value) -> Value {
        self.patch(path, "application/strategic-merge-patch+json", patch)
    }

    fn patch(&self, path: &str, kind: &str, patch: &Value) -> Value {
        let request = self.agent.patch(format!("{}{path}", self.server));
        let request = request.header("authorization", self.bearer());
        read(path, request.header("content-type", kind).send(patch.to_string()))
    }

    pub(crate) fn delete(&self, path: &str) {
        let request = self.agent.delete(format!("{}{path}", self.server));
        read(path, request.header("authorization", self.bearer()).call());
    }
}

fn read(path: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Value {
    let mut answer = answer.unwrap();
    let code = answer.status().as_u16();
    let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
    assert!((200..300).contains(&code), "{path}: {code}: {text}");
    serde_json::from_str(&text).unwrap()
}
