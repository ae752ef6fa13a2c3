//! Disks, GPUs and the inventory.

use super::*;
use crate::local::{Inventory, inventory};
use crate::nvml::{GpuModel, GpuProcess, GpuReading, GpuReport};
use farthing_model::{DeviceUse, PerMille, Rung};
use std::collections::VecDeque;

/// A driver that says what it was told to say.
#[derive(Default)]
struct FakeDriver {
    reports: VecDeque<GpuReport>,
}

impl GpuDriver for FakeDriver {
    fn models(&mut self) -> Vec<GpuModel> {
        let model = |index| GpuModel {
            uuid: format!("GPU-{index}"),
            name: "NVIDIA H100 80GB HBM3".into(),
            memory_bytes: 80 << 30,
            mig: false,
        };
        vec![model(0), model(1)]
    }

    fn read(&mut self) -> GpuReport {
        self.reports.pop_front().unwrap_or_default()
    }
}

fn device(index: u32, pids: &[u32], busy: Option<&[(u32, u32)]>, energy: u64) -> GpuReading {
    let process = |pid: &u32| GpuProcess { pid: *pid, memory_bytes: Some(1) };
    GpuReading {
        uuid: format!("GPU-{index}"),
        processes: pids.iter().map(process).collect(),
        busy_percent: busy.map(<[_]>::to_vec),
        energy_millijoules: Some(energy),
        ..GpuReading::default()
    }
}

fn report(devices: Vec<GpuReading>) -> GpuReport {
    GpuReport { devices, faults: vec![] }
}

#[test]
fn gpus_are_shared_idle_held_and_let_go() {
    let mut world = Fixture::new();
    let cgroup = format!("0::/docker/{ID}\n");
    world.set(&Process { uid: 1_000, ..process(10, b"train") });
    world.set(&Process { uid: 1_000, ..process(11, b"train") });
    world.set(&Process { cgroup: &cgroup, ..process(12, b"serve") });
    let first = report(vec![device(0, &[10], None, 5_000), device(1, &[], None, 100)]);
    let both = device(0, &[10, 11, 12], Some(&[(10, 30), (11, 20), (12, 10)]), 9_000);
    let second = report(vec![both, device(1, &[], Some(&[]), 350)]);
    // One ended since; the other device is taken by a process that we cannot see.
    let one = device(0, &[10], Some(&[(10, 50), (12, 30)]), 400);
    let third = report(vec![one, device(1, &[999], Some(&[(999, 80)]), 350)]);
    let driver = FakeDriver { reports: VecDeque::from([first, second, third]) };
    let mut machine = world.open_with(Box::new(driver));

    world.ten_seconds([0; 4]);
    let measured = measure(&mut machine, window(0, 10));
    assert_eq!(measured.spans[0].capacity.gpu_milli, 2_000);
    let gpu = |measured: &Measured| -> Vec<_> {
        let of = measured.samples.iter().filter(|one| one.resource == Resource::Gpu);
        let nano = |amount: i128| amount / 1_000_000;
        of.map(|one| {
            let device = one.device.as_ref().unwrap().to_string();
            (device, name(one), nano(one.requested_nano), nano(one.known_use()))
        })
        .collect()
    };
    let row = |device: &str, who: &str, requested, used| {
        (device.to_owned(), who.to_owned(), requested, used)
    };
    // Two processes of one program are one row; the idle device has none.
    let expect = [
        row("GPU-0", "container:3f2a9c0d1e2b/serve", 3_333, 1_000),
        row("GPU-0", "process:train", 6_666, 5_000),
    ];
    assert_eq!(gpu(&measured), expect);
    let energy: Vec<_> = machine.energy().iter().map(|(_, joules)| joules.to_string()).collect();
    assert_eq!(energy, ["4 J", "0.25 J"]);
    let did = |measured: &Measured| -> Vec<_> {
        let value = |one: &DeviceUse, rung| one.rungs.get(rung).value().map(PerMille::get);
        let row = |one: &DeviceUse| {
            let who = one.attribution.as_ref().map_or("-", |who| who.workload.as_str());
            let rungs = (value(one, Rung::Context), value(one, Rung::Engine));
            (one.device.to_string(), who.to_owned(), rungs, one.memory_bytes, one.power_mw)
        };
        measured.uses.iter().map(row).collect()
    };
    let told = |device: &str, who: &str, (context, engine), memory, power| {
        let rungs = (Some(context), Some(engine));
        (device.to_owned(), who.to_owned(), rungs, memory, Some(power))
    };
    // Processes of one program are one record; the device that nobody has is read all the same.
    let expect = [
        told("GPU-0", "process:train", (1_000, 500), Some(2), 400),
        told("GPU-0", "container:3f2a9c0d1e2b/serve", (1_000, 100), Some(1), 400),
        told("GPU-1", "-", (0, 0), None, 25),
    ];
    assert_eq!(did(&measured), expect);
    let held = |measured: &Measured| -> Vec<_> {
        let of = measured.samples.iter().filter(|one| one.resource == Resource::Gpu);
        of.map(|one| one.held_nano.map(|nano| nano / 1_000_000)).collect()
    };
    assert_eq!(held(&measured), [Some(3_333), Some(6_666)]);

    world.remove("/proc/12");
    world.remove("/proc/11");
    world.ten_seconds([0; 4]);
    let measured = measure(&mut machine, window(10, 20));
    let expect = [
        row("GPU-0", "container:3f2a9c0d1e2b/serve", 5_000, 3_000),
        row("GPU-1", "process:(hidden)", 10_000, 8_000),
        row("GPU-0", "process:train", 5_000, 5_000),
    ];
    assert_eq!(gpu(&measured), expect);
    assert_eq!(held(&measured), [Some(3_000), Some(10_000), Some(5_000)], "one has let go");
    // The first counter started again with its driver.
    let energy: Vec<_> = machine.energy().iter().map(|(_, joules)| joules.to_string()).collect();
    assert_eq!(energy, ["0.4 J", "0 J"]);
}

