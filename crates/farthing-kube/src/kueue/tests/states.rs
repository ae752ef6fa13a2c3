//! How each state of the protocol is answered.

use super::stand_in::{active, is, state};
use super::world::{Break, CHECK, World, usd};
use crate::kueue::object::{BRAKE, HELD};
use crate::kueue::rules::{Fail, Rules};
use crate::kueue::watchdog::{Barked, Watchdog};
use farthing_model::Mode;
use jiff::SignedDuration;
use serde_json::json;

/// An hour of one device is 2 USD: 4 pods for 2 hours are 16.
fn world(limit: i128) -> World {
    World::new(limit, Rules::default())
}

#[test]
fn what_fits_is_let_in_and_its_money_set_aside() {
    let mut world = world(100);
    world.add("train", 4, Some(7_200));
    let lines = world.run(2, 1);
    assert_eq!(lines, ["answers admission check money"]);
    assert!(world.runs("train"), "{}", world.server.get("train"));
    assert_eq!(world.message("train"), "16.00 USD is set aside (its limit of time)");
    let held = world.wallet.claims.values().next().unwrap();
    assert_eq!((held.amount, held.what.as_str()), (usd(16), "Workload lab/train-1"));
    let update = &world.server.get("train")["status"]["admissionChecks"][0]["podSetUpdates"][0];
    assert_eq!(update["annotations"]["farthing.dev/reservation"], "c1");
    // It ends: what it ran is told, and learned.
    world.lengths.insert("train".to_owned(), 1_800);
    world.run(1_900, 10);
    assert!(world.wallet.claims.is_empty());
    let (_, used) = &world.wallet.settled[0];
    assert!((1_790..=1_810).contains(&used.seconds), "{used:?}");
    assert_eq!(used.per_hour, Some(usd(8)));
    assert_eq!(world.wallet.ran.len(), 1);
    // The next of its kind has what it took set aside, not its limit.
    world.add("train-2", 4, Some(7_200));
    world.change("train-2", |it| it["metadata"]["ownerReferences"][0]["name"] = json!("train-2"));
    world.run(3, 1);
    assert!(world.message("train-2").contains("what 1 earlier runs took"));
    assert!(world.wallet.committed() <= usd(5).pico());
}

#[test]
fn fewer_pods_than_were_asked_for_cost_less() {
    let mut world = world(100);
    world.manager.partial = true;
    world.add("train", 12, Some(3_600));
    world.run(2, 1);
    // Eight devices are all that there are.
    assert_eq!(world.wallet.committed(), usd(16).pico());
    // Some of them are done with what they hold: what is not needed is given back.
    world.change("train", |it| {
        it["status"]["reclaimablePods"] = json!([{ "name": "main", "count": 6 }]);
    });
    world.run(20, 1);
    assert!(world.wallet.committed() < usd(5).pico(), "{:?}", world.wallet.claims);
}

#[test]
fn what_does_not_fit_now_gives_its_quota_to_others_and_waits_without_a_loop() {
    let mut world = world(20);
    world.manager.quota = 16;
    world.add("a", 4, Some(7_200));
    world.run(2, 1);
    world.add("b", 4, Some(7_200));
    world.add("c", 2, Some(3_600));
    let lines = world.run(600, 1);
    // 16 are set aside for a: b has to wait, c takes the rest.
    assert!(world.runs("a") && world.runs("c"));
    let b = world.server.get("b");
    assert!(
        !active(&b) && !is(&b, "QuotaReserved") && b["metadata"]["annotations"].get(HELD).is_some()
    );
    assert_eq!(lines, ["holds lab/b-1: budget all has too little"]);
    // The budget refills: it is tried again by itself.
    world.wallet.limit = usd(100).pico();
    let lines = world.run(70, 1);
    assert_eq!(lines, ["tries lab/b-1 again"]);
    assert!(world.runs("b"));
    assert!(world.server.get("b")["metadata"]["annotations"].get(HELD).is_none());
}

#[test]
fn of_many_that_wait_as_many_are_tried_again_as_there_is_room_for() {
    let mut world = world(1);
    world.manager.quota = 100;
    for job in 0..20 {
        world.add(&format!("j{job:02}"), 1, Some(3_600));
        // Never is not what this is about.
        world.wallet.limit = usd(2).pico();
        world.wallet.spent = usd(1).pico();
    }
    world.run(5, 1);
    assert!(world.wallet.claims.is_empty());
    world.wallet.spent = 0;
    world.wallet.limit = usd(7).pico();
    let lines = world.run(90, 1);
    assert_eq!(lines.iter().filter(|it| it.starts_with("tries")).count(), 3, "{lines:#?}");
    assert_eq!(world.wallet.claims.len(), 3);
}

