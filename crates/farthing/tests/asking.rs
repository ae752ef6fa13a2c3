//! Budgets that are asked by the program before something is started: what cannot be counted is
//! refused and not written, and what is not known is said.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod program;

use program::up::Demo;
use program::{Place, Run};

const TEAMS: &str = "\
kind: Budget
metadata: {name: research}
spec: {scope: {team: research}, limit: 2000 USD, period: month}
---
kind: Budget
metadata: {name: research-vision}
spec: {scope: {team: research, project: vision}, limit: 150 USD, period: month}
---
kind: Budget
metadata: {name: everything}
spec: {scope: all, limit: 5 USD, period: month, hard: false}
";

const EUROS: &str = "\
kind: Budget
metadata: {name: theirs}
spec: {scope: all, limit: 100 EUR, period: month}
";

/// A job of two hours on a machine of 40 cents an hour, of a team that its labels name.
const JOB: &str = "\
apiVersion: batch/v1
kind: Job
metadata: {name: train, labels: {team: research}}
spec:
  activeDeadlineSeconds: 7200
  template: {spec: {containers: [{name: a, resources: {requests: {cpu: 8, memory: 8Gi}}}]}}
";

const PRICES: &str = "\
provider,region,zone,instance_type,accelerator,accelerator_count,vcpus,memory_gib,storage_gib,\
purchase,price,currency,unit,source,as_of
acme,west,,c8,,0,8,32,0,on-demand,0.4,USD,hour,test,2026-10-01
";

/// Fails for wrong use, and says this.
fn wrong(run: &Run, words: &[&str]) {
    assert_eq!(run.code, 2, "{}{}", run.out, run.said);
    for word in words {
        assert!(run.said.contains(word), "`{word}` is not said: {}", run.said);
    }
}

/// Asks budgets of a file, of a folder with no books.
fn check(place: &Place, words: &[&str]) -> Run {
    place.run(&[&["budget", "--config", "team.yaml", "check"], words].concat())
}

#[test]
fn a_file_of_budgets_is_asked_before_there_are_books() {
    let place = Place::new();
    place.file("team.yaml", TEAMS);
    let fits = check(&place, &["--estimate", "10USD", "--team", "research"]);
    assert_eq!(fits.code, 0, "{}", fits.said);
    assert!(fits.out.starts_with("10.00 USD fits"), "{}", fits.out);
    assert!(!fits.out.contains("no hard budget"), "{}", fits.out);
    let short = check(&place, &["--estimate", "2001USD", "--team", "research"]);
    assert_eq!(short.code, 3, "{}", short.out);
    // Without a file it is not known what is asked; strictly, nor is a loop that runs.
    let strict = ["budget", "check", "--estimate", "1USD", "--team", "research", "--strict"];
    wrong(&place.run(&strict), &["no books"]);
}

#[test]
fn a_team_of_no_budget_is_named() {
    let place = Place::new();
    place.file("team.yaml", TEAMS);
    let line = "no hard budget is of team `reserch`; there are research";
    let words = ["--estimate", "10USD", "--team", "reserch"];
    let passes = check(&place, &words);
    assert_eq!(passes.code, 0, "{}", passes.said);
    assert!(passes.out.contains(line), "{}", passes.out);
    let strict = [&words[..], &["--strict", "--reserve", "1h"]].concat();
    wrong(&check(&place, &strict), &[line]);
    let none = place.run(&["budget", "--config", "team.yaml", "reservations", "--output", "json"]);
    assert!(none.out.contains("\"items\": []"), "{}", none.out);
}

