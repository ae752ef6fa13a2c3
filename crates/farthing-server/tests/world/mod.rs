//! A small world with real books: two nodes for ten minutes, metered and posted, and a view of it.
#![allow(dead_code, reason = "each user of it has its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use farthing_edge::Head;
use farthing_engine::planner::{
    BudgetRow, BudgetState, Cut, Placement, Planned, Report, SolverReport, Status, UtilisationRow,
    Waiting,
};
use farthing_engine::{Acted, Flow, Held, Open, Scores, TeamShare, Tick, VerifiedRecord};
use farthing_ledger::{Books, MeterInput, Metered, Segment, Usage, Weights, meter};
use farthing_model::*;
use farthing_server::{About, Published, Ticked};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn usd(text: &str) -> Money {
    Money::from_decimal(text, Currency::USD).unwrap()
}

pub(crate) fn ppm(ppm: u32) -> Ratio {
    Ratio::from_ppm(ppm)
}

/// The window of the last tick: 15 s at the end of ten minutes.
pub(crate) fn tick_window() -> Window {
    Window::new(at("2026-11-24T12:09:45Z"), at("2026-11-24T12:10:00Z")).unwrap()
}

fn ten_minutes() -> Window {
    Window::new(at("2026-11-24T12:00:00Z"), at("2026-11-24T12:10:00Z")).unwrap()
}

pub(crate) fn cluster() -> ClusterId {
    ClusterId::new("lab").unwrap()
}

pub(crate) fn known(rate: &str) -> Price {
    let source = "prices/default.csv:7".to_owned();
    let as_of = jiff::civil::date(2026, 11, 1);
    let provenance = Provenance { kind: PriceKind::List, source, as_of, list: None };
    Price::Known(rate.parse::<HourlyRate>().unwrap(), provenance)
}

pub(crate) fn offer(
    region: &str,
    machine: &str,
    accelerators: Option<(&str, u32)>,
    rate: &str,
) -> Offer {
    let place = Place { provider: "aws".to_owned(), region: region.to_owned(), zone: None };
    let count = accelerators.map_or(0, |(_, count)| count);
    Offer {
        id: Offer::id_of(&place, machine, Purchase::OnDemand).unwrap(),
        place,
        instance_type: machine.to_owned(),
        accelerator: accelerators.map(|(name, _)| name.parse().unwrap()),
        accelerator_count: count,
        capacity: Resources {
            gpu_milli: u64::from(count) * 1_000,
            cpu_milli: 192_000,
            memory_bytes: 2 << 40,
            storage_bytes: 8 << 40,
        },
        purchase: Purchase::OnDemand,
        price: known(rate),
        available: None,
        residency: vec!["us".to_owned()],
        warnings: Vec::new(),
    }
}

/// Sorted by id.
pub(crate) fn offers() -> Arc<[Offer]> {
    let mut offers = vec![
        offer("us-east-1", "p5.48xlarge", Some(("H100-80GB-SXM", 8)), "55.04 USD/h"),
        offer("us-east-1", "g6.xlarge", Some(("L4-24GB", 1)), "0.8048 USD/h"),
        offer("us-east-1", "m7i.48xlarge", None, "9.6768 USD/h"),
    ];
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    offers.into()
}

fn offer_id(machine: &str) -> OfferId {
    OfferId::new(&format!("aws/us-east-1/{machine}/on-demand")).unwrap()
}

pub(crate) fn workload(name: &str) -> WorkloadId {
    WorkloadId::new(name).unwrap()
}

fn span(name: &str, machine: &str, window: Window) -> NodeSpan {
    let offers = offers();
    let offer = offers.iter().find(|offer| offer.instance_type == machine).unwrap();
    NodeSpan {
        node: NodeId::new(name).unwrap(),
        asset: Asset::Node,
        offer: offer.id.clone(),
        place: offer.place.clone(),
        instance_type: machine.to_owned(),
        purchase: Purchase::OnDemand,
        capacity: offer.capacity,
        price: offer.price.clone(),
        window,
        ready: at("2026-11-24T12:01:30Z"),
        held_for: None,
        measured: true,
    }
}

fn sample(
    node: &str,
    who: Option<(&str, &str)>,
    resource: Resource,
    (requested, used): (i128, i128),
    window: Window,
) -> Sample {
    let who = who.map(|(name, team)| {
        Arc::new(Attribution {
            team: (!team.is_empty()).then(|| TeamId::new(team).unwrap()),
            ..Attribution::of(workload(name))
        })
    });
    let amount = |milli: i128| milli * window.nanos() / 1_000;
    Sample {
        source: SourceId::new("test").unwrap(),
        node: NodeId::new(node).unwrap(),
        device: None,
        slice: None,
        attribution: who,
        resource,
        window,
        requested_nano: amount(requested),
        used_nano: Some(amount(used)),
        held_nano: None,
    }
}

