//! This machine, as it is: the last rung of the ladder, with a real clock.

use super::*;
use crate::nvml;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn the_real_machine_adds_up() {
    let offer = MachineOffer {
        offer: OfferId::new("local/here/machine/owned").unwrap(),
        place: Place { provider: "local".into(), region: "here".into(), zone: None },
        instance_type: "machine".into(),
        price: Price::Unknown("not priced here".into()),
    };
    let cluster = ClusterId::new("test").unwrap();
    let mut machine = LocalMachine::open(Path::new("/"), cluster, offer, nvml::driver()).unwrap();
    let (mut checked, mut own_nanos) = (0, 0);
    for tick in 0..12_i64 {
        let (times, uptime, owed) =
            (machine.looker.times, machine.looker.uptime_centis, machine.cpu.owed_nanos);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(200) {
            std::hint::spin_loop();
        }
        thread::sleep(Duration::from_millis(100));
        // Longer than the look took, shorter than would be a gap: nothing is scaled.
        let from = at(0).as_millisecond() + tick * 600;
        let instant = |millis| Timestamp::from_millisecond(millis).unwrap();
        let window = Window::new(instant(from), instant(from + 600)).unwrap();
        let measured = measure(&mut machine, window);
        let now = machine.looker.uptime_centis.unwrap();
        let cpu = || measured.samples.iter().filter(|one| one.resource == Resource::Cpu);
        let sampled: i128 = cpu().map(farthing_model::Sample::known_use).sum();
        let memory = measured.samples.iter().filter(|one| one.resource == Resource::Memory);
        assert!(memory.count() > 1, "someone holds memory");
        if now - uptime.unwrap() > 45 {
            // The machine is too busy with others for this tick to be even.
            continue;
        }
        checked += 1;
        let (delta, _) = machine.looker.times.since(times);
        let busy = i128::from(delta.busy()) * i128::from(machine.looker.units.nanos_per_tick);
        let owed = i128::from(machine.cpu.owed_nanos) - i128::from(owed);
        assert_eq!(sampled, busy + owed, "tick {tick}");
        let is_own =
            |one: &&Sample| name(one).contains("farthing") || name(one).contains("scratch");
        own_nanos += cpu().filter(is_own).map(farthing_model::Sample::known_use).sum::<i128>();
    }
    assert!(checked > 0, "no tick was even");
    assert!(own_nanos > 0, "this test itself used the processor");
}
