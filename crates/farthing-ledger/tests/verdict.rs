//! Idle verdicts and the ladder: each sentence of the rules is a case.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_sign_loss,
    clippy::too_many_lines,
    clippy::items_after_statements,
    reason = "a test fails by panicking; a table of cases is long"
)]

mod world;

use farthing_ledger::{
    Activity, Question, Seat, Segment, Verdict, Veto, Watch, judge, ladders, unallocated, watch,
};
use farthing_model::{
    Attribution, Controller, Currency, DeviceId, DeviceUse, MigDevice, Missing, NodeId, PerMille,
    Progress, Reading, Resource, Resources, Rung, Rungs, Sample, Share, Slice, SourceId, Window,
};
use jiff::SignedDuration;
use world::*;

const EVERY: i64 = 30;
/// Half an hour that ends with the hour.
const FROM: i64 = 1_800;

fn half_hour() -> Window {
    window(FROM, 3_600)
}

fn value(thousandths: u16) -> Reading {
    Reading::Value(PerMille::new(thousandths).unwrap())
}

/// What one device is seen to do, record after record.
#[derive(Clone)]
struct Device {
    number: usize,
    pod: usize,
    engine: Reading,
    sm: Reading,
    context: Reading,
    memory_bytes: Option<u64>,
    /// MiB more with each record.
    grows: u64,
    power_mw: Option<u32>,
    progress: Progress,
    /// Of the records, those for which this holds are there.
    there: fn(i64) -> bool,
    ready: Option<i64>,
    since: i64,
}

/// A model that is loaded, and does nothing.
fn loaded(number: usize) -> Device {
    Device {
        number,
        pod: number,
        engine: value(0),
        sm: value(0),
        context: value(1_000),
        memory_bytes: Some(40 << 30),
        grows: 0,
        power_mw: Some(70_000),
        progress: Progress { requests: Some(0), ..Progress::default() },
        there: |_| true,
        ready: Some(0),
        since: -86_400,
    }
}

fn busy(number: usize) -> Device {
    Device { engine: value(870), sm: value(640), power_mw: Some(600_000), ..loaded(number) }
}

fn device_id(device: &Device) -> DeviceId {
    DeviceId::new(&format!("GPU-{}", device.number)).unwrap()
}

fn uses(device: &Device) -> Vec<DeviceUse> {
    let record = |index: i64| DeviceUse {
        source: SourceId::new("dcgm").unwrap(),
        node: NodeId::new("n").unwrap(),
        device: device_id(device),
        slice: None,
        attribution: Some(who("chat", None)),
        share: Share::WHOLE,
        copied_to: 1,
        window: window(FROM + index * EVERY, FROM + (index + 1) * EVERY),
        rungs: Rungs::NONE
            .with(Rung::Engine, device.engine)
            .with(Rung::Sm, device.sm)
            .with(Rung::Context, device.context),
        memory_bytes: device.memory_bytes.map(|b| b + ((index as u64 * device.grows) << 20)),
        power_mw: device.power_mw,
        progress: device.progress,
    };
    (0..60).filter(|index| (device.there)(*index)).map(record).collect()
}

fn seat(device: &Device) -> Seat {
    Seat {
        pod: Some(format!("chat-{}", device.pod)),
        node: NodeId::new("n").unwrap(),
        device: device_id(device),
        instance: None,
        held: window(device.since, 7_200),
        ready: device.ready.map(at),
        idle_power_mw: Some(68_000),
    }
}