/// What was measured in a window, with so many thousandths of an accelerator that chat used.
fn segment(window: Window, chat_used: i128) -> Segment {
    const GIB: i128 = 1 << 30;
    let (tune, chat) = (Some(("finetune-70b", "research")), Some(("chat", "product")));
    let gib = |count: i128| count * GIB * 1_000;
    Segment {
        window,
        spans: vec![span("gpu-1", "p5.48xlarge", window), span("small-1", "g6.xlarge", window)],
        samples: vec![
            sample("gpu-1", tune, Resource::Gpu, (6_000, 5_100), window),
            sample("gpu-1", tune, Resource::Cpu, (64_000, 21_500), window),
            sample("gpu-1", tune, Resource::Memory, (gib(512), gib(417)), window),
            sample("small-1", chat, Resource::Gpu, (1_000, chat_used), window),
            sample("small-1", chat, Resource::Cpu, (0, 1_777), window),
            sample("small-1", Some(("cron", "")), Resource::Cpu, (500, 1), window),
            sample("gpu-1", None, Resource::Cpu, (0, 950), window),
        ],
        uses: Vec::new(),
    }
}

fn weights() -> Weights {
    let text = "gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n";
    Weights::from_text(text).unwrap()
}

pub(crate) fn metered(window: Window) -> Metered {
    metered_with(window, CHAT_USED)
}

/// How much of its accelerator chat uses, in thousandths.
const CHAT_USED: i128 = 333;

pub(crate) fn metered_with(window: Window, chat_used: i128) -> Metered {
    let segment = segment(window, chat_used);
    meter(&MeterInput {
        cluster: &cluster(),
        window,
        currency: Currency::USD,
        spans: &segment.spans,
        samples: &segment.samples,
        weights: &weights(),
    })
    .unwrap()
}

/// Books in memory with a node beside the others of which nobody measured anything.
pub(crate) fn books_with_a_dark_node() -> Books {
    let (books, window) = (Books::in_memory(), ten_minutes());
    let mut segment = segment(window, CHAT_USED);
    let dark = NodeSpan { measured: false, ..span("dark-1", "p5.48xlarge", window) };
    segment.spans.insert(0, dark);
    let metered = meter(&MeterInput {
        cluster: &cluster(),
        window,
        currency: Currency::USD,
        spans: &segment.spans,
        samples: &segment.samples,
        weights: &weights(),
    });
    books.put_segment(&cluster(), &segment).unwrap();
    books.put_hour(&metered.unwrap()).unwrap();
    books
}

/// What was metered in ten minutes in which the node of research was bought for it alone, and the
/// books of that.
pub(crate) fn with_a_node_of_its_own(chat_used: i128) -> (Metered, Books) {
    let (books, window) = (Books::in_memory(), ten_minutes());
    let mut segment = segment(window, chat_used);
    let tune = Attribution {
        team: Some(TeamId::new("research").unwrap()),
        ..Attribution::of(workload("finetune-70b"))
    };
    segment.spans[0].held_for = Some(Arc::new(tune));
    let metered = meter(&MeterInput {
        cluster: &cluster(),
        window,
        currency: Currency::USD,
        spans: &segment.spans,
        samples: &segment.samples,
        weights: &weights(),
    })
    .unwrap();
    books.put_segment(&cluster(), &segment).unwrap();
    books.put_hour(&metered).unwrap();
    (metered, books)
}

/// Books in memory that hold ten minutes.
pub(crate) fn books() -> Books {
    books_with(CHAT_USED)
}

pub(crate) fn books_with(chat_used: i128) -> Books {
    let books = Books::in_memory();
    books.put_segment(&cluster(), &segment(ten_minutes(), chat_used)).unwrap();
    books.put_hour(&metered_with(ten_minutes(), chat_used)).unwrap();
    books
}

pub(crate) fn about() -> About {
    About {
        version: "0.1.0".to_owned(),
        cluster: cluster(),
        world: "a simulated cluster".to_owned(),
        currency: Currency::USD,
        policy: Policy::default(),
        started: at("2026-11-24T12:00:00Z"),
        every: Duration::from_secs(15),
        metrics_teams: 50,
    }
}

pub(crate) fn start(
    id: &str,
    name: &str,
    machine: &str,
    members: u32,
    hours: i64,
    cost: &str,
) -> Step {
    let window = Window::starting(at("2026-11-24T12:10:00Z"), SignedDuration::from_hours(hours));
    Step {
        id: StepId::new(id).unwrap(),
        action: Action::Start {
            workload: workload(name),
            offer: offer_id(machine),
            members,
            nodes_each: 1,
            window: window.unwrap(),
        },
        generation: 3,
        cost: usd(cost),
        saving: usd("117.35"),
        reasons: vec![
            Reason::Cheapest {
                runner_up: Some((offer_id("m7i.48xlarge"), usd("812.4"))),
                considered: 14,
            },
            Reason::CheaperWouldBeLate { offer: offer_id("g6.xlarge"), cost: usd("61.9") },
        ],
        expires: at("2026-11-24T12:15:00Z"),
    }
}

