//! The machine's own counters: `/proc/stat`, `/proc/meminfo` and `/proc/uptime`.

use super::files::{lines, number, words};

/// Processor time since boot, in ticks (see `AT_CLKTCK`, a hundred a second on every Linux).
///
/// Time of guests is inside `user` and `nice` and is not read, else it would count twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CpuTimes {
    pub(super) user: u64,
    pub(super) nice: u64,
    pub(super) system: u64,
    pub(super) idle: u64,
    pub(super) iowait: u64,
    pub(super) irq: u64,
    pub(super) softirq: u64,
    pub(super) steal: u64,
    /// How many processors are online.
    pub(super) cores: u32,
}

impl CpuTimes {
    /// Reads `/proc/stat`; `None` when it has no total or no processor.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut times = None;
        let mut cores = 0;
        for line in lines(text) {
            let mut words = words(line);
            match words.next() {
                Some(b"cpu") => times = Some(words.map_while(number).collect::<Vec<_>>()),
                Some(name) if name.starts_with(b"cpu") => cores += 1,
                // The processors come first; interrupts would be thousands of words.
                _ => break,
            }
        }
        let times = times.filter(|times| times.len() >= 4)?;
        let at = |index| times.get(index).copied().unwrap_or(0);
        let times = Self {
            user: at(0),
            nice: at(1),
            system: at(2),
            idle: at(3),
            iowait: at(4),
            irq: at(5),
            softirq: at(6),
            steal: at(7),
            cores,
        };
        (cores > 0).then_some(times)
    }

    /// What was counted since `before`, and whether a busy counter went back. A counter that went
    /// back counts nothing; idle and iowait are known to step back a little.
    pub(super) fn since(self, before: Self) -> (Self, bool) {
        let went_back = [
            (self.user, before.user),
            (self.nice, before.nice),
            (self.system, before.system),
            (self.irq, before.irq),
            (self.softirq, before.softirq),
            (self.steal, before.steal),
        ]
        .into_iter()
        .any(|(now, then)| now < then);
        let delta = Self {
            user: self.user.saturating_sub(before.user),
            nice: self.nice.saturating_sub(before.nice),
            system: self.system.saturating_sub(before.system),
            idle: self.idle.saturating_sub(before.idle),
            iowait: self.iowait.saturating_sub(before.iowait),
            irq: self.irq.saturating_sub(before.irq),
            softirq: self.softirq.saturating_sub(before.softirq),
            steal: self.steal.saturating_sub(before.steal),
            cores: self.cores.max(before.cores),
        };
        (delta, went_back)
    }

    /// Everything that was not idle, with what the hypervisor took.
    pub(super) const fn busy(self) -> u64 {
        self.user
            .saturating_add(self.nice)
            .saturating_add(self.system)
            .saturating_add(self.irq)
            .saturating_add(self.softirq)
            .saturating_add(self.steal)
    }

    /// Everything.
    pub(super) const fn total(self) -> u64 {
        self.busy().saturating_add(self.idle).saturating_add(self.iowait)
    }
}

/// What `/proc/meminfo` says, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MemInfo {
    pub(super) total: u64,
    /// Total less what could be had without swapping.
    pub(super) used: u64,
    /// Anonymous pages of all processes, each once.
    pub(super) anon: Option<u64>,
    /// File and shared memory pages mapped by any process, each once.
    pub(super) mapped: Option<u64>,
}

impl MemInfo {
    /// Reads `/proc/meminfo`; `None` when it has no total.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let field = |name: &[u8]| {
            let line = lines(text).find_map(|line| line.strip_prefix(name))?;
            number(line)?.checked_mul(1 << 10)
        };
        let total = field(b"MemTotal:")?;
        let estimate = || {
            // Kernels before 3.14 do not estimate what is available.
            let free = field(b"MemFree:")?;
            let cached = field(b"Cached:").unwrap_or(0).saturating_add(field(b"Buffers:")?);
            let kept = field(b"Shmem:").unwrap_or(0);
            Some(free.saturating_add(cached.saturating_sub(kept)))
        };
        let available = field(b"MemAvailable:").or_else(estimate)?;
        let used = total.saturating_sub(available);
        Some(Self { total, used, anon: field(b"AnonPages:"), mapped: field(b"Mapped:") })
    }
}

/// Reads `/proc/uptime`: the time since boot, with time asleep, in hundredths of a second.
pub(super) fn uptime_centis(text: &[u8]) -> Option<u64> {
    let word = words(text).next()?;
    let dot = word.iter().position(|byte| *byte == b'.')?;
    let (seconds, hundredths) = (number(&word[..dot])?, &word[dot + 1..]);
    (hundredths.len() == 2).then_some(())?;
    seconds.checked_mul(100)?.checked_add(number(hundredths)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_do_not_count_twice_and_interrupts_are_not_read() {
        let text = b"cpu  10 2 30 400 5 6 7 8 9 1\ncpu0 5 1 15 200\ncpu1 5 1 15 200\nintr 9 9 9\n";
        let times = CpuTimes::parse(text).unwrap();
        assert_eq!((times.busy(), times.total(), times.cores), (63, 468, 2));
        assert_eq!(CpuTimes::parse(b"cpu  1 2 3 4\nintr 1\n"), None, "no processor");
        assert_eq!(CpuTimes::parse(b""), None);
        assert_eq!(CpuTimes::parse(b"cpu x\ncpu0 1 2 3 4"), None);
    }

    #[test]
    fn a_counter_that_goes_back_counts_nothing() {
        let before = CpuTimes { user: 10, idle: 100, cores: 2, ..CpuTimes::default() };
        let after = CpuTimes { user: 9, idle: 99, system: 5, cores: 2, ..CpuTimes::default() };
        let (delta, went_back) = after.since(before);
        assert_eq!((delta.busy(), delta.total(), went_back), (5, 5, true));
        let (_, went_back) = CpuTimes { user: 10, ..after }.since(before);
        assert!(!went_back, "idle alone may step back");
    }

    #[test]
    fn memory_in_use_is_what_cannot_be_had() {
        let text = b"MemTotal:  1000 kB\nMemFree: 100 kB\nMemAvailable:  600 kB\n\
                     AnonPages: 300 kB\nMapped: 50 kB\n";
        let memory = MemInfo::parse(text).unwrap();
        assert_eq!(memory.used, 400 << 10);
        assert_eq!((memory.anon, memory.mapped), (Some(300 << 10), Some(50 << 10)));
        let old =
            b"MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 50 kB\nCached: 400 kB\nShmem: 20 kB";
        assert_eq!(MemInfo::parse(old).unwrap().used, 470 << 10);
        assert_eq!(MemInfo::parse(b"MemTotal: lots kB\n"), None);
    }

    #[test]
    fn uptime_has_two_places() {
        assert_eq!(uptime_centis(b"3059.53 2105.39\n"), Some(305_953));
        assert_eq!(uptime_centis(b"3059\n"), None);
        assert_eq!(uptime_centis(b"12.5 1.0\n"), None);
    }
}
