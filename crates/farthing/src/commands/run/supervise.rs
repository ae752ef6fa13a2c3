//! The loop around a running command: signals, looks, limits, postings.

use super::child::{Child, End, Signals, send_all};
use super::container::Container;
use super::limit::{Due, Limits, Why};
use super::live::Live;
use super::reserve::Reservation;
use super::tab::Tab;
use super::{AT_A_TIME, STOPPED};
use crate::print::talk;
use crate::show;
use farthing_model::{Joules, Money, Quantity};
use farthing_providers::local::{RunLook, RunMeter};
use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// Between two looks, at least.
const LOOK: Duration = Duration::from_secs(1);
/// The group of a container is gone when it has ended, with what was used since the last look.
const LOOK_CONTAINER: Duration = Duration::from_millis(200);
/// Looking takes at most one part in so many of the time.
const LOOK_PART: u32 = 500;
/// Between two readings of accelerators.
const DEVICES: Duration = Duration::from_secs(5);
/// Between two postings: what a killed run leaves unposted is at most this.
const POST: Duration = Duration::from_secs(60);
/// While it is being ended, looks are so far apart.
const ENDING: Duration = Duration::from_millis(20);
/// What does not go after SIGKILL for so long (it hangs in the kernel) is left.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// How it ended, and what was seen.
pub(crate) struct Ended {
    pub(crate) end: End,
    pub(crate) stopped: Option<Why>,
    pub(crate) killed: bool,
    pub(crate) look: RunLook,
    /// Processes that it left running, which nobody meters from here on.
    pub(crate) left: usize,
    pub(crate) device_memory_peak: Option<u64>,
}

impl Ended {
    /// The exit code that says so.
    pub(crate) fn code(&self) -> u8 {
        match (self.stopped, self.end) {
            (Some(_), _) => STOPPED,
            (None, End::Exited(code)) => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
            (None, End::Killed(signal)) => u8::try_from(128 + (signal & 0x7f)).unwrap_or(u8::MAX),
        }
    }

    /// In words for people.
    pub(crate) fn in_words(&self) -> String {
        let end = match self.end {
            End::Exited(code) => format!("exited {code}"),
            End::Killed(signal) => match Signal::try_from(signal) {
                Ok(name) => format!("killed by {name}"),
                Err(_) => format!("killed by signal {signal}"),
            },
        };
        match self.stopped {
            Some(why) => format!("stopped at the {}: {end}", why.limit()),
            None => end,
        }
    }

    /// Energy, where it was counted.
    pub(crate) const fn energy(&self) -> Option<Quantity<Joules>> {
        self.look.energy
    }
}

/// Everything that the loop works on.
pub(crate) struct Supervised<'a, 'm> {
    pub(crate) signals: &'a Signals,
    pub(crate) child: Child,
    pub(crate) meter: RunMeter,
    pub(crate) tab: &'a mut Tab<'m>,
    pub(crate) limits: &'a Limits,
    pub(crate) reservation: &'a mut Reservation,
    pub(crate) live: Live,
    pub(crate) container: Option<&'a Container>,
}

/// How far the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    /// Asked to end, and to be killed at that time after the beginning.
    Ending(Why, Duration),
}

/// What was seen last, for the line and for the pace.
struct Seen {
    at: Instant,
    devices_at: Instant,
    posted_at: Instant,
    look: RunLook,
    paid: Option<Money>,
    pause: Duration,
    device_memory_peak: Option<u64>,
}

impl Supervised<'_, '_> {
    /// Looks after the command until it has ended.
    pub(crate) fn watch(mut self) -> anyhow::Result<Ended> {
        let now = Instant::now();
        let mut seen = Seen {
            at: now,
            devices_at: now,
            posted_at: now,
            look: RunLook::default(),
            paid: None,
            pause: if self.container.is_some() { LOOK_CONTAINER } else { LOOK },
            device_memory_peak: None,
        };
        let mut hourly = self.tab.hourly()?;
        let mut stage = Stage::Running;
        let mut killed = false;
        let mut due = self.due(&mut hourly, &seen)?;
        loop {
            // 1. What happened.
            let wait = self.wait(stage, due, &seen);
            if let Some((signal, from_kernel)) = self.signals.next(wait) {
                self.live.end();
                self.child.pass_on(signal, from_kernel);
            }
            self.child.reap();
            if self.child.end().is_some() {
                break;
            }
            // 2. What it used.
            if seen.at.elapsed() >= seen.pause || due.is_some_and(|due| self.is_over(due.term)) {
                self.look(&mut seen)?;
                due = self.due(&mut hourly, &seen)?;
            }
            // 3. Whether it must end.
            match stage {
                Stage::Running => {
                    if let Some(due) = due.filter(|due| self.is_over(due.term)) {
                        stage = self.ask_to_end(due);
                    }
                }
                Stage::Ending(_, kill) if self.is_over(kill) => {
                    killed = true;
                    self.kill();
                    break;
                }
                Stage::Ending(..) => {}
            }
        }
        self.finish(stage, killed, seen)
    }

