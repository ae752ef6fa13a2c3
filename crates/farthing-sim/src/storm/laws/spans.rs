//! Stretches of time that together are a set: nothing is in it twice.

use farthing_model::Window;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A set of moments, as windows that do not touch: ends by beginnings.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans(BTreeMap<Timestamp, Timestamp>);

impl Spans {
    /// Adds a window.
    pub(super) fn add(&mut self, window: Window) {
        let (mut from, mut to) = (window.from(), window.to());
        let touched: Vec<(Timestamp, Timestamp)> = self
            .0
            .range(..=to)
            .rev()
            .take_while(|(_, end)| **end >= from)
            .map(|(begin, end)| (*begin, *end))
            .collect();
        for (begin, end) in touched {
            self.0.remove(&begin);
            (from, to) = (from.min(begin), to.max(end));
        }
        self.0.insert(from, to);
    }

    /// Its parts in a window.
    pub(super) fn inside(&self, window: Window) -> Vec<Window> {
        let all = self.0.iter().filter_map(|(from, to)| Window::new(*from, *to).ok());
        all.filter_map(|part| part.intersect(window)).collect()
    }

    /// The parts of a window that are not in it.
    pub(super) fn outside(&self, window: Window) -> Vec<Window> {
        let (mut rest, mut from) = (Vec::new(), window.from());
        for part in self.inside(window) {
            rest.extend(Window::new(from, part.from()).ok());
            from = part.to();
        }
        rest.extend(Window::new(from, window.to()).ok());
        rest
    }

    /// Its end.
    pub(super) fn end(&self) -> Option<Timestamp> {
        self.0.values().next_back().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: i64, to: i64) -> Window {
        let at = |second| Timestamp::from_second(second).unwrap();
        Window::new(at(from), at(to)).unwrap()
    }

    #[test]
    fn what_touches_becomes_one() {
        let mut spans = Spans::default();
        for (from, to) in [(10, 20), (30, 40), (50, 60), (20, 30), (12, 15), (35, 52)] {
            spans.add(window(from, to));
        }
        assert_eq!(spans.inside(window(0, 100)), [window(10, 60)]);
        assert_eq!(spans.outside(window(0, 100)), [window(0, 10), window(60, 100)]);
        assert_eq!(spans.inside(window(20, 25)), [window(20, 25)]);
        assert!(spans.outside(window(20, 25)).is_empty());
        spans.add(window(5, 100));
        assert_eq!(spans.outside(window(0, 101)), [window(0, 5), window(100, 101)]);
        assert_eq!(spans.end(), Some(window(0, 100).to()));
    }
}
