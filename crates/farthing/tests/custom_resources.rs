//! Our custom resources on a real API server: what it takes and refuses, what a loop under each of
//! our roles hears and says, and what one right less does.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

#[path = "../../farthing-kube/tests/cluster/mod.rs"]
mod cluster;
mod program;

use cluster::{Cluster, until};
use program::{PROGRAM, Place};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A loop on the cluster as a user, whose lines go to a file.
struct Up {
    child: Child,
    said: std::path::PathBuf,
}

impl Up {
    fn start(place: &Place, cluster: &Cluster, user: &str, arguments: &[&str]) -> Self {
        let said = place.path().join(format!("said-{user}"));
        let child = Command::new(PROGRAM)
            .args(["up", "--kube", "--no-listen", "--every", "1s", "--for", "50s", "--kubeconfig"])
            .arg(cluster.kubeconfig_of(user))
            .args(arguments)
            .current_dir(place.path())
            .env("FARTHING_DATA", place.path().join(user))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&said).unwrap())
            .spawn()
            .unwrap();
        Self { child, said }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap()
    }

    fn says(&self, words: &str) -> String {
        let found = until(&format!("`{words}`"), || {
            let said = self.said();
            let line = said.lines().find(|line| line.contains(words))?;
            Some(line.to_owned())
        });
        assert!(!self.said().contains("panicked"), "{}", self.said());
        found
    }

    /// Ends it as Ctrl-C does.
    fn end(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.said());
        self.said()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn manifests(place: &Place, role: &str) -> String {
    let run = place.run(&["kube", "manifests", "--role", role]);
    assert_eq!(run.code, 0, "{}", run.said);
    // Nothing runs the image here, and its pod would be one more workload.
    let (before, _) =
        run.out.split_once("---\napiVersion: v1\nkind: PersistentVolumeClaim").unwrap();
    before.to_owned()
}

fn get(cluster: &Cluster, what: &[&str]) -> Value {
    let said = cluster.kubectl(&[&["get", "-o", "json"], what].concat());
    serde_json::from_str(&said).unwrap()
}

#[test]
fn a_cluster_tells_a_loop_and_hears_of_it() {
    let users = ["observe", "recommend", "less"];
    let Some(cluster) = cluster::start(&users, &["tests/cluster/demo/nodes.yaml"]) else { return };
    let place = Place::new();
    missing_kinds_are_named_with_what_installs_them(&place, &cluster);
    for role in ["observe", "recommend", "enforce"] {
        let text = manifests(&place, role);
        assert!(!text.contains("delete"), "{role}");
        cluster.apply(&text);
        if role != "enforce" {
            bind(&cluster, role, role);
        }
    }
    every_example_is_taken(&cluster);
    what_is_wrong_is_refused_in_the_words_of_the_command_line(&place, &cluster);
    a_loop_hears_and_says(&place, &cluster);
    who_may_only_look_is_told_once_what_is_missing(&place, &cluster);
    one_right_less_is_named(&place, &cluster);
}

fn bind(cluster: &Cluster, user: &str, role: &str) {
    let user_is = format!("--user={user}");
    let role = format!("farthing-{role}");
    let all = format!("--clusterrole={role}");
    cluster.kubectl(&["create", "clusterrolebinding", &format!("test-{user}"), &user_is, &all]);
    if user != "observe" {
        let own = format!("--role={role}");
        let name = format!("test-{user}");
        cluster.kubectl(&["create", "rolebinding", &name, "-n", "farthing", &user_is, &own]);
    }
}

fn missing_kinds_are_named_with_what_installs_them(place: &Place, cluster: &Cluster) {
    let kubeconfig = cluster.kubeconfig();
    let up = ["up", "--kube", "--no-listen", "--every", "1s", "--for", "1s", "--kubeconfig"];
    let run = place.run(&[&up[..], &[kubeconfig.to_str().unwrap()]].concat());
    assert_eq!(run.code, 0, "{}", run.said);
    let line = "this cluster has no Budget, Policy, PriceBook, Plan of ours: `farthing kube \
                manifests --crds-only | kubectl apply -f -` installs them";
    assert!(run.said.contains(line), "{}", run.said);
}

