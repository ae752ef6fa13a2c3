//! What a person should know about a measurement, said once and not at each tick.

use std::collections::BTreeSet;

/// Conditions that last are reported when they begin, and again when they come back.
#[derive(Debug, Default)]
pub(super) struct Notes {
    lasting: BTreeSet<String>,
    still: BTreeSet<String>,
    said: Vec<String>,
}

impl Notes {
    /// Something that happened at this tick.
    pub(super) fn happened(&mut self, text: String) {
        self.said.push(text);
    }

    /// Something that holds at this tick; `key` is what it is, `text` may differ from tick to tick.
    pub(super) fn holds(&mut self, key: &str, text: impl FnOnce() -> String) {
        if !self.lasting.contains(key) && !self.still.contains(key) {
            self.said.push(text());
        }
        self.still.insert(key.to_owned());
    }

    /// What to report of this tick.
    pub(super) fn finish(&mut self) -> Vec<String> {
        self.lasting = std::mem::take(&mut self.still);
        std::mem::take(&mut self.said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_said_once() {
        let mut notes = Notes::default();
        let mut tick = |holds: bool| {
            if holds {
                notes.holds("hidden", || "12 hidden".to_owned());
                notes.holds("hidden", || "13 hidden".to_owned());
            }
            notes.happened("event".to_owned());
            notes.finish().len()
        };
        assert_eq!([tick(true), tick(true), tick(false), tick(true)], [2, 1, 1, 2]);
    }
}
