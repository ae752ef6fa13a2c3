//! Gaps, sleep, clocks that go back, and snapshots.

use super::*;
use farthing_edge::Observe;
use farthing_model::{Coverage, NodeState, Purchase};

const SECOND: i128 = 1_000_000_000;

#[test]
fn a_sleep_is_paid_and_not_measured() {
    let mut world = Fixture::new();
    world.set(&process(10, b"x"));
    let mut machine = world.open();
    world.sleep(360_000);
    world.ten_seconds([100, 0, 0, 0]);
    world.set(&Process { ticks: 100, ..process(10, b"x") });
    let measured = measure(&mut machine, window(0, 3_610));
    let spans: Vec<_> = measured.spans.iter().map(|span| (span.window, span.measured)).collect();
    assert_eq!(spans, [(window(0, 3_600), false), (window(3_600, 3_610), true)]);
    let expect = Coverage { expected_nanos: 3_610 * SECOND, measured_nanos: 10 * SECOND };
    assert_eq!(measured.coverage, expect);
    assert_eq!(used(&measured, Resource::Cpu), rows(&[("process:x", 1_000)]));
    assert!(measured.faults[0].starts_with("a gap: of 3610.0 s"), "{:?}", measured.faults);
}

#[test]
fn a_clock_set_forward_is_a_gap_too() {
    let mut world = Fixture::new();
    let mut machine = world.open();
    world.ten_seconds([100, 0, 0, 0]);
    let measured = measure(&mut machine, window(0, 86_400));
    assert_eq!(measured.coverage.measured_nanos, 10 * SECOND);
    assert_eq!(measured.spans[1].window, window(86_390, 86_400));
}

#[test]
fn a_late_tick_of_a_machine_that_was_awake_is_measured() {
    let mut world = Fixture::new();
    let mut machine = world.open();
    world.pass(12_000, [3_000, 0, 0, 0]);
    let measured = measure(&mut machine, window(0, 120));
    assert_eq!(measured.coverage.measured_nanos, 120 * SECOND);
    assert_eq!(measured.faults, [""; 0]);
}

#[test]
fn a_clock_that_goes_back_doubles_nothing() {
    let mut world = Fixture::new();
    let mut machine = world.open();
    world.ten_seconds([100, 0, 0, 0]);
    let first = measure(&mut machine, window(100, 110));
    world.ten_seconds([100, 0, 0, 0]);
    let second = measure(&mut machine, window(50, 60));
    assert_eq!((second.spans.len(), second.samples.len()), (0, 0));
    assert_eq!(second.coverage, Coverage::default());
    assert!(second.faults[0].starts_with("the clock went back"), "{:?}", second.faults);
    world.pass(6_000, [600, 0, 0, 0]);
    let third = measure(&mut machine, window(60, 120));
    assert_eq!(third.spans.len(), 1);
    assert_eq!(third.spans[0].window, window(110, 120));
    // Sixty seconds of counters lie in ten seconds on the clock: a sixth of them counts.
    assert_eq!(used(&third, Resource::Cpu), rows(&[("process:(short-lived)", 1_000)]));
    let paid: i128 = [&first, &second, &third].iter().map(|m| m.coverage.expected_nanos).sum();
    assert_eq!(paid, 20 * SECOND, "each second on the clock is paid once");
}

#[test]
fn a_machine_that_was_restored_measures_nothing_once() {
    let mut world = Fixture::new();
    let mut machine = world.open();
    world.now_centis -= 50_000;
    world.ten_seconds([100, 0, 0, 0]);
    let measured = measure(&mut machine, window(0, 10));
    assert_eq!(measured.spans.len(), 1);
    assert!(!measured.spans[0].measured);
    world.ten_seconds([100, 0, 0, 0]);
    assert!(measure(&mut machine, window(10, 20)).spans[0].measured);
}

#[test]
fn without_uptime_the_window_is_believed() {
    let mut world = Fixture::new();
    world.remove("/proc/uptime");
    let mut machine = world.open();
    world.ten_seconds([100, 0, 0, 0]);
    world.remove("/proc/uptime");
    let measured = measure(&mut machine, window(0, 10));
    assert!(measured.spans[0].measured);
    assert!(measured.faults[0].starts_with("/proc/uptime cannot be read"));
}

#[test]
fn a_full_machine_is_never_more_than_full() {
    let mut world = Fixture::new();
    let mut machine = world.open();
    // The look came 300 ms late, and the next one in time.
    world.pass(1_030, [2_060, 0, 0, 0]);
    let measured = measure(&mut machine, window(0, 10));
    assert_eq!(used(&measured, Resource::Cpu), rows(&[("process:(short-lived)", 20_000)]));
}

#[test]
fn time_before_the_first_window_is_nobodys() {
    let mut world = Fixture::new();
    let mut machine = world.open();
    world.pass(10_000, [10_000, 0, 0, 0]);
    let measured = measure(&mut machine, window(0, 10));
    assert_eq!(used(&measured, Resource::Cpu), rows(&[("process:(short-lived)", 10_000)]));
    assert_eq!(measured.faults, [""; 0]);
}

#[test]
fn a_failed_look_is_made_up_for() {
    let mut world = Fixture::new();
    let mut machine = world.open();
    world.remove("/proc/stat");
    let error = machine.measure(window(0, 10)).unwrap_err();
    assert_eq!(error.class(), farthing_edge::Class::Transient);
    assert!(error.to_string().contains("proc/stat cannot be read"), "{error}");
    world.write("/proc/stat", "garbage\n");
    let error = machine.measure(window(10, 20)).unwrap_err();
    assert_eq!(error.class(), farthing_edge::Class::Invalid);
    world.pass(3_000, [300, 0, 0, 0]);
    let measured = measure(&mut machine, window(20, 30));
    assert_eq!(used(&measured, Resource::Cpu), rows(&[("process:(short-lived)", 1_000)]));
}

#[test]
fn a_snapshot_is_one_node_and_no_workload() {
    let mut world = Fixture::new();
    let mut machine = world.open();
    let before = machine.observe(at(0)).unwrap();
    assert_eq!(before.oldest(), jiff::SignedDuration::ZERO);
    world.ten_seconds([1; 4]);
    let measured = measure(&mut machine, window(0, 10));
    let snapshot = machine.observe(at(15)).unwrap();
    assert_eq!(snapshot.nodes.len(), 1);
    assert!(snapshot.workloads.is_empty());
    let node = &snapshot.nodes[0];
    assert_eq!((node.id.as_str(), node.state, node.since), ("box", NodeState::Ready, at(0)));
    assert_eq!(node.capacity, measured.spans[0].capacity);
    assert_eq!((node.capacity.cpu_milli, node.capacity.memory_bytes), (2_000, 100_000 << 10));
    assert_eq!(node.capacity.storage_bytes, 1 << 40);
    assert_eq!(snapshot.oldest(), jiff::SignedDuration::from_secs(5));
    assert_eq!(snapshot.coverage, measured.coverage);
    assert_eq!(measured.spans[0].purchase, Purchase::Owned);
}

#[test]
fn no_machine_is_an_error_that_says_what_is_needed() {
    let empty = tempfile::tempdir().unwrap();
    let error = crate::local::inventory(empty.path(), &mut NoGpus::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with("proc cannot be read: a Linux machine with /proc mounted is needed"));
}
