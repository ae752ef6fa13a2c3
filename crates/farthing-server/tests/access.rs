//! Who gets in, and what he sees: every route as someone of one of two teams.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod client;
mod world;

use client::*;
use farthing_edge::{Head, MemoryStore, Store as _};
use farthing_engine::planner::{BudgetState, Waiting};
use farthing_engine::{
    AccessRecord, Ask, Body, Claim, ClaimRecord, Exposure, Open, OpenStep, PlanRecord, Stage,
    StepRecord, TokenRecord, VerifiedRecord, WaitingRecord,
};
use farthing_model::*;
use farthing_server::{AccessRules, Behind, Market, Published, Running, Server, Ticked, mint};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use world::*;

/// What is of the other team, and may be nowhere in an answer for the first.
const OF_B: [&str; 8] =
    ["chat", "product", "small-1", "pretrain-eu", "c4242", "4242.42", "7777.77", "everybody"];

/// What a plan costs the first team, of the whole that it may not see.
const OWN_COST: &str = "12.34";

/// What differs between two worlds in which the first team has the same.
struct OfB {
    chat_used: i128,
    spent: &'static str,
    claimed: &'static str,
    members: u32,
    cost: &'static str,
}

const ONE: OfB =
    OfB { chat_used: 333, spent: "7777.77", claimed: "4242.42", members: 4, cost: "9.6576" };
const OTHER: OfB =
    OfB { chat_used: 871, spent: "1111.11", claimed: "1.00", members: 9, cost: "12.5" };

fn team(name: &str) -> TeamId {
    TeamId::new(name).unwrap()
}

fn observed(name: &str, of: &str) -> Observed {
    Observed {
        workload: Arc::new(Workload {
            id: workload(name),
            team: Some(team(of)),
            labels: BTreeMap::from([("team".to_owned(), of.to_owned())]),
            resources: Resources::default(),
            residency: Vec::new(),
            value: Decimal::default(),
            data: None,
            kind: WorkloadKind::Job(Job {
                count: 1,
                submitted: None,
                work: None,
                throughput: Vec::new(),
                duration: None,
                deadline: None,
                quoted_cost: None,
                interruptible: None,
            }),
        }),
        state: WorkloadState::Waiting,
        generation: 1,
        since: at("2026-11-24T12:00:00Z"),
        demand_per_s: None,
    }
}

fn steps(b: &OfB) -> [Step; 2] {
    let own = start("p7-1", "finetune-70b", "p5.48xlarge", 1, 4, "220.16");
    let mut theirs = start("p7-2", "chat", "g6.xlarge", b.members, 6, b.cost);
    theirs.reasons = vec![Reason::Rule("finetune-70b may wait for chat".to_owned())];
    let own = Step {
        reasons: vec![Reason::Rule(format!("placed after `chat`, which has {}", b.members))],
        ..own
    };
    [own, theirs]
}

fn exposure(name: &str, scope: Scope, spent: &str) -> Exposure {
    let state = budget_state();
    let budget = Budget { id: BudgetId::new(name).unwrap(), scope, ..state.budget.clone() };
    Exposure {
        state: BudgetState { budget, spent: usd(spent), ..state },
        claimed: usd("0"),
        gpu_hours_milli: 0,
        gpu_claimed_milli: 0,
        gpu_committed_milli: 0,
        carried: None,
        allowed: None,
        drivers: Vec::new(),
        taken: Vec::new(),
    }
}

fn exposures(b: &OfB) -> Vec<Exposure> {
    vec![
        exposure("research-monthly", Scope::Team(team("research")), "81250.25"),
        exposure("product-monthly", Scope::Team(team("product")), b.spent),
        exposure("everybody", Scope::All, b.spent),
    ]
}

fn claim(id: &str, of: &str, amount: &str) -> Claim {
    Claim {
        id: id.to_owned(),
        at: at("2026-11-24T12:00:00Z"),
        ask: Ask {
            what: format!("a run of {of}"),
            team: Some(team(of)),
            labels: BTreeMap::new(),
            amount: usd(amount),
            gpu_hours_milli: 0,
            expires: at("2026-11-30T12:00:00Z"),
            by: of.to_owned(),
        },
        budgets: vec![format!("{of}-monthly"), "everybody".to_owned()],
    }
}