    fn is_over(&self, moment: Duration) -> bool {
        self.tab.elapsed() >= moment
    }

    /// Until the next thing that is to be done.
    fn wait(&self, stage: Stage, due: Option<Due>, seen: &Seen) -> Duration {
        let look = seen.pause.saturating_sub(seen.at.elapsed());
        let limit = match (stage, due) {
            (Stage::Ending(_, kill), _) => Some(kill),
            (Stage::Running, due) => due.map(|due| due.term),
        };
        let limit = limit.map(|at| at.saturating_sub(self.tab.elapsed()));
        limit.map_or(look, |limit| limit.min(look))
    }

    fn look(&mut self, seen: &mut Seen) -> anyhow::Result<()> {
        if let Some(container) = self.container
            && self.meter.group().is_none()
            && let Some(group) = container.group()
        {
            self.meter.adopt(group);
        }
        let began = Instant::now();
        let with_devices = seen.devices_at.elapsed() >= DEVICES;
        let look = self.meter.look(with_devices);
        self.tab.take(look.clone(), with_devices);
        if with_devices {
            seen.devices_at = began;
            let now = look.devices.iter().filter_map(|device| device.memory_bytes).sum::<u64>();
            let any = look.devices.iter().any(|device| device.memory_bytes.is_some());
            seen.device_memory_peak = seen.device_memory_peak.max(any.then_some(now));
        }
        let paid = self.tab.sums()?.map(|sums| sums.paid);
        if self.live.is_on() {
            let line = self.line(&look, paid, seen);
            self.live.tell(&line);
        }
        if seen.posted_at.elapsed() >= POST {
            seen.posted_at = began;
            self.tab.post();
        }
        (seen.look, seen.at, seen.paid) = (look, began, paid);
        // A machine with many processes takes long to look at: then it is looked at less often.
        let least = if self.container.is_some() { LOOK_CONTAINER } else { LOOK };
        seen.pause = least.max(began.elapsed() * LOOK_PART);
        Ok(())
    }

    /// The next limit, by what it costs now or is set aside, whichever is more. Budget that runs
    /// out is taken anew first.
    fn due(&mut self, hourly: &mut Option<Money>, seen: &Seen) -> anyhow::Result<Option<Due>> {
        let Some(set_aside) = *hourly else {
            return Ok(self.limits.due(self.tab.elapsed(), None, None));
        };
        let elapsed = self.tab.elapsed();
        let paid = seen.paid.unwrap_or_else(|| Money::zero(set_aside.currency()));
        // What it cost on average is more only where it used more than was set aside.
        let nanos = i128::try_from(elapsed.as_nanos()).unwrap_or(i128::MAX);
        let mean =
            paid.pico().checked_mul(AT_A_TIME.as_nanos()).and_then(|all| all.checked_div(nanos));
        let mean = mean.filter(|_| elapsed > LOOK).unwrap_or(0).max(set_aside.pico());
        let costs = Some((paid, Money::from_pico(mean, set_aside.currency())));
        if !self.reservation.is_asked() {
            return Ok(self.limits.due(elapsed, costs, None));
        }
        let granted = self.reservation.granted()?;
        let bounded = self.limits.max_cost.is_some() || self.limits.deadline.is_some();
        let left = granted.checked_sub(paid)?;
        // The last third of what is set aside is left: time to ask for more.
        if !bounded && left.pico() < set_aside.pico() / 3 {
            let until = self.tab.now().checked_add(AT_A_TIME * 2).unwrap_or(Timestamp::MAX);
            let gpu_hours = self.tab.gpu_hours_milli(AT_A_TIME);
            let short = self.reservation.take(set_aside, gpu_hours, until)?;
            if short.is_empty() {
                let granted = self.reservation.granted()?;
                return Ok(self.limits.due(elapsed, costs, Some(granted)));
            }
        }
        Ok(self.limits.due(elapsed, costs, Some(granted)))
    }