#[test]
fn what_can_never_fit_is_rejected() {
    let mut world = world(10);
    world.add("huge", 8, Some(36_000));
    let lines = world.run(5, 1);
    assert_eq!(lines[1], "rejects lab/huge-1: can never fit: budget all has too little");
    let huge = world.server.get("huge");
    assert_eq!(state(&huge, CHECK), Some("Rejected"));
    // Who makes it active again is told the same: nothing is asked.
    world.change("huge", |it| it["spec"]["active"] = json!(true));
    assert_eq!(world.run(5, 1), [""; 0]);
    assert_eq!(state(&world.server.get("huge"), CHECK), Some("Rejected"));
}

#[test]
fn an_unknown_price_is_a_policy() {
    for (fail, mode, let_in) in [
        (Fail::Open, Mode::Enforce, true),
        (Fail::Closed, Mode::Enforce, false),
        (Fail::Closed, Mode::Observe, true),
    ] {
        let mut world = World::new(100, Rules { mode, fail, ..Rules::default() });
        world.priced = false;
        world.add("odd", 1, None);
        let lines = world.run(3, 1).join("\n");
        assert_eq!(world.runs("odd"), let_in, "{fail:?} {mode:?}");
        let said = if let_in { world.message("odd") } else { lines };
        assert!(said.contains("UNKNOWN price: there is no flavor h100"), "{said}");
        assert!(said.contains(fail.name()), "{said}");
        assert!(world.wallet.claims.is_empty());
    }
}

#[test]
fn in_modes_that_only_look_nothing_is_held() {
    let mut world = World::new(10, Rules { mode: Mode::Recommend, ..Rules::default() });
    world.add("huge", 8, Some(36_000));
    world.run(3, 1);
    assert!(world.runs("huge"));
    assert!(world.message("huge").starts_with("let in, as nothing is held back here; budget all"));
    world.run(3_600, 60);
    assert!(world.runs("huge"));
}

#[test]
fn an_eviction_gives_the_money_back_and_asks_anew() {
    let mut world = world(16);
    world.add("a", 4, Some(7_200));
    world.run(600, 1);
    let evicted = world.manager.preempt(&world.server.get("a"), world.now.as_second());
    world.server.put("a", evicted);
    world.turn();
    assert!(world.wallet.claims.is_empty());
    assert!((595..=600).contains(&world.wallet.settled[0].1.seconds));
    world.run(3, 1);
    // Of its two hours ten minutes are gone.
    assert!(world.runs("a"));
    let committed = world.wallet.committed();
    assert!(committed < usd(15).pico() && committed > usd(14).pico(), "{committed}");
}

#[test]
fn an_eviction_that_was_not_seen_is_settled_before_it_is_asked_for_anew() {
    let mut world = world(16);
    world.add("a", 4, Some(7_200));
    world.run(600, 1);
    let evicted = world.manager.preempt(&world.server.get("a"), world.now.as_second());
    world.server.put("a", evicted);
    // Quota is reserved again before we look.
    world.manage();
    assert_eq!(state(&world.server.get("a"), CHECK), Some("Pending"));
    world.run(5, 1);
    assert!(world.runs("a"));
    assert_eq!((world.wallet.settled.len(), world.wallet.claims.len()), (1, 1));
    assert!(world.wallet.settled[0].1.seconds >= 595);
}

#[test]
fn a_change_of_what_it_was_given_is_decided_again() {
    let mut world = world(100);
    world.add("a", 4, Some(3_600));
    world.manager.is_active = true;
    world.turn();
    world.manage();
    // The answer is lost, and what it was given becomes another before it is tried again.
    world.server.luck.0.borrow_mut().push_back(Break::Before);
    world.turn();
    assert_eq!(world.wallet.committed(), usd(8).pico());
    world.change("a", |it| {
        let set = &mut it["status"]["admission"]["podSetAssignments"][0];
        set["count"] = json!(3);
        set["resourceUsage"]["nvidia.com/gpu"] = json!("3");
    });
    world.pass(2);
    world.run(3, 1);
    assert!(world.runs("a"));
    assert_eq!(world.wallet.claims.len(), 1);
    assert_eq!(world.wallet.committed(), usd(6).pico());
}

#[test]
fn what_has_no_end_gets_more_as_long_as_there_is_room_then_time_for_a_checkpoint() {
    let mut world = world(3);
    world.add("a", 1, None);
    world.run(2, 1);
    assert_eq!(world.wallet.committed(), usd(2).pico());
    assert!(world.message("a").contains("nothing says how long it runs"));
    // In the stand-in's purse what has run is in the books at once.
    let mut lines = Vec::new();
    for minute in 0..120 {
        if !world.runs("a") {
            break;
        }
        world.wallet.spent = usd(2).pico() * minute / 60;
        lines.extend(world.run(60, 20));
    }
    assert!(lines.iter().any(|it| it.starts_with("will stop lab/a-1 at ")), "{lines:#?}");
    assert!(lines.iter().any(|it| it.starts_with("holds lab/a-1: ")), "{lines:#?}");
    assert!(!world.runs("a") && world.wallet.claims.is_empty());
    // It ran to the end of what was set aside for it, as an hour more did not fit.
    let ran = world.wallet.settled.iter().map(|(_, used)| used.seconds).sum::<i64>();
    assert!((3_500..=3_660).contains(&ran), "{ran}");
    let note = world.server.get("a")["metadata"]["annotations"].get(BRAKE).cloned();
    assert_eq!(note, None);
}

