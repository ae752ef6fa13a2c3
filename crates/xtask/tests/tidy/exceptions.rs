//! The list of what is too large and may stay so for now. It may only shrink: an entry that is no
//! longer needed, or that allows more than there is, fails.

use crate::sizes::Excess;

/// One allowed excess.
#[derive(Debug, PartialEq, Eq)]
struct Allowed {
    what: String,
    size: usize,
}

/// The entries of `exceptions.txt`.
#[derive(Debug)]
pub(crate) struct Exceptions(Vec<Allowed>);

impl Exceptions {
    /// Reads lines of `RULE PLACE SIZE`; `#` starts a comment.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut allowed = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let entry = line.rsplit_once(' ').and_then(|(what, size)| {
                Some(Allowed { what: what.to_owned(), size: size.parse().ok()? })
            });
            allowed.push(entry.ok_or_else(|| format!("`{line}`: write RULE PLACE SIZE"))?);
        }
        Ok(Self(allowed))
    }

    /// What is too large and not allowed, and what is allowed and not needed.
    pub(crate) fn faults(&self, found: &[Excess]) -> Vec<String> {
        let mut faults = Vec::new();
        for excess in found {
            let allowed = self.0.iter().find(|allowed| allowed.what == excess.what);
            if allowed.is_none_or(|allowed| allowed.size < excess.size) {
                let Excess { what, size, limit, lines } = excess;
                let at =
                    if lines.is_empty() { String::new() } else { format!(" (lines {lines:?})") };
                faults.push(format!("{what} is {size}, the limit {limit}{at}"));
            }
        }
        for Allowed { what, size } in &self.0 {
            let largest = found.iter().filter(|excess| &excess.what == what).map(|e| e.size).max();
            match largest {
                None => faults.push(format!("exceptions.txt: `{what}` is no longer needed")),
                Some(now) if now < *size => {
                    faults.push(format!("exceptions.txt: lower `{what}` from {size} to {now}"));
                }
                Some(_) => {}
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excess(what: &str, size: usize) -> Excess {
        Excess { what: what.to_owned(), size, limit: 70, lines: Vec::new() }
    }

    #[test]
    fn only_what_is_listed_may_be_too_large() {
        let list = Exceptions::parse("# why\nfunction a.rs:f 80\n").unwrap();
        assert!(list.faults(&[excess("function a.rs:f", 80)]).is_empty());
        let grown = list.faults(&[excess("function a.rs:f", 81)]);
        assert_eq!(grown, ["function a.rs:f is 81, the limit 70"]);
        let other = list.faults(&[excess("function a.rs:f", 80), excess("function b.rs:g", 71)]);
        assert_eq!(other, ["function b.rs:g is 71, the limit 70"]);
    }

    #[test]
    fn the_list_may_only_shrink() {
        let list = Exceptions::parse("function a.rs:f 80").unwrap();
        assert_eq!(list.faults(&[]), ["exceptions.txt: `function a.rs:f` is no longer needed"]);
        let smaller = list.faults(&[excess("function a.rs:f", 75)]);
        assert_eq!(smaller, ["exceptions.txt: lower `function a.rs:f` from 80 to 75"]);
    }

    #[test]
    fn a_line_of_another_form_is_refused() {
        assert!(Exceptions::parse("function a.rs:f many").is_err());
    }
}