    fn ask_to_end(&mut self, due: Due) -> Stage {
        self.live.end();
        let grace = due.kill.saturating_sub(self.tab.elapsed());
        let grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::ZERO);
        let ends = if grace.is_zero() {
            "SIGTERM and SIGKILL now".to_owned()
        } else {
            format!("SIGTERM now, SIGKILL in {}", show::duration(grace))
        };
        talk(&format!("farthing: the {} is reached: {ends}", due.why.limit()));
        match self.container {
            Some(container) => container.send("TERM"),
            None => send_all(self.meter.find(), Signal::SIGTERM),
        }
        Stage::Ending(due.why, due.kill)
    }

    /// Kills everything that it started, and goes on until nothing is left.
    fn kill(&mut self) {
        let began = Instant::now();
        if let Some(container) = self.container {
            container.send("KILL");
            while self.child.end().is_none() && began.elapsed() < GONE_WITHIN / 2 {
                std::thread::sleep(ENDING);
                self.child.reap();
            }
        }
        while began.elapsed() < GONE_WITHIN {
            if let Some(group) = self.meter.group() {
                group.kill();
            }
            let tree = self.meter.find().to_vec();
            send_all(&tree, Signal::SIGKILL);
            self.child.reap();
            if self.child.end().is_some() && self.meter.find().is_empty() {
                return;
            }
            std::thread::sleep(ENDING / 10);
        }
    }

    /// The last look. What is left of a command that was stopped is waited for, and killed at the
    /// limit; of one that ended by itself it stays, as it would without us.
    fn finish(mut self, stage: Stage, mut killed: bool, mut seen: Seen) -> anyhow::Result<Ended> {
        if let Stage::Ending(_, kill) = stage {
            while !killed && !self.meter.find().is_empty() {
                if self.is_over(kill) {
                    killed = true;
                    self.kill();
                }
                std::thread::sleep(ENDING);
                self.child.reap();
            }
        }
        self.live.end();
        seen.devices_at = seen.devices_at.checked_sub(DEVICES).unwrap_or(seen.devices_at);
        self.look(&mut seen)?;
        self.tab.end();
        self.live.end();
        // What a container leaves is its engine's own, and on its way out.
        let left = if self.container.is_some() { 0 } else { self.meter.tree().len() };
        let end = self.child.end().unwrap_or(End::Killed(Signal::SIGKILL as i32));
        Ok(Ended {
            end,
            stopped: match stage {
                Stage::Ending(why, _) => Some(why),
                Stage::Running => None,
            },
            killed,
            look: seen.look,
            left,
            device_memory_peak: seen.device_memory_peak,
        })
    }

    /// `12m 3s, 0.42 USD of 20.00, CPU 3.2 of 4, memory 1.5 of 16 GiB`.
    fn line(&self, look: &RunLook, paid: Option<Money>, seen: &Seen) -> String {
        let elapsed = SignedDuration::try_from(self.tab.elapsed()).unwrap_or_default();
        let mut parts = vec![show::duration(elapsed)];
        if let Some(paid) = paid {
            let of = self.limits.max_cost.map(|most| format!(" of {}", show::small_money(most)));
            let of = of.unwrap_or_default();
            parts.push(format!("{} {}{of}", show::small_money(paid), paid.currency()));
        }
        let asks = self.tab.asks();
        let passed = seen.at.elapsed().as_millis().max(1);
        let used = u128::from(look.cpu_nanos.saturating_sub(seen.look.cpu_nanos));
        let tenths = used / 100_000 / passed;
        parts.push(format!(
            "CPU {}.{} of {}",
            tenths / 10,
            tenths % 10,
            asks.cpu_milli.div_ceil(1_000)
        ));
        let gib = |bytes: u64| {
            let tenths = u128::from(bytes) * 10 / (1 << 30);
            format!("{}.{}", tenths / 10, tenths % 10)
        };
        parts.push(format!("memory {} of {} GiB", gib(look.memory_bytes), gib(asks.memory_bytes)));
        if let Some(left) = self.limits.deadline {
            let left = left.saturating_sub(self.tab.elapsed());
            let left = SignedDuration::try_from(left).unwrap_or_default();
            parts.push(format!("{} left", show::duration(left)));
        }
        parts.join(", ")
    }
}