#[test]
fn over_a_hard_limit_the_least_important_stops() {
    let mut world = world(100);
    world.add("a", 2, Some(36_000));
    world.add("b", 2, Some(36_000));
    world.change("a", |it| it["spec"]["priority"] = json!(10));
    world.run(5, 1);
    assert!(world.runs("a") && world.runs("b"));
    // An operator lowers the limit.
    world.wallet.limit = usd(50).pico();
    let lines = world.run(90, 1);
    assert!(lines[0].starts_with("will stop lab/b-1 at "), "{lines:#?}");
    assert!(lines[0].contains("budget all is overdrawn by "), "{lines:#?}");
    // He changes his mind in time.
    world.wallet.limit = usd(100).pico();
    assert_eq!(world.run(90, 1), ["lets lab/b-1 run on"]);
    world.wallet.limit = usd(50).pico();
    world.run(600, 1);
    assert!(world.runs("a") && !world.runs("b"));
}

#[test]
fn without_the_right_to_deactivate_it_waits_with_its_quota_and_says_so() {
    let mut world = world(20);
    world.server.no_brake = true;
    world.add("a", 4, Some(7_200));
    world.add("b", 4, Some(7_200));
    let lines = world.run(300, 1);
    let which = if world.runs("a") { "b" } else { "a" };
    assert!(lines.len() == 3, "once each: {lines:#?}");
    assert_eq!(world.message(which), "held with its quota: budget all has too little");
    world.wallet.limit = usd(100).pico();
    world.run(3, 1);
    assert!(world.runs("a") && world.runs("b"));
}

#[test]
fn what_people_deactivated_and_what_is_excluded_is_left_alone() {
    let mut world = world(100);
    world.add("a", 1, Some(3_600));
    world.change("a", |it| it["spec"]["active"] = json!(false));
    world.run(200, 1);
    assert!(!active(&world.server.get("a")));
    world.add("b", 1, Some(360_000));
    world.wallet.limit = usd(1_000).pico();
    world.run(3, 1);
    world.change("b", |it| it["metadata"]["annotations"]["farthing.dev/exclude"] = json!("true"));
    world.wallet.limit = 0;
    world.run(1_000, 1);
    assert!(world.runs("b"), "it is never stopped");
}

#[test]
fn pods_that_have_the_key_already_are_not_given_it() {
    let mut world = world(100);
    world.add("a", 1, Some(3_600));
    world.change("a", |it| {
        let template = &mut it["spec"]["podSets"][0]["template"]["metadata"];
        template["annotations"] = json!({ "farthing.dev/reservation": "mine" });
    });
    world.run(3, 1);
    assert!(world.runs("a"), "{}", world.server.get("a"));
}

#[test]
fn what_is_deleted_gives_its_money_back() {
    let mut world = world(100);
    world.add("a", 1, Some(3_600));
    world.run(3, 1);
    assert_eq!(world.wallet.claims.len(), 1);
    world.server.workloads.borrow_mut().clear();
    world.crash();
    world.turn();
    assert!(world.wallet.claims.is_empty());
}

#[test]
fn what_nobody_answers_is_let_in_or_held_by_the_watchdog_and_found_again() {
    for fail in [Fail::Open, Fail::Closed] {
        let mut world = world(100);
        world.turn();
        world.manage();
        world.add("a", 4, Some(7_200));
        world.manage();
        // The loop is down.
        let watchdog = Watchdog { fail, after: SignedDuration::from_mins(5) };
        assert_eq!(world.bark(watchdog), Barked { waiting: 1, ..Barked::default() });
        world.pass(400);
        let done = match fail {
            Fail::Open => "lab/a-1: let in",
            Fail::Closed => "lab/a-1: held, its quota is free",
        };
        assert_eq!(world.bark(watchdog).done, [done]);
        world.manage();
        world.manage();
        assert_eq!(world.runs("a"), fail == Fail::Open);
        let (free, answered) = (world.free(), world.manager.is_active);
        assert_eq!((free, answered), if fail == Fail::Open { (4, true) } else { (8, false) });
        assert_eq!(world.bark(watchdog), Barked::default());
        // It is back: what runs has its money set aside, what was held tries again.
        world.crash();
        world.run(70, 1);
        assert!(world.runs("a"), "{}", world.server.get("a"));
        assert_eq!(world.wallet.claims.len(), 1);
        assert!(world.wallet.committed() > usd(15).pico());
    }
}

#[test]
fn what_was_said_to_be_held_is_no_silence() {
    let mut world = world(20);
    world.server.no_brake = true;
    world.add("a", 4, Some(7_200));
    world.add("b", 4, Some(7_200));
    world.run(900, 10);
    let watchdog = Watchdog { fail: Fail::Open, after: SignedDuration::from_mins(5) };
    assert_eq!(world.bark(watchdog), Barked::default());
}
