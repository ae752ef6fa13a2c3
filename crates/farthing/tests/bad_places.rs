//! Places that refuse: a disk that is full or read-only, processes that may not be looked at, a
//! clock that went back, a data folder that was tampered with.
//!
//! Small disks are mounted in a namespace of their own, so that nothing is left mounted. Where the
//! system does not allow it the test says so in one line and tries what it can.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

mod program;

use farthing_ledger::{Books, MeterInput, Segment, Weights, meter};
use farthing_model::{
    Asset, ClusterId, Currency, NodeId, NodeSpan, OfferId, Place as Where, Price, PriceKind,
    Provenance, Purchase, Resources, Window,
};
use jiff::{SignedDuration, Timestamp};
use program::Place;

const UP: &str = "up --no-listen --for 2s --every 1s";
const UP_LONGER: &str = "up --no-listen --for 8s --every 1s";

/// Whether this test may mount things in a namespace of its own.
fn may_mount(place: &Place) -> bool {
    let may = place.shell("unshare -m mount -t tmpfs none .").code == 0;
    if !may {
        println!("left out: nothing can be mounted here");
    }
    may
}

#[test]
fn a_disk_that_is_full() {
    let place = Place::new();
    if !may_mount(&place) {
        return;
    }
    // From a disk that holds nothing to one that is full after some ticks.
    for (kib, opens) in [(4, false), (8, false), (40, false), (100, true)] {
        // Long enough to fill the disk before the end.
        let up = if opens { UP_LONGER } else { UP };
        let run = place.shell(&format!(
            "mkdir -p state; exec unshare -m sh -c '\
             mount -t tmpfs -o size={kib}k none state; \"$FARTHING\" {up} >/dev/null; up=$?; \
             if [ -s state/*.journal ]; then \"$FARTHING\" verify; echo \"verify $?\"; fi; \
             find state -type f -empty; exit $up'"
        ));
        assert_eq!(run.code, 1, "{kib} KiB: {}", run.said);
        let full = ["disk is full", "No space left on device"];
        assert!(full.iter().any(|word| run.said.contains(word)), "{kib} KiB: {}", run.said);
        assert!(run.said.contains("state/"), "the file is named: {}", run.said);
        if opens {
            assert!(run.said.contains("this tick failed and"), "{}", run.said);
            assert!(run.out.contains("verify 0"), "what is there holds: {}", run.out);
        }
        assert!(!run.out.contains("journal\n"), "no empty journal is left: {}", run.out);
    }
}

#[test]
fn a_disk_that_is_read_only() {
    let place = Place::new();
    assert_eq!(place.run(&UP.split(' ').collect::<Vec<_>>()).code, 0);
    if !may_mount(&place) {
        return;
    }
    let read_only = |command: &str| {
        place.shell(&format!(
            "exec unshare -m sh -c 'mount --bind state state && \
             mount -o remount,ro,bind state && exec \"$FARTHING\" {command}'"
        ))
    };
    for command in [UP, "up --demo --no-listen --for 1s"] {
        let run = read_only(command);
        assert_eq!(run.code, 1, "{command}: {}", run.said);
        assert!(run.said.contains("farthing: state/"), "{command}: {}", run.said);
        let why = ["Read-only file system", "the folder must be writable"];
        assert!(why.iter().any(|why| run.said.contains(why)), "{command}: {}", run.said);
    }
    // What only reads goes on.
    for command in ["cost", "verify", "explain farthing"] {
        let run = read_only(command);
        assert_eq!(run.code, 0, "{command}: {}", run.said);
    }
}

/// Processes of others that may not be looked at are charged all the same, to `(hidden)`.
#[test]
fn processes_that_may_not_be_looked_at() {
    let place = Place::new();
    let run = place.shell(
        "chmod 755 . && mkdir -m 777 state && exec unshare -mp --fork sh -c '\
         mount -t proc -o hidepid=2 proc /proc && cp \"$FARTHING\" state/program && \
         exec setpriv --reuid=65534 --regid=65534 --clear-groups \
         state/program up --no-listen --for 2s --every 1s'",
    );
    if run.code != 0 && !run.said.contains("farthing") {
        println!("left out: no /proc can be mounted, or no other user can be, here: {}", run.said);
        return;
    }
    assert_eq!(run.code, 0, "{}", run.said);
    assert!(run.said.contains("count as (hidden)"), "{}", run.said);
    assert!(run.out.contains("(difference 0.00)") && run.out.contains("(hidden)"), "{}", run.out);
}

/// The books of this machine, two hours ahead of its clock.
fn books_of_the_future(place: &Place, cluster: &ClusterId) -> Timestamp {
    let books = Books::open_folder(&place.state().join("books")).unwrap();
    let ahead = Timestamp::now().checked_add(SignedDuration::from_hours(2)).unwrap();
    let window = Window::hour_of(ahead).unwrap();
    let provenance = Provenance {
        kind: PriceKind::AmortisedOwned,
        source: "test".to_owned(),
        as_of: jiff::civil::date(2026, 1, 1),
        list: None,
    };
    let span = NodeSpan {
        node: NodeId::new("a").unwrap(),
        asset: Asset::Node,
        offer: OfferId::new("local/a/b/owned").unwrap(),
        place: Where { provider: "local".to_owned(), region: "a".to_owned(), zone: None },
        instance_type: "b".to_owned(),
        purchase: Purchase::Owned,
        capacity: Resources { cpu_milli: 1_000, ..Resources::default() },
        price: Price::Known("1 USD/h".parse().unwrap(), provenance),
        window,
        ready: window.from(),
        held_for: None,
        measured: true,
    };
    let segment = Segment { window, spans: vec![span], samples: Vec::new(), uses: Vec::new() };
    let weights = "gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n";
    books.put_segment(cluster, &segment).unwrap();
    let metered = meter(&MeterInput {
        cluster,
        window,
        currency: Currency::USD,
        spans: &segment.spans,
        samples: &[],
        weights: &Weights::from_text(weights).unwrap(),
    });
    books.put_hour(&metered.unwrap()).unwrap();
    window.to()
}

/// The clock moved back between two runs: what is posted stands, and nothing is measured twice.
#[test]
fn a_clock_that_moved_back() {
    let place = Place::new();
    assert_eq!(place.run(&UP.split(' ').collect::<Vec<_>>()).code, 0);
    let current = std::fs::read_to_string(place.state().join("current")).unwrap();
    let until = books_of_the_future(&place, &ClusterId::new(current.trim()).unwrap());
    let before = place.run(&["cost", "--output", "json"]).out;
    let run = place.run(&UP.split(' ').collect::<Vec<_>>());
    assert_eq!(run.code, 0, "{}", run.said);
    assert!(run.said.contains(&format!("the clock went back from {until} to")), "{}", run.said);
    assert!(run.said.contains("not measured"), "{}", run.said);
    assert_eq!(place.run(&["cost", "--output", "json"]).out, before);
    let verified = place.run(&["verify"]);
    assert_eq!(verified.code, 0, "{}", verified.out);
}
