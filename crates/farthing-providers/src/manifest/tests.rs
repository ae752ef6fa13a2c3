// Snapshots are written by `UPDATE_EXPECT=1`, which writes them with hashes.
#![allow(clippy::needless_raw_string_hashes)]

use super::*;
use expect_test::{Expect, expect};
use farthing_model::{
    Decimal, EscalationAction, Limit, Money, Period, Ratio, Resource, Scope, Split, Target,
};
use jiff::SignedDuration;
use std::fs;
use std::io::Write as _;

fn now() -> Timestamp {
    "2026-11-24T00:00:00Z".parse().unwrap()
}

fn good(text: &str) -> Manifests {
    parse(text, "m.yaml", now()).unwrap_or_else(|error| panic!("{error}"))
}

/// The one document of kind `kind` with this spec in flow or block form.
fn object(kind: &str, spec: &str) -> String {
    format!("kind: {kind}\nmetadata: {{name: x}}\nspec:\n{spec}")
}

fn job(spec: &str) -> Workload {
    good(&object("Workload", spec)).workloads.remove(0)
}

#[track_caller]
fn bad(text: &str, expect: &Expect) {
    expect.assert_eq(&format!("{}\n", parse(text, "m.yaml", now()).unwrap_err()));
}

#[test]
fn the_interfaces_example_reads() {
    let workload = job(concat!(
        "  type: job\n  count: 1\n  work: 12000 steps\n  throughput:\n",
        "    - {accelerator: H100-80GB, count: 8, rate: 1.9 steps/s}\n",
        "    - {accelerator: A100-80GB, count: 8, rate: 0.8 steps/s}\n",
        "  resources: {cpu: 64, memory: 512Gi, storage: 2Ti}\n",
        "  deadline: 2026-12-01T06:00:00Z\n  value: 300\n",
        "  interruptible: {checkpoint: 120s, restart: 10m}\n",
        "  data: {location: aws/us-east-1, size: 4Ti}\n  residency: [eu]\n",
    ));
    assert_eq!(workload.resources.cpu_milli, 64_000);
    assert_eq!(workload.resources.memory_bytes, 512 << 30);
    assert_eq!(workload.resources.storage_bytes, 2 << 40);
    assert_eq!(workload.residency, ["eu"]);
    assert_eq!(workload.value, Decimal::from_int(300));
    assert_eq!(workload.data.as_ref().unwrap().size_bytes, 4 << 40);
    let job = workload.job().unwrap();
    assert_eq!(job.work.as_ref().unwrap().amount, Decimal::from_int(12_000));
    assert_eq!(job.throughput[0].amount, "1.9".parse().unwrap());
    assert_eq!(job.throughput[1].count, 8);
    assert!(
        matches!(&job.throughput[0].target, Target::Accelerator(a) if a.to_string() == "H100-80GB")
    );
    assert_eq!(job.interruptible.unwrap().restart, SignedDuration::from_mins(10));
    assert_eq!(job.deadline.unwrap().to_string(), "2026-12-01T06:00:00Z");
}

