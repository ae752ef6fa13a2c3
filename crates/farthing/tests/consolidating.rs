//! `farthing plan` of nodes that stand: what is kept, who moves, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod program;

use program::{Place, Run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const PRICES: &str = "provider,region,zone,instance_type,accelerator,accelerator_count,vcpus,\
                      memory_gib,storage_gib,purchase,price,currency,unit,source,as_of\n\
                      lab,north,,big,,,16,64,,on-demand,1.6,USD,hour,made up,2026-11-01\n\
                      lab,north,,small,,,4,16,,on-demand,0.4,USD,hour,made up,2026-11-01\n\
                      lab,south,,small,,,4,16,,on-demand,0.5,USD,hour,made up,2026-11-01\n\
                      lab,north,,one-gpu,A100-80GB,1,16,64,,on-demand,4,USD,hour,made up,2026-11-01\n";

fn web(count: u32) -> String {
    format!(
        "kind: Workload\nmetadata: {{name: web}}\nspec:\n  count: {count}\n  resources: {{cpu: 1, \
         memory: 1Gi}}\n"
    )
}

fn node(name: &str, spec: &str) -> String {
    format!("---\nkind: Node\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
}

fn plan(place: &Place, text: &str) -> Run {
    let file = place.file("m.yaml", text);
    let prices = place.file("prices.csv", PRICES);
    place.run(&["plan", "-f", &file, "--prices", &prices, "--output", "json", "--baselines"])
}

/// Money of the answer in 10^-12.
fn pico(value: &Value) -> i128 {
    let text = value.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<12}").parse().unwrap()
}

#[test]
fn nodes_are_emptied_for_less_than_they_cost_and_all_amounts_add_up() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let example = root.join("examples/standing-nodes.yaml");
    let prices = root.join("examples/instance-types.csv");
    let (example, prices) = (example.to_str().unwrap(), prices.to_str().unwrap());
    let place = Place::new();
    let given = ["plan", "-f", example, "--prices", prices, "--baselines", "--output", "json"];
    let run = place.run(&given);
    assert_eq!(run.code, 0, "{}", run.said);
    let plan: Value = serde_json::from_str(&run.out).unwrap();
    let (before, cost) = (pico(&plan["before"]), pico(&plan["cost"]));
    let disturbance = pico(&plan["disturbance"]);
    assert!(cost < before && pico(&plan["lower_bound"]) <= cost, "{plan}");
    assert_eq!(pico(&plan["saving"]), before - cost - disturbance);
    // Not dearer and not more moves than provisioners: nodes alone, and with the moves.
    let other = &plan["baselines"]["karpenter"];
    assert!(cost <= pico(&other["cost"]), "{cost} {}", other["cost"]);
    assert!(plan["moved"].as_u64() <= other["moved"].as_u64(), "{plan}");
    let (mut saved, mut spent, mut moved) = (0, 0, 0);
    let mut gone: BTreeMap<&str, usize> = BTreeMap::new();
    let steps = plan["steps"].as_array().unwrap();
    for (at, step) in steps.iter().enumerate() {
        saved += pico(&step["saving"]);
        spent += pico(&step["cost"]);
        match step["action"].as_str().unwrap() {
            "move" => moved += step["count"].as_u64().unwrap(),
            "give-back" => drop(gone.insert(step["from"].as_str().unwrap(), at)),
            _ => {}
        }
    }
    assert_eq!(saved - spent, before - cost - disturbance, "the steps add up to the plan");
    assert_eq!(Some(moved), plan["moved"].as_u64());
    // Nobody goes to a node that is given back, and each is left before it is.
    for (at, step) in steps.iter().enumerate().filter(|(_, step)| step["action"] == "move") {
        assert!(!gone.contains_key(step["to"].as_str().unwrap()), "{step}");
        assert!(gone[step["from"].as_str().unwrap()] > at, "{step}");
    }
    // Law 1: the same files give the same plan.
    let mut again: Value = serde_json::from_str(&place.run(&given).out).unwrap();
    let mut plan = plan;
    for one in [&mut again, &mut plan] {
        one["solve_ms"] = Value::Null;
        for key in ["at", "horizon"] {
            one[key] = Value::Null;
        }
        for step in one["steps"].as_array_mut().unwrap() {
            (step["start"], step["end"]) = (Value::Null, Value::Null);
        }
        one["baselines"] = Value::Null;
    }
    assert_eq!(plan, again);
}

