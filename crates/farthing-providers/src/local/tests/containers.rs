//! Containers and services on control groups of version 1, version 2 and both.

use super::*;
use farthing_model::Sample;

const PODS: &str = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod77.slice";

/// Requested and used of a row, in thousandths of a unit-second.
fn row(measured: &Measured, resource: Resource, workload: &str) -> (i128, i128) {
    let is = |one: &&Sample| one.resource == resource && name(one) == workload;
    let one = measured.samples.iter().find(is).unwrap_or_else(|| panic!("no row {workload}"));
    (one.requested_nano / 1_000_000, one.known_use() / 1_000_000)
}

#[test]
fn version_2_with_limits_and_short_lived_processes() {
    let mut world = Fixture::new();
    let group = format!("{PODS}/cri-containerd-{ID}.scope");
    let folder = format!("/sys/fs/cgroup{group}");
    let cgroup = format!("0::{group}/init\n");
    let usage = |micros: u64| format!("usage_usec {micros}\nuser_usec 1\n");
    world.write(&format!("{folder}/cpu.stat"), usage(1_000_000));
    world.write(&format!("{folder}/cpu.max"), "50000 100000\n");
    world.write(&format!("{folder}/memory.max"), "2097152\n");
    let pod = |pid, comm, ticks, anon_pages| Process {
        ticks,
        anon_pages,
        cgroup: &cgroup,
        uid: 1_000,
        ..process(pid, comm)
    };
    world.set(&pod(10, b"web", 0, 100));
    world.set(&pod(11, b"log", 0, 100));
    let mut machine = world.open();
    world.ten_seconds([400, 0, 0, 0]);
    world.set(&pod(10, b"web", 100, 100));
    world.set(&pod(11, b"log", 50, 100));
    // 3 s in all, of which 1.5 s were seen.
    world.write(&format!("{folder}/cpu.stat"), usage(4_000_000));
    let measured = measure(&mut machine, window(0, 10));
    let cpu = Resource::Cpu;
    let base = "container:3f2a9c0d1e2b";
    // Half a core for 10 s was set aside, and is shared out as it was used: 2 : 1 : 3.
    assert_eq!(row(&measured, cpu, &format!("{base}/web")), (1_666, 1_000));
    assert_eq!(row(&measured, cpu, &format!("{base}/log")), (833, 500));
    assert_eq!(row(&measured, cpu, &format!("{base}/(short-lived)")), (2_500, 1_500));
    assert_eq!(row(&measured, cpu, "process:(short-lived)"), (0, 1_000));
    let rest = measured.samples.iter().find(|one| one.source.as_str() == "cgroup").unwrap();
    assert_eq!(name(rest), format!("{base}/(short-lived)"));
    let who = rest.attribution.as_ref().unwrap();
    assert_eq!(who.container.as_deref(), Some("3f2a9c0d1e2b"));
    // 2 MiB for 10 s, half each; 400 kB of each are held.
    let mib = 1_024 * 1_024 * 10 * 1_000;
    let (requested, used) = row(&measured, Resource::Memory, &format!("{base}/web"));
    assert_eq!((requested, used), (mib, 400 * 1_024 * 10_000));
}

#[test]
fn a_limit_that_nobody_uses_is_still_set_aside() {
    let mut world = Fixture::new();
    let group = format!("/docker/{ID}");
    world.write(&format!("/sys/fs/cgroup{group}/cpu.max"), "100000 100000\n");
    let cgroup = format!("0::{group}\n");
    world.set(&Process { cgroup: &cgroup, ..process(10, b"idle") });
    let mut machine = world.open();
    world.ten_seconds([0; 4]);
    let measured = measure(&mut machine, window(0, 10));
    let workload = "container:3f2a9c0d1e2b/idle";
    assert_eq!(row(&measured, Resource::Cpu, workload), (10_000, 0));
    // All that the machine has is no limit.
    world.write(&format!("/sys/fs/cgroup{group}/cpu.max"), "200000 100000\n");
    world.ten_seconds([0; 4]);
    let measured = measure(&mut machine, window(10, 20));
    assert_eq!(used(&measured, Resource::Cpu), []);
}