pub(crate) fn placement(step: &Step) -> Placement {
    let Action::Start { workload, offer, members, nodes_each, window } = &step.action else {
        panic!("only starts are placed here");
    };
    Placement {
        workload: workload.clone(),
        offer: Some(offer.clone()),
        members: *members,
        nodes_each: *nodes_each,
        window: *window,
        cost: step.cost,
        reference: Some(step.cost.checked_add(step.saving).unwrap()),
        r: Some("1.362".parse().unwrap()),
        stays: false,
        reasons: step.reasons.clone(),
    }
}

pub(crate) fn planned() -> Planned {
    let steps = vec![
        start("p7-1", "finetune-70b", "p5.48xlarge", 1, 4, "220.16"),
        start("p7-2", "<script>alert(1)</script>", "g6.xlarge", 2, 6, "9.6576"),
        Step {
            action: Action::Release { node: NodeId::new("small-1").unwrap() },
            id: StepId::new("p7-3").unwrap(),
            cost: Money::zero(Currency::USD),
            saving: usd("0.8048"),
            reasons: vec![Reason::IdleNode],
            ..start("p7-3", "x", "g6.xlarge", 1, 1, "0")
        },
    ];
    let placements = steps[..2].iter().map(placement).collect();
    let now = at("2026-11-24T12:10:00Z");
    let plan = Plan {
        id: PlanId::new("p7").unwrap(),
        parent: Some(PlanId::new("p6").unwrap()),
        at: now,
        steps,
    };
    Planned { plan, report: report(placements) }
}

fn report(placements: Vec<Placement>) -> Report {
    let budget = BudgetId::new("research-monthly").unwrap();
    let over =
        Reason::OverBudget { budget: budget.clone(), left: usd("310.5"), needed: usd("881.92") };
    let waits = |name: &str, members, reason, late| Waiting {
        workload: workload(name),
        members,
        reason,
        late,
    };
    let gpu = Policy::default();
    let row = |resource, now, state, after, proposal: &str| UtilisationRow {
        resource,
        now,
        band: *gpu.bands.get(resource),
        state,
        after,
        proposal: proposal.to_owned(),
    };
    Report {
        policy: "farthing",
        horizon: Window::starting(at("2026-11-24T12:10:00Z"), SignedDuration::from_hours(24))
            .unwrap(),
        cost: usd("229.8176"),
        lower_bound: Some(usd("228.5")),
        certified_bound: Some(usd("228.499999999999")),
        gap: Some(ppm(5_766)),
        value: "312.5".parse().unwrap(),
        value_bound: None,
        status: Status::Feasible,
        solver: SolverReport { columns: 41, rows: 17, nodes: 1, iterations: 63, limit: None },
        placements,
        services: Vec::new(),
        waiting: vec![
            waits("pretrain-eu", 4, over, true),
            waits("sweep", 12, Reason::Residency(vec!["eu".to_owned()]), false),
        ],
        utilisation: vec![
            row(
                Resource::Gpu,
                Some(ppm(603_667)),
                Some(BandState::Under),
                Some(ppm(870_000)),
                "release small-1; lend 2 GPU of gpu-1",
            ),
            row(Resource::Cpu, Some(ppm(63_000)), Some(BandState::Under), None, ""),
        ],
        budgets: vec![BudgetRow {
            budget: budget.clone(),
            limit: Some(usd("120000")),
            spent: usd("81250.25"),
            committed: usd("21400"),
            planned: usd("9000"),
            forecast: usd("111650.25"),
            rung: Some(EscalationAction::Notify),
        }],
        cuts: vec![Cut {
            budget,
            workload: workload("pretrain-eu"),
            members: 4,
            value: "80".parse().unwrap(),
            saved: usd("881.92"),
            retry: Some(at("2026-12-01T00:00:00Z")),
        }],
        excluded: BTreeMap::from([("no price", 3), ("residency", 11)]),
        unknown: vec!["egress from aws/us-east-1: no table".to_owned()],
    }
}