fn ticked_of(b: &OfB) -> Ticked {
    let mut ticked = ticked();
    let metered = metered_with(tick_window(), b.chat_used);
    let tick = &mut ticked.tick;
    (tick.money, tick.usage, tick.teams) = (flow(&metered), metered.usage, shares(&metered));
    tick.snapshot.workloads = vec![
        observed("chat", "product"),
        observed("finetune-70b", "research"),
        observed("pretrain-eu", "product"),
        observed("sweep", "research"),
    ];
    let planned = tick.planned.as_mut().unwrap();
    let steps = steps(b);
    planned.plan.steps = steps.to_vec();
    planned.report.placements = steps.iter().map(placement).collect();
    let theirs = |waits: &&mut Waiting| waits.workload.as_str() == "pretrain-eu";
    let waiting = planned.report.waiting.iter_mut().filter(theirs);
    waiting.for_each(|waits| waits.members += b.members);
    planned.report.cost = usd(b.spent);
    tick.acted.held = vec![(steps[1].clone(), farthing_engine::Held::NotApproved)];
    tick.budgets = exposures(b).into_iter().map(|exposure| exposure.state).collect();
    tick.notes = vec![format!("chat used {}", b.chat_used)];
    let open = |step: &Step| {
        let open = OpenStep {
            step: step.clone(),
            proposed: at("2026-11-24T12:10:00Z"),
            approved: None,
            reserved: Some(step.cost),
            reserved_until: None,
            gpu_reserved: None,
            posted_before: None,
            budgets: vec!["everybody".to_owned()],
            stage: Stage::InForce(at("2026-11-24T12:10:00Z")),
            before: None,
            ladder: None,
            covered_by: None,
            reclaim: None,
        };
        (step.id.clone(), open)
    };
    let claims = [claim("c1", "research", "5.00"), claim("c4242", "product", b.claimed)];
    ticked.open = Arc::new(Open {
        steps: steps.iter().map(open).collect(),
        claims: claims.into_iter().map(|claim| (claim.id.clone(), claim)).collect(),
        scores: ticked.open.scores.clone(),
        ..Open::default()
    });
    ticked.exposures = exposures(b).into();
    ticked
}

/// Tokens, by name.
struct Tokens(BTreeMap<&'static str, (String, TokenRecord)>);

impl Tokens {
    fn made() -> Self {
        let token = |name: &'static str, role: &str, teams: Option<&str>, scopes: &[&str]| {
            let minted = mint().unwrap();
            let record = TokenRecord {
                token: minted.id.to_string(),
                name: name.to_owned(),
                hash: minted.hash,
                role: role.to_owned(),
                teams: teams.map(|team| vec![team.to_owned()]),
                scopes: scopes.iter().map(ToString::to_string).collect(),
                expires: (name == "old").then(|| "2026-01-01T00:00:00Z".to_owned()),
                by: "test".to_owned(),
            };
            (name, (minted.secret, record))
        };
        Self(BTreeMap::from([
            token("admin", "admin", None, &[]),
            token("viewer", "viewer", None, &[]),
            token("operator", "operator", None, &[]),
            token("research", "team", Some("research"), &[]),
            token("product", "team", Some("product"), &[]),
            token("scraper", "viewer", None, &["metrics"]),
            token("launcher", "team", Some("research"), &["reserve"]),
            token("old", "admin", None, &[]),
            token("revoked", "admin", None, &[]),
        ]))
    }

    fn of(&self, name: &str) -> &str {
        &self.0[name].0
    }
}