#[test]
fn pids_of_another_namespace_are_nobody_we_know() {
    let mut world = Fixture::new();
    std::fs::create_dir_all(world.path().join("proc/self/ns")).unwrap();
    let link = world.path().join("proc/self/ns/pid");
    std::os::unix::fs::symlink("pid:[4026532001]", link).unwrap();
    world.set(&process(10, b"not-it"));
    let same = || report(vec![device(0, &[10], Some(&[(10, 50)]), 0)]);
    let driver = FakeDriver { reports: VecDeque::from([same(), same()]) };
    let mut machine = world.open_with(Box::new(driver));
    world.ten_seconds([0; 4]);
    let measured = measure(&mut machine, window(0, 10));
    assert_eq!(used(&measured, Resource::Gpu), rows(&[("process:(hidden)", 5_000)]));
}

#[test]
fn what_a_device_cannot_say_is_said_once() {
    let mut world = Fixture::new();
    world.set(&process(10, b"train"));
    let half = || GpuReading { device_busy_percent: Some(50), ..device(0, &[10], None, 0) };
    let lost = "GPU 1 cannot be read: lost".to_owned();
    let say = || GpuReport { devices: vec![half()], faults: vec![lost.clone()] };
    let driver = FakeDriver { reports: VecDeque::from([say(), say(), say()]) };
    let mut machine = world.open_with(Box::new(driver));
    world.ten_seconds([0; 4]);
    let measured = measure(&mut machine, window(0, 10));
    assert_eq!(used(&measured, Resource::Gpu), rows(&[("process:train", 5_000)]));
    assert_eq!(measured.faults.len(), 2, "{:?}", measured.faults);
    assert!(measured.faults.iter().any(|fault| fault.contains("split evenly")));
    assert!(measured.faults.contains(&lost));
    world.ten_seconds([0; 4]);
    assert_eq!(measure(&mut machine, window(10, 20)).faults, [""; 0]);
}

#[test]
fn no_driver_is_noted_once() {
    let mut world = Fixture::new();
    let mut machine = world.open_with(Box::new(NoGpus::because("no GPU is looked for: test")));
    for (from, faults) in [(0, 1), (10, 0)] {
        world.ten_seconds([0; 4]);
        let measured = measure(&mut machine, window(from, from + 10));
        assert_eq!(measured.faults.len(), faults);
        assert_eq!(measured.spans[0].capacity.gpu_milli, 0);
    }
}

