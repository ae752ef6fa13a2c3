//! Schemathesis reads the document of the API and sends what it allows, and what it forbids.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod client;
mod living;
mod world;

use farthing_server::{About, AccessRules, Behind, Published, Running, Server};
use living::Living;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use world::*;

/// Reservations that it may end.
const RESERVED: usize = 60;
/// Amounts that people and programs send.
const AMOUNTS: [&str; 9] = [
    "2.5 USD",
    "0 USD",
    "-1000000 USD",
    "1 EUR",
    "99999999999999999999999999 USD",
    "1000000000000000 USD",
    "0.000000000001 USD",
    "1",
    "500 GPU-hours",
];

/// The program, where `tools/prepare.sh --tests` or the user put it.
fn schemathesis() -> Option<PathBuf> {
    let own = std::env::var_os("FARTHING_SCHEMATHESIS").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let kept = cache.map(|cache| cache.join("farthing/schemathesis-4.32.5/bin/schemathesis"));
    own.into_iter().chain(kept).find(|path| path.is_file())
}

/// Schemathesis against a server, with what it is told beside its address.
fn fuzzed(server: &Running, config: &str, more: &[&str]) {
    let Some(program) = schemathesis() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), config).unwrap();
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,\
                  response_schema_conformance";
    let output = Command::new(program)
        .current_dir(folder.path())
        .args(["run", &format!("http://{}/api/v1/openapi.json", server.address())])
        .args(["--checks", checks, "--phases", "coverage,fuzzing"])
        .args(["--seed", "1", "--workers", "1", "--request-timeout", "20", "--no-color"])
        .args(more)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" passed"), "{said}");
}

/// Whether the program is there; in CI it has to be.
fn is_there() -> bool {
    let is_there = schemathesis().is_some();
    if !is_there {
        let why = "left out: there is no schemathesis (tools/prepare.sh --tests installs it)";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
        println!("{why}");
    }
    is_there
}

/// Two ticks, after which none is due for as long as this may take on a busy machine.
fn patient() -> Published {
    let published = Published::new(About { every: Duration::from_secs(3_600), ..about() });
    published.ticked(ticked()).unwrap();
    published.ticked(ticked()).unwrap();
    published
}

#[test]
fn what_the_document_allows_and_forbids_is_answered_as_it_says() {
    if !is_there() {
        return;
    }
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let bound = Server::bind(address, AccessRules::default(), None).unwrap();
    let behind = Behind {
        published: patient(),
        books: books(),
        journal: Some(Box::new(farthing_edge::MemoryStore::default())),
        orders: None,
        offers: None,
        oidc: None,
        sessions: farthing_server::Sessions::default(),
    };
    let server = bound.serve(behind).unwrap();
    // A stream has no end, and without a plan nothing can be planned otherwise.
    let left_out = ["--exclude-path", "/api/v1/events", "--exclude-path-regex", "what-if"];
    fuzzed(&server, "", &[&left_out[..], &["--max-examples", "10"]].concat());
}

/// Orders are carried out by a loop, so that what is sent reaches the journal: of reservations that
/// are there, with amounts of every kind. Whatever it was, budgets are told and the loop ticks.
#[test]
fn whatever_is_ordered_the_loop_goes_on() {
    if !is_there() {
        return;
    }
    let living = Living::start(living::budgets());
    let reserve = r#"{"estimate": "5 USD", "for": "a test", "hold": "700h"}"#;
    let ids: Vec<String> = (0..RESERVED)
        .map(|_| {
            let made = client::ask(&living.server, "POST /api/v1/reservations", &[], reserve);
            assert_eq!(made.status, 201, "{}", made.body);
            made.json()["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let config = format!(
        "[dictionaries.ids]\nvalues = {ids:?}\n[dictionaries.amounts]\nvalues = {AMOUNTS:?}\n\
         [dictionaries.budgets]\nvalues = [\"everything\", \"hoped\", \"hours\"]\n\
         [[operations]]\ninclude-path-regex = \"reservations\"\n[operations.parameters]\n\
         \"path.id\" = {{ dictionary = \"ids\", probability = 0.9 }}\n\
         \"body.spent\" = {{ dictionary = \"amounts\", probability = 0.7 }}\n\
         \"body.estimate\" = {{ dictionary = \"amounts\", probability = 0.7 }}\n\
         [[operations]]\ninclude-path-regex = \"budgets\"\n[operations.parameters]\n\
         \"path.id\" = {{ dictionary = \"budgets\", probability = 0.9 }}\n\
         \"body.limit\" = {{ dictionary = \"amounts\", probability = 0.7 }}\n"
    );
    let orders = ["--include-path-regex", "reservations|budgets|steps", "--max-examples", "30"];
    fuzzed(&living.server, &config, &orders);
    for round in ["tick", "start"] {
        let ticked = if round == "tick" { living.tick() } else { living.restart() };
        assert_eq!(ticked, Ok(()), "{round}");
        let told = client::get(&living.server, "/api/v1/budgets");
        assert_eq!(told.status, 200, "{round}: {}", told.body);
    }
    // It did reach them.
    let left = client::get(&living.server, "/api/v1/reservations?limit=500").json();
    let left: Vec<&str> =
        left["items"].as_array().unwrap().iter().filter_map(|it| it["id"].as_str()).collect();
    let ended = ids.iter().filter(|id| !left.contains(&id.as_str())).count();
    assert!(ended > 0, "no reservation was ended: nothing that was sent was about one");
    println!("{ended} of {RESERVED} reservations were ended by what was sent");
}