fn journal(b: &OfB, tokens: &Tokens) -> MemoryStore {
    let steps = steps(b);
    let waits = |name: &str| WaitingRecord {
        workload: name.to_owned(),
        members: b.members,
        reason: "no room".to_owned(),
    };
    let plan = PlanRecord {
        plan: "p7".to_owned(),
        parent: None,
        policy: "farthing".to_owned(),
        cost: usd(b.spent).to_string(),
        teams: [("research", OWN_COST), ("product", b.spent)]
            .map(|(team, cost)| (team.to_owned(), usd(cost).to_string()))
            .into(),
        lower_bound: Some(usd(b.spent).to_string()),
        status: "optimal".to_owned(),
        steps: steps.iter().map(StepRecord::of).collect(),
        waiting: vec![waits("pretrain-eu")],
        binding: Vec::new(),
    };
    let verified = |step: &str, target: &str, saved: &str| VerifiedRecord {
        step: step.to_owned(),
        target: target.to_owned(),
        realised: format!("{saved} USD"),
        ..ticked().tick.verified[0].clone()
    };
    let begun = |step: &str| Body::Intended { step: step.to_owned(), before: None };
    let mut bodies = vec![
        Body::Planned(plan),
        begun("p7-1"),
        begun("p7-2"),
        Body::Claimed(ClaimRecord::of(&claim("c1", "research", "5.00"))),
        Body::Claimed(ClaimRecord::of(&claim("c4242", "product", b.claimed))),
        Body::Verified(verified("p6-1", "finetune-70b", "12.25")),
        Body::Verified(verified("p6-2", "chat", b.cost)),
        Body::Noted { about: "act".to_owned(), text: format!("chat has {}", b.members) },
        Body::Accessed(AccessRecord {
            what: "log-in".to_owned(),
            who: Some("product".to_owned()),
            from: "192.0.2.1".to_owned(),
            detail: String::new(),
            times: 1,
        }),
    ];
    bodies.extend(tokens.0.values().map(|(_, record)| Body::Issued(record.clone())));
    let revoked = tokens.0["revoked"].1.token.clone();
    bodies.push(Body::Revoked { token: revoked, by: "test".to_owned() });
    let now = at("2026-11-24T12:10:00Z");
    let records: Vec<_> = bodies.iter().map(|body| body.seal(now).unwrap()).collect();
    let mut store = MemoryStore::default();
    store.append(&Head::GENESIS, &records).unwrap();
    store
}

fn serve(b: &OfB, tokens: &Tokens, required: bool) -> Running {
    serve_what((ticked_of(b), books_with(b.chat_used)), b, tokens, required)
}

fn serve_what(
    (ticked, books): (Ticked, farthing_ledger::Books),
    b: &OfB,
    tokens: &Tokens,
    required: bool,
) -> Running {
    let published = Published::new(about());
    published.ticked(ticked).unwrap();
    let rules = AccessRules { required, ..AccessRules::default() };
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    Server::bind(address, rules, None)
        .unwrap()
        .serve(Behind {
            published,
            books,
            journal: Some(Box::new(journal(b, tokens))),
            orders: None,
            offers: Some(Market {
                rank: Arc::new(|_| Ok(serde_json::json!({ "offers": [] }))),
                all: Arc::new(Arc::default),
            }),
            oidc: None,
            sessions: farthing_server::Sessions::default(),
        })
        .unwrap()
}

/// All routes of the document of the API that can be read, each with parameters that let it answer
/// much.
fn reads() -> Vec<String> {
    let document: Value = serde_json::from_str(&farthing_server::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 25, "{paths:?}");
    let skip = ["/api/v1/session", "/api/v1/events", "/api/v1/openapi.json"];
    let mut routes = vec!["/".to_owned()];
    for (path, operations) in paths {
        if skip.contains(&path.as_str()) || operations["get"].is_null() {
            continue;
        }
        let more = match path.as_str() {
            "/api/v1/cost" => "?window=24h&by=team,workload,node,user",
            "/api/v1/utilisation" => "?window=24h&step=1h",
            "/api/v1/journal" | "/api/v1/plans" | "/api/v1/savings" => "?limit=500",
            "/allocation" | "/allocation/compute" => "?window=24h&includeIdle=true",
            "/assets" | "/api/v1/verdicts" | "/api/v1/what-if/history" => "?window=24h",
            "/api/v1/offers/history" => "?window=24h&limit=500",
            _ => "",
        };
        if path.contains("{id}") {
            // Of its own, and of the other team.
            for id in ["finetune-70b", "p7", "p7-1", "research", "sweep", "nothing", "row-1"] {
                routes.push(format!("{}?window=24h", path.replace("{id}", id)));
            }
        } else {
            routes.push(format!("{path}{more}"));
        }
    }
    routes
}

