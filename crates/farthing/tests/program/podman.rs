//! Podman with storage of its own, for tests of containers.
#![allow(dead_code, reason = "not every test needs all of it")]
#![allow(clippy::print_stdout, reason = "a test that is left out says so")]

use super::Place;
use std::process::Command;

/// Podman with storage of its own and a static shell as its only image; `None`, and why, where it
/// cannot be had.
pub(crate) fn podman(place: &Place) -> Option<String> {
    let there = |name: &str| Command::new(name).arg("--version").output().is_ok();
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| Command::new(path).arg("true").output().is_ok_and(|run| run.status.success()));
    let (true, true, Some(busybox)) = (there("podman"), there("runc"), busybox) else {
        let why = "podman, runc and busybox-static are needed (tools/prepare.sh --tests)";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
        println!("left out: {why}");
        return None;
    };
    place.file(
        "containers.conf",
        "[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n\
         [containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n\
         netns = \"none\"\nlog_driver = \"none\"\n",
    );
    let folder = place.path().display();
    let storage = format!(
        "[storage]\ndriver = \"vfs\"\ngraphroot = \"{folder}/images\"\nrunroot = \"{folder}/running\"\n"
    );
    place.file("storage.conf", storage);
    let podman = place.file(
        "podman",
        format!(
            "#!/bin/sh\nexport CONTAINERS_CONF={folder}/containers.conf\n\
         export CONTAINERS_STORAGE_CONF={folder}/storage.conf\nexec podman \"$@\"\n"
        ),
    );
    let podman = place.path().join(podman).display().to_string();
    let made = place.shell(&format!(
        "chmod +x {podman} && mkdir -p root/bin && cp {busybox} root/bin/busybox && \
         ln -s busybox root/bin/sh && ln -s busybox root/bin/sleep && \
         tar -C root -c . | {podman} import - farthing-test:1"
    ));
    if made.code != 0 {
        // Some machines, such as containers without rights of their own, let nobody have it.
        assert!(std::env::var("CI").as_deref() != Ok("true"), "podman fails: {}", made.said);
        println!("left out: podman is here and does not work: {}", made.said);
        return None;
    }
    Some(podman)
}
