//! A process that says what an API server says of a cluster of any size: lists in pages, and
//! streams of changes in which nothing changes.

use farthing_kube::{Access, Identity};
use serde_json::{Map, Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The process, which ends with this.
pub(crate) struct Server {
    child: Child,
    address: String,
    folder: tempfile::TempDir,
}

impl Server {
    /// `how`: `serve` for pods of deployments, `serve-bare` for pods that nothing owns.
    pub(crate) fn start(how: &str, (nodes, pods): (usize, usize)) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([how, &nodes.to_string(), &pods.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { child, address: line.trim().to_owned(), folder }
    }

    /// A kubeconfig that leads to it.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        let path = self.folder.path().join("config");
        let text = format!(
            "current-context: g\ncontexts: [{{name: g, context: {{cluster: g}}}}]\n\
             clusters: [{{name: g, cluster: {{server: '{}'}}}}]\n",
            self.address
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn access(&self) -> Access {
        Access {
            server: self.address.clone(),
            ca: None,
            insecure: false,
            identity: Identity::Anonymous,
            name: "generated".to_owned(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until it is killed.
pub(crate) fn serve(is_bare: bool, (nodes, pods): (usize, usize)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    for stream in listener.incoming().map(Result::unwrap) {
        std::thread::spawn(move || answer_all(&stream, is_bare, (nodes, pods)));
    }
}

fn answer_all(stream: &TcpStream, is_bare: bool, (nodes, pods): (usize, usize)) {
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(first)) = lines.next() {
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let path = first.split(' ').nth(1).unwrap_or_default();
        if path.contains("watch=true") {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            if (&*stream).write_all(head.as_bytes()).is_ok() {
                std::thread::sleep(Duration::from_secs(3_600));
            }
            return;
        }
        let body = body(path, is_bare, (nodes, pods));
        let (status, body) = body.map_or(("404 Not Found", String::new()), |it| ("200 OK", it));
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        if (&*stream).write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn body(path: &str, is_bare: bool, (nodes, pods): (usize, usize)) -> Option<String> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let from = query.split('&').find_map(|part| part.strip_prefix("continue="));
    let from: usize = from.map_or(0, |text| text.parse().unwrap());
    if path.starts_with("/apis/metrics.k8s.io/") {
        return None;
    }
    Some(match path {
        "/version" => r#"{"gitVersion":"v1.36.3"}"#.to_owned(),
        "/api/v1/nodes" => page(from, nodes, node),
        "/api/v1/pods" => page(from, pods, |at| {
            let mut pod = pod(at, nodes);
            if is_bare {
                pod["metadata"]["ownerReferences"] = Value::Null;
            }
            pod
        }),
        "/apis/apps/v1/replicasets" => page(from, pods / 100, |at| owner("rs", at, "Deployment")),
        "/apis/apps/v1/deployments" => page(from, pods / 100, |at| owner("d", at, "")),
        path if path.ends_with("/v1") || path.matches('/').count() < 4 => match path {
            path if path.starts_with("/api/") => page(0, 0, |_| Value::Null),
            _ => return None,
        },
        _ => page(0, 0, |_| Value::Null),
    })
}

fn page(from: usize, all: usize, object: impl Fn(usize) -> Value) -> String {
    let to = all.min(from + 500);
    let next = if to < all { to.to_string() } else { String::new() };
    let items: Vec<Value> = (from..to).map(object).collect();
    json!({"metadata": {"resourceVersion": "1", "continue": next}, "items": items}).to_string()
}

const BEGAN: &str = "2026-11-01T00:00:00Z";

/// What an API server writes of each object and nobody here reads.
fn managed() -> Value {
    let condition = |name: &str| {
        let key = format!("k:{{\"type\":\"{name}\"}}");
        (key, json!({".": {}, "f:lastProbeTime": {}, "f:lastTransitionTime": {}, "f:status": {}}))
    };
    let conditions: Map<String, Value> =
        ["ContainersReady", "Initialized", "Ready"].map(condition).into_iter().collect();
    json!([{"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": BEGAN,
        "fieldsType": "FieldsV1", "subresource": "status", "fieldsV1": {"f:status": {
            "f:conditions": conditions, "f:containerStatuses": {}, "f:hostIP": {}, "f:phase": {},
            "f:podIP": {}, "f:startTime": {}}}}])
}

fn condition(name: &str) -> Value {
    json!({"type": name, "status": "True", "lastTransitionTime": BEGAN})
}

fn node(at: usize) -> Value {
    let mut labels = json!({"node.kubernetes.io/instance-type": "p5.48xlarge",
        "topology.kubernetes.io/region": "us-east-1", "nvidia.com/gpu.count": "8"});
    for label in 0..25 {
        labels[format!("feature.example/label-{label}")] = json!(format!("value-{}", at % 7));
    }
    json!({
        "metadata": {"name": format!("n{at}"), "uid": format!("node-{at}"), "labels": labels,
            "resourceVersion": "1", "creationTimestamp": BEGAN, "managedFields": managed()},
        "spec": {"providerID": format!("aws:///z/i-{at}")},
        "status": {"conditions": [condition("Ready")], "capacity": {"cpu": "192", "memory": "2Ti",
            "pods": "110", "nvidia.com/gpu": "8"}},
    })
}

fn pod(at: usize, nodes: usize) -> Value {
    let set = at / 100;
    let env: Vec<Value> =
        (0..20).map(|it| json!({"name": format!("E{it}"), "value": "v"})).collect();
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("rs{set}"),
        "uid": "u", "controller": true});
    let gpus = usize::from(at / nodes < 8).to_string();
    let resources = json!({"requests": {"cpu": "4", "memory": "16Gi"},
        "limits": {"nvidia.com/gpu": gpus}});
    json!({
        "metadata": {"name": format!("p{at}"), "namespace": format!("ns{}", set % 100),
            "uid": format!("00000000-0000-0000-0000-{at:012}"), "resourceVersion": "1",
            "creationTimestamp": BEGAN, "ownerReferences": [owner], "managedFields": managed(),
            "labels": {"app": format!("a{set}"), "team": format!("t{}", set % 10),
                "app.kubernetes.io/part-of": "part", "pod-template-hash": format!("h{set}")}},
        "spec": {"nodeName": format!("n{}", at % nodes), "containers": [{"name": "c",
            "image": "registry.example/image:v1", "env": env, "resources": resources}],
            "tolerations": [{"key": "a", "operator": "Exists"}]},
        "status": {"phase": "Running", "startTime": BEGAN,
            "conditions": [condition("PodScheduled"), condition("Ready")],
            "containerStatuses": [{"name": "c", "state": {"running": {"startedAt": BEGAN}}}]},
    })
}

fn owner(prefix: &str, at: usize, above: &str) -> Value {
    let of = if above.is_empty() {
        Value::Null
    } else {
        json!([{"kind": above, "name": format!("d{at}"), "controller": true}])
    };
    json!({"metadata": {"name": format!("{prefix}{at}"), "namespace": format!("ns{}", at % 100),
        "resourceVersion": "1", "creationTimestamp": BEGAN, "ownerReferences": of},
        "spec": {"replicas": 100}})
}
