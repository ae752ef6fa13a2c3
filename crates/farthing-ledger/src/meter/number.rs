//! Numbers for names: samples are sorted and summed by small integers, and the result still does
//! not depend on the order of the input, because each number is replaced by its rank in the end.
//!
//! It refuses to know what a name means. Names are mostly shared (`Arc`), so that one look at an
//! address knows a name again; what is not shared is found by its content.

use farthing_model::{Attribution, DeviceId, NodeId, Resource, Slice};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

/// Addresses that are remembered at most: a reader that shares no name must not cost memory for
/// each of its rows.
pub(super) const ADDRESSES_MAX: usize = 1 << 20;

/// A map by small integers, which need no more than to be spread.
pub(crate) type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

/// Spreads integers over a table. Keys are numbers of ours, so that no input can aim at it.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(26) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number.cast_unsigned() as u64);
    }
}

/// A name that may be shared.
pub(super) trait Shared: Ord + Hash {
    /// Where its content lies: two names of one address are one name.
    fn address(&self) -> usize;
}

impl Shared for Arc<Attribution> {
    fn address(&self) -> usize {
        Arc::as_ptr(self).addr()
    }
}

impl Shared for NodeId {
    fn address(&self) -> usize {
        self.as_str().as_ptr().addr()
    }
}

impl Shared for DeviceId {
    fn address(&self) -> usize {
        self.as_str().as_ptr().addr()
    }
}

/// Numbers names as they come, and says each number's rank in sorted order afterwards.
pub(super) struct Names<'a, T> {
    by_address: FastMap<usize, u32>,
    numbers: HashMap<&'a T, u32>,
}

impl<'a, T: Shared> Names<'a, T> {
    pub(super) fn new() -> Self {
        Self { by_address: FastMap::default(), numbers: HashMap::new() }
    }

    pub(super) fn number(&mut self, name: &'a T) -> u32 {
        // The name is borrowed for as long as this lives, so that its address stays its own.
        let address = name.address();
        if let Some(number) = self.by_address.get(&address) {
            return *number;
        }
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(name).or_insert(next);
        if self.by_address.len() < ADDRESSES_MAX {
            self.by_address.insert(address, number);
        }
        number
    }

    /// The names in order, and for each number its rank.
    pub(super) fn ranked(self) -> (Vec<&'a T>, Vec<u32>) {
        let mut sorted: Vec<(&T, u32)> = self.numbers.into_iter().collect();
        sorted.sort_unstable();
        let mut ranks = vec![0; sorted.len()];
        for (rank, (_, number)) in (0..).zip(&sorted) {
            ranks[*number as usize] = rank;
        }
        (sorted.into_iter().map(|(name, _)| name).collect(), ranks)
    }
}

/// What is measured once at any time, by numbers; 1 + the number where there may be no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Series {
    pub(super) node: u32,
    pub(super) resource: Resource,
    pub(super) device: u32,
    pub(super) slice: Option<Slice>,
    pub(super) who: u32,
}