fn ask(devices: &[Device], change: impl FnOnce(&mut Question<'_>)) -> Verdict {
    let seats: Vec<Seat> = devices.iter().map(seat).collect();
    let uses: Vec<DeviceUse> = devices.iter().flat_map(uses).collect();
    let workload = who("chat", None).workload.clone();
    let mut question = Question {
        workload: &workload,
        window: half_hour(),
        every: SignedDuration::from_secs(EVERY),
        seats: &seats,
        uses: &uses,
        in_step: false,
        kept: None,
        calendar: &[],
        charges: &[],
        currency: Currency::USD,
    };
    change(&mut question);
    judge(&question).unwrap()
}

fn verdict(devices: &[Device]) -> Verdict {
    ask(devices, |_| {})
}

/// (case, devices, activity of the whole, idle)
#[test]
fn each_state_is_told_from_the_others() {
    use Activity::*;
    let blank = |device: Device| Device {
        engine: Reading::Missing(Missing::Blank),
        sm: Reading::Missing(Missing::Blank),
        ..device
    };
    let no_counter = Progress::default();
    let probes = |device: Device| Device { engine: value(10), sm: value(4), ..device };
    let only = |there: fn(i64) -> bool| Device { there, ..loaded(0) };
    let eight = |odd: Device| (1..8).map(busy).chain([odd]).collect::<Vec<_>>();
    let ten = |odd: Device| (1..10).map(loaded).chain([odd]).collect::<Vec<_>>();
    let cases: Vec<(&str, Vec<Device>, Activity, bool)> = vec![
        ("loaded, no requests", vec![loaded(0)], LoadedIdle, true),
        (
            "nothing on it",
            vec![Device { context: value(0), memory_bytes: Some(0), ..loaded(0) }],
            EmptyIdle,
            true,
        ),
        (
            "memory alone tells it",
            vec![Device { context: Reading::Missing(Missing::NotExported), ..loaded(0) }],
            LoadedIdle,
            true,
        ),
        (
            "nobody tells memory",
            vec![Device {
                context: Reading::Missing(Missing::NotExported),
                memory_bytes: None,
                ..loaded(0)
            }],
            Unknown,
            false,
        ),
        ("works", vec![busy(0)], Busy, false),
        (
            "works, SM not exported",
            vec![Device { sm: Reading::Missing(Missing::NotExported), ..busy(0) }],
            Busy,
            false,
        ),
        ("health probes at 1 %", vec![probes(loaded(0))], ProbeOnly, true),
        (
            "1 % and no counter of requests",
            vec![Device { progress: no_counter, ..probes(loaded(0)) }],
            Unknown,
            false,
        ),
        (
            "1 % and requests",
            vec![Device {
                progress: Progress { requests: Some(1), ..no_counter },
                ..probes(loaded(0))
            }],
            Busy,
            false,
        ),
        ("2 % is work", vec![Device { engine: value(20), ..loaded(0) }], Busy, false),
        (
            "tokens",
            vec![Device { progress: Progress { tokens: Some(9), ..no_counter }, ..loaded(0) }],
            Busy,
            false,
        ),
        (
            "steps",
            vec![Device { progress: Progress { steps: Some(1), ..no_counter }, ..loaded(0) }],
            Busy,
            false,
        ),
        (
            "idle without counters",
            vec![Device { progress: no_counter, ..loaded(0) }],
            LoadedIdle,
            true,
        ),
        ("one idle GPU of 8", eight(loaded(0)), Busy, false),
        ("one idle replica of 10 is one of ten idle ones", ten(loaded(0)), LoadedIdle, true),
        ("one busy replica of 10", ten(busy(0)), Busy, false),
        ("nine idle and one not seen", ten(only(|_| false)), Unknown, false),
        (
            "nine idle and one that starts",
            ten(Device { ready: None, ..loaded(0) }),
            Starting,
            false,
        ),
        ("exporter down", vec![only(|_| false)], Unknown, false),
        (
            "two samples in 30 minutes",
            vec![only(|index| index == 0 || index == 59)],
            Unknown,
            false,
        ),
        ("79 % of the records", vec![only(|index| index < 47)], Unknown, false),
        ("80 % of the records", vec![only(|index| index < 48)], LoadedIdle, true),
        ("blank after an Xid", vec![blank(loaded(0))], Unknown, false),
        ("not ready", vec![Device { ready: None, ..loaded(0) }], Starting, false),
        (
            "ready in the window",
            vec![Device { ready: Some(FROM + 60), ..loaded(0) }],
            Starting,
            false,
        ),
        (
            "device is new in the window",
            vec![Device { since: FROM + 60, ..loaded(0) }],
            Starting,
            false,
        ),
        ("loads its weights", vec![Device { grows: 512, ..loaded(0) }], Starting, false),
        ("no device at all", vec![], Unknown, false),
    ];
    for (case, devices, activity, idle) in cases {
        let verdict = verdict(&devices);
        let said: Vec<_> = verdict.devices.iter().map(|one| one.why.as_str()).collect();
        assert_eq!((verdict.activity, verdict.idle), (activity, idle), "{case}: {said:?}");
    }
}

#[test]
fn one_that_does_nothing_while_those_in_step_with_it_work_is_stalled() {
    let devices: Vec<Device> = (1..8).map(busy).chain([loaded(0)]).collect();
    let verdict = ask(&devices, |question| question.in_step = true);
    assert_eq!((verdict.activity, verdict.idle), (Activity::Busy, false));
    assert_eq!(verdict.devices[7].activity, Activity::Stalled);
    let why = "others of its job work, and this one does nothing: memory is held, and nothing runs";
    assert_eq!(verdict.devices[7].why, why);
    // All of them at once are not stalled by one another.
    let devices: Vec<Device> = (0..8).map(loaded).collect();
    let verdict = ask(&devices, |question| question.in_step = true);
    assert_eq!((verdict.activity, verdict.idle), (Activity::LoadedIdle, true));
}

#[test]
fn a_veto_speaks_against_idleness() {
    // 15 % above 68 W is 78.2 W.
    let warm = |power_mw| Device { power_mw: Some(power_mw), ..loaded(0) };
    assert_eq!(verdict(&[warm(78_200)]).vetoes, []);
    let verdict = verdict(&[warm(78_201)]);
    assert_eq!((verdict.activity, verdict.idle), (Activity::LoadedIdle, false));
    assert_eq!(verdict.vetoes[0].to_string(), "GPU-0 drew 78 W, and 68 W when idle");
    let kept = ask(&[loaded(0)], |question| question.kept = Some("demo on Friday"));
    assert_eq!((kept.idle, &kept.vetoes[..]), (false, &[Veto::Kept("demo on Friday".into())][..]));
    let calendar = vec![
        (window(3_599, 7_200), "release weekend".to_owned()),
        (window(3_600, 7_200), "after it".to_owned()),
    ];
    let calendar = ask(&[loaded(0)], |question| question.calendar = Box::leak(calendar.into()));
    assert_eq!(calendar.vetoes, [Veto::Calendar("release weekend".into())]);
    let moved = Progress { requests: Some(2), tokens: Some(300), ..Progress::default() };
    let moved = self::verdict(&[Device { progress: moved, ..loaded(0) }]);
    assert_eq!(moved.vetoes[0].to_string(), "120 requests, 18000 tokens were counted");
}

#[test]
fn the_evidence_says_what_was_read() {
    let engine_only = Device { sm: Reading::Missing(Missing::NotExported), ..loaded(0) };
    let one = &verdict(&[engine_only]).devices[0];
    assert_eq!((&one.evidence.read[..], one.evidence.records), (&[Rung::Engine][..], (60, 60)));
    assert_eq!((one.evidence.coverage_ppm, one.evidence.active_most), (1_000_000, Some(0)));
    let two = verdict(&[Device { there: |index| index % 30 == 0, ..loaded(0) }]);
    assert_eq!(two.devices[0].why, "2 of 60 expected records were there, 3 % of the time");
    // What an exporter's replica repeats is not seen twice.
    let devices = [Device { there: |index| index < 40, ..loaded(0) }];
    let mut twice = uses(&devices[0]);
    twice.extend(uses(&devices[0]).into_iter().map(|mut one| {
        one.source = SourceId::new("replica").unwrap();
        one
    }));
    let verdict = ask(&devices, |question| {
        question.uses = Box::leak(twice.into_boxed_slice());
    });
    assert_eq!((verdict.activity, verdict.coverage_ppm), (Activity::Unknown, 666_666));
    assert_eq!(verdict.devices[0].evidence.records, (40, 60));
}

#[test]
fn a_verdict_says_what_idleness_costs() {
    let capacity = Resources { gpu_milli: 1_000, ..Resources::default() };
    let job = sample("n", Resource::Gpu, Some(who("chat", None)), hour(), (1_000, 0));
    let metered = run(hour(), &[node("n", "4 USD/h", capacity, hour())], &[job]);
    let verdict = ask(&[loaded(0)], |question| {
        question.charges = Box::leak(metered.charges.into_boxed_slice());
    });
    assert_eq!((verdict.spent, verdict.per_day), (usd("2"), usd("96")));
}

#[test]
fn a_device_that_nobody_has_is_unallocated_only_if_somebody_looked() {
    let mut free = uses(&loaded(1));
    for one in &mut free {
        one.attribution = None;
    }
    // One more device has no series at all: nothing is said of it.
    let all = [free, uses(&busy(2))].concat();
    let found = unallocated(&all, half_hour());
    assert_eq!(found, [(NodeId::new("n").unwrap(), DeviceId::new("GPU-1").unwrap())]);
    assert_eq!(unallocated(&all, window(0, 60)), []);
}

#[test]
fn the_ladder_goes_down_from_what_is_allocated() {
    let device = Device { engine: value(800), sm: value(500), ..loaded(0) };
    let mut records = uses(&device);
    for one in &mut records[30..] {
        one.rungs = one.rungs.with(Rung::Sm, Reading::Missing(Missing::Blank));
    }
    let ladder = &ladders(&records)[0];
    assert_eq!((ladder.allocated_ppm, ladder.contradicts), (1_000_000, None));
    let step = |rung: Rung| ladder.steps[rung as usize];
    let known = |rung| (step(rung).device_ppm, step(rung).read_ppm, step(rung).missing);
    assert_eq!(known(Rung::Context), (Some(1_000_000), 1_000_000, None));
    assert_eq!(known(Rung::Engine), (Some(800_000), 1_000_000, None));
    assert_eq!(known(Rung::Sm), (Some(500_000), 500_000, Some(Missing::Blank)));
    assert_eq!(known(Rung::Tensor), (None, 0, Some(Missing::NotExported)));
    assert!(step(Rung::Tensor).how_to_export().unwrap().starts_with("DCGM_FI_PROF_PIPE_TENSOR"));
    assert_eq!(step(Rung::Sm).how_to_export(), None, "it is exported, and was blank");
}

#[test]
fn the_ladder_is_of_the_device_also_for_slices_and_copies() {
    let profile = MigDevice::of_seven(Some(40)).profile("3g.20gb").unwrap();
    let mut sliced = uses(&Device { engine: value(800), ..loaded(0) });
    for one in &mut sliced {
        one.slice = Some(Slice { instance: 1, compute_instance: None, profile, start: None });
        one.share = profile.share();
    }
    let ladder = &ladders(&sliced)[0];
    let engine = ladder.steps[Rung::Engine as usize].device_ppm;
    assert_eq!((ladder.allocated_ppm, engine), (500_000, Some(400_000)));
    // Three pods, each of which the exporter gave the use of the whole device.
    let mut copies = Vec::new();
    for name in ["a", "b", "c"] {
        let mut records = uses(&Device { engine: value(714), ..loaded(0) });
        for one in &mut records {
            (one.attribution, one.share) = (Some(who(name, None)), Share::replica(3));
            one.copied_to = 3;
        }
        copies.extend(records);
    }
    let engines = ladders(&copies);
    let engines: Vec<_> =
        engines.iter().map(|ladder| ladder.steps[Rung::Engine as usize].device_ppm).collect();
    assert_eq!(engines, [Some(238_000); 3], "0.714 in all");
    // SM above engine: one of the two is wrong, and both are shown.
    let wrong = ladders(&uses(&Device { engine: value(100), sm: value(200), ..loaded(0) }));
    assert_eq!(wrong[0].contradicts, Some(Rung::Sm));
}

/// What the books keep of a workload: samples from `since` on, records in the half hour.
fn kept(who: &Attribution, devices: &[Device], since: i64) -> Segment {
    let who = std::sync::Arc::new(who.clone());
    let held = |device: &Device| Sample {
        device: Some(device_id(device)),
        ..sample("n", Resource::Gpu, Some(who.clone()), window(since, 3_600), (1_000, 0))
    };
    let mine = |one: DeviceUse| DeviceUse { attribution: Some(who.clone()), ..one };
    Segment {
        window: window(0, 3_600),
        spans: Vec::new(),
        samples: devices.iter().map(held).collect(),
        uses: devices.iter().flat_map(uses).map(mine).collect(),
    }
}

#[test]
fn everyone_in_the_books_is_judged() {
    let named = |name: &str| (*who(name, None)).clone();
    let job = |name: &str| {
        let (kind, name) = ("job".to_owned(), name.to_owned());
        Attribution { controller: Some(Controller { kind, name: name.clone() }), ..named(&name) }
    };
    let excluded = Attribution {
        annotations: [("farthing.dev/exclude".to_owned(), "demo on Friday".to_owned())].into(),
        ..named("shown")
    };
    let managed = Attribution {
        annotations: [("farthing.dev/managed".to_owned(), "true".to_owned())].into(),
        ..named("managed")
    };
    let warm = Device { power_mw: Some(90_000), ..loaded(7) };
    let segments = [
        kept(&named("idle"), &[loaded(0)], 0),
        kept(&job("train"), &[busy(1), loaded(2)], 0),
        kept(&named("replicas"), &[busy(3), loaded(4)], 0),
        kept(&excluded, &[loaded(5)], 0),
        kept(&managed, &[loaded(6)], 0),
        kept(&named("new"), &[Device { there: |index| index >= 2, ..loaded(8) }], FROM + 60),
        kept(&named("gone"), &[], 0),
        // Before the window it drew 68 W and did nothing; now 90 W.
        kept(&named("warm"), &[warm], 0),
        Segment {
            uses: vec![DeviceUse {
                window: window(0, 30),
                power_mw: Some(68_000),
                ..uses(&loaded(7)).remove(0)
            }],
            ..kept(&named("warm"), &[], 0)
        },
    ];
    let asked =
        Watch { window: half_hour(), every: None, calendar: Vec::new(), currency: Currency::USD };
    let verdicts = watch(&segments, &[], &asked).unwrap();
    let said: Vec<_> = verdicts
        .iter()
        .map(|it| (it.workload.as_str(), it.activity, it.idle, it.vetoes.len()))
        .collect();
    use Activity::{Busy, LoadedIdle, Starting};
    let expected = [
        ("idle", LoadedIdle, true, 0),
        ("managed", LoadedIdle, true, 0),
        ("new", Starting, false, 0),
        ("replicas", Busy, false, 0),
        ("shown", LoadedIdle, false, 1),
        ("train", Busy, false, 0),
        ("warm", LoadedIdle, false, 1),
    ];
    assert_eq!(said, expected);
    let of = |name: &str| verdicts.iter().find(|it| it.workload.as_str() == name).unwrap();
    let states = |name: &str| of(name).devices.iter().map(|it| it.activity).collect::<Vec<_>>();
    assert_eq!(states("train"), [Busy, Activity::Stalled]);
    assert_eq!(states("replicas"), [Busy, LoadedIdle]);
    assert!(matches!(of("warm").vetoes[0], Veto::Power { idle_mw: 68_000, .. }));
    let often = Watch { every: Some(SignedDuration::from_secs(10)), ..asked };
    let verdicts = watch(&segments, &[], &often).unwrap();
    assert_eq!(verdicts[0].activity, Activity::Unknown, "a third of the records is not enough");
}
