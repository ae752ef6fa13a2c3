//! Names that there are not: which there are, and which one was probably meant.

use crate::outcome::WrongUse;

/// Changes of a letter within which a name is taken for another one.
const NEAR: usize = 3;

/// A name that there is not, given by a flag, of a kind of thing.
pub(super) fn unknown((flag, kind): (&str, &str), name: &str, known: &[&str]) -> WrongUse {
    let there = known.join(", ");
    let wrong = WrongUse::new(format!("{flag}: there is no {kind} `{name}`; there are {there}"));
    let far = |other: &str| strsim::damerau_levenshtein(name, other);
    let nearest = known.iter().map(|other| (far(other), *other)).min();
    match nearest {
        Some((steps, other)) if steps <= NEAR && steps < other.len() => {
            wrong.hint(format!("did you mean `{other}`?"))
        }
        _ => wrong,
    }
}
