//! A real Kubernetes for tests: the program of `tests/cluster`, on free loopback ports, ended with
//! the test by its process id.
//!
//! `tools/cluster.sh --build` compiles it, which `make test` does once. Where it is not there (a
//! machine without Go), tests say so and are left out; under `CI=true` that is a failure.
#![allow(dead_code, reason = "not every test needs all of it")]

use farthing_edge::Clock;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a cluster may take to start: seconds on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The time of this machine.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A cluster that runs.
pub(crate) struct Cluster {
    child: Child,
    folder: tempfile::TempDir,
    ready: Ready,
}

#[derive(Deserialize)]
struct Ready {
    kubeconfig: PathBuf,
    kubeconfigs: BTreeMap<String, PathBuf>,
    kubectl: PathBuf,
}

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn program() -> Option<PathBuf> {
    let module = std::fs::read_to_string(root().join("tests/cluster/go.mod")).ok()?;
    let version =
        module.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"))?;
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("farthing").join(format!("cluster-{version}"))).filter(|path| path.is_file())
}

/// Starts a cluster, or says why it cannot be had.
pub(crate) fn start(users: &[&str], files: &[&str]) -> Option<Cluster> {
    let Some(program) = program() else {
        let why = "there is no Kubernetes to test with: tools/cluster.sh --build makes one (Go)";
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{why}");
        println!("left out: {why}");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.arg("up").arg("--with-stdin").arg("--dir").arg(folder.path());
    command.args(users.iter().flat_map(|user| ["--user", user]));
    for file in files {
        command.arg("--apply").arg(root().join(file));
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it is a program");
    let out = BufReader::new(child.stdout.take().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = tell.send(out.lines().next());
    });
    let line = told.recv_timeout(PATIENCE);
    let Ok(Some(Ok(line))) = line else {
        let _ = child.kill();
        let _ = child.wait();
        panic!("the cluster did not start: {line:?}");
    };
    let ready = serde_json::from_str(&line).unwrap();
    Some(Cluster { child, folder, ready })
}

/// Starts the demo's cluster with its work. Its training job, which takes all of a node, comes
/// before the service, whose replicas could take one device of each.
pub(crate) fn demo(users: &[&str]) -> Option<Cluster> {
    let cluster = start(users, &["tests/cluster/demo/nodes.yaml"])?;
    let work = root().join("tests/cluster/demo/work.yaml");
    let apply = ["apply", "--server-side", "-f", work.to_str().unwrap()];
    cluster.kubectl(&[&apply[..], &["--selector", "team=research"]].concat());
    until("the training job runs", || {
        let ready = ["get", "job", "train", "-n", "research", "-o", "jsonpath={.status.ready}"];
        (cluster.kubectl(&ready) == "1").then_some(())
    });
    cluster.kubectl(&apply);
    Some(cluster)
}

impl Cluster {
    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.ready.kubeconfig.clone()
    }

    /// kubectl itself.
    pub(crate) fn program_kubectl(&self) -> PathBuf {
        self.ready.kubectl.clone()
    }

    /// The kubeconfig of a user without rights of its own.
    pub(crate) fn kubeconfig_of(&self, user: &str) -> PathBuf {
        self.ready.kubeconfigs[user].clone()
    }

    /// Runs kubectl as the administrator; what it says, whether it fails or not.
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.ready.kubectl);
        let output = command.args(arguments).env("KUBECONFIG", self.kubeconfig()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs kubectl as the administrator, and panics with what it says when it fails.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.ready.kubectl);
        let output = command.args(arguments).env("KUBECONFIG", self.kubeconfig()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What kubectl says of a manifest that the server does not take; empty where it does.
    pub(crate) fn refusal(&self, manifest: &str) -> String {
        let path = self.folder.path().join("refused.yaml");
        std::fs::write(&path, manifest).unwrap();
        let mut command = Command::new(&self.ready.kubectl);
        let apply = ["apply", "--server-side", "-f", path.to_str().unwrap()];
        let output = command.args(apply).env("KUBECONFIG", self.kubeconfig()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { String::new() } else { said }
    }

    /// Applies a manifest.
    pub(crate) fn apply(&self, manifest: &str) {
        let path = self.folder.path().join("apply.yaml");
        std::fs::write(&path, manifest).unwrap();
        self.kubectl(&["apply", "--server-side", "-f", path.to_str().unwrap()]);
    }

    /// Kills the API server and starts it anew.
    pub(crate) fn restart_server(&self) {
        self.signal(nix::sys::signal::Signal::SIGUSR1);
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The supervisor ends all of its parts, and kills what does not end in ten seconds.
        self.signal(nix::sys::signal::Signal::SIGTERM);
        let late = Instant::now() + Duration::from_secs(20);
        while Instant::now() < late {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks again and again until something holds.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let late = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < late, "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(50));
    }
}
