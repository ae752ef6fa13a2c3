//! Bad input, each class by its name, as a user meets it: what is said, the exit code, and that
//! nothing is half-written.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod program;

use program::{Place, files};
use std::fmt::Write as _;

const JOB: &str = "kind: Workload\nmetadata: {name: a}\nspec:\n  cost: 1 USD\n";
const HEADER: &str = "provider,region,zone,instance_type,accelerator,accelerator_count,vcpus,\
                      memory_gib,storage_gib,purchase,price,currency,unit,source,as_of\n";

fn workload(spec: &str) -> String {
    format!("kind: Workload\nmetadata: {{name: a}}\nspec:\n{spec}")
}

/// Arguments that are wrong use: exit code 2, these words, and not one file is left behind.
fn refused(place: &Place, arguments: &[&str], words: &[&str]) {
    let run = place.run(arguments);
    assert_eq!(run.code, 2, "{arguments:?}: {}", run.said);
    assert!(run.out.is_empty(), "{arguments:?}: {}", run.out);
    for word in words {
        assert!(run.said.contains(word), "{arguments:?}: no `{word}` in: {}", run.said);
    }
    assert_eq!(files(&place.state()).len(), 0, "{arguments:?}");
}

#[test]
fn manifests_that_say_something_wrong() {
    let place = Place::new();
    let cases = [
        ("unknown field", workload("  cots: 1 USD\n"), "m.yaml:4:3: Workload a", "mean `cost`?"),
        (
            "wrong unit",
            workload("  cost: 1 USD\n  resources: {memory: 8Gb}\n"),
            "m.yaml:5:23: Workload a",
            "such as 512Gi",
        ),
        ("no currency", workload("  cost: 1\n"), "m.yaml:4:9: Workload a", "12.34 USD"),
        ("negative", workload("  cost: -1 USD\n"), "m.yaml:4:9: Workload a", "below zero"),
        ("NaN", workload("  cost: NaN USD\n"), "m.yaml:4:9: Workload a", "such as 12"),
        (
            "deadline before start",
            workload(
                "  cost: 1 USD\n  submitted: 2026-12-02T00:00:00Z\n  deadline: \
                 2026-12-01T00:00:00Z\n",
            ),
            "m.yaml:6:13: Workload a",
            "deadline",
        ),
        ("two of one name", format!("{JOB}---\n{JOB}"), "m.yaml:7:18: Workload a", "m.yaml:2:18"),
        ("another kind", JOB.replace("Workload", "Workloda"), "m.yaml:1:7", "Workload"),
    ];
    for (_class, text, place_said, right) in cases {
        let file = place.file("m.yaml", text);
        refused(&place, &["plan", "-f", &file], &[place_said, right]);
    }
    // Two files, one name: the other file is named.
    let (one, two) = (place.file("one.yaml", JOB), place.file("two.yaml", JOB));
    refused(&place, &["plan", "-f", &one, "-f", &two], &["two.yaml:2:18", "one.yaml:2:18"]);
    // All faults of all objects come at once.
    let file =
        place.file("m.yaml", format!("{}---\n{}", workload("  x: 1\n"), workload("  y: 1\n")));
    refused(&place, &["plan", "-f", &file], &["m.yaml:4:3", "m.yaml:9:3"]);
}

#[test]
fn amounts_on_the_command_line() {
    let place = Place::new();
    let file = place.file("m.yaml", JOB);
    for (budget, right) in [
        ("-5 USD", "below zero"),
        ("NaN USD", "such as 12"),
        ("5", "12.34 USD"),
        ("1e99 USD", "--budget"),
    ] {
        refused(&place, &["plan", "-f", &file, "--budget", budget], &["--budget", right]);
    }
    refused(&place, &["plan", "-f", &file, "--now", "noon"], &["--now", "2026-12-01T06:00:00Z"]);
}

#[test]
fn files_that_are_none() {
    let place = Place::new();
    let good = place.file("good.yaml", JOB);
    std::fs::create_dir(place.path().join("folder")).unwrap();
    place.file("empty", "");
    place.file("utf", b"kind: Workload\nmetadata: {name: \xff}\n");
    for (name, word) in [
        ("folder", "folder: is a folder"),
        ("empty", "empty: is empty"),
        ("utf", "utf:2"),
        ("missing", "missing: there is no such file"),
        ("/dev/zero", "/dev/zero: is not a regular file"),
    ] {
        refused(&place, &["plan", "-f", name], &[word]);
        refused(&place, &["plan", "-f", &good, "--prices", name], &[word]);
        refused(&place, &["offers", "--accelerator", "L4", "--prices", name], &[word]);
        let up = ["up", "--no-listen", "--for", "1s", "--hardware", name];
        refused(&place, &up, &[word]);
    }
}