/// Budgets, policies and price books of our examples, as they are.
fn every_example_is_taken(cluster: &Cluster) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut taken = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for document in text.split("\n---") {
            let is_kept = |kind: &&str| document.contains(&format!("kind: {kind}\n"));
            if ["Budget", "Policy", "PriceBook"].iter().any(is_kept) {
                // Right after its definition a kind may not be served yet.
                until("it is taken", || {
                    let refusal = cluster.refusal(document);
                    let soon = refusal.contains("no matches for kind");
                    assert!(refusal.is_empty() || soon, "{}: {refusal}", path.display());
                    (!soon).then_some(())
                });
                taken += 1;
            }
        }
    }
    assert!(taken >= 10, "{taken}");
    cluster.kubectl(&["delete", "budgets,policies,pricebooks", "--all"]);
}

/// Kind and spec, what the server says, and what the command line says; `=` is the same.
const WRONG: &[(&str, &str, &str, &str)] = &[
    (
        "Budget",
        "{scope: all, limit: '120000', period: month}",
        "`limit`: `120000` is neither money such as 120000 USD, nor time such as 500 GPU-hours",
        "`limit`: `120000` has no currency",
    ),
    (
        "Budget",
        "{scope: everything, limit: 5 USD, period: month}",
        "spec.scope in body should match '^(all)$'",
        "`spec.scope` is a plain value, not a map with organisation, team",
    ),
    (
        "Budget",
        "{scope: {tema: research}, limit: 5 USD, period: month}",
        "unknown field `spec.scope.tema`; known here: organisation, team, project",
        "unknown field `spec.scope.tema`; did you mean `team`?",
    ),
    (
        "Budget",
        "{scope: {all: true, team: a}, limit: 5 USD, period: month}",
        "`scope` is all and something narrower; keep one of them",
        "=",
    ),
    (
        "Budget",
        "{scope: all, limit: 5 USD, period: fortnight}",
        "spec.period in body should match '^(day|week|month|quarter)$'",
        "`fortnight` is not a period; known here: day, week, month, quarter",
    ),
    (
        "Budget",
        "{scope: all, limit: 5 USD, period: {from: 2026-12-01T06:00:00Z}}",
        "`period` needs `from` and `to`, or `last` for the last so many days",
        "`period` needs `to`, or `last` for the last so many days",
    ),
    (
        "Budget",
        "{scope: all, limit: 5 USD, period: {last: 30d, from: 2026-12-01T06:00:00Z}}",
        "`period` is rolling or one span; keep `last` or `from` and `to`",
        "=",
    ),
    (
        "Budget",
        "{scope: all, limit: 5 USD, period: month, escalate: [{at: 100%, do: hold}, \
         {at: 0.8, do: notify}]}",
        "`escalate` must ascend: each `at` above the one before it",
        "=",
    ),
    (
        "Budget",
        "{scope: all, limit: 5 USD, period: month, escalate: [{at: 80%, do: notfy}]}",
        "supported values: \"notify\", \"hold\", \"cut\", \"suspend\"",
        "`notfy` is not a choice; did you mean `notify`?",
    ),
    (
        "Budget",
        "{scope: all, limit: 5 USD, period: {last: 30d}, carry: {max: 10%, since: \
         2026-11-01T00:00:00Z}}",
        "`carry` needs a period that another one follows: day, week, month or quarter",
        "=",
    ),
    (
        "Budget",
        "{scope: all, limit: 5 USD, period: month, carry: {max: 10%, since: yesterday}}",
        "`yesterday` is not a time such as 2026-12-01T06:00:00Z",
        "=",
    ),
    (
        "Policy",
        "{mode: enforec}",
        "supported values: \"observe\", \"recommend\", \"approve\", \"enforce\"",
        "`enforec` is not a choice; did you mean `enforce`?",
    ),
    ("Policy", "{limits: {stepsPerHour: -1}}", "`-1` is not a whole number such as 0 or 8", "="),
    (
        "Policy",
        "{limits: {stepsPerHour: many}}",
        "`many` is not a whole number such as 0 or 8",
        "=",
    ),
    (
        "Policy",
        "{idleRelease: ten minutes}",
        "`ten minutes` is not a duration such as 90m, 2h30m or 120s",
        "=",
    ),
    (
        "Policy",
        "{utilisation: {gpu: {max: 0.5, reserve: 60%}}}",
        "`reserve` must be below `max`: the band is max - reserve to max",
        "=",
    ),
    (
        "Policy",
        "{utilisation: {gpu: {max: 1.5, reserve: 60%}}}",
        "`utilisation.gpu` has a share of more than the whole",
        "`1.5` is more than the whole",
    ),
    ("PriceBook", "{}", "`spec` says nothing: give offers, owned, adjust or exchange", "="),
    (
        "PriceBook",
        "{adjust: [{name: a, source: b, discount: 5%, price: 1 USD/h}]}",
        "`adjust` has not exactly one of discount, discounts, off, price and committed",
        "=",
    ),
    (
        "PriceBook",
        "{exchange: [{from: EUR, to: USD, rate: free, source: s, as_of: 2026-11-24}]}",
        "spec.exchange[0].rate in body should match",
        "`rate`",
    ),
];

