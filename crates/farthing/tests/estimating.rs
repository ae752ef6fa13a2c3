//! `farthing estimate` by the program: prices, ranges, budgets, and what it learns from runs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod program;

use program::Place;
use serde_json::Value;

fn example(name: &str) -> String {
    format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A price book of two machines with eight H100 each, and one without.
fn prices(place: &Place) -> String {
    let head = "provider,region,zone,instance_type,accelerator,accelerator_count,vcpus,memory_gib,\
                storage_gib,purchase,price,currency,unit,source,as_of\n";
    let row = |region, kind, accelerator, cores, gib, purchase, price| {
        format!(
            "acme,{region},,{kind},{accelerator},{cores},{gib},0,{purchase},{price},USD,hour,test,2026-10-01\n"
        )
    };
    let text = [
        head.to_owned(),
        row("east", "h8", "H100-80GB-SXM,8", 128, 1_024, "on-demand", "80"),
        row("west", "h8", "H100-80GB-SXM,8", 128, 1_024, "on-demand", "64"),
        row("west", "h8", "H100-80GB-SXM,8", 128, 1_024, "spot", "20"),
        row("west", "c8", ",0", 8, 32, "on-demand", "0.4"),
    ]
    .concat();
    place.file("prices.csv", text)
}

fn json(place: &Place, words: &[&str]) -> (i32, Value) {
    let run = place.run(&[&["estimate", "--output", "json"], words].concat());
    let value = serde_json::from_str(&run.out);
    (run.code, value.unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.said)))
}

#[test]
fn a_job_of_many_machines_is_priced_by_the_hour_and_to_its_limit() {
    let place = Place::new();
    let prices = prices(&place);
    let file = example("pytorchjob.yaml");
    let (code, told) = json(&place, &[&file, "--prices", &prices]);
    let job = &told["jobs"][0];
    assert_eq!(code, 0, "{told}");
    // Four machines at 64 an hour, for at most eight hours.
    assert_eq!(job["hourly"], "256.00");
    assert_eq!(job["to_finish"]["high"], "2048.00");
    assert_eq!(
        (&job["to_finish"]["high_s"], &job["to_finish"]["low"]),
        (&28_800.into(), &Value::Null)
    );
    assert_eq!(job["groups"][1]["offer"]["offer"], "acme/west/h8/on-demand");
    assert_eq!(job["spot"]["hourly"], "60.00");
    // Where it must be in the east it is dearer, and the other place is named.
    let (_, told) = json(&place, &[&file, "--prices", &prices, "--region", "east"]);
    assert_eq!(told["jobs"][0]["hourly"], "320.00");
    assert_eq!(told["jobs"][0]["elsewhere"]["offer"], "acme/west/h8/on-demand");
    // As long as someone knows that it takes.
    let (_, told) = json(&place, &[&file, "--prices", &prices, "--takes", "90m"]);
    assert_eq!(told["jobs"][0]["to_finish"]["expected"], "384.00");
    assert_eq!(told["jobs"][0]["to_finish"]["low"], "384.00");
}

#[test]
fn all_examples_are_estimated_with_the_book_that_ships() {
    let place = Place::new();
    for name in ["pytorchjob.yaml", "job.sbatch", "compose.yaml", "seed-5-2.yaml"] {
        let (code, told) = json(&place, &[&example(name)]);
        assert_eq!(code, 0, "{name}: {told}");
        for job in told["jobs"].as_array().unwrap() {
            let hourly: f64 = job["hourly"].as_str().unwrap().parse().unwrap();
            assert!(hourly > 0.0, "{name}: {job}");
        }
        let text = place.run(&["estimate", &example(name)]);
        assert!(text.out.contains("an hour:"), "{}", text.out);
    }
}