#[test]
fn what_no_budget_can_count_is_neither_granted_nor_settled() {
    let place = Place::new();
    place.file("team.yaml", TEAMS);
    let team = ["--team", "research"];
    let asks = |more: &[&str]| check(&place, &[more, &team[..]].concat());
    wrong(&asks(&["--estimate", "5EUR"]), &["the budgets are in USD"]);
    wrong(&asks(&["--estimate", "-5USD"]), &["below zero"]);
    wrong(&asks(&["--estimate", "1e16USD", "--reserve", "1h"]), &["more than can be counted"]);
    let control = ["--estimate", "1USD", "--reserve", "1h", "--for", "a\u{1b}[2Jb"];
    wrong(&asks(&control), &["control character"]);
    wrong(&asks(&["--estimate", "1USD", "--label", "project=a\nb"]), &["control character"]);
    wrong(&asks(&["--estimate", "1USD", "--reserve", "745h"]), &["--reserve", "744h"]);
    let held = asks(&["--estimate", "100USD", "--reserve", "744h"]);
    assert_eq!(held.code, 0, "{}", held.said);
    let id = held.out.split(" as ").nth(1).unwrap().split(' ').next().unwrap();
    let budget = |words: &[&str]| {
        place.run(&[&["budget", "--config", "team.yaml"], words, &["--output", "json"]].concat())
    };
    let listed = budget(&["reservations"]).out;
    assert!(listed.contains(id), "{listed}");
    for (spent, why) in [
        ("1EUR", "1.00 EUR is not in USD: the budgets are in USD"),
        ("-1000000USD", "is below zero"),
        ("1e20USD", "is more than can be counted"),
    ] {
        wrong(&budget(&["settle", id, "--spent", spent]), &[why]);
        assert_eq!(budget(&["reservations"]).out, listed, "nothing is written for {spent}");
    }
    let tried = ["budget", "--config", "team.yaml", "show", "--if", "research=5EUR"];
    wrong(&place.run(&tried), &["5.00 EUR is not in USD"]);
    let settled = budget(&["settle", id, "--spent", "2.5USD"]);
    assert_eq!(settled.code, 0, "{}", settled.said);
    assert!(settled.out.contains("\"spent\": \"2.50\""), "{}", settled.out);
}

#[test]
fn a_budget_in_another_currency_is_refused_by_its_line_wherever_it_is_named() {
    let place = Place::new();
    place.file("euros.yaml", EUROS);
    place.file("mixed.yaml", format!("{TEAMS}---\n{EUROS}"));
    place.file("prices.csv", PRICES);
    place.file("job.yaml", JOB);
    let why = "Budget theirs: `limit` is 100.00 EUR, and the books are in USD: write it in USD";
    let up = ["up", "--no-listen", "--for", "1s", "--config", "euros.yaml"];
    wrong(&place.run(&up), &["euros.yaml:2:", why]);
    let run = ["run", "--config", "euros.yaml", "--price", "1 USD/h", "--", "true"];
    wrong(&place.run(&run), &["euros.yaml:2:", why]);
    let estimate = ["estimate", "job.yaml", "--prices", "prices.csv", "--config", "euros.yaml"];
    wrong(&place.run(&estimate), &["euros.yaml:2:", why]);
    let check = ["budget", "check", "--config", "mixed.yaml", "--estimate", "1USD"];
    wrong(&place.run(&check), &["mixed.yaml:14:", why]);
}

#[test]
fn a_journal_in_a_database_is_named_where_it_cannot_be_asked() {
    let place = Place::new();
    std::fs::create_dir_all(place.state().join("books/cluster=lab")).unwrap();
    place.file("state/current", "lab\njournal in postgres://me@db.invalid/books\n");
    // It is asked where the last run kept it, and there is no such host.
    let words = [
        "the journal of lab is in postgres://me@db.invalid:5432/books",
        "--store postgres://me@db.invalid",
    ];
    wrong(&place.run(&["budget"]), &words);
    // No journal is made beside it, which would know of no budgets.
    assert!(!place.state().join("lab.journal").exists());
    let run = ["run", "--team", "research", "--price", "1 USD/h", "--", "true"];
    wrong(&place.run(&run), &words);
    // What is not about budgets goes on.
    place.file("state/current", "lab\nsomething else\n");
    assert_eq!(place.run(&["budget", "check", "--estimate", "1USD"]).code, 1);
}