#[test]
fn version_1() {
    let mut world = Fixture::new();
    let table = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
        2 1 0:2 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        3 1 0:3 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        4 1 0:4 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";
    world.write("/proc/self/mountinfo", table);
    let cgroup =
        format!("9:name=systemd:/docker/{ID}\n4:cpu,cpuacct:/docker/{ID}\n3:memory:/docker/{ID}\n");
    let cpu = format!("/sys/fs/cgroup/cpu,cpuacct/docker/{ID}");
    let memory = format!("/sys/fs/cgroup/memory/docker/{ID}");
    world.write(&format!("{cpu}/cpuacct.usage"), "1000000000\n");
    world.write(&format!("{cpu}/cpu.cfs_quota_us"), "25000\n");
    world.write(&format!("{cpu}/cpu.cfs_period_us"), "100000\n");
    world.write(&format!("{memory}/memory.limit_in_bytes"), "9223372036854771712\n");
    world.set(&Process { cgroup: &cgroup, anon_pages: 10, ..process(10, b"db") });
    let mut machine = world.open();
    world.ten_seconds([100, 0, 0, 0]);
    world.set(&Process { ticks: 40, cgroup: &cgroup, anon_pages: 10, ..process(10, b"db") });
    world.write(&format!("{cpu}/cpuacct.usage"), "1600000000\n");
    let measured = measure(&mut machine, window(0, 10));
    let db = "container:3f2a9c0d1e2b/db";
    let rest = "container:3f2a9c0d1e2b/(short-lived)";
    assert_eq!(row(&measured, Resource::Cpu, db), (1_666, 400));
    assert_eq!(row(&measured, Resource::Cpu, rest), (833, 200));
    assert_eq!(row(&measured, Resource::Memory, db).0, 0, "no limit is no request");
    // -1 is no limit either.
    world.write(&format!("{cpu}/cpu.cfs_quota_us"), "-1\n");
    world.ten_seconds([100, 0, 0, 0]);
    world.set(&Process { ticks: 50, cgroup: &cgroup, ..process(10, b"db") });
    world.write(&format!("{cpu}/cpuacct.usage"), "1700000000\n");
    let measured = measure(&mut machine, window(10, 20));
    assert_eq!(row(&measured, Resource::Cpu, db), (0, 100));
}

#[test]
fn both_versions_at_once() {
    let mut world = Fixture::new();
    let table = "2 1 0:2 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n\
        3 1 0:3 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    world.write("/proc/self/mountinfo", table);
    let scope = format!("/machine.slice/libpod-{ID}.scope");
    // The processor is accounted in version 1, its limit and memory in version 2.
    let cgroup = format!("2:cpuacct:{scope}\n0::{scope}/container\n");
    world.write(&format!("/sys/fs/cgroup/cpuacct{scope}/cpuacct.usage"), "0\n");
    world.write(&format!("/sys/fs/cgroup/unified{scope}/cpu.stat"), "usage_usec 999\n");
    world.write(&format!("/sys/fs/cgroup/unified{scope}/cpu.max"), "max 100000\n");
    world.write(&format!("/sys/fs/cgroup/unified{scope}/memory.max"), "4096\n");
    let job = |ticks| Process { ticks, anon_pages: 9, cgroup: &cgroup, ..process(10, b"job") };
    world.set(&job(0));
    let mut machine = world.open();
    world.ten_seconds([100, 0, 0, 0]);
    world.set(&job(30));
    world.write(&format!("/sys/fs/cgroup/cpuacct{scope}/cpuacct.usage"), "500000000\n");
    let measured = measure(&mut machine, window(0, 10));
    let base = "container:3f2a9c0d1e2b";
    assert_eq!(row(&measured, Resource::Cpu, &format!("{base}/job")), (0, 300));
    assert_eq!(row(&measured, Resource::Cpu, &format!("{base}/(short-lived)")), (0, 200));
    assert_eq!(row(&measured, Resource::Memory, &format!("{base}/job")).0, 4_096 * 10_000);
}

