//! Processes of all kinds, and how their time and memory add up.

use super::*;
use crate::local::process::readable;

const KERNEL_THREAD: u64 = 0x0020_0040;

#[test]
fn every_busy_moment_has_one_row() {
    let mut world = Fixture::new();
    world.set(&Process { ticks: 5_000, uid: 1_000, ..process(10, b"fire fox") });
    world.set(&Process { ticks: 70, uid: 1_000, ..process(11, b"fire fox") });
    world.set(&process(12, b"idle"));
    world.set(&Process { ticks: 10, flags: KERNEL_THREAD, ..process(2, b"kworker/0:1") });
    let mut machine = world.open();
    world.ten_seconds([600, 200, 40, 60]);
    world.set(&Process { ticks: 5_300, uid: 1_000, ..process(10, b"fire fox") });
    world.set(&Process { ticks: 170, uid: 1_000, ..process(11, b"fire fox") });
    world.set(&Process { ticks: 30, flags: KERNEL_THREAD, ..process(2, b"kworker/0:1") });
    let measured = measure(&mut machine, window(0, 10));
    // 400 ticks of two processes, 20 of the kernel's thread + 40 + 60, and 380 nobody was seen in.
    let expect =
        rows(&[("-", 1_200), ("process:(short-lived)", 3_800), ("process:fire fox", 4_000)]);
    assert_eq!(used(&measured, Resource::Cpu), expect);
    let who = measured.samples.iter().find(|sample| name(sample) == "process:fire fox").unwrap();
    assert_eq!(who.attribution.as_ref().unwrap().user.as_deref(), Some("ana"));
    assert_eq!(who.attribution.as_ref().unwrap().container, None);
    assert_eq!((who.source.as_str(), who.requested_nano), ("procfs", 0));
    assert_eq!(measured.faults, [""; 0]);
}

#[test]
fn a_reused_pid_is_another_process() {
    let mut world = Fixture::new();
    world.set(&Process { ticks: 900, ..process(10, b"old") });
    let mut machine = world.open();
    world.ten_seconds([1_000, 0, 0, 0]);
    // Started 2 s ago: all its time is of this window.
    let start = world.now_centis - 200;
    world.set(&Process { ticks: 150, start, ..process(10, b"new") });
    let measured = measure(&mut machine, window(0, 10));
    let expect = rows(&[("process:(short-lived)", 8_500), ("process:new", 1_500)]);
    assert_eq!(used(&measured, Resource::Cpu), expect);
    // A pid with a smaller counter is not "a counter that went back".
    assert_eq!(measured.faults, [""; 0]);
}

#[test]
fn what_a_process_used_before_it_was_seen_is_not_of_this_window() {
    let mut world = Fixture::new();
    let mut machine = world.open();
    world.ten_seconds([100, 0, 0, 0]);
    world.set(&Process { ticks: 9_000, start: 5, ..process(10, b"late") });
    let measured = measure(&mut machine, window(0, 10));
    assert_eq!(used(&measured, Resource::Cpu), rows(&[("process:(short-lived)", 1_000)]));
    world.ten_seconds([100, 0, 0, 0]);
    world.set(&Process { ticks: 9_080, start: 5, ..process(10, b"late") });
    let measured = measure(&mut machine, window(10, 20));
    let expect = rows(&[("process:(short-lived)", 200), ("process:late", 800)]);
    assert_eq!(used(&measured, Resource::Cpu), expect);
}

#[test]
fn a_process_may_vanish_at_any_moment() {
    let mut world = Fixture::new();
    world.set(&Process { ticks: 10, ..process(10, b"gone") });
    world.set(&Process { ticks: 10, ..process(11, b"stays") });
    let mut machine = world.open();
    world.ten_seconds([50, 0, 0, 0]);
    // Listed, and gone before its files are read; another one after its first file.
    world.remove("/proc/10/stat");
    world.set(&process(12, b"half"));
    world.remove("/proc/12/status");
    world.set(&Process { ticks: 40, ..process(11, b"stays") });
    let measured = measure(&mut machine, window(0, 10));
    let expect = rows(&[("process:(short-lived)", 200), ("process:stays", 300)]);
    assert_eq!(used(&measured, Resource::Cpu), expect);
    assert_eq!(measured.faults, [""; 0]);
}

#[test]
fn a_zombie_has_used_time_and_holds_nothing() {
    let mut world = Fixture::new();
    world.set(&Process { ticks: 10, anon_pages: 100, ..process(10, b"z") });
    let mut machine = world.open();
    world.ten_seconds([30, 0, 0, 0]);
    world.set(&Process { ticks: 40, ..process(10, b"z") });
    let measured = measure(&mut machine, window(0, 10));
    assert_eq!(used(&measured, Resource::Cpu), rows(&[("process:z", 300)]));
    assert_eq!(used(&measured, Resource::Memory)[0].0, "-");
    assert_eq!(used(&measured, Resource::Memory).len(), 1);
}