/// What the demo is asked, and at which address nobody is.
const MILLIARD: [&str; 4] = ["--team", "research", "--estimate", "1e9USD"];

#[test]
fn the_demo_has_a_hard_budget_of_research_while_it_runs_and_afterwards() {
    let place = Place::new();
    let demo = Demo::start(&place, &["--speed", "600", "--for", "2m", "--history", "0s"]);
    let url = format!("http://{}", demo.address);
    demo.says("11-02 00:25");
    let check = |words: &[&str]| place.run(&[&["budget", "check"], words].concat());
    let served = check(&[&MILLIARD[..], &["--server", &url]].concat());
    assert_eq!(served.code, 3, "{}{}", served.out, served.said);
    assert!(served.out.starts_with("1000000000.00 USD does not fit:\n  "), "{}", served.out);
    let fits = check(&["--team", "research", "--estimate", "1USD", "--server", &url]);
    assert_eq!((fits.code, fits.out.trim()), (0, "1.00 USD fits research"), "{}", fits.said);
    let held =
        check(&["--team", "research", "--estimate", "1USD", "--server", &url, "--reserve", "1h"]);
    assert!(held.code == 0 && held.out.starts_with("reserved 1.00 USD as c"), "{}", held.said);
    let nobody = check(&["--team", "nobody", "--estimate", "1e9USD", "--server", &url]);
    let line = "1000000000.00 USD fits, as nothing says no: no hard budget covers it";
    assert!(nobody.code == 0 && nobody.out.starts_with(line), "{}", nobody.out);
    wrong(&check(&["--estimate", "1EUR", "--server", &url]), &["not in USD"]);
    demo.signal(nix::sys::signal::Signal::SIGTERM);
    demo.says("What this run left");
    drop(demo);
    let left = check(&MILLIARD);
    assert_eq!(left.code, 3, "{}{}", left.out, left.said);
    let closed = check(&[&MILLIARD[..], &["--server", &url]].concat());
    assert_eq!(closed.code, 1, "{}{}", closed.out, closed.said);
}

#[test]
fn an_estimate_says_whether_it_fits_or_what_would_have_to_be_said() {
    let place = Place::new();
    place.file("prices.csv", PRICES);
    place.file("job.yaml", JOB);
    place.file("nobody.yaml", JOB.replace(", labels: {team: research}", ""));
    place.file("team.yaml", TEAMS.replace("2000 USD", "0.5 USD"));
    let estimate = |file: &str, more: &[&str]| {
        place.run(&[&["estimate", file, "--prices", "prices.csv"], more].concat())
    };
    let alone = estimate("job.yaml", &[]);
    assert_eq!(alone.code, 0, "{}", alone.said);
    assert!(alone.out.contains("budget: not asked (no loop was told of any"), "{}", alone.out);
    let up = ["up", "--no-listen", "--for", "1s", "--every", "1s", "--config", "team.yaml"];
    assert_eq!(place.run(&up).code, 0);
    let told = estimate("job.yaml", &[]);
    assert_eq!(told.code, 3, "{}", told.out);
    assert!(told.out.contains("does not fit the budget"), "{}", told.out);
    let nobody = estimate("nobody.yaml", &[]);
    assert_eq!(nobody.code, 0, "{}", nobody.said);
    assert!(nobody.out.contains("budget: not asked (--team NAME)"), "{}", nobody.out);
    // What is lacking is named; what is another's is to be left out.
    let narrow = ["--budget", "research-vision"];
    wrong(&estimate("job.yaml", &narrow), &["add --label project=vision"]);
    wrong(&estimate("nobody.yaml", &narrow), &["add --team research --label project=vision"]);
    let other = [&narrow[..], &["--team", "other"]].concat();
    wrong(&estimate("nobody.yaml", &other), &["leave out --team other"]);
}