#[test]
fn a_service_is_named_and_sets_nothing_aside() {
    let mut world = Fixture::new();
    let folder = "/sys/fs/cgroup/system.slice/nginx.service";
    world.write(&format!("{folder}/cpu.stat"), "usage_usec 0\n");
    world.write(&format!("{folder}/cpu.max"), "10000 100000\n");
    let cgroup = "0::/system.slice/nginx.service\n";
    world.set(&Process { cgroup, ..process(10, b"nginx") });
    let mut machine = world.open();
    world.ten_seconds([30, 0, 0, 0]);
    world.set(&Process { ticks: 10, cgroup, ..process(10, b"nginx") });
    world.write(&format!("{folder}/cpu.stat"), "usage_usec 300000\n");
    let measured = measure(&mut machine, window(0, 10));
    assert_eq!(row(&measured, Resource::Cpu, "unit:nginx.service/nginx"), (0, 100));
    assert_eq!(row(&measured, Resource::Cpu, "unit:nginx.service/(short-lived)"), (0, 200));
    let who = measured.samples[0].attribution.as_ref().unwrap();
    assert_eq!(who.container.as_deref(), Some("nginx.service"));
}

#[test]
fn a_container_that_starts_again_counts_nothing_twice() {
    let mut world = Fixture::new();
    let file = format!("/sys/fs/cgroup/docker/{ID}/cpu.stat");
    let cgroup = format!("0::/docker/{ID}\n");
    world.write(&file, "usage_usec 90000000\n");
    world.set(&Process { cgroup: &cgroup, ..process(10, b"db") });
    let mut machine = world.open();
    world.ten_seconds([100, 0, 0, 0]);
    world.write(&file, "usage_usec 600000\n");
    let start = world.now_centis - 100;
    world.set(&Process { ticks: 40, start, cgroup: &cgroup, ..process(10, b"db") });
    let measured = measure(&mut machine, window(0, 10));
    let expect = rows(&[("container:3f2a9c0d1e2b/db", 400), ("process:(short-lived)", 600)]);
    assert_eq!(used(&measured, Resource::Cpu), expect);
    assert!(measured.faults[0].starts_with("the counter of 3f2a9c0d1e2b went back"));
    // A counter that cannot be read is no counter.
    world.remove(&file);
    world.ten_seconds([100, 0, 0, 0]);
    let measured = measure(&mut machine, window(10, 20));
    assert_eq!(used(&measured, Resource::Cpu), rows(&[("process:(short-lived)", 1_000)]));
    assert_eq!(measured.faults, [""; 0]);
}

#[test]
fn groups_of_a_namespace_and_of_others() {
    let mut world = Fixture::new();
    // Only a part of the hierarchy is mounted, and one process is above it.
    let table = "2 1 0:2 /docker /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    world.write("/proc/self/mountinfo", table);
    let (mine, other) = (format!("0::/docker/{ID}\n"), "0::/../../lxc/far\n");
    world.write(&format!("/sys/fs/cgroup/{ID}/cpu.stat"), "usage_usec 0\n");
    world.set(&Process { cgroup: &mine, ..process(10, b"a") });
    world.set(&Process { cgroup: other, ..process(11, b"b") });
    let mut machine = world.open();
    world.ten_seconds([100, 0, 0, 0]);
    world.write(&format!("/sys/fs/cgroup/{ID}/cpu.stat"), "usage_usec 100000\n");
    world.set(&Process { ticks: 1, cgroup: other, ..process(11, b"b") });
    let measured = measure(&mut machine, window(0, 10));
    let expect = rows(&[
        ("container:3f2a9c0d1e2b/(short-lived)", 100),
        ("container:far/b", 10),
        ("process:(short-lived)", 890),
    ]);
    assert_eq!(used(&measured, Resource::Cpu), expect);
}

#[test]
fn our_own_limits_are_said() {
    let world = Fixture::new();
    world.write("/proc/self/cgroup", "0::/system.slice/farthing.service\n");
    let folder = "/sys/fs/cgroup/system.slice";
    world.write(&format!("{folder}/cpu.max"), "150000 100000\n");
    world.write(&format!("{folder}/farthing.service/memory.max"), "67108864\n");
    let mut machine = world.open();
    let measured = measure(&mut machine, window(0, 10));
    assert!(measured.faults[0].contains("1.50 cores"), "{:?}", measured.faults);
    assert!(measured.faults[1].contains("64 MiB"), "{:?}", measured.faults);
    assert_eq!(measured.spans[0].capacity.cpu_milli, 2_000, "the machine is what is paid");
}
