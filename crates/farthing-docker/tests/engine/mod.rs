//! Podman with storage of its own that listens as Docker does, for tests of real containers.
#![allow(dead_code, reason = "not every test needs all of it")]
#![allow(clippy::print_stdout, reason = "a test that is left out says so")]

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The image that is there: a static shell.
pub(crate) const IMAGE: &str = "localhost/farthing-test:1";

/// An engine; what it runs is removed when this is dropped.
pub(crate) struct Engine {
    folder: tempfile::TempDir,
    service: Option<Child>,
}

impl Engine {
    /// Starts one; `None`, and why, where it cannot be had.
    pub(crate) fn start() -> Option<Self> {
        let there = |name: &str| Command::new(name).arg("--version").output().is_ok();
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| {
            Command::new(path).arg("true").output().is_ok_and(|run| run.status.success())
        });
        let (true, true, Some(busybox)) = (there("podman"), there("runc"), busybox) else {
            return left_out(
                "podman, runc and busybox-static are needed (tools/prepare.sh --tests)",
            );
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        // What Podman keeps until the next boot is in `tmp_dir`: where engines share it, one that
        // ends has the others believe that the machine was started anew.
        write(
            &folder.path().join("containers.conf"),
            &format!(
                "[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\n\
                 events_logger = \"none\"\ntmp_dir = \"{path}/until-boot\"\n\
                 lock_type = \"file\"\n[containers]\n\
                 default_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n\
                 netns = \"none\"\nlog_driver = \"none\"\n"
            ),
        );
        write(
            &folder.path().join("storage.conf"),
            &format!(
                "[storage]\ndriver = \"vfs\"\ngraphroot = \"{path}/images\"\n\
                 runroot = \"{path}/running\"\n"
            ),
        );
        let mut engine = Self { folder, service: None };
        let made = engine.shell(&format!(
            "mkdir -p root/bin && cp {busybox} root/bin/busybox && ln -s busybox root/bin/sh && \
             ln -s busybox root/bin/sleep && tar -C root -c . | podman import - {IMAGE}"
        ));
        if let Err(why) = made {
            return left_out(&format!("podman is here and does not work: {why}"));
        }
        engine.listen();
        Some(engine)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }

    /// Begins to listen.
    pub(crate) fn listen(&mut self) {
        let socket = self.socket();
        let _ = std::fs::remove_file(&socket);
        let address = format!("unix://{}", socket.display());
        let mut command = self.command("podman");
        command.args(["--runtime", "runc", "system", "service", "--time=0", &address]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.service = Some(command.spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(30);
        while UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < until, "podman does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Listens no more, by SIGKILL; the containers go on.
    pub(crate) fn fall_silent(&mut self) {
        if let Some(mut service) = self.service.take() {
            service.kill().unwrap();
            service.wait().unwrap();
        }
    }

    /// Runs podman's own program; what it says.
    pub(crate) fn podman(&self, arguments: &str) -> String {
        self.shell(&format!("podman {arguments}"))
            .unwrap_or_else(|why| panic!("{arguments}: {why}"))
    }

    /// All containers, by name, each with its state.
    pub(crate) fn states(&self) -> Vec<String> {
        let all = "podman ps --all --quiet | while read -r id; do \
                   podman inspect --format '{{.Name}} {{.State.Status}}' $id; done";
        let told = self.shell(all).unwrap();
        let mut states: Vec<String> = told.lines().map(str::to_owned).collect();
        states.sort();
        states
    }

    fn shell(&self, script: &str) -> Result<String, String> {
        let output = self.command("sh").args(["-c", script]).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env("CONTAINERS_CONF", self.folder.path().join("containers.conf"))
            .env("CONTAINERS_STORAGE_CONF", self.folder.path().join("storage.conf"));
        command
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.fall_silent();
        let _ = self.shell("podman rm --force --all --time 0; podman system reset --force");
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn left_out(why: &str) -> Option<Engine> {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    println!("left out: {why}");
    None
}
