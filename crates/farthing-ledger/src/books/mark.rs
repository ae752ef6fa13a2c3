//! Where the journal stood when an hour was posted.
//!
//! Books and journal know each other: a chain shows every change inside it, and not that records
//! were taken from its end. An hour that remembers the journal's end shows that too. What a record
//! is and how it is chained is not known here.

use farthing_model::hex;
use std::fmt;
use std::str::FromStr;

/// The last record of the journal when an hour was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Its number; 0 when the journal was empty.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl fmt::Display for Mark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.seq, hex(&self.hash))
    }
}

impl FromStr for Mark {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (seq, hex) = text.split_once(' ').ok_or(())?;
        let mut hash = [0; 32];
        if hex.len() != 2 * hash.len() || !hex.is_ascii() {
            return Err(());
        }
        for (index, byte) in hash.iter_mut().enumerate() {
            let pair = hex.get(2 * index..2 * index + 2).ok_or(())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ())?;
        }
        Ok(Self { seq: seq.parse().map_err(|_| ())?, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_back_as_it_was() {
        let mark = Mark { seq: 17, hash: std::array::from_fn(|at| u8::try_from(at * 7).unwrap()) };
        assert_eq!(mark.to_string().parse(), Ok(mark));
        for wrong in ["", "17", "17 00", "x 00", &format!("1 {}", "g".repeat(64))] {
            assert_eq!(wrong.parse::<Mark>(), Err(()), "{wrong}");
        }
    }
}