/// Law 2: planning on what the plan makes of the nodes does nothing.
#[test]
fn what_is_consolidated_stays() {
    let place = Place::new();
    let first = web(6)
        + &node("a", "instanceType: big, holds: [{workload: web, members: 4}]")
        + &node("b", "instanceType: big, holds: [{workload: web, members: 2}]");
    let made: Value = serde_json::from_str(&plan(&place, &first).out).unwrap();
    let acts = |plan: &Value| -> Vec<String> {
        let steps = plan["steps"].as_array().unwrap().iter();
        steps.map(|step| format!("{} {}", step["action"], step["count"])).collect()
    };
    let said = acts(&made);
    // Two nodes of four cores hold six cores for half of one of sixteen.
    assert!(said.contains(&"\"give-back\" 1".to_owned()), "{said:?}");
    let kept = made["offers_used"].as_object().unwrap();
    let second = match kept.get("big") {
        Some(_) => web(6) + &node("a", "instanceType: big, holds: [{workload: web, members: 6}]"),
        None => {
            web(6)
                + &node(
                    "a",
                    "instanceType: small, region: north, holds: [{workload: web, members: 3}]",
                )
                + &node(
                    "b",
                    "instanceType: small, region: north, holds: [{workload: web, members: 3}]",
                )
        }
    };
    let again: Value = serde_json::from_str(&plan(&place, &second).out).unwrap();
    if kept.get("big").is_none() {
        assert_eq!(acts(&again), Vec::<String>::new(), "{again}");
    }
    assert!(pico(&again["cost"]) <= pico(&made["cost"]), "{again}");
}

#[test]
fn whoever_is_new_goes_on_nodes_that_stand_first() {
    let place = Place::new();
    let text =
        web(12) + &node("a", "instanceType: big, keep: true, holds: [{workload: web, members: 4}]");
    let made: Value = serde_json::from_str(&plan(&place, &text).out).unwrap();
    let step = &made["steps"][0];
    assert_eq!(
        (&step["action"], &step["count"], &step["to"]),
        (&"start".into(), &8.into(), &"a".into())
    );
    assert_eq!(made["steps"].as_array().unwrap().len(), 1);
    assert_eq!(made["cost"], made["before"]);
}

#[test]
fn what_is_wrong_with_nodes_is_said_by_file_line_and_object() {
    let place = Place::new();
    let cases = [
        ("instanceType: bgi", "Node n: no offer of the price book is on-demand bgi"),
        ("instanceType: small", "say `provider`, `region` and `zone`, or `price`"),
        ("instanceType: big, holds: [{workload: wbe}]", "`holds` names wbe, and no Workload has"),
        ("instanceType: big, holds: [{workload: web, members: 7}]", "its `count` is 6: raise it"),
        (
            "instanceType: small, region: north, holds: [{workload: web, members: 5}]",
            "its members ask for more cores than it has",
        ),
        ("instanceType: big, holds: [{workload: web}, {workload: web}]", "`holds` has web twice"),
        ("instanceType: big, price: 1.6 USD", "`price`:"),
        ("instanceType: big, price: -1 USD/h", "`price`:"),
        ("instanceType: big, cuont: 2", "did you mean `count`?"),
        ("instanceType: big, count: 0", "`count`:"),
    ];
    for (spec, words) in cases {
        let run = plan(&place, &(web(6) + &node("n", spec)));
        assert_eq!(run.code, 2, "{spec}: {} {}", run.out, run.said);
        assert!(run.said.contains("m.yaml:9:"), "{spec}: {}", run.said);
        assert!(run.said.contains(words), "{spec}: no `{words}` in {}", run.said);
    }
    let twice =
        web(6) + &node("n-1", "instanceType: big") + &node("n", "instanceType: big, count: 1");
    let run = plan(&place, &twice);
    assert!(run.code == 2 && run.said.contains("two nodes of the name n-1"), "{}", run.said);
    // A price and what it has are enough for a machine that nobody sells.
    let own = "instanceType: attic, price: 0.1 USD/h, resources: {cpu: 8, memory: 8Gi}, holds: \
               [{workload: web, members: 6}]";
    let run = plan(&place, &(web(6) + &node("n", own)));
    assert_eq!(run.code, 0, "{}", run.said);
    let made: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&made["cost"], made["steps"].as_array().unwrap().len()), (&"0.1".into(), 0));
}

#[test]
fn nodes_that_cannot_be_planned_with_are_refused() {
    let place = Place::new();
    let stands = node("n", "instanceType: big");
    let hard = "---\nkind: Budget\nmetadata: {name: all}\nspec: {scope: all, limit: 5 USD, period: \
                day}\n";
    let run = plan(&place, &(web(6) + &stands + hard));
    assert!(run.code == 2 && run.said.contains("budget all is hard"), "{} {}", run.out, run.said);
    let other = "kind: Workload\nmetadata: {name: quoted}\nspec: {cost: 1 USD}\n";
    let run = plan(&place, &(other.to_owned() + &stands));
    assert!(run.code == 2 && run.said.contains("do not share nodes"), "{} {}", run.out, run.said);
    let euros = "---\nkind: Policy\nspec: {nodes: {moveCost: 1 EUR}}\n";
    let run = plan(&place, &(web(6) + &stands + euros));
    assert!(run.code == 2 && run.said.contains("the prices are in USD"), "{}", run.said);
    let large = web(6).replace("cpu: 1,", "cpu: 99,");
    let run = plan(&place, &(large + &stands));
    assert_eq!(run.code, 3, "{}", run.said);
    let made: Value = serde_json::from_str(&run.out).unwrap();
    let why = made["waiting"][0]["reason"].as_str().unwrap().to_owned();
    assert!(why.contains("a member needs 99 cores, the largest node has"), "{why}");
}
