//! Random worlds: whatever processes do, every busy moment is counted once.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Change {
    /// A process uses time.
    Run { pid: u32, ticks: u64 },
    /// A new process takes a pid.
    Start { pid: u32, ticks: u64, name: u8 },
    /// A process ends.
    End { pid: u32 },
    /// Its counter goes back.
    Reset { pid: u32 },
}

fn change() -> impl Strategy<Value = Change> {
    let pid = 10_u32..16;
    prop_oneof![
        4 => (pid.clone(), 0_u64..300).prop_map(|(pid, ticks)| Change::Run { pid, ticks }),
        2 => (pid.clone(), 0_u64..300, 0_u8..4)
            .prop_map(|(pid, ticks, name)| Change::Start { pid, ticks, name }),
        1 => pid.clone().prop_map(|pid| Change::End { pid }),
        1 => pid.prop_map(|pid| Change::Reset { pid }),
    ]
}

/// What happens in one tick: changes, short-lived time, softirq and steal.
type Events = (Vec<Change>, u64, u64, u64);

fn events() -> impl Strategy<Value = Events> {
    (prop::collection::vec(change(), 0..6), 0_u64..300, 0_u64..50, 0_u64..50)
}

/// Does the changes; returns the processor time that they took, in ticks.
fn play(
    world: &Fixture,
    live: &mut Vec<(u32, u8, u64, u64)>,
    changes: &[Change],
    cgroup: &str,
) -> u64 {
    let mut busy = 0;
    for change in changes {
        match *change {
            Change::Run { pid, ticks } => {
                if let Some(one) = live.iter_mut().find(|one| one.0 == pid) {
                    one.2 += ticks;
                    busy += ticks;
                }
            }
            Change::Start { pid, ticks, name } => {
                live.retain(|one| one.0 != pid);
                live.push((pid, name, ticks, world.now_centis + 1 + ticks));
                busy += ticks;
            }
            Change::End { pid } => {
                live.retain(|one| one.0 != pid);
                let folder = world.path().join(format!("proc/{pid}"));
                if folder.exists() {
                    std::fs::remove_dir_all(folder).unwrap();
                }
            }
            Change::Reset { pid } => {
                if let Some(one) = live.iter_mut().find(|one| one.0 == pid) {
                    one.2 /= 2;
                }
            }
        }
    }
    for (pid, name, ticks, start) in live {
        let comm = [b"abcd"[usize::from(*name)]];
        let inside = *name == 0;
        let cgroup = if inside { cgroup } else { "0::/\n" };
        world.set(&Process { ticks: *ticks, start: *start, cgroup, ..process(*pid, &comm) });
    }
    busy
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn busy_time_is_counted_once(all in prop::collection::vec(events(), 1..8)) {
        let mut world = Fixture::new();
        let cgroup = format!("0::/docker/{ID}\n");
        let file = format!("/sys/fs/cgroup/docker/{ID}/cpu.stat");
        let mut machine = world.open();
        let mut live = Vec::new();
        let (mut busy_ticks, mut sampled, mut micros) = (0, 0, 0);
        for (index, (changes, short, softirq, steal)) in (0..).zip(&all) {
            let busy = play(&world, &mut live, changes, &cgroup);
            // Both processors together have 2,000 ticks.
            let user = (busy + short).min(1_500);
            world.ten_seconds([user, 0, *softirq, *steal]);
            micros += short * 5_000;
            world.write(&file, format!("usage_usec {micros}\n"));
            busy_ticks += i128::from(user + softirq + steal);
            let measured = measure(&mut machine, window(index * 10, index * 10 + 10));
            let cpu = measured.samples.iter().filter(|one| one.resource == Resource::Cpu);
            sampled += cpu.map(farthing_model::Sample::known_use).sum::<i128>();
            let forgot = measured.faults.iter().any(|fault| fault.contains("not taken back"));
            prop_assume!(!forgot);
        }
        let owed = i128::from(machine.cpu.owed_nanos);
        prop_assert_eq!(sampled, busy_ticks * 10_000_000 + owed);
    }
}