fn what_is_wrong_is_refused_in_the_words_of_the_command_line(place: &Place, cluster: &Cluster) {
    // Policies of admission are in force a moment after they were made.
    until("admission policies are in force", || {
        let text = object("Budget", "probe", "{scope: {x: y}, limit: 5 USD, period: month}");
        let refusal = cluster.refusal(&text);
        (!refusal.is_empty()).then_some(())
    });
    for (kind, spec, server, command) in WRONG {
        let text = object(kind, "wrong", spec);
        let refusal = cluster.refusal(&text);
        assert!(refusal.contains(server), "{kind} {spec}: {refusal}");
        let file = place.file("wrong.yaml", &text);
        let run = place.run(&["budget", "--config", &file]);
        let words = if *command == "=" { server } else { command };
        assert_eq!(run.code, 2, "{}", run.said);
        assert!(run.said.contains(words), "{kind} {spec}: {}", run.said);
    }
    let refusal = cluster.refusal(&object("Budget", "wrong", "{limt: 5 USD, scope: all}"));
    assert!(refusal.contains("field not declared in schema"), "{refusal}");
}

fn object(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: farthing.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

fn accepted(cluster: &Cluster, what: &[&str]) -> Option<(String, String)> {
    let object = get(cluster, what);
    let condition = object["status"]["conditions"].as_array()?.first()?.clone();
    let observed = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    let text = |name: &str| condition[name].as_str().unwrap().to_owned();
    observed.then(|| (text("status"), text("message")))
}

/// Idle nodes are worth giving back at once.
const POLICY: &str = "{mode: recommend, idleRelease: 1s, boot: 1s}";

fn a_loop_hears_and_says(place: &Place, cluster: &Cluster) {
    cluster.apply(&object("Budget", "all", "{scope: all, limit: 100 USD, period: month}"));
    cluster.apply(&object("Policy", "lab", POLICY));
    // More plans than are kept, as if of earlier journals.
    let old = |number| {
        let spec = "{plan: p1, made: then, count: 0}";
        object("Plan", &format!("old-{number}"), spec)
    };
    cluster.apply(&(0..23).map(old).collect::<Vec<_>>().join("---\n"));
    let config = place.file(
        "own.yaml",
        object("Budget", "own", "{scope: {team: serving}, limit: 7 USD, period: day}"),
    );
    let up = Up::start(place, cluster, "recommend", &["--config", &config]);
    let budget = ["budget", "all"];
    until("the budget is accepted", || {
        let (status, message) = accepted(cluster, &budget)?;
        assert_eq!((&*status, &*message), ("True", "in force as it stands"));
        Some(())
    });
    until("money is spent", || {
        let all = get(cluster, &budget);
        let status = &all["status"];
        assert_eq!(status["limit"], "100.00 USD");
        let spent = status["spent"].as_str()?.strip_suffix(" USD")?.parse::<f64>().unwrap();
        (spent > 0.05 && status["committed"] == "0.00 USD").then_some(())
    });
    let row = cluster.kubectl(&["get", "budgets"]);
    let head = ["NAME", "LIMIT", "SPENT", "COMMITTED", "FORECAST", "GONE", "ACCEPTED", "AGE"];
    assert_eq!(row.lines().next().unwrap().split_whitespace().collect::<Vec<_>>(), head);
    // A name that a file has already.
    cluster.apply(&object("Budget", "own", "{scope: all, limit: 1 USD, period: day}"));
    let (status, message) = until("a conflict is named", || accepted(cluster, &["budget", "own"]));
    assert_eq!(status, "False");
    let already = "there is already a Budget of this name at own.yaml:3:18; keep one of them";
    assert!(message.starts_with(already), "{message}");
    // What no server can know is wrong: the last good one stays, and the new one is heard after.
    cluster.apply(&object("Budget", "all", "{scope: all, limit: 5 EUR, period: month}"));
    up.says("Budget all in the cluster: `limit` is in EUR, and the books are in USD");
    cluster.apply(&object("Budget", "all", "{scope: {label: {}}, limit: 5 USD, period: month}"));
    until("what is wrong is named", || {
        let (status, message) = accepted(cluster, &budget)?;
        (status == "False" && message.ends_with("what it said before stays in force")).then_some(())
    });
    assert_eq!(get(cluster, &budget)["status"]["limit"], "100.00 USD");
    up.says("Budget all in the cluster: `label` is not labels such as {project: alpha}");
    cluster.apply(&object("Budget", "all", "{scope: all, limit: 200 USD, period: month}"));
    until("the new limit is in force", || {
        (get(cluster, &budget)["status"]["limit"] == "200.00 USD").then_some(())
    });
    up.says("told anew: mode recommend, 2 budgets");
    a_plan_is_approved_by_its_name(cluster, &up);
    until("old plans are collected", || {
        let plans = get(cluster, &["plans"])["items"].as_array().unwrap().len();
        (plans <= 22).then_some(())
    });
    a_price_book_prices_the_next_tick(cluster, &up);
    up.end();
    let run = place.run(&[
        "verify",
        "--data",
        place.path().join("recommend").to_str().unwrap(),
        "--cluster",
        "farthing",
    ]);
    assert_eq!(run.code, 0, "{}", run.said);
}

fn a_plan_is_approved_by_its_name(cluster: &Cluster, up: &Up) {
    let plan = until("a plan is shown", || {
        let all = get(cluster, &["plans"]);
        let newest = |it: &&Value| it["status"]["conditions"][0]["status"] == "True";
        all["items"].as_array().unwrap().iter().find(newest).cloned()
    });
    let name = plan["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with(&format!("{}-", plan["spec"]["plan"].as_str().unwrap())), "{name}");
    let steps = plan["spec"]["steps"].as_array().unwrap();
    assert_eq!(json!(steps.len()), plan["spec"]["count"]);
    assert!(steps[0]["what"].as_str().unwrap().starts_with("gives node "), "{plan}");
    // Nobody is shown another plan than the one that is approved.
    let file = format!(
        "apiVersion: farthing.dev/v1alpha1\nkind: Plan\nmetadata: {{name: {name}}}\nspec: {{plan: \
         p99, made: now, count: 1, approved: true}}\n"
    );
    let refusal = cluster.refusal(&file.replace("---", ""));
    assert!(refusal.contains("conflict") || refusal.contains("stays as it was made"), "{refusal}");
    let edit = ["patch", "plan", name, "--type", "merge", "-p"];
    cluster.ask(&[&edit[..], &[r#"{"spec":{"plan":"p99"}}"#]].concat());
    assert_eq!(get(cluster, &["plan", name])["spec"]["plan"], plan["spec"]["plan"]);
    cluster.kubectl(&[&edit[..], &[r#"{"spec":{"approved":true}}"#]].concat());
    let step = steps[0]["step"].as_str().unwrap();
    up.says(&format!(
        "step {step} is approved by plan {name} in the cluster, field manager kubectl"
    ));
    until("the word is shown", || {
        let status = get(cluster, &["plan", name])["status"].clone();
        let by = status["by"].as_str()?;
        assert!(status["approved"] == "yes" && by.contains("kubectl"), "{status}");
        Some(())
    });
    let said = up.said();
    assert_eq!(said.matches(&format!("step {step} is approved")).count(), 1, "{said}");
}

fn a_price_book_prices_the_next_tick(cluster: &Cluster, up: &Up) {
    let offer = "{provider: aws, region: us-east-1, instance_type: g5.12xlarge, accelerator: \
                 A10G-24GB, accelerator_count: 4, vcpus: 48, memory_gib: 192, purchase: spot, \
                 price: 2.5, currency: USD, unit: hour, source: s, as_of: 2026-11-24}";
    cluster.apply(&object("PriceBook", "spot", &format!("{{offers: [{offer}]}}")));
    until("it is in force", || {
        let book = get(cluster, &["pricebook", "spot"]);
        (book["status"]["offers"] == 1).then_some(())
    });
    // Only what the book has is priced from now on.
    up.says("note: node h100-a: the price book has no p5.48xlarge");
    cluster.kubectl(&["delete", "pricebook", "spot"]);
    let before = up.said().len();
    until("the price list of the program counts again", || {
        let said = up.said();
        let since = &said[before..];
        since.contains("note: node a10g-b: the price book has no g5.12xlarge").then_some(())
    });
}

fn who_may_only_look_is_told_once_what_is_missing(place: &Place, cluster: &Cluster) {
    let up = Up::start(place, cluster, "observe", &[]);
    let line = up.says("the status of Budget objects cannot be written");
    assert!(line.contains("cannot patch resource \"budgets/status\""), "{line}");
    assert!(line.contains("`farthing kube manifests --role recommend"), "{line}");
    // It goes on, by what it is told.
    until("some ticks", || (up.said().matches(" | paid ").count() >= 3).then_some(()));
    let said = up.end();
    assert_eq!(said.matches("the status of Budget objects").count(), 1, "{said}");
    assert!(!said.contains("\nnot known: "), "it may see all that it looks at: {said}");
}

/// Roles of which one verb is taken away.
fn one_right_less_is_named(place: &Place, cluster: &Cluster) {
    let less = |resource: &str, verb: &str| {
        for kind in ["clusterrole", "role"] {
            let own = if kind == "role" { vec!["-n", "farthing"] } else { Vec::new() };
            let mut role = get(cluster, &[&[kind, "farthing-recommend"], &own[..]].concat());
            let mut rules = Vec::new();
            for mut rule in role["rules"].as_array().unwrap().clone() {
                if rule["resources"].as_array().unwrap().contains(&json!(resource)) {
                    let mut alone = rule.clone();
                    alone["resources"] = json!([resource]);
                    alone["verbs"].as_array_mut().unwrap().retain(|it| *it != verb);
                    rule["resources"].as_array_mut().unwrap().retain(|it| *it != resource);
                    rules.push(alone);
                }
                rules.push(rule);
            }
            let none = |rule: &Value, what: &str| rule[what].as_array().unwrap().is_empty();
            rules.retain(|rule| !none(rule, "resources") && !none(rule, "verbs"));
            role["rules"] = json!(rules);
            role["metadata"] = json!({ "name": "farthing-less", "namespace": own.last() });
            cluster.apply(&role.to_string());
        }
    };
    less("budgets/status", "patch");
    bind(cluster, "less", "less");
    let again = |resource: &str, verb: &str, flag: &[&str], words: &[&str]| {
        less(resource, verb);
        // A server notices other roles within a moment.
        std::thread::sleep(std::time::Duration::from_millis(300));
        let data = format!("less-{verb}-{}", resource.replace('/', "-"));
        let up = Up::start(place, cluster, "less", &[&["--data", &data], flag].concat());
        // What ends the program is told with its reasons, in lines.
        for words in words {
            up.says(words);
        }
    };
    let patch = "cannot patch resource \"budgets/status\"";
    again("budgets/status", "patch", &[], &["the status of Budget objects", patch]);
    again("plans", "create", &[], &["Plans cannot be written", "cannot create resource \"plans\""]);
    let list = "cannot list resource \"budgets\"";
    again("budgets", "list", &[], &["not known: Budget", list]);
    let get = "cannot get resource \"leases\"";
    again("leases", "get", &["--lease"], &["the lease farthing/farthing cannot be taken", get]);
    let create = "cannot create resource \"leases\"";
    again("leases", "create", &["--lease"], &["the lease farthing/farthing cannot", create]);
}
