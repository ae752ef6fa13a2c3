//! The image of the Dockerfile, built by Podman from a base that is made here: an ordinary user, a
//! root file system that is read only, its state in a volume.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod program;

use program::podman::podman;
use program::{PROGRAM, Place};
use std::path::Path;

/// A base with a shell and the libraries that the program is linked to, as `localhost/base`.
fn base(place: &Place, podman: &str) {
    let made = place.shell(&format!(
        "mkdir -p root/bin root/tmp root/usr/local && \
         for one in mkdir cp test; do ln -s busybox root/bin/$one; done && \
         ldd {PROGRAM} | grep -o '/[^ ]*' | while read -r file; do \
             mkdir -p root$(dirname $file) && cp -L $file root$file; done && \
         tar -C root -c . | {podman} import - localhost/base"
    ));
    assert_eq!(made.code, 0, "{}", made.said);
}

#[test]
fn the_image_is_an_ordinary_user_on_a_read_only_system() {
    let place = Place::new();
    let Some(podman) = podman(&place) else { return };
    base(&place, &podman);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    // A clone with what `make build` leaves; without symbols, as layers are copied whole.
    let built = place.shell(&format!(
        "mkdir -p clone/dist data && chmod 777 data && \
         cp {root}/Dockerfile {root}/.dockerignore clone/ && \
         (strip -o clone/dist/farthing {PROGRAM} || cp {PROGRAM} clone/dist/farthing) && \
         {podman} build --quiet --layers=false --network none --tag farthing:test \
             --build-arg PROGRAM=prebuilt --build-arg BUILDER=localhost/base \
             --build-arg NODE=localhost/base --build-arg BASE=localhost/base clone",
        root = root.display(),
    ));
    assert_eq!(built.code, 0, "{}{}", built.out, built.said);
    let told = place.shell(&format!(
        "{podman} inspect --format '{{{{.Config.User}}}} {{{{.Config.Entrypoint}}}}' farthing:test"
    ));
    assert_eq!(told.out.trim(), "65532:65532 [/usr/local/bin/farthing]", "{}", told.said);
    let run = |options: &str, arguments: &str| {
        place.shell(&format!("{podman} run --rm --read-only {options} farthing:test {arguments}"))
    };
    let version = run("", "--version");
    assert_eq!((version.code, version.out.starts_with("farthing ")), (0, true), "{}", version.said);
    let data = format!("--volume {}/data:/data", place.path().display());
    let demo = run(&data, "up --demo --no-listen --for 1s --speed 21600");
    assert_eq!(demo.code, 0, "{}", demo.said);
    assert!(demo.out.contains("difference 0.00"), "{}", demo.out);
    let verified = run(&data, "verify");
    assert_eq!(verified.code, 0, "{}{}", verified.out, verified.said);
    // What it keeps is in the volume and nobody's but the user's.
    let owner = place.shell("stat -c %u data/books");
    assert_eq!(owner.out.trim(), "65532", "{}", owner.said);
    // Where the volume cannot be written to, that is said.
    let refused = run(&format!("{data}:ro"), "up --demo --no-listen --for 1s");
    assert_ne!(refused.code, 0);
    assert!(refused.said.contains("/data"), "{}", refused.said);
    place.shell(&format!("{podman} system reset --force"));
}