#[test]
fn any_name_makes_a_row() {
    let names: [&[u8]; 6] =
        [b"(sd-pam)", b"a b) R 1", b"new\nline", b"\xff\xfe\xfd", b"", b"\x1b[31mred"];
    let mut world = Fixture::new();
    let mut machine = world.open();
    world.ten_seconds([6, 0, 0, 0]);
    for (pid, comm) in (10..).zip(names) {
        world.set(&Process { ticks: 1, start: world.now_centis - 5, ..process(pid, comm) });
    }
    let measured = measure(&mut machine, window(0, 10));
    let mut expect: Vec<_> =
        names.iter().map(|comm| (format!("process:{}", readable(comm)), 10)).collect();
    expect.sort();
    assert_eq!(used(&measured, Resource::Cpu), expect);
}

#[test]
fn a_cut_name_is_read_in_full_and_a_new_program_is_another_row() {
    let mut world = Fixture::new();
    world.set(&process(10, b"containerd-shim"));
    world.write("/proc/10/cmdline", b"/usr/bin/containerd-shim-runc-v2\0-id\0x\0");
    world.set(&process(11, b"bash"));
    let mut machine = world.open();
    world.ten_seconds([30, 0, 0, 0]);
    world.set(&Process { ticks: 10, ..process(10, b"containerd-shim") });
    world.set(&Process { ticks: 20, ..process(11, b"python3") });
    let measured = measure(&mut machine, window(0, 10));
    let expect = rows(&[("process:containerd-shim-runc-v2", 100), ("process:python3", 200)]);
    assert_eq!(used(&measured, Resource::Cpu), expect);
}

#[test]
fn a_change_of_user_is_seen_within_six_ticks() {
    let mut world = Fixture::new();
    world.set(&process(10, b"sshd"));
    let mut machine = world.open();
    let mut users = Vec::new();
    for tick in 1..=6_u32 {
        world.ten_seconds([10, 0, 0, 0]);
        let ticks = u64::from(tick) * 10;
        world.set(&Process { ticks, uid: 1_000, ..process(10, b"sshd") });
        let from = i64::from(tick) * 10;
        let measured = measure(&mut machine, window(from, from + 10));
        let who = measured.samples.iter().find(|sample| name(sample) == "process:sshd").unwrap();
        users.push(who.attribution.as_ref().unwrap().user.clone().unwrap());
    }
    assert_eq!(users.last().map(String::as_str), Some("ana"), "{users:?}");
}

#[test]
fn a_counter_that_goes_back_counts_nothing_and_is_said() {
    let mut world = Fixture::new();
    world.set(&Process { ticks: 500, ..process(10, b"x") });
    let mut machine = world.open();
    world.ten_seconds([50, 0, 0, 0]);
    world.set(&Process { ticks: 400, ..process(10, b"x") });
    let measured = measure(&mut machine, window(0, 10));
    assert_eq!(used(&measured, Resource::Cpu), rows(&[("process:(short-lived)", 500)]));
    assert_eq!(measured.faults, ["the processor time of 1 processes went back: not counted"]);

    let mut fresh = Fixture::new();
    fresh.ten_seconds([900, 0, 0, 0]);
    let mut machine = fresh.open();
    fresh.busy = [100, 0, 0, 0];
    fresh.ten_seconds([0; 4]);
    let measured = measure(&mut machine, window(0, 10));
    assert_eq!(used(&measured, Resource::Cpu), []);
    assert!(measured.faults[0].starts_with("/proc/stat went back"), "{:?}", measured.faults);
}

#[test]
fn what_processes_have_over_the_machine_is_owed_and_taken_back() {
    let mut world = Fixture::new();
    world.set(&process(10, b"x"));
    let mut machine = world.open();
    world.ten_seconds([50, 0, 0, 0]);
    world.set(&Process { ticks: 80, ..process(10, b"x") });
    let first = measure(&mut machine, window(0, 10));
    assert_eq!(used(&first, Resource::Cpu), rows(&[("process:x", 800)]));
    world.ten_seconds([50, 0, 0, 0]);
    world.set(&Process { ticks: 90, ..process(10, b"x") });
    let second = measure(&mut machine, window(10, 20));
    // 100 ticks in all: 80 + 10 were seen, so that of the 40 left over 30 are taken back.
    let expect = rows(&[("process:(short-lived)", 100), ("process:x", 100)]);
    assert_eq!(used(&second, Resource::Cpu), expect);
    assert_eq!(machine.cpu.owed_nanos, 0);
    // A difference that does not go away is said, and not carried for ever.
    world.ten_seconds([0, 0, 0, 0]);
    world.set(&Process { ticks: 1_000, ..process(10, b"x") });
    let third = measure(&mut machine, window(20, 30));
    assert_eq!(machine.cpu.owed_nanos, 2_000_000_000);
    assert!(third.faults[0].starts_with("processes used more than"), "{:?}", third.faults);
}

