//! Numbers drawn from a seed: the same on every machine.

/// A `SplitMix64` generator (Steele, Lea and Flood, 2014). Not for secrets.
#[derive(Clone, Debug)]
pub struct Draw(u64);

impl Draw {
    /// The generator of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number below `count`; 0 where there is none.
    pub fn below(&mut self, count: usize) -> usize {
        let below = (u128::from(self.next()) * count as u128) >> 64;
        usize::try_from(below).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the published generator for the seed 0.
    #[test]
    fn numbers_are_those_of_the_published_generator() {
        let mut draw = Draw::new(0);
        let drawn = [draw.next(), draw.next(), draw.next()];
        assert_eq!(drawn, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
        assert!((0..1_000).all(|_| draw.below(7) < 7));
        assert_eq!(draw.below(0), 0);
    }
}
