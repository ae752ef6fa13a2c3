use crate::manifest::{Manifests, parse};
use farthing_model::{Dag, Objective, Purchase, Run, Target};
use jiff::SignedDuration;

fn text(spec: &str) -> String {
    format!("kind: Dag\nmetadata: {{name: d, labels: {{team: research}}}}\nspec:\n{spec}")
}

fn read(spec: &str) -> Result<Manifests, String> {
    let now = "2026-11-24T00:00:00Z".parse().unwrap();
    parse(&text(spec), "m.yaml", now).map_err(|error| error.to_string())
}

fn dag(spec: &str) -> Dag {
    read(spec).unwrap_or_else(|error| panic!("{error}")).dags.remove(0)
}

/// What is said about a bad spec, all lines.
#[track_caller]
fn bad(spec: &str, expect: &str) {
    let said = read(spec).unwrap_err();
    assert!(said.contains(expect), "{said}");
}

const TASKS: &str = concat!(
    "  tasks:\n",
    "    - {name: prep, resources: {cpu: 8, memory: 32GiB}, hours: 2.5}\n",
    "    - name: train\n",
    "      work: 100 runs\n",
    "      throughput: [{accelerator: H100-80GB, count: 8, rate: 2 runs/h}]\n",
    "      nodes: 2\n      purchase: [spot, on-demand]\n      providers: [AWS]\n",
    "      regions: us-east-1\n      residency: [US]\n      deadline: in 36h\n",
    "      maxNodePrice: 60 USD/h\n      maxPrice: 100 USD/h\n",
    "    - {name: eval, accelerators: [{accelerator: L4-24GB}], purchase: any}\n",
);

#[test]
fn a_dag_is_read_with_all_its_fields() {
    let dag = dag(&format!(
        "{TASKS}{}",
        concat!(
            "  edges:\n    - {from: prep, to: train, size: 2000GB}\n",
            "    - {from: train, to: eval}\n",
            "  inputs: [{task: prep, location: AWS/us-east-1, size: 5TiB}]\n",
            "  outputs: [{task: eval, location: gcp/us-central1/us-central1-a, size: 1GB}]\n",
            "  objective: time\n  residency: [us]\n  deadline: in 72h\n  maxCost: 900 USD\n",
        )
    ));
    assert_eq!(dag.tasks[0].run, Run::Fixed(SignedDuration::from_mins(150)));
    assert_eq!((dag.tasks[0].nodes, dag.tasks[1].nodes), (1, 2));
    let Run::Work { throughput, .. } = &dag.tasks[1].run else { panic!("{:?}", dag.tasks[1]) };
    assert!(matches!(&throughput[0].target, Target::Accelerator(it) if it.model() == "H100"));
    assert_eq!(dag.tasks[1].purchase, [Purchase::OnDemand, Purchase::Spot]);
    assert_eq!(dag.tasks[1].providers, ["aws"]);
    assert_eq!(dag.tasks[1].regions, ["us-east-1"]);
    assert_eq!(dag.tasks[1].residency, ["us"]);
    assert_eq!(dag.tasks[1].deadline.unwrap().to_string(), "2026-11-25T12:00:00Z");
    assert_eq!(dag.tasks[2].run, Run::Unknown);
    assert_eq!(dag.tasks[2].accelerators[0].count, 1);
    assert_eq!(dag.tasks[2].purchase.len(), 4);
    assert_eq!(dag.edges[0].size_bytes, 2_000_000_000_000);
    assert_eq!(dag.edges[1].size_bytes, 0);
    assert_eq!((dag.inputs[0].place.provider.as_str(), dag.inputs[0].size_bytes), ("aws", 5 << 40));
    assert_eq!(dag.outputs[0].place.zone, None);
    assert_eq!(dag.objective, Objective::Time);
    assert_eq!(dag.cost_max.unwrap().to_string(), "900.00 USD");
    assert_eq!(dag.team.unwrap().as_str(), "research");
}

#[test]
fn a_circle_is_printed() {
    let edges =
        "  edges: [{from: eval, to: prep}, {from: prep, to: train}, {from: train, to: eval}]\n";
    bad(
        &format!("{TASKS}{edges}"),
        "Dag d: `spec.edges` go in a circle: prep -> train -> eval -> prep; a task cannot wait",
    );
    let own = "  edges: [{from: prep, to: prep}]\n";
    bad(&format!("{TASKS}{own}"), "in a circle: prep -> prep");
}

#[test]
fn an_edge_to_a_task_that_is_not_there_suggests_one() {
    let edges = "  edges: [{from: prep, to: trian, size: 1GB}]\n";
    bad(&format!("{TASKS}{edges}"), "`to`: there is no task `trian`; did you mean `train`?");
    let ports = "  inputs: [{task: nobody, location: aws/us-east-1, size: 1GB}]\n";
    bad(&format!("{TASKS}{ports}"), "there is no task `nobody`; known here: prep, train, eval");
}

#[test]
fn what_a_task_lacks_or_says_twice_is_told() {
    let task = |fields: &str| format!("  tasks: [{{name: a, {fields}}}]\n");
    let cpu = "resources: {cpu: 1}";
    bad("  tasks: []\n", "`tasks` is an empty list");
    bad(&format!("{TASKS}  edges: 3\n"), "not a list");
    bad(&task("hours: 1"), "task `a` says nothing of what it needs");
    bad(&task(&format!("{cpu}, hours: 0")), "`hours`: `0` must be above zero");
    bad(&task(&format!("{cpu}, hours: NaN")), "`hours`: `NaN` is not a decimal number");
    bad(&task(&format!("{cpu}, hours: 1e18")), "hours are too long");
    bad(&task(&format!("{cpu}, hours: 1, work: 3 runs")), "gives `hours` beside `work`");
    bad(&task(&format!("{cpu}, work: 3 runs")), "gives `work` without `throughput`");
    bad(
        &task(&format!("{cpu}, purchase: spto")),
        "`spto` is not a way to pay; did you mean `spot`?",
    );
    bad(&task(&format!("{cpu}, maxPrice: 3 USD")), "has no unit of time");
    bad(&task(&format!("{cpu}, gpus: 3")), "unknown field `tasks.gpus`");
    let zero = "work: 3 runs, throughput: [{accelerator: H100-80GB, rate: 0 runs/h}]";
    bad(&task(zero), "must be above zero; leave out what cannot run");
    let units = "work: 3 runs, throughput: [{accelerator: H100-80GB, rate: 1 steps/h}]";
    bad(&task(units), "`rate` is in `steps`, and the work is in `runs`");
    bad(&format!("{TASKS}    - {{name: prep, {cpu}}}\n"), "there are two tasks `prep`");
    bad(
        &format!("{TASKS}  objective: carbon\n"),
        "`carbon` is not a choice; known here: cost, time",
    );
    let twice = "  edges: [{from: prep, to: eval, size: 1GB}, {from: prep, to: eval}]\n";
    bad(&format!("{TASKS}{twice}"), "there are two edges from `prep` to `eval`");
    let size = "  edges: [{from: prep, to: eval, size: -1GB}]\n";
    bad(&format!("{TASKS}{size}"), "is below zero");
}