#[test]
fn memory_sums_to_what_cannot_be_had() {
    let mut world = Fixture::new();
    // In kB: 4,000 used; 2,000 anonymous and 1,000 mapped, each page once.
    world.set(&Process { anon_pages: 300, shared_pages: 300, ..process(10, b"a") });
    world.set(&Process { anon_pages: 100, shared_pages: 100, ..process(11, b"b") });
    let mut machine = world.open();
    world.ten_seconds([0; 4]);
    let measured = measure(&mut machine, window(0, 10));
    // Anonymous 1,200 + 400 kB fit. Shared 1,200 + 400 are scaled to 1,000.
    let kb = |amount: i128| amount * 1_024 * 10 * 1_000;
    let expect = rows(&[("-", kb(1_400)), ("process:a", kb(1_950)), ("process:b", kb(650))]);
    assert_eq!(used(&measured, Resource::Memory), expect);

    // Forks share pages: 5 x 1,000 kB of anonymous memory are 2,000 kB.
    for pid in 20..25 {
        world.set(&Process { anon_pages: 250, ..process(pid, b"fork") });
    }
    for pid in [10, 11] {
        world.remove(&format!("/proc/{pid}"));
    }
    world.ten_seconds([0; 4]);
    let measured = measure(&mut machine, window(10, 20));
    let expect = rows(&[("-", kb(2_000)), ("process:fork", kb(2_000))]);
    assert_eq!(used(&measured, Resource::Memory), expect);

    // Less is used than processes map: most of what they map can be had back.
    world.memory(100_000, 99_000, 2_000, 1_000);
    world.ten_seconds([0; 4]);
    let measured = measure(&mut machine, window(20, 30));
    assert_eq!(used(&measured, Resource::Memory), rows(&[("process:fork", kb(1_000))]));
}

#[test]
fn what_may_not_be_seen_is_hidden() {
    // hidepid: even the first process is not there.
    let mut world = Fixture::new();
    let table = UNIFIED.replace("proc proc rw", "proc proc rw,hidepid=invisible");
    world.write("/proc/self/mountinfo", table);
    world.set(&Process { anon_pages: 100, ..process(10, b"mine") });
    let mut machine = world.open();
    world.ten_seconds([100, 0, 10, 0]);
    world.set(&Process { ticks: 30, anon_pages: 100, ..process(10, b"mine") });
    let first = measure(&mut machine, window(0, 10));
    let expect = rows(&[("-", 100), ("process:(hidden)", 700), ("process:mine", 300)]);
    assert_eq!(used(&first, Resource::Cpu), expect);
    let kb = |amount: i128| amount * 1_024 * 10 * 1_000;
    let expect =
        rows(&[("-", kb(2_000)), ("process:(hidden)", kb(1_600)), ("process:mine", kb(400))]);
    assert_eq!(used(&first, Resource::Memory), expect);
    assert!(first.faults[0].contains("hidepid"), "{:?}", first.faults);
    world.ten_seconds([0; 4]);
    assert_eq!(measure(&mut machine, window(10, 20)).faults, [""; 0], "said once");

    // Root sees everything all the same.
    world.set(&process(1, b"init"));
    let mut machine = world.open();
    world.ten_seconds([100, 0, 0, 0]);
    let all = measure(&mut machine, window(0, 10));
    assert_eq!(used(&all, Resource::Cpu), rows(&[("process:(short-lived)", 1_000)]));

    // Inside a container there are only its own processes.
    std::fs::create_dir_all(world.path().join("proc/self/ns")).unwrap();
    let link = world.path().join("proc/self/ns/pid");
    std::os::unix::fs::symlink("pid:[4026532001]", link).unwrap();
    let mut machine = world.open();
    world.ten_seconds([100, 0, 0, 0]);
    let inside = measure(&mut machine, window(0, 10));
    assert_eq!(used(&inside, Resource::Cpu), rows(&[("process:(hidden)", 1_000)]));
    assert!(inside.faults[0].contains("--pid=host"), "{:?}", inside.faults);
}

#[test]
fn a_denied_process_is_hidden_and_not_gone() {
    use crate::local::files::is_denied;
    use rustix::io::Errno;
    assert!(is_denied(Errno::ACCESS) && is_denied(Errno::PERM));
    assert!(!is_denied(Errno::NOENT) && !is_denied(Errno::SRCH));
}