pub(crate) fn budget_state() -> BudgetState {
    let now = at("2026-11-24T12:10:00Z");
    BudgetState {
        budget: Budget {
            id: BudgetId::new("research-monthly").unwrap(),
            scope: Scope::Team(TeamId::new("research").unwrap()),
            limit: Limit::Money(usd("120000")),
            period: Period::Month,
            hard: true,
            escalate: Vec::new(),
            carry: None,
        },
        period: Period::Month.window_at(now).unwrap(),
        limit: Limit::Money(usd("120000")),
        spent: usd("81250.25"),
        committed: usd("21400"),
        gpu_gone_milli: 0,
    }
}

pub(crate) fn snapshot() -> Snapshot {
    let now = at("2026-11-24T12:10:00Z");
    let node = |name: &str, machine: &str| {
        let span = span(name, machine, ten_minutes());
        Node {
            id: span.node,
            offer: span.offer,
            capacity: span.capacity,
            price: span.price,
            state: NodeState::Ready,
            since: ten_minutes().from(),
            until: None,
        }
    };
    Snapshot {
        cluster: cluster(),
        at: now,
        nodes: vec![node("gpu-1", "p5.48xlarge"), node("small-1", "g6.xlarge")],
        workloads: Vec::new(),
        ages: vec![Age { part: "usage", as_of: at("2026-11-24T12:09:58.5Z") }],
        coverage: Coverage { expected_nanos: 30, measured_nanos: 30 },
        terms: std::sync::Arc::default(),
    }
}

pub(crate) fn flow(metered: &Metered) -> Flow {
    let total = |destination| metered.total(destination).unwrap();
    Flow {
        paid: metered.paid,
        used: total(Destination::Used),
        idle: total(Destination::Idle),
        unallocated: total(Destination::Unallocated),
        overhead: total(Destination::Overhead),
    }
}

/// The parts of research and product, as the engine makes them.
pub(crate) fn shares(metered: &Metered) -> BTreeMap<TeamId, TeamShare> {
    let mut teams = BTreeMap::new();
    for charge in &metered.charges {
        let Some(team) = charge.attribution.as_ref().and_then(|who| who.team.clone()) else {
            continue;
        };
        let share: &mut TeamShare = teams.entry(team).or_insert_with(|| TeamShare {
            used: usd("0"),
            idle: usd("0"),
            overhead: usd("0"),
            usage: PerResource::from_fn(|_| Usage::default()),
            nodes: BTreeSet::new(),
        });
        let money = match charge.destination {
            Destination::Used => &mut share.used,
            Destination::Overhead => &mut share.overhead,
            _ => &mut share.idle,
        };
        *money = money.checked_add(charge.cost).unwrap();
        share.nodes.insert(charge.node.clone());
    }
    teams
}

pub(crate) fn tick() -> Tick {
    let metered = metered(tick_window());
    let planned = planned();
    let now = at("2026-11-24T12:10:00Z");
    let receipt =
        Receipt { step: planned.plan.steps[0].id.clone(), at: now, outcome: ReceiptOutcome::Done };
    Tick {
        requests: 0,
        at: now,
        window: Some(tick_window()),
        money: flow(&metered),
        usage: metered.usage,
        teams: shares(&metered),
        coverage: metered.coverage,
        snapshot: snapshot(),
        input: None,
        budgets: vec![budget_state()],
        reliefs: Vec::new(),
        acted: Acted {
            receipts: vec![receipt],
            held: vec![(planned.plan.steps[1].clone(), Held::NotApproved)],
            unknown: Vec::new(),
        },
        resolved: Vec::new(),
        verified: vec![VerifiedRecord {
            step: "p6-1".to_owned(),
            target: "finetune-70b".to_owned(),
            complete: true,
            reference: "52.25 USD".to_owned(),
            predicted: "12.5 USD".to_owned(),
            realised: "12.25 USD".to_owned(),
            posted: "40.00 USD".to_owned(),
            from: "2026-11-24T11:00:00Z".to_owned(),
            to: "2026-11-24T12:00:00Z".to_owned(),
        }],
        notes: vec!["/proc/4711/io: permission denied".to_owned()],
        planned: Some(planned),
    }
}

pub(crate) fn ticked() -> Ticked {
    let sums = |text| BTreeMap::from([(Currency::USD, usd(text))]);
    Ticked {
        tick: tick(),
        took: Duration::from_micros(48_213),
        solve: Some(Duration::from_micros(17_250)),
        offers: offers(),
        head: Head { seq: 42, hash: [7; 32] },
        open: Arc::new(Open {
            scores: Scores { steps: 9, predicted: sums("1480.5"), realised: sums("1436.085") },
            ..Open::default()
        }),
        exposures: Arc::from([]),
    }
}

/// Nothing has happened yet.
pub(crate) fn fresh() -> Published {
    Published::new(about())
}

/// Two ticks have happened.
pub(crate) fn published() -> Published {
    let published = fresh();
    published.ticked(ticked()).unwrap();
    published.ticked(ticked()).unwrap();
    published
}