/// The first event of a stream.
fn event(server: &Running, token: &str) -> String {
    let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    let host = server.address();
    let head = format!("Host: {host}\r\nAuthorization: Bearer {token}");
    write!(stream, "GET /api/v1/events HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    while !text.contains("\n\n\r\n") {
        let count = stream.read(&mut bytes).unwrap();
        assert_ne!(count, 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn a_stream_of_ticks_is_of_a_team_only_too() {
    let tokens = Tokens::made();
    let (one, other) = (serve(&ONE, &tokens, true), serve(&OTHER, &tokens, true));
    let own = event(&one, tokens.of("research"));
    assert!(own.contains("\"difference\":\"0.00\""), "{own}");
    same("/api/v1/events", &own, &event(&other, tokens.of("research")));
    assert_ne!(event(&one, tokens.of("admin")), event(&other, tokens.of("admin")));
}

/// What says how old something is, which differs from one moment to the next.
fn without_time(body: &str) -> String {
    let aged = |line: &&str| !line.starts_with("farthing_tick_age_seconds ");
    let body: Vec<&str> = body.lines().filter(aged).collect();
    let body = body.join("\n");
    let Some((before, after)) = body.split_once("\"age_s\":") else { return body };
    let rest = after.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    format!("{before}{rest}")
}

/// Fails with the first place where two answers differ.
fn same(route: &str, one: &str, other: &str) {
    let Some(at) = one.bytes().zip(other.bytes()).position(|(one, other)| one != other) else {
        assert_eq!(one.len(), other.len(), "{route}");
        return;
    };
    let near = |text: &str| {
        let bytes = &text.as_bytes()[at.saturating_sub(120)..(at + 60).min(text.len())];
        String::from_utf8_lossy(bytes).into_owned()
    };
    panic!("{route} differs:\n{}\n{}", near(one), near(other));
}

#[test]
fn a_team_sees_the_same_whatever_another_does() {
    let tokens = Tokens::made();
    let (one, other) = (serve(&ONE, &tokens, true), serve(&OTHER, &tokens, true));
    let (mut seen, mut differs) = (0, BTreeSet::new());
    for route in reads() {
        let line = format!("GET {route}");
        let own = ask_as(&one, tokens.of("research"), &line, "");
        let own_there = ask_as(&other, tokens.of("research"), &line, "");
        assert_eq!(own.status, own_there.status, "{route}: {}", own.body);
        same(&route, &without_time(&own.body), &without_time(&own_there.body));
        for word in OF_B {
            assert!(!own.body.contains(word), "{route} says `{word}`: {}", own.body);
        }
        seen += usize::from(own.status == 200 && own.body.contains("finetune-70b"));
        let admin = ask_as(&one, tokens.of("admin"), &line, "");
        let admin_there = ask_as(&other, tokens.of("admin"), &line, "");
        if without_time(&admin.body) != without_time(&admin_there.body) {
            differs.insert(route.split('?').next().unwrap().to_owned());
        }
    }
    // The test can fail: whoever sees everything sees that the two worlds differ.
    for route in ["tick", "plan", "plans", "steps", "budgets", "reservations", "savings", "cost"] {
        assert!(differs.contains(&format!("/api/v1/{route}")), "{route}: {differs:?}");
    }
    assert!(differs.contains("/metrics") && differs.contains("/allocation"), "{differs:?}");
    assert!(seen >= 10, "research sees its own in {seen} answers only");
}

/// A node that boots for a team alone is paid by it: in its row, total, list and budget.
#[test]
fn what_boots_for_a_team_alone_is_in_what_it_pays() {
    let tokens = Tokens::made();
    let world = |b: &OfB| {
        let (metered, books) = with_a_node_of_its_own(b.chat_used);
        let mut ticked = ticked_of(b);
        ticked.tick.teams = shares(&metered);
        (metered, serve_what((ticked, books), b, &tokens, true))
    };
    let ((metered, one), (_, other)) = (world(&ONE), world(&OTHER));
    let theirs = |charge: &&Charge| {
        let who = charge.attribution.as_ref().and_then(|who| who.team.as_ref());
        who.is_some_and(|team| team.as_str() == "research")
    };
    let charged = |destination: Option<Destination>| {
        let own = metered.charges.iter().filter(theirs);
        let own = own.filter(|charge| destination.is_none_or(|it| it == charge.destination));
        Money::sum(own.map(|charge| charge.cost), Currency::USD).unwrap()
    };
    let overhead = charged(Some(Destination::Overhead));
    assert!(!overhead.is_zero());
    let ask = |server: &Running, route: &str| {
        ask_as(server, tokens.of("research"), &format!("GET {route}"), "")
    };
    let by = "/api/v1/cost?window=24h&by=team,workload,node";
    let cost = ask(&one, by).json();
    // Its budget has spent what is charged to it.
    for name in ["paid", "list"] {
        assert_eq!(cost[name], charged(None).to_decimal(), "{name}");
    }
    assert_eq!(cost["overhead"], overhead.to_decimal());
    assert_eq!((&cost["difference"], &cost["unallocated"]), (&"0.00".into(), &"0.00".into()));
    assert_eq!(cost["rows"][0]["total"], cost["paid"]);
    assert_eq!(cost["rows"][0]["overhead"], overhead.to_decimal());
    let tick = ask(&one, "/api/v1/tick").json();
    assert_eq!((&tick["paid"], &tick["overhead"]), (&cost["paid"], &cost["overhead"]));
    assert_eq!(tick["difference"], "0.00");
    for route in [by, "/api/v1/tick", "/metrics", "/plain"] {
        let (own, own_there) = (ask(&one, route).body, ask(&other, route).body);
        same(route, &without_time(&own), &without_time(&own_there));
    }
}

/// What is told of the whole is not known of a part, and is not nothing.
#[test]
fn what_is_of_the_whole_plan_is_unknown_to_a_team() {
    let tokens = Tokens::made();
    let server = serve(&ONE, &tokens, true);
    let ask = |who: &str, route: &str| {
        ask_as(&server, tokens.of(who), &format!("GET {route}"), "").json()
    };
    let (own, all) = (ask("research", "/api/v1/plan"), ask("admin", "/api/v1/plan"));
    assert!(all["value"].is_string() && own["value"].is_null());
    let hidden = "what is unknown of the whole cluster is not shown to a team";
    assert_eq!(own["unknown"], serde_json::json!([hidden]));
    let plans = |who: &str| ask(who, "/api/v1/plans")["items"][0]["body"].clone();
    assert_eq!(plans("admin")["cost"], "7777.77 USD");
    assert_eq!(
        (&plans("research")["cost"], &plans("research")["status"]),
        (&"12.34 USD".into(), &"optimal".into())
    );
    assert_eq!(plans("research")["teams"], serde_json::json!({ "research": "12.34 USD" }));
    problem(
        &ask_as(&server, tokens.of("research"), "GET /api/v1/plan?plan=p1", ""),
        400,
        "bad-parameter",
    );
}

#[test]
fn what_is_anothers_is_answered_as_what_is_not_there() {
    let tokens = Tokens::made();
    let server = serve(&ONE, &tokens, true);
    let admin = tokens.of("admin");
    let rows = ask_as(&server, admin, "GET /api/v1/cost?window=24h&by=team,workload", "").json();
    let row = rows["rows"].as_array().unwrap().iter().find(|row| row["workload"] == "chat");
    let row = row.unwrap()["id"].as_str().unwrap().to_owned();
    let by = "?window=24h&by=team,workload";
    let own = ask_as(&server, tokens.of("research"), &format!("GET /api/v1/cost{by}"), "").json();
    let own = own["rows"][0]["id"].as_str().unwrap().to_owned();
    let explain = |token: &str, id: &str| {
        ask_as(&server, token, &format!("GET /api/v1/explain/{id}{by}"), "")
    };
    assert_eq!(explain(tokens.of("research"), &own).status, 200);
    for id in [row.as_str(), "chat", "product", "small-1", "p7-2", "pretrain-eu"] {
        let known = explain(admin, id).status;
        assert!(known == 200 || id == "pretrain-eu", "{id}: {known}");
        let theirs = explain(tokens.of("research"), id);
        let nothing = explain(tokens.of("research"), "row-0000000000000000");
        assert_eq!((theirs.status, nothing.status), (404, 404), "{id}: {}", theirs.body);
        let same = nothing.json()["detail"].as_str().unwrap().replace("row-0000000000000000", id);
        assert_eq!(theirs.json()["detail"], same);
        assert_eq!(theirs.json()["title"], nothing.json()["title"]);
    }
    for (order, theirs, none) in [
        ("steps/{}/approve", "p7-2", "p7-9"),
        ("steps/{}/undo", "p7-2", "p7-9"),
        ("reservations/{}/confirm", "c4242", "c9"),
        ("reservations/{}/release", "c4242", "c9"),
    ] {
        // Whoever may give orders, of one team.
        let tokens = [tokens.of("research")];
        let give = |id: &str| {
            let line = format!("POST /api/v1/{}", order.replace("{}", id));
            ask_as(&server, tokens[0], &line, "{}")
        };
        let (theirs_, none_) = (give(theirs), give(none));
        assert_eq!(theirs_.status, none_.status, "{order}: {} {}", theirs_.body, none_.body);
        let detail = |answer: &Answer| answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(detail(&theirs_), detail(&none_).replace(none, theirs));
    }
    // Of the past it is told what its own part would have cost, and not what all share.
    let line = "GET /api/v1/what-if/history?window=24h";
    let past = |who: &str| ask_as(&server, tokens.of(who), line, "").json();
    let (own, all) = (past("research"), past("admin"));
    assert!(own["left_out"].is_string() && all["left_out"].is_null());
    assert_eq!(own["policies"].as_array().unwrap().len(), 5, "{own}");
    assert_eq!(all["policies"].as_array().unwrap().len(), 8, "{all}");
    assert_ne!(own["paid"], all["paid"]);
    // What others hold is said by what all share: a team does not get it.
    for shared in ["cost?window=24h&share_idle=even", "cost?window=24h&share=team:%22product%22"] {
        let line = format!("GET /api/v1/{shared}");
        problem(&ask_as(&server, tokens.of("research"), &line, ""), 403, "not-allowed");
        assert_eq!(ask_as(&server, admin, &line, "").status, 200);
    }
}

#[test]
fn nobody_gets_in_without_a_token_and_with_one_only_as_far_as_it_goes() {
    let tokens = Tokens::made();
    let server = serve(&ONE, &tokens, true);
    for route in reads() {
        let answer = get(&server, &route);
        let log_in = route.starts_with("/api/v1/login/");
        let open = log_in || ["/healthz", "/readyz"].contains(&route.as_str());
        // The files of the dashboard are nobody's secret.
        if !open && route != "/" {
            let json = problem(&answer, 401, "log-in");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"farthing\"");
            assert_eq!(json["login"], serde_json::json!(["token"]));
        }
        for word in ["finetune", "chat", "research", "product", "gpu-1"] {
            assert!(!answer.body.contains(word), "{route}: {}", answer.body);
        }
    }
    let line = "GET /api/v1/tick";
    for bad in ["old", "revoked"] {
        problem(&ask_as(&server, tokens.of(bad), line, ""), 401, "log-in");
    }
    let mut changed = tokens.of("admin").to_owned();
    changed.replace_range(20..21, if &changed[20..21] == "A" { "B" } else { "A" });
    problem(&ask_as(&server, &changed, line, ""), 401, "log-in");
    assert_eq!(ask_as(&server, tokens.of("viewer"), line, "").status, 200);
    assert_eq!(ask_as(&server, tokens.of("scraper"), "GET /metrics", "").status, 200);
    problem(&ask_as(&server, tokens.of("scraper"), line, ""), 403, "not-allowed");
    problem(&ask_as(&server, tokens.of("launcher"), line, ""), 403, "not-allowed");
    let approve = "POST /api/v1/steps/p7-1/approve";
    problem(&ask_as(&server, tokens.of("viewer"), approve, "{}"), 403, "not-allowed");
    problem(&ask_as(&server, tokens.of("research"), approve, "{}"), 403, "not-allowed");
    // Past the door: only there is no loop here.
    problem(&ask_as(&server, tokens.of("operator"), approve, "{}"), 409, "conflict");
    let reserve = r#"{"estimate": "1 USD", "for": "a test", "team": "product"}"#;
    let reserve = |who: &str| ask_as(&server, tokens.of(who), "POST /api/v1/reservations", reserve);
    problem(&reserve("viewer"), 403, "not-allowed");
    problem(&reserve("launcher"), 403, "not-allowed");
    problem(&reserve("product"), 409, "conflict");
    // Who came in is for those who audit.
    let journal = |who: &str| ask_as(&server, tokens.of(who), "GET /api/v1/journal", "").body;
    assert!(journal("admin").contains("192.0.2.1"));
    assert!(!journal("operator").contains("192.0.2.1"));
}

#[test]
fn a_session_has_a_cookie_that_scripts_cannot_read_and_a_word_that_orders_carry() {
    let tokens = Tokens::made();
    let server = serve(&ONE, &tokens, true);
    let nobody = get(&server, "/api/v1/session");
    assert_eq!(problem(&nobody, 401, "log-in")["login"], serde_json::json!(["token"]));
    let content = format!("{{\"token\":\"{}\"}}", tokens.of("operator"));
    let begun = ask(&server, "POST /api/v1/session", &[], &content);
    assert_eq!(begun.status, 200, "{}", begun.body);
    let cookie = begun.header("set-cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let csrf = begun.json()["csrf"].as_str().unwrap().to_owned();
    assert_eq!(begun.json()["user"]["role"], "operator");
    let with = [("Cookie", cookie.as_str())];
    let session = ask(&server, "GET /api/v1/session", &with, "");
    assert_eq!(session.json()["csrf"], csrf.as_str());
    assert_eq!(ask(&server, "GET /api/v1/tick", &with, "").status, 200);
    let approve = "POST /api/v1/steps/p7-1/approve";
    problem(&ask(&server, approve, &with, "{}"), 403, "csrf");
    let wrong = [("Cookie", cookie.as_str()), ("X-Farthing-CSRF", "guess")];
    problem(&ask(&server, approve, &wrong, "{}"), 403, "csrf");
    let right = [("Cookie", cookie.as_str()), ("X-Farthing-CSRF", csrf.as_str())];
    problem(&ask(&server, approve, &right, "{}"), 409, "conflict");
    assert_eq!(ask(&server, "POST /api/v1/session/end", &right, "").status, 204);
    problem(&ask(&server, "GET /api/v1/tick", &with, ""), 401, "log-in");
}

#[test]
fn after_ten_wrong_tokens_the_door_is_closed_for_a_while() {
    let tokens = Tokens::made();
    let server = serve(&ONE, &tokens, true);
    let wrong = r#"{"token":"fth_0123456789_0123456789012345678901234567890123456789012"}"#;
    for _ in 0..10 {
        problem(&ask(&server, "POST /api/v1/session", &[], wrong), 401, "log-in");
    }
    let closed = ask(&server, "POST /api/v1/session", &[], wrong);
    problem(&closed, 429, "too-many-attempts");
    assert!((1..=61).contains(&closed.header("retry-after").parse::<u32>().unwrap()));
    let right = format!("{{\"token\":\"{}\"}}", tokens.of("operator"));
    problem(&ask(&server, "POST /api/v1/session", &[], &right), 429, "too-many-attempts");
    // Whoever has a token already works on.
    assert_eq!(ask_as(&server, tokens.of("viewer"), "GET /api/v1/tick", "").status, 200);
}

#[test]
fn on_loopback_nobody_has_to_log_in_and_a_token_still_says_who_asks() {
    let tokens = Tokens::made();
    let server = serve(&ONE, &tokens, false);
    let local = get(&server, "/api/v1/session").json();
    assert_eq!((local["login"].as_str(), local["csrf"].as_str()), (Some("none"), None));
    assert!(get(&server, "/api/v1/budgets").body.contains("product-monthly"));
    let own = ask_as(&server, tokens.of("research"), "GET /api/v1/budgets", "").body;
    assert!(own.contains("research-monthly") && !own.contains("product-monthly"));
    problem(&ask_as(&server, tokens.of("old"), "GET /api/v1/tick", ""), 401, "log-in");
}

#[test]
fn requests_have_ids_and_what_has_not_changed_is_not_sent_again() {
    let tokens = Tokens::made();
    let server = serve(&ONE, &tokens, false);
    let named = ask(&server, "GET /api/v1/nothing", &[("X-Request-Id", "ci-run-17")], "");
    assert_eq!(named.header("x-request-id"), "ci-run-17");
    assert_eq!(named.json()["request_id"], "ci-run-17");
    let bad = ask(&server, "GET /api/v1/nothing", &[("X-Request-Id", "<script>")], "");
    assert_eq!(bad.header("x-request-id").len(), 16);
    assert_eq!(bad.json()["request_id"], bad.header("x-request-id"));
    for route in ["tick", "snapshot", "plan", "steps", "cost?window=24h", "budgets", "journal"] {
        let line = format!("GET /api/v1/{route}");
        let first = ask(&server, &line, &[], "");
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with("W/\""), "{route}: {tag}");
        let again = ask(&server, &line, &[("If-None-Match", &tag)], "");
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{route}");
        // Another's answer has another tag.
        let head = [
            ("If-None-Match", tag.as_str()),
            ("Authorization", &format!("Bearer {}", tokens.of("research"))),
        ];
        assert_eq!(ask(&server, &line, &head, "").status, 200, "{route}");
    }
}