#[test]
fn a_service_reads_with_lists_and_policy_and_budget_beside_it() {
    let manifests = good(concat!(
        "kind: Workload\nmetadata: {name: chat, labels: {team: web, tier: gold}}\nspec:\n",
        "  type: service\n  requests:\n    rate: 960/min\n    buckets:\n",
        "      - {input_tokens: 512, output_tokens: 64, share: 0.333333}\n",
        "      - {input_tokens: 64, output_tokens: 64, share: 0.6666666666666}\n",
        "  throughput:\n",
        "    - {accelerator: L4-24GB, input_tokens: 512, output_tokens: 64, requests_per_s: 0}\n",
        "    - {accelerator: A10G, count: 2, input_tokens: 64, output_tokens: 64,\n",
        "       requests_per_s: 2.5}\n",
        "  slo: {ttft: 2s, tpot: 120ms}\n  split: {slices: 4}\n  replicas: 2\n",
        "---\nkind: Budget\nmetadata: {name: b}\nspec:\n  scope: {label: {project: alpha}}\n",
        "  limit: 500.5 GPU-hours\n  period: month\n  hard: false\n",
        "  escalate: [{at: 80%, do: notify}, {at: 1.1, do: suspend}]\n",
        "---\nkind: Policy\nspec:\n  mode: enforce\n  objective: time\n",
        "  utilisation: {gpu: {max: 0.8, reserve: 10%}}\n",
        "  limits: {stepsPerHour: 3, nodesPerTick: 0}\n  boot: 5m\n  bootMax: 12m\n",
        "  idleRelease: 0s\n",
    ));
    let workload = &manifests.workloads[0];
    assert_eq!(workload.team.as_ref().unwrap().as_str(), "web");
    assert_eq!(workload.labels["tier"], "gold");
    let service = workload.service().unwrap();
    assert_eq!(service.requests.rate_per_s, Decimal::from_int(16));
    let shares = service.requests.buckets.iter().map(|bucket| bucket.share.nano());
    assert_eq!(shares.sum::<i128>(), 1_000_000_000, "shares are made exact");
    assert_eq!(service.split, Split::Slices(4));
    assert_eq!(service.replicas_min, 2);
    assert_eq!(service.throughput[1].count, 2);
    assert_eq!(service.slo.unwrap().tpot, SignedDuration::from_millis(120));
    let budget = &manifests.budgets[0];
    assert_eq!(budget.scope, Scope::Label("project".to_owned(), "alpha".to_owned()));
    assert_eq!(budget.limit, Limit::GpuHoursMilli(500_500));
    assert_eq!((budget.period, budget.hard), (Period::Month, false));
    assert_eq!(budget.escalate[1].action, EscalationAction::Suspend);
    let policy = manifests.policy.unwrap();
    assert_eq!(policy.bands.get(Resource::Gpu).threshold(), Ratio::from_ppm(700_000));
    assert_eq!(*policy.bands.get(Resource::Cpu), *Policy::default().bands.get(Resource::Cpu));
    assert_eq!((policy.limits.steps_per_hour, policy.limits.nodes_per_tick), (3, 0));
    assert_eq!(policy.boot, SignedDuration::from_mins(5));
    assert_eq!(policy.boot_max, SignedDuration::from_mins(12));
}

#[test]
fn relative_moments_count_from_submitted_or_now() {
    let spec = "  cost: 1 USD\n  submitted: in 2h\n  deadline: in 24h\n";
    let workload = job(spec);
    let job = workload.job().unwrap();
    assert_eq!(job.submitted.unwrap().to_string(), "2026-11-24T02:00:00Z");
    assert_eq!(job.deadline.unwrap().to_string(), "2026-11-25T02:00:00Z");
    assert_eq!(job.quoted_cost, Some("1 USD".parse::<Money>().unwrap()));
    let workload = self::job("  cost: 1 USD\n  deadline: in 24h\n");
    assert_eq!(workload.job().unwrap().deadline.unwrap().to_string(), "2026-11-25T00:00:00Z");
}

#[test]
fn tables_are_read_from_beside_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("buckets.csv", "input_tokens,output_tokens,share\n512,64,1\n");
    write(
        "throughput.csv",
        "accelerator,input_tokens,output_tokens,requests_per_s\n\
         L4-24GB,512,64,1.25\nT4-16GB,512,64,\n",
    );
    write("speed.csv", "accelerator,count,rate\nL4-24GB,1,2 steps/s\nT4-16GB,1,1 epochs/s\n");
    write(
        "m.yaml",
        concat!(
            "kind: Workload\nmetadata: {name: s}\nspec:\n  type: service\n",
            "  requests: {rate: 1/s, buckets: buckets.csv}\n  throughput: throughput.csv\n",
            "---\nkind: Workload\nmetadata: {name: j}\n",
            "spec: {work: 1 steps, throughput: speed.csv}\n",
        ),
    );
    let path = folder.path().join("m.yaml");
    let (manifests, faults) = load_lenient(&[path], now());
    let texts: Vec<String> = faults
        .iter()
        .map(|fault| fault.to_string().replace(&format!("{}/", folder.path().display()), ""))
        .collect();
    assert_eq!(
        texts,
        ["speed.csv:3:1: Workload j: `rate` is in `epochs`, and the work is in `steps`; both \
             must use one unit",]
    );
    let served = &manifests.workloads[0].service().unwrap().throughput;
    assert_eq!(served[1].requests_per_s, Decimal::ZERO, "absent: cannot serve it");
}

