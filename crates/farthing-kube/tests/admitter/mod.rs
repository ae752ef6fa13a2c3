//! The stand-in for Kueue's manager on a real API server, in a thread of its own: it reads all
//! Workloads again and again, and writes what they become.
//!
//! It speaks through `kubectl proxy`, so that it is another client with other rights than ours.
#![allow(dead_code, reason = "not every test needs all of it")]

#[path = "../../src/kueue/tests/stand_in.rs"]
pub(crate) mod stand_in;

use super::cluster::Cluster;
use serde_json::{Value, json};
use stand_in::Manager;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) const CHECK: &str = "money";
const KUEUE: &str = "/apis/kueue.x-k8s.io/v1beta2";

/// The API server, as the administrator.
#[derive(Clone)]
pub(crate) struct Api(String);

struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The manager, while it runs.
pub(crate) struct Running {
    pub(crate) api: Api,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _proxy: Proxy,
}

impl Api {
    /// Makes a request; its status and what it says.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.0).unwrap();
        let text = body.map(Value::to_string).unwrap_or_default();
        let kind =
            if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\n\
             content-length: {}\r\n\r\n{text}",
            text.len()
        )
        .unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).unwrap();
        let said = String::from_utf8(said).unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        (code, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    pub(crate) fn workloads(&self) -> Vec<Value> {
        // A kind that was just made is not served for a moment.
        let late = Instant::now() + Duration::from_secs(20);
        loop {
            let (code, all) = self.ask("GET", &format!("{KUEUE}/workloads"), None);
            if code == 429 && Instant::now() < late {
                std::thread::sleep(Duration::from_millis(200));
                continue;
            }
            assert_eq!(code, 200, "{all}");
            return all["items"].as_array().unwrap().clone();
        }
    }

    pub(crate) fn workload(&self, name: &str) -> Value {
        self.ask("GET", &path(name), None).1
    }

    pub(crate) fn change(&self, name: &str, change: &Value) {
        let (code, said) = self.ask("PATCH", &path(name), Some(change));
        assert_eq!(code, 200, "{said}");
    }

    /// Makes a Workload of so many pods with one device each.
    pub(crate) fn add(&self, name: &str, pods: u64, limit_s: Option<i64>) {
        let mut spec = json!({
            "queueName": "all",
            "podSets": [{
                "name": "main",
                "count": pods,
                "template": { "spec": { "containers": [{
                    "name": "c",
                    "image": "i",
                    "resources": { "requests": { "nvidia.com/gpu": "1" } },
                }] } },
            }],
        });
        if let Some(limit) = limit_s {
            spec["maximumExecutionTimeSeconds"] = json!(limit);
        }
        let it = json!({
            "apiVersion": "kueue.x-k8s.io/v1beta2",
            "kind": "Workload",
            "metadata": { "name": name, "namespace": "lab" },
            "spec": spec,
        });
        let (code, said) =
            self.ask("POST", &format!("{KUEUE}/namespaces/lab/workloads"), Some(&it));
        assert_eq!(code, 201, "{said}");
    }

    /// Writes what a Workload has become, if it is still as it was seen.
    fn write(&self, old: &Value, new: &Value) {
        let path = path(new["metadata"]["name"].as_str().unwrap());
        if old["spec"] == new["spec"] {
            self.ask("PUT", &format!("{path}/status?fieldManager=kueue-admission"), Some(new));
        } else {
            // What the status becomes is seen the next time.
            self.ask("PUT", &format!("{path}?fieldManager=kueue"), Some(new));
        }
    }

    fn is_active(&self) -> bool {
        let (_, check) = self.ask("GET", &format!("{KUEUE}/admissionchecks/{CHECK}"), None);
        let all = check["status"]["conditions"].as_array();
        all.into_iter().flatten().any(|it| it["type"] == "Active" && it["status"] == "True")
    }

    /// Says that a Workload ended.
    pub(crate) fn finish(&self, name: &str) {
        for _ in 0..100 {
            let old = self.workload(name);
            let mut new = old.clone();
            let now = jiff::Timestamp::now().as_second();
            stand_in::set(&mut new, "Finished", (true, "Succeeded"), now);
            let path = format!("{}/status?fieldManager=kueue-admission", path(name));
            if self.ask("PUT", &path, Some(&new)).0 == 200 {
                return;
            }
        }
        panic!("{name} cannot be finished");
    }
}

fn path(name: &str) -> String {
    format!("{KUEUE}/namespaces/lab/workloads/{name}")
}

/// Starts it. With `check` empty there is no check: what has quota is let in at once.
pub(crate) fn start(cluster: &Cluster, check: &'static str, quota: u64) -> Running {
    let mut command = Command::new(cluster.program_kubectl());
    command.args(["proxy", "--port=0"]).env("KUBECONFIG", cluster.kubeconfig());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit(' ').next().unwrap().to_owned();
    let api = Api(address);
    let stop = Arc::new(AtomicBool::new(false));
    let (own, told) = (api.clone(), Arc::clone(&stop));
    let thread = std::thread::spawn(move || {
        while !told.load(Ordering::Relaxed) {
            look(&own, check, quota);
            std::thread::sleep(Duration::from_millis(30));
        }
    });
    Running { api, stop, thread: Some(thread), _proxy: Proxy(child) }
}

fn look(api: &Api, check: &'static str, quota: u64) {
    let is_active = check.is_empty() || api.is_active();
    let manager = Manager { check, flavor: "h100", quota, is_active, partial: false };
    let all = api.workloads();
    let open = || all.iter().filter(|it| !stand_in::is(it, "Finished"));
    let mut free = quota.saturating_sub(open().map(stand_in::given).sum());
    let now = jiff::Timestamp::now().as_second();
    for old in open() {
        if let Some(mut new) = manager.look(old, free, now) {
            if check.is_empty() && stand_in::is(&new, "QuotaReserved") {
                stand_in::set(&mut new, "Admitted", (true, "Admitted"), now);
            }
            free = free.saturating_sub(stand_in::given(&new).saturating_sub(stand_in::given(old)));
            api.write(old, &new);
        }
    }
}

impl Running {
    pub(crate) fn is(&self, name: &str, condition: &str) -> bool {
        stand_in::is(&self.api.workload(name), condition)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
