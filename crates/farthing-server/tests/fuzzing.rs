//! Schemathesis reads the document of the API and sends what it allows, and what it forbids.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod world;

use farthing_server::{AccessRules, Behind, Server};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use world::*;

/// The program, where `tools/prepare.sh --tests` or the user put it.
fn schemathesis() -> Option<PathBuf> {
    let own = std::env::var_os("FARTHING_SCHEMATHESIS").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let kept = cache.map(|cache| cache.join("farthing/schemathesis-4.32.5/bin/schemathesis"));
    own.into_iter().chain(kept).find(|path| path.is_file())
}

#[test]
fn what_the_document_allows_and_forbids_is_answered_as_it_says() {
    let Some(program) = schemathesis() else {
        let why = "left out: there is no schemathesis (tools/prepare.sh --tests installs it)";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
        println!("{why}");
        return;
    };
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let bound = Server::bind(address, AccessRules::default(), None).unwrap();
    let behind = Behind {
        published: published(),
        books: books(),
        journal: Some(Box::new(farthing_edge::MemoryStore::default())),
        orders: None,
        offers: None,
        oidc: None,
        sessions: farthing_server::Sessions::default(),
    };
    let server = bound.serve(behind).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,\
                  response_schema_conformance";
    let output = Command::new(program)
        .current_dir(folder.path())
        .args(["run", &format!("http://{}/api/v1/openapi.json", server.address())])
        // A stream has no end, and without a plan nothing can be planned otherwise.
        .args(["--exclude-path", "/api/v1/events", "--exclude-path-regex", "what-if"])
        .args(["--checks", checks, "--phases", "coverage,fuzzing", "--max-examples", "10"])
        .args(["--seed", "1", "--workers", "1", "--request-timeout", "20", "--no-color"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" passed"), "{said}");
}
