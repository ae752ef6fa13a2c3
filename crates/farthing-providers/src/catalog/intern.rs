//! Each text and each combination once, by a number: a catalogue repeats few names many times.

use farthing_model::Mix;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash};
use std::sync::Arc;

/// Texts by number.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    numbers: HashMap<Arc<str>, u32>,
    known: Vec<Arc<str>>,
    last: [Option<u32>; Slot::COUNT],
}

/// What a text is. Rows come in runs: the last text of the same column is looked at first.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot {
    Provider,
    Region,
    Zone,
    Type,
    Accelerator,
    Source,
    Other,
}

impl Slot {
    const COUNT: usize = 7;
}

impl Texts {
    /// The number of a text; new ones get the next.
    pub(crate) fn number(&mut self, slot: Slot, text: &str) -> u32 {
        let last = self.last[slot as usize];
        if let Some(last) = last.filter(|last| &*self.known[*last as usize] == text) {
            return last;
        }
        let number = self.numbers.get(text).copied().unwrap_or_else(|| {
            let (number, shared) = (next(self.known.len()), Arc::<str>::from(text));
            self.numbers.insert(Arc::clone(&shared), number);
            self.known.push(shared);
            number
        });
        self.last[slot as usize] = Some(number);
        number
    }

    /// Whether the last text of a column was this one, so that it was checked.
    pub(crate) fn was_last(&self, slot: Slot, text: &str) -> bool {
        self.last[slot as usize].is_some_and(|last| &*self.known[last as usize] == text)
    }

    pub(crate) fn text(&self, number: u32) -> &Arc<str> {
        &self.known[number as usize]
    }
}

/// Keys of small numbers, by number.
#[derive(Debug)]
pub(crate) struct Keys<K> {
    numbers: HashMap<K, u32, BuildHasherDefault<Mix>>,
}

impl<K> Default for Keys<K> {
    fn default() -> Self {
        Self { numbers: HashMap::default() }
    }
}

impl<K: Eq + Hash + Copy> Keys<K> {
    /// The number of a key, and whether it is new.
    pub(crate) fn number(&mut self, key: K) -> (u32, bool) {
        let fresh = next(self.numbers.len());
        let number = *self.numbers.entry(key).or_insert(fresh);
        (number, number == fresh && self.numbers.len() > fresh as usize)
    }
}

impl<K: Eq + Hash> Keys<K> {
    /// The number of a key that is known.
    pub(crate) fn find(&self, key: &K) -> Option<u32> {
        self.numbers.get(key).copied()
    }
}

/// The next number; a table of 2^32 parts does not fit into the limits on files.
pub(crate) fn next(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_and_a_key_have_one_number() {
        let mut texts = Texts::default();
        let numbers: Vec<u32> =
            ["a", "a", "b", "a"].iter().map(|it| texts.number(Slot::Type, it)).collect();
        assert_eq!(numbers, [0, 0, 1, 0]);
        assert_eq!(&**texts.text(1), "b");
        let mut keys = Keys::default();
        let numbers = [(1, 2), (2, 1), (1, 2)].map(|key: (u32, u32)| keys.number(key));
        assert_eq!(numbers, [(0, true), (1, true), (0, false)]);
    }
}