#[test]
fn the_examples_read_and_mean_what_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let example =
        |name: &str| load(&[folder.join(name)], now()).unwrap_or_else(|error| panic!("{error}"));
    let team = example("research-team.yaml");
    assert_eq!((team.workloads.len(), team.budgets.len()), (6, 1));
    assert!(team.policy.unwrap().spot.is_some() && team.price_book.is_none());
    let seed = example("seed-4-3.yaml");
    let offers = &seed.price_book.as_ref().unwrap().offers;
    assert_eq!(offers.len(), 2);
    let day = farthing_model::Window::starting(now(), SignedDuration::from_hours(24)).unwrap();
    let cost = offers[0].price.rate().unwrap().cost(day).unwrap();
    assert_eq!(cost.to_string(), "10.000000000008 USD");
    assert_eq!(seed.workloads[0].job().unwrap().throughput[0].per, SignedDuration::from_hours(24));
    let seed = example("seed-5-2.yaml");
    let costs: Vec<_> =
        seed.workloads.iter().map(|w| w.job().unwrap().quoted_cost.unwrap().to_decimal()).collect();
    assert_eq!(costs, ["0.50", "0.80", "0.30", "0.60"]);
    assert_eq!(seed.budgets[0].limit, Limit::Money("1.5 USD".parse().unwrap()));
}

#[test]
fn the_schema_is_current() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/manifest.schema.json");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, json_schema()).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == json_schema(), "run the test with UPDATE_EXPECT=1 and commit the file");
}