/// A file of 1 GB is refused by its size: with 300 MB of memory in all.
#[test]
fn a_file_of_a_gigabyte() {
    let place = Place::new();
    place.file("good.yaml", JOB);
    let big = std::fs::File::create(place.path().join("big")).unwrap();
    big.set_len(1 << 30).unwrap();
    place.file(
        "service.yaml",
        workload("  type: service\n  requests: {rate: 1/s, buckets: big}\n  throughput: big\n"),
    );
    for arguments in [
        "plan -f big",
        "plan -f good.yaml --prices big",
        "plan -f service.yaml",
        "offers --accelerator L4 --prices big",
        "up --no-listen --for 1s --hardware big",
    ] {
        let run = place.shell(&format!("ulimit -v 300000; exec \"$FARTHING\" {arguments}"));
        assert_eq!(run.code, 2, "{arguments}: {}", run.said);
        assert!(run.said.contains("big: has 1073741824 bytes; at most"), "{}", run.said);
    }
}

#[test]
fn bombs_of_yaml() {
    let place = Place::new();
    let mut aliases = workload("  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let before = level - 1;
        let many = vec![format!("*a{before}"); 10].join(", ");
        let _ = writeln!(aliases, "  a{level}: &a{level} [{many}]");
    }
    place.file("aliases.yaml", aliases);
    place.file("flow.yaml", format!("kind: Workload\nspec: {}\n", "[".repeat(100_000)));
    let block: String = (1..2_000).map(|level| "  ".repeat(level) + "-\n").collect();
    place.file("block.yaml", format!("kind: Workload\nspec:\n{block}"));
    let run = |arguments: &str| {
        place.shell(&format!("ulimit -v 300000; ulimit -t 5; exec \"$FARTHING\" {arguments}"))
    };
    for (name, word) in [
        ("aliases.yaml", "aliases.yaml:9:22: makes more than 500000 values"),
        ("flow.yaml", "flow.yaml:2:71: is nested deeper than 64 levels"),
        ("block.yaml", "nested deeper than 64 levels"),
    ] {
        for arguments in
            [format!("plan -f {name}"), format!("offers --accelerator L4 --prices {name}")]
        {
            let run = run(&arguments);
            assert_eq!(run.code, 2, "{arguments}: {}", run.said);
            assert!(run.said.contains(word), "{arguments}: {}", run.said);
        }
    }
}

/// One bad row among good ones is named and left out; a book of bad rows only is refused.
#[test]
fn rows_of_a_price_book() {
    let place = Place::new();
    let good = "aws,us-east-1,,p5,H100-80GB,8,192,2048,0,on-demand,98.32,USD,hour,me,2026-11-24\n";
    let bad = [
        (good.replace("USD", ""), "`currency`"),
        (good.replace("hour", ""), "`unit`"),
        (good.replace("hour", "month"), "`unit`"),
        (good.replace("2026-11-24", ""), "`as_of`"),
        (good.replace("98.32", "-1"), "`price`"),
        (good.replace("98.32", "NaN"), "`price`"),
        (good.replace("98.32", ""), "`price`"),
    ];
    let rows: String = bad.iter().map(|(row, _)| row.as_str()).collect();
    let offers = ["offers", "--accelerator", "H100-80GB", "--count", "8", "--prices"];
    let mixed = place.file("mixed.csv", format!("{HEADER}{good}{rows}"));
    let run = place.run(&[&offers[..], &[mixed.as_str()]].concat());
    assert_eq!(run.code, 0, "{}", run.said);
    assert!(run.out.contains("98.32"), "{}", run.out);
    for (line, (_, word)) in bad.iter().enumerate() {
        let place = format!("mixed.csv:{}:", line + 3);
        let said = run.said.lines().find(|said| said.contains(&place)).unwrap_or_default();
        assert!(said.starts_with("left out: ") && said.contains(word), "{place} {word}: {said}");
    }
    let job = place.file("m.yaml", JOB);
    let run = place.run(&["plan", "-f", &job, "--prices", &mixed]);
    assert_eq!((run.code, run.said.lines().count()), (0, bad.len()), "{}", run.said);
    let only = place.file("only.csv", format!("{HEADER}{rows}"));
    refused(&place, &[&offers[..], &[only.as_str()]].concat(), &["only.csv:2:", "`currency`"]);
}

#[test]
fn parquet_that_was_cut_off() {
    let place = Place::new();
    let job = place.file("m.yaml", JOB);
    for (bytes, name) in [(&b"PAR1"[..], "a"), (b"PAR1\xff\xff\xff\x7fPAR1", "b")] {
        let book = place.file(name, bytes);
        let words = [format!("{name}: is not readable as Parquet"), "not complete".to_owned()];
        refused(&place, &["plan", "-f", &job, "--prices", &book], &[&words[0], &words[1]]);
    }
}

/// The address is taken before anything is written: a run that cannot listen leaves the folder as
/// it was, and the last run's name in it.
#[test]
fn a_port_that_is_taken() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for demo in [&["up"][..], &["up", "--demo"]] {
        let arguments = [demo, &["--for", "1s", "--listen", &address]].concat();
        let words = [address.as_str(), "in use", "--listen 127.0.0.1:"];
        let run = place.run(&arguments);
        assert_eq!(run.code, 2, "{}", run.said);
        assert!(words.iter().all(|word| run.said.contains(word)), "{}", run.said);
        // The lock that says whose turn it is stays, and says nothing.
        let mut left = files(&place.state());
        left.retain(|path| path.extension().is_none_or(|end| end != "lock"));
        assert!(left.is_empty(), "{demo:?}: {left:?}");
    }
}