#[test]
fn files_on_a_disk_are_a_row() {
    let mut world = Fixture::new();
    let mut machine = world.open();
    world.ten_seconds([0; 4]);
    let measured = measure(&mut machine, window(0, 10));
    let expect = rows(&[("disk:/", (1 << 30) * 10 * 1_000)]);
    assert_eq!(used(&measured, Resource::Storage), expect);
    let disk = measured.samples.iter().find(|one| one.resource == Resource::Storage).unwrap();
    assert_eq!(disk.source.as_str(), "statvfs");
}

#[test]
fn an_inventory_is_what_is_there() {
    let world = Fixture::new();
    world.write("/sys/block/sda/size", "4194304\n");
    let found = inventory(world.path(), &mut FakeDriver::default()).unwrap();
    assert_eq!(found.hostname, "box");
    assert_eq!(found.cpu_model.as_deref(), Some("Test CPU @ 2GHz"));
    assert_eq!((found.cores, found.memory_bytes), (2, 100_000 << 10));
    assert_eq!(found.gpus[1].uuid, "GPU-1");
    assert_eq!(found.capacity().gpu_milli, 2_000);
    assert_eq!(found.block_devices[0].bytes, 2 << 30);

    world.remove("/proc/sys/kernel/hostname");
    world.write("/proc/cpuinfo", "processor\t: 0\nBogoMIPS\t: 50\n");
    world.write("/proc/device-tree/model", b"Some Board Rev 2\0");
    let found = inventory(world.path(), &mut NoGpus::default()).unwrap();
    assert_eq!(found.hostname, "local");
    assert_eq!(found.cpu_model.as_deref(), Some("Some Board Rev 2"));
    assert_eq!(Inventory::default().capacity(), farthing_model::Resources::default());
}

#[test]
fn energy_of_packages_and_their_memory_is_counted_once_and_around() {
    let mut world = Fixture::new();
    let zone = |world: &Fixture, zone: &str, name: &str, energy: u64| {
        let path = |file: &str| format!("/sys/class/powercap/{zone}/{file}");
        world.write(&path("name"), format!("{name}\n"));
        world.write(&path("energy_uj"), format!("{energy}\n"));
        world.write(&path("max_energy_range_uj"), "1000000\n");
    };
    let set = |world: &Fixture, [package, core, dram, psys]: [u64; 4]| {
        zone(world, "intel-rapl:0", "package-0", package);
        zone(world, "intel-rapl:0:0", "core", core);
        zone(world, "intel-rapl:0:1", "dram", dram);
        zone(world, "intel-rapl:1", "psys", psys);
        zone(world, "intel-rapl-mmio:0", "package-0", package);
    };
    set(&world, [100_000, 1, 900_000, 5]);
    let mut machine = world.open();
    set(&world, [350_000, 70_000, 950_000, 900_000]);
    world.ten_seconds([0; 4]);
    let measured = measure(&mut machine, window(0, 10));
    // The books keep it as power: 0.25 J in ten seconds.
    let kept: Vec<_> =
        measured.uses.iter().map(|one| (one.device.as_str(), one.power_mw)).collect();
    assert_eq!(kept, [("package-0", Some(25)), ("dram-0", Some(5))]);
    assert!(measured.uses.iter().all(|one| !one.is_accelerator() && one.attribution.is_none()));
    let energy = |machine: &LocalMachine| -> Vec<String> {
        let zones = machine.energy_of_processors().iter();
        zones.map(|(zone, joules)| format!("{zone} {joules}")).collect()
    };
    assert_eq!(energy(&machine), ["package-0 0.25 J", "dram-0 0.05 J"]);
    set(&world, [400_000, 90_000, 20_000, 999_000]);
    world.ten_seconds([0; 4]);
    measure(&mut machine, window(10, 20));
    assert_eq!(energy(&machine), ["package-0 0.05 J", "dram-0 0.07 J"]);
}