#[test]
fn unknown_field_with_a_suggestion() {
    bad(
        &object("Workload", "  cost: 1 USD\n  deadlin: in 2h\n  resources: {gpus: 1}\n"),
        &expect![[r#"
            m.yaml:5:3: Workload x: unknown field `spec.deadlin`; did you mean `deadline`?
            m.yaml:6:15: Workload x: unknown field `spec.resources.gpus`; did you mean `gpu`?
        "#]],
    );
    bad(
        "kind: Policy\nspce: {}\nspec: {mode: recomend}\n",
        &expect![[r#"
        m.yaml:2:1: Policy: unknown field `spce`; did you mean `spec`?
        m.yaml:3:14: Policy default: `mode`: `recomend` is not a choice; did you mean `recommend`?
    "#]],
    );
}

#[test]
fn wrong_unit() {
    let spec = "  work: 10 steps\n  throughput: [{accelerator: L4, rate: 2 epochs/s}]\n";
    bad(
        &object("Workload", spec),
        &expect![[r#"
        m.yaml:5:40: Workload x: `rate` is in `epochs`, and the work is in `steps`; both must use one unit
    "#]],
    );
    bad(
        &object("Workload", "  cost: 1 USD\n  resources: {memory: 8Gb, cpu: 1Gi}\n"),
        &expect![[r#"
        m.yaml:5:23: Workload x: `memory`: `8Gb` is not a size such as 512Gi, 2T, 80GB or 80GiB
        m.yaml:5:33: Workload x: `cpu`: `1Gi` is not a quantity such as 8, 0.5 or 500m
    "#]],
    );
    bad(
        &object("Workload", "  cost: 1 USD\n  duration: 90\n"),
        &expect![[r#"
        m.yaml:5:13: Workload x: `duration`: `90` is not a duration such as 90m, 2h30m or 120s
    "#]],
    );
    bad(
        &object("Budget", "  scope: all\n  limit: 5 CPU-hours\n  period: day\n"),
        &expect![[r#"
        m.yaml:5:10: Budget x: `limit`: `CPU-hours` is not a currency code such as USD or EUR (a limit is money such as 120000 USD, or time such as 500 GPU-hours)
    "#]],
    );
}

#[test]
fn price_without_currency() {
    bad(
        &object("Workload", "  cost: 12.34\n"),
        &expect![[r#"
        m.yaml:4:9: Workload x: `cost`: `12.34` has no currency: write it like 12.34 USD
    "#]],
    );
    bad(
        &object("Budget", "  scope: all\n  limit: 100\n  period: day\n"),
        &expect![[r#"
        m.yaml:5:10: Budget x: `limit`: `100` has no currency: write it like 12.34 USD (a limit is money such as 120000 USD, or time such as 500 GPU-hours)
    "#]],
    );
}

#[test]
fn price_book_row_without_currency_unit_or_date() {
    let row = |more: &str| {
        let offer = "provider: local, region: here, instance_type: a, purchase: owned, price: 1";
        object("PriceBook", &format!("  offers: [{{{offer}, {more}}}]\n"))
    };
    bad(
        &row("unit: hour, source: me, as_of: 2026-11-24"),
        &expect![[r#"
        m.yaml:4:12: PriceBook x: `currency` is missing: a price without a currency says nothing; write USD
    "#]],
    );
    bad(
        &row("currency: USD, source: me, as_of: 2026-11-24"),
        &expect![[r#"
        m.yaml:4:12: PriceBook x: `unit` is missing: a price without a unit says nothing; write hour
    "#]],
    );
    bad(
        &row("currency: USD, unit: hour, source: me"),
        &expect![[r#"
        m.yaml:4:12: PriceBook x: `as_of` is missing: a price without a date says nothing; write 2026-11-24
    "#]],
    );
    bad(
        &row("currency: USD, unit: month, source: me, as_of: 2026-11-24"),
        &expect![[r#"
        m.yaml:4:12: PriceBook x: `unit`: `month` is not read; convert the price and write hour
    "#]],
    );
}

#[test]
fn negative_or_nan_amount() {
    bad(
        &object("Workload", "  cost: -1 USD\n"),
        &expect![[r#"
        m.yaml:4:9: Workload x: `cost`: `-1 USD` is below zero
    "#]],
    );
    bad(
        &object("Workload", "  cost: NaN USD\n  value: .nan\n"),
        &expect![[r#"
        m.yaml:4:9: Workload x: `cost`: `NaN` is not a decimal number such as 12, 0.5 or 1.25e6
        m.yaml:5:10: Workload x: `value`: `.nan` is not a decimal number such as 12, 0.5 or 1.25e6
    "#]],
    );
    bad(
        &object("Workload", "  cost: 1 USD\n  value: -3\n  count: 0\n"),
        &expect![[r#"
        m.yaml:5:10: Workload x: `value`: `-3` is below zero
        m.yaml:6:10: Workload x: `count`: `0` is not a count: write a whole number from 1 on, such as 8
    "#]],
    );
    bad(
        &object("Workload", "  resources: {cpu: -1, memory: -2Gi}\n"),
        &expect![[r#"
        m.yaml:4:20: Workload x: `cpu`: `-1` is below zero
        m.yaml:4:32: Workload x: `memory`: `-2Gi` is below zero
    "#]],
    );
    bad(
        &object("Budget", "  scope: all\n  limit: inf USD\n  period: day\n"),
        &expect![[r#"
        m.yaml:5:10: Budget x: `limit`: `inf` is not a decimal number such as 12, 0.5 or 1.25e6 (a limit is money such as 120000 USD, or time such as 500 GPU-hours)
    "#]],
    );
}

#[test]
fn deadline_before_start() {
    let spec =
        "  cost: 1 USD\n  submitted: 2026-12-02T00:00:00Z\n  deadline: 2026-12-01T00:00:00Z\n";
    bad(
        &object("Workload", spec),
        &expect![[r#"
        m.yaml:6:13: Workload x: `deadline` 2026-12-01T00:00:00Z is not after `submitted` 2026-12-02T00:00:00Z
    "#]],
    );
}

#[test]
fn two_objects_of_one_name() {
    let one = object("Workload", "  cost: 1 USD\n");
    bad(
        &format!("{one}---\n{one}"),
        &expect![[r#"
        m.yaml:7:18: Workload x: there is already a Workload of this name at m.yaml:2:18; keep one of them
    "#]],
    );
    bad(
        "kind: Policy\nmetadata: {name: a}\nspec: {}\n---\n\
         kind: Policy\nmetadata: {name: b}\nspec: {}\n",
        &expect![[r#"
            m.yaml:6:18: Policy b: there is already a Policy at m.yaml:2:18; keep one of them
        "#]],
    );
    // A budget may be called like a workload.
    good(&format!(
        "{one}---\n{}",
        object("Budget", "  scope: all\n  limit: 1 USD\n  period: day\n")
    ));
}

#[test]
fn wrong_kind() {
    bad(
        &object("Workloda", "  cost: 1 USD\n"),
        &expect![[r#"
        m.yaml:1:7: Workloda: `Workloda` is not a kind that is read; did you mean `Workload`?
    "#]],
    );
    bad(
        "apiVersion: v1\nkind: Pod\nspec: {}\n",
        &expect![[r#"
        m.yaml:1:13: Pod: `apiVersion` is `v1`; only farthing.dev/v1alpha1 is read
    "#]],
    );
    bad(
        "- a\n- b\n",
        &expect![[r#"
        m.yaml:1:1: is a list, not an object with apiVersion, kind, metadata, spec
    "#]],
    );
    bad(
        "metadata: {name: x}\nspec: {}\n",
        &expect![[r#"
            m.yaml:1:1: `kind` is missing: one of Workload, Node, Budget, Policy, PriceBook, Dag, Identity
        "#]],
    );
    bad(
        "kind: Workload\nspec: {cost: 1 USD}\n",
        &expect![[r#"
        m.yaml:1:1: Workload: `metadata.name` is missing: every object of this kind has its own name
    "#]],
    );
}

#[test]
fn what_does_not_go_together() {
    bad(
        &object("Workload", "  work: 1 steps\n"),
        &expect![[r#"
        m.yaml:4:3: Workload x: `spec.work` is given without `spec.throughput`: say how fast it is done where, such as {accelerator: H100-80GB, count: 8, rate: 1.9 steps/s}
    "#]],
    );
    bad(
        &object("Workload", "  throughput: [{accelerator: L4, rate: 1 steps/s}]\n"),
        &expect![[r#"
        m.yaml:4:3: Workload x: `spec.throughput` is given without `spec.work`: say how much is to be done, such as 12000 steps
    "#]],
    );
    bad(
        &object("Workload", "  value: 1\n"),
        &expect![[r#"
        m.yaml:4:3: Workload x: says nothing of what it needs: give `work` and `throughput`, or `resources`, or `cost`
    "#]],
    );
    bad(
        &object("Workload", "  type: service\n  cost: 1 USD\n"),
        &expect![[r#"
        m.yaml:4:3: Workload x: `spec.requests` is missing: what comes in, such as {rate: 16/s, buckets: buckets.csv}
        m.yaml:4:3: Workload x: `spec.throughput` is missing: the requests per second that each accelerator serves of each bucket
        m.yaml:5:9: Workload x: `spec.cost` belongs to `type: job`, and this is a service
    "#]],
    );
    bad(
        &object("Workload", "  cost: 1 USD\n  slo: {ttft: 1s, tpot: 1ms}\n"),
        &expect![[r#"
        m.yaml:5:8: Workload x: `spec.slo` belongs to `type: service`, and this is a job
    "#]],
    );
    let spec = "  work: 1 steps\n  throughput: [{rate: 1 steps/s}, \
        {accelerator: L4, instanceType: x, rate: 1 steps/s}]\n";
    bad(
        &object("Workload", spec),
        &expect![[r#"
        m.yaml:5:16: Workload x: `throughput` needs `accelerator` or `instanceType`
        m.yaml:5:67: Workload x: give `accelerator` or `instanceType`, not both
    "#]],
    );
    bad(
        &object(
            "Policy",
            "  utilisation: {gpu: {max: 0.2, reserve: 0.3}, cpu: {max: 2, reserve: 0}}\n",
        ),
        &expect![[r#"
            m.yaml:4:22: Policy x: `reserve` must be below `max`: the band is max - reserve to max
            m.yaml:4:59: Policy x: `max`: `2` is more than the whole
        "#]],
    );
    let spec = "  scope: {team: a, all: true}\n  limit: 1 USD\n  period: fortnight\n  \
        escalate: [{at: 2, do: hold}, {at: 1, do: holt}]\n";
    bad(
        &object("Budget", spec),
        &expect![[r#"
        m.yaml:4:10: Budget x: `scope` is all and something narrower; keep one of them
        m.yaml:6:11: Budget x: `period`: `fortnight` is not a period; known here: day, week, month, quarter
        m.yaml:7:45: Budget x: `do`: `holt` is not a choice; did you mean `hold`?
    "#]],
    );
    let spec = "  scope: {}\n  limit: 1 USD\n  period: {last: 36h}\n  \
        carry: {max: 5 EUR, since: 2026-11-01T00:00:00Z}\n";
    bad(
        &object("Budget", spec),
        &expect![[r#"
        m.yaml:4:10: Budget x: `scope` needs one of organisation, team, project, user, label and all
        m.yaml:6:18: Budget x: `last`: `36h` is not a whole number of days, from 1d to 3660d
        m.yaml:7:10: Budget x: `max` is not in the unit of the limit
    "#]],
    );
    let spec = concat!(
        "  type: service\n  requests:\n    rate: 1/s\n",
        "    buckets: [{input_tokens: 1, output_tokens: 1, share: 0.5},\n",
        "      {input_tokens: 1, output_tokens: 1, share: 0.4}]\n",
        "  throughput: t.csv\n",
    );
    bad(
        &object("Workload", spec),
        &expect![[r#"
        m.yaml:7:14: Workload x: the shares of `buckets` sum to 0.9, not to 1
        m.yaml:8:7: Workload x: the bucket 1 in, 1 out is given twice
        m.yaml:9:15: Workload x: `throughput` names the file t.csv, and no files are read here; write its rows as a list
    "#]],
    );
}

#[test]
fn one_bad_object_of_many_leaves_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.yaml");
    let object = |name: &str, spec: &str| {
        format!("---\nkind: Workload\nmetadata: {{name: {name}}}\nspec: {spec}\n")
    };
    let text = [
        object("a", "{cost: 1 USD}"),
        object("b", "{cost: 1}"),
        "---\nkind: [\n".to_owned(),
        object("c", "{cost: 1 USD}"),
    ]
    .concat();
    fs::write(&path, text).unwrap();
    let (manifests, faults) = load_lenient(std::slice::from_ref(&path), now());
    let names: Vec<_> = manifests.workloads.iter().map(|workload| workload.id.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!(faults.len(), 2);
    assert_eq!(load(&[path], now()).unwrap_err().faults, faults, "for planning all or nothing");
}

#[track_caller]
fn bad_file(make: impl FnOnce(&Path), expect: &Expect) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.yaml");
    make(&path);
    let error = format!("{}\n", load(&[path], now()).unwrap_err());
    expect.assert_eq(&error.replace(&format!("{}/", folder.path().display()), ""));
}

#[test]
fn missing_and_empty_files() {
    bad_file(
        |_| {},
        &expect![[r#"
        m.yaml: there is no such file
    "#]],
    );
    bad_file(
        |path| fs::write(path, "").unwrap(),
        &expect![[r#"
        m.yaml: is empty
    "#]],
    );
    bad_file(
        |path| fs::write(path, " \n# nothing\n---\n").unwrap(),
        &expect![[r#"
        m.yaml: has no object in it; write one with apiVersion, kind, metadata and spec
    "#]],
    );
}

#[test]
fn a_folder() {
    bad_file(
        |path| fs::create_dir(path).unwrap(),
        &expect![[r#"
        m.yaml: is a folder; give a file
    "#]],
    );
}

#[test]
fn a_file_of_one_gigabyte_is_refused_before_reading() {
    let make = |path: &Path| fs::File::create(path).unwrap().set_len(1 << 30).unwrap();
    bad_file(
        make,
        &expect![[r#"
        m.yaml: has 1073741824 bytes; at most 16777216 are read from such a file
    "#]],
    );
}

#[test]
fn invalid_utf8() {
    let make = |path: &Path| {
        fs::File::create(path).unwrap().write_all(b"kind: Workload\nname: \xff\n").unwrap();
    };
    bad_file(
        make,
        &expect![[r#"
        m.yaml:2:1: is not a text in UTF-8, from byte 21 on
    "#]],
    );
    bad_file(
        |path| fs::write(path, "kind: \0\n").unwrap(),
        &expect![[r#"
        m.yaml:1:1: is not a text in UTF-8, from byte 6 on
    "#]],
    );
}

/// Twelve lists, each of ten aliases of the one before it.
fn alias_bomb() -> String {
    let level = |level: usize| match level {
        0 => "a0: &a0 [x, x, x, x, x, x, x, x, x, x]".to_owned(),
        _ => format!("a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(", ")),
    };
    (0..12).map(level).collect::<Vec<_>>().join("\n")
}

#[test]
fn yaml_bombs() {
    let text = alias_bomb();
    bad(
        &text,
        &expect![[r#"
        m.yaml:6:20: makes more than 500000 values (aliases count as what they stand for)
    "#]],
    );
    bad(
        &format!("a: {}", "[".repeat(100_000)),
        &expect![[r#"
        m.yaml:1:68: is nested deeper than 64 levels
    "#]],
    );
}

proptest::proptest! {
    #[test]
    fn no_text_panics(
        text in "(kind: (Workload|Budget|Policy|PriceBook)\nspec:\n)?[ -~\n]{0,120}",
    ) {
        let _ = parse(&text, "m.yaml", now());
    }

    #[test]
    fn sizes_never_panic(text in "[0-9.eE+-]{0,8}[a-zA-Z%/ ]{0,4}") {
        let _ = (scalar::bytes(&text), scalar::milli(&text), scalar::measured(&text));
        let _ = (scalar::work_rate(&text), scalar::request_rate(&text), scalar::moment(&text));
    }

    #[test]
    fn measured_numbers_round_to_nine_places(whole in 0_u32..1000, fraction in "[0-9]{10,16}") {
        let text = format!("{whole}.{fraction}");
        let exact = format!("{whole}{fraction}").parse::<i128>().unwrap();
        let unit = 10_i128.pow(u32::try_from(fraction.len()).unwrap() - 9);
        let rounded = (exact + unit / 2) / unit;
        proptest::prop_assert_eq!(scalar::measured(&text).unwrap().nano(), rounded);
    }
}

#[test]
fn quantities_of_kubernetes_and_catalogues() {
    assert_eq!(scalar::milli("8"), Ok(8_000));
    assert_eq!(scalar::milli("500m"), Ok(500));
    assert_eq!(scalar::milli("0.25"), Ok(250));
    assert!(scalar::milli("0.0001").is_err() && scalar::milli("1Gi").is_err());
    for (text, bytes) in [
        ("80Gi", 80 << 30),
        ("80GiB", 80 << 30),
        ("2T", 2_000_000_000_000),
        ("2000GB", 2_000_000_000_000),
        ("1.5Ki", 1_536),
        ("12 GB", 12_000_000_000),
        ("7", 7),
    ] {
        assert_eq!(scalar::bytes(text), Ok(bytes), "{text}");
    }
    for bad in ["80Gb", "m", "", "1.0001k5", "5m", "-1G", "0.5", "1e99"] {
        assert!(scalar::bytes(bad).is_err(), "{bad}");
    }
    assert_eq!(scalar::request_rate("16/s"), Ok(Decimal::from_int(16)));
    assert_eq!(scalar::request_rate("0.5 req/s"), Ok("0.5".parse().unwrap()));
    assert_eq!(scalar::measured("9e-20"), Ok(Decimal::ZERO));
    assert_eq!(scalar::measured("1.5e-9"), Ok(Decimal::from_nano(2)));
}

#[test]
fn a_policy_says_what_may_be_taken_back() {
    let reclaim = |spec: &str| good(&object("Policy", spec)).policy.unwrap().reclaim;
    assert_eq!(reclaim("  mode: enforce\n"), farthing_model::Reclaim::default(), "nothing");
    let spec = "  reclaim: {idle: 2h, replicas: 30m, sick: [XidError=True, nvidia.com/gpu]}\n";
    let told = reclaim(spec);
    assert_eq!(told.idle, Some(SignedDuration::from_hours(2)));
    assert_eq!(told.replicas, Some(SignedDuration::from_mins(30)));
    assert_eq!(told.sick, ["XidError=True", "nvidia.com/gpu"]);
    let wrong = object("Policy", "  reclaim: {sick: [broken, Ready=no], idel: 1h}\n");
    let told = parse(&wrong, "m.yaml", now()).unwrap_err().to_string();
    for words in ["`broken` is neither a condition", "`Ready=no` is neither", "idel"] {
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_policy_says_when_and_where_people_are_told() {
    use crate::alert::{Kind, MailTls, Secret};
    let spec = concat!(
        "  alerts:\n    repeat: 6h\n",
        "    quiet: {from: \"22:00\", to: \"06:30\", unless: critical}\n    channels:\n",
        "      - {type: webhook, name: ops, url: https://ops.example.org, secret: {env: OPS}}\n",
        "      - {type: slack, url: {file: /run/secrets/slack}}\n",
        "      - {type: alertmanager, url: 'http://alertmanager:9093'}\n",
        "      - {type: email, server: mail.example.org:587, user: f, password: {env: P},\n",
        "         from: farthing@example.org, to: [anna@example.org, ben@example.org]}\n",
    );
    let told = good(&object("Policy", spec)).alerts.unwrap();
    assert_eq!(told.repeat, SignedDuration::from_hours(6));
    let quiet = told.quiet.unwrap();
    assert_eq!((quiet.from_s, quiet.to_s), (79_200, 23_400));
    let names: Vec<_> = told.channels.iter().map(|channel| channel.name.as_str()).collect();
    assert_eq!(names, ["ops", "slack", "alertmanager", "email"]);
    let Kind::Email(mail) = &told.channels[3].kind else { panic!("{told:?}") };
    assert_eq!((mail.tls, mail.to.len()), (MailTls::StartTls, 2));
    assert_eq!(mail.login, Some(("f".to_owned(), Secret::Env("P".to_owned()))));
    let spec = concat!(
        "  alerts:\n    quiet: {from: 22, to: \"25:00\"}\n    channels:\n",
        "      - {type: webhook, url: https://a.example.org, secret: hunter2}\n",
        "      - {type: slack, url: https://b.example.org, to: a@b}\n",
        "      - {type: email, server: mail, from: a@b, to: c@d}\n      - {type: pager}\n",
    );
    bad(
        &object("Policy", spec),
        &expect![[r#"
        m.yaml:5:19: Policy x: `from`: `22` is not a time of the day such as "22:00"
        m.yaml:5:27: Policy x: `to`: `25:00` is not a time of the day such as "22:00"
        m.yaml:7:61: Policy x: `secret` is not written here: say {file: PATH} or {env: NAME}
        m.yaml:8:55: Policy x: `to` does not belong to `slack`
        m.yaml:9:31: Policy x: `server`: `mail` is not host:port, such as smtp.example.org:587
        m.yaml:10:16: Policy x: `type`: `pager` is not a choice; known here: webhook, slack, alertmanager, email
    "#]],
    );
}

#[test]
fn a_container_is_what_members_of_a_job_run() {
    let text = "kind: Workload\nmetadata: {name: resize}\nspec:\n  count: 3\n  \
                resources: {cpu: 500m, memory: 64Mi}\n  duration: 5m\n  container:\n    \
                image: busybox:1\n    command: [sh, -c, 'echo 1']\n    environment: {A: b}\n    \
                volumes: ['/in:/in:ro']\n";
    let read = good(text);
    let container = read.containers.get(&read.workloads[0].id).unwrap();
    assert_eq!(container.image, "busybox:1");
    assert_eq!(container.command, ["sh", "-c", "echo 1"]);
    assert_eq!(container.environment.get("A").map(String::as_str), Some("b"));
    assert_eq!(container.volumes, ["/in:/in:ro"]);
}

#[test]
fn a_container_says_what_it_lacks() {
    let of = |spec: &str| {
        let text = format!("kind: Workload\nmetadata: {{name: x}}\nspec: {spec}\n");
        parse(&text, "x.yaml", now()).unwrap_err().to_string()
    };
    let lacks = of("{cost: 1 USD, container: {image: 'a b', volumes: [data]}}");
    for part in [
        "needs `resources` with `cpu` and `memory`",
        "needs `duration`",
        "`a b` is not the name of an image",
        "`data` is not /here:/there",
    ] {
        assert!(lacks.contains(part), "{part}: {lacks}");
    }
    let unknown = of("{duration: 1m, resources: {cpu: 1, memory: 1Mi}, container: {imag: a}}");
    assert!(
        unknown.contains("unknown field `spec.container.imag`; did you mean `image`?"),
        "{unknown}"
    );
    let service = of("{type: service, container: {image: a}}");
    assert!(service.contains("belongs to `type: job`"), "{service}");
}

#[test]
fn a_budget_in_another_currency_is_named_with_its_line() {
    let budget = |name: &str, limit: &str| {
        format!(
            "kind: Budget\nmetadata: {{name: {name}}}\nspec: {{scope: all, limit: {limit}, period: \
             day}}\n---\n"
        )
    };
    let text = budget("ours", "5 USD") + &budget("theirs", "100 EUR") + &budget("h", "3 GPU-h");
    let read = good(&text);
    let usd = read.in_currency(farthing_model::Currency::USD).unwrap_err().to_string();
    let what = "Budget theirs: `limit` is 100.00 EUR, and the books are in USD: write it in USD, \
                or in GPU-hours";
    assert!(usd.contains(":6:") && usd.ends_with(what), "{usd}");
    let eur = read.in_currency("EUR".parse().unwrap()).unwrap_err().to_string();
    assert!(eur.contains(":2:") && eur.contains("Budget ours: "), "{eur}");
}
