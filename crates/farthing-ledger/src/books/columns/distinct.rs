//! The distinct texts of a column: rows mostly have the text of the row before, or one that lies
//! where that of another row does, so that few are compared.

use crate::meter::FastMap;
use std::collections::HashMap;

/// The distinct texts of a column, in the order in which they come first.
#[derive(Default)]
pub(super) struct Distinct<'v> {
    texts: Vec<&'v str>,
    keys: HashMap<&'v str, i32>,
    /// By where a text lies: rows mostly share their texts with others.
    by_place: FastMap<(usize, usize), i32>,
    last: Option<((usize, usize), i32)>,
}

impl<'v> Distinct<'v> {
    /// The number of a text.
    pub(super) fn key(&mut self, text: &'v str) -> i32 {
        let place = (text.as_ptr().addr(), text.len());
        if let Some((last, key)) = self.last
            && last == place
        {
            return key;
        }
        let Self { texts, keys, by_place, .. } = self;
        let key = *by_place.entry(place).or_insert_with(|| {
            *keys.entry(text).or_insert_with(|| {
                texts.push(text);
                // Two thousand million texts do not fit into memory.
                i32::try_from(texts.len() - 1).unwrap_or(i32::MAX)
            })
        });
        self.last = Some((place, key));
        key
    }

    /// The texts, by their numbers.
    pub(super) fn texts(self) -> Vec<&'v str> {
        self.texts
    }
}
