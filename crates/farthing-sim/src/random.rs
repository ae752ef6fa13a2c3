//! A small seeded generator: whole numbers only, and forks by name, so that what one part draws
//! never shifts what another one gets.

use farthing_model::Draw;

/// A `xoshiro256**` generator. The same seed gives the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Random {
    seed: u64,
    state: [u64; 4],
}

/// One step of `SplitMix64`: spreads any 64 bits evenly.
const fn mix(value: u64) -> u64 {
    Draw::new(value).next()
}

impl Random {
    /// The generator of a seed.
    pub const fn new(seed: u64) -> Self {
        let a = mix(seed);
        let b = mix(a);
        let c = mix(b);
        Self { seed, state: [a, b, c, mix(c)] }
    }

    /// The generator of a name under this seed. It depends on the seed and the name alone, not on
    /// what was drawn before.
    #[must_use]
    pub fn fork(&self, name: &str) -> Self {
        // FNV-1a over the name, then spread.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self::new(mix(self.seed ^ mix(hash)))
    }

    /// The generator of a number under this seed, as [`Random::fork`].
    #[must_use]
    pub const fn fork_number(&self, number: u64) -> Self {
        Self::new(mix(self.seed ^ mix(number ^ 0x6e75_6d62_6572)))
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        let result = self.state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = self.state[1] << 17;
        self.state[2] ^= self.state[0];
        self.state[3] ^= self.state[1];
        self.state[1] ^= self.state[2];
        self.state[0] ^= self.state[3];
        self.state[2] ^= shifted;
        self.state[3] = self.state[3].rotate_left(45);
        result
    }

    /// A number from 0 up to, not including, `end`; 0 for no range. Even to within 2^-64 x `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(end);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `from` to `to`, both included; `from` where the range is empty.
    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        let Ok(width) = u64::try_from(i128::from(to) - i128::from(from)) else { return from };
        let offset = self.below(width.saturating_add(1));
        i64::try_from(i128::from(from) + i128::from(offset)).unwrap_or(from)
    }

    /// True in `ppm` of a million draws. Draws even when the answer is certain, so that a change
    /// of a rate does not shift later draws.
    pub fn chance(&mut self, ppm: u32) -> bool {
        self.below(1_000_000) < u64::from(ppm)
    }

    /// One of `items`; `None` where there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = self.below(u64::try_from(items.len()).unwrap_or(u64::MAX));
        items.get(usize::try_from(index).ok()?)
    }

    /// Minutes until something happens that has a chance of `ppm` in each hour, without memory;
    /// `None` if not within `minutes_max`.
    pub fn minutes_until(&mut self, ppm_per_hour: u32, minutes_max: u32) -> Option<u32> {
        if ppm_per_hour == 0 {
            return None;
        }
        // A sixtieth of the hourly chance in each minute, drawn from sixty millions.
        (0..minutes_max).find(|_| self.below(60_000_000) < u64::from(ppm_per_hour))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of `SplitMix64(0)` are published; ours chains the mixer on its own
    /// output, so only the first agrees.
    #[test]
    fn the_mixer_is_splitmix64() {
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn forks_do_not_depend_on_what_was_drawn() {
        let fresh = Random::new(7);
        let mut used = fresh.clone();
        for _ in 0..100 {
            used.bits();
        }
        assert_eq!(fresh.fork("faults").bits(), used.fork("faults").bits());
        assert_eq!(fresh.fork_number(3).bits(), used.fork_number(3).bits());
        assert_ne!(fresh.fork("faults").bits(), fresh.fork("arrivals").bits());
        assert_ne!(fresh.fork("faults").bits(), Random::new(8).fork("faults").bits());
    }

    #[test]
    fn draws_stay_in_range_and_are_about_even() {
        let mut random = Random::new(1);
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            counts[usize::try_from(random.below(10)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        let mut seen = [false; 5];
        for _ in 0..1_000 {
            seen[usize::try_from(random.between(-2, 2) + 2).unwrap()] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(random.between(5, 4), 5);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.pick::<u8>(&[]), None);
        let hits = (0..100_000).filter(|_| random.chance(250_000)).count();
        assert!((24_000..26_000).contains(&hits), "{hits}");
        assert!(!(0..1_000).any(|_| random.chance(0)));
        assert!((0..1_000).all(|_| random.chance(1_000_000)));
    }

    #[test]
    fn waiting_times_have_their_mean() {
        let mut random = Random::new(2);
        // Half an hour's chance each hour: a mean of two hours.
        let total: u32 = (0..20_000).filter_map(|_| random.minutes_until(500_000, 100_000)).sum();
        assert!((117..123).contains(&(total / 20_000)), "{}", total / 20_000);
        assert_eq!(random.minutes_until(0, 1_000), None);
    }
}
