//! The commands of the guide for those who run jobs, as they stand there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod program;

use program::{PROGRAM, Place};

#[test]
fn every_command_of_the_guide_does_what_it_says() {
    let root = format!("{}/../..", env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(format!("{root}/docs/guides/run.md")).unwrap();
    let place = Place::new();
    place.shell(&format!("cp {root}/examples/*.yaml {root}/examples/*.sbatch ."));
    std::os::unix::fs::symlink(PROGRAM, place.path().join("farthing")).unwrap();
    let mut run = 0;
    for block in guide.split("```sh\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            let code = line.split_once("# exit code ").map_or(0, |(_, code)| code.parse().unwrap());
            let done = place.shell(&format!("PATH=$PWD:$PATH; {line}"));
            assert_eq!(done.code, code, "{line}: {}{}", done.out, done.said);
            run += 1;
        }
    }
    assert!(run >= 10, "the guide has lost its commands");
}