#[test]
fn a_budget_says_whether_it_fits_and_a_bad_object_is_left_out() {
    let place = Place::new();
    let prices = prices(&place);
    let budget = "kind: Budget\nmetadata: {name: research}\nspec: {scope: {team: research}, limit: \
                  2000 USD, period: month}\n";
    let budget = place.file("team.yaml", budget);
    let file = example("pytorchjob.yaml");
    let words = [file.as_str(), "--prices", &prices, "--config", &budget];
    let (code, told) = json(&place, &words);
    assert_eq!((code, &told["jobs"][0]["fits"]), (3, &false.into()), "{told}");
    let (code, told) = json(&place, &[&words[..], &["--takes", "7h"]].concat());
    assert_eq!((code, &told["jobs"][0]["fits"]), (0, &true.into()), "{told}");
    let bad = place.file(
        "bad.yaml",
        "kind: Pod\nmetadata: {name: half}\nspec: {containers: [{name: a, resources: {limits: \
         {nvidia.com/gpu: 0.5}}}]}\n---\nkind: Pod\nmetadata: {name: good}\nspec: {containers: \
         [{name: a, resources: {requests: {cpu: 8, memory: 8Gi}}}]}\n",
    );
    let (code, told) = json(&place, &[&bad, "--prices", &prices]);
    assert_eq!((code, told["jobs"].as_array().unwrap().len()), (1, 1), "{told}");
    assert!(told["faults"][0].as_str().unwrap().contains("only whole ones"), "{told}");
    assert_eq!(told["jobs"][0]["hourly"], "0.40");
    // More than any machine has.
    let (code, told) = json(&place, &[&file, "--prices", &prices, "--provider", "none"]);
    assert_eq!(code, 3);
    assert!(told["jobs"][0]["why_not"].as_str().unwrap().contains("no offer"), "{told}");
}

#[test]
fn what_a_run_took_teaches_the_next_estimate() {
    let place = Place::new();
    let prices = prices(&place);
    let job = place.file(
        "job.yaml",
        "kind: Job\nmetadata: {name: nightly-7}\nspec:\n  activeDeadlineSeconds: 10\n  template: \
         {spec: {containers: [{name: a, image: 'x:1', resources: {requests: {cpu: 8, memory: \
         8Gi}}}]}}\n",
    );
    for _ in 0..3 {
        let run = place.run(&["run", "--of", &job, "--", "sleep", "1"]);
        assert_eq!(run.code, 0, "{}", run.said);
    }
    // One that fails says nothing of how long it takes.
    assert_eq!(place.run(&["run", "--of", &job, "--", "false"]).code, 1);
    let (_, told) = json(&place, &[&job, "--prices", &prices]);
    let finish = &told["jobs"][0]["to_finish"];
    assert_eq!(finish["runs"], 3, "{told}");
    let expected = finish["expected_s"].as_i64().unwrap();
    assert!((1..=4).contains(&expected), "{told}");
    assert!(finish["basis"].as_str().unwrap().contains("3 earlier runs"), "{told}");
    // Another number of the same name with twice the limit: the same part of it.
    let text = std::fs::read_to_string(place.path().join(&job)).unwrap();
    let text = text.replace("nightly-7", "nightly-8").replace("Seconds: 10", "Seconds: 100");
    let next = place.file("next.yaml", text);
    let (_, told) = json(&place, &[&next, "--prices", &prices]);
    assert!(told["jobs"][0]["to_finish"]["expected_s"].as_i64().unwrap() >= 10, "{told}");
    assert_eq!(told["jobs"][0]["to_finish"]["runs"], 3);
}

#[test]
fn shells_complete_and_every_command_has_a_manual_page() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = place.run(&["completions", shell]);
        assert!(run.code == 0 && run.out.contains("max-cost"), "{shell}");
    }
    let run = place.shell("$FARTHING completions bash > c && bash -c '. ./c && echo sourced'");
    assert_eq!(run.out, "sourced\n", "{}", run.said);
    let pages = place.run(&["reference", "--man"]).out;
    for name in ["farthing.1", "farthing-run.1", "farthing-budget-check.1"] {
        assert!(pages.contains(&format!("\x0c{name}\n")), "{name}");
    }
    // What the program starts itself as is nobody's to start.
    assert!(!pages.contains("farthing-become"));
}
