//! Names of our containers. A name is also where it is written down, in the world itself and before
//! anything is done, that a container is to be suspended or to go on: labels cannot be changed
//! after a container was made, and a name can.
//!
//! ```text
//! farthing.STEP.MEMBER                            as it was made
//! farthing.STEP.MEMBER.s.BY                       ended by the step BY, to go on later
//! farthing.STEP.MEMBER.f.BY                       frozen by the step BY
//! farthing.STEP.MEMBER.r.NANOS.BY                 to go on, by the step BY, from an end at NANOS
//! farthing.STEP.MEMBER.l.CPU-BYTES.CPU-BYTES.BY   to have other limits, by the step BY: before
//!                                                 and after, in thousandths of cores and bytes
//! ```
//!
//! Ids of steps may have a slash (`p12/3`), which names may not: it is written as `_`.
//!
//! The end tells one that is still to be started from one that has gone on and has ended since.

use farthing_model::{Resources, StepId};

/// What all names begin with.
const PREFIX: &str = "farthing";

/// A name that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// The name as it was made.
    pub(crate) base: String,
    /// What was written down after it.
    pub(crate) mark: Option<Mark>,
}

/// What is to become of a container, and by which step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It is to stand still: ended, or frozen. What was frozen and has ended is done, as someone
    /// else let it go on.
    Suspended {
        /// By which step.
        by: String,
        /// Whether it is frozen.
        frozen: bool,
    },
    /// It is to go on.
    Resumed {
        /// By which step.
        by: String,
        /// When it had ended, in nanoseconds; zero where it was frozen.
        ended: i128,
    },
    /// It is to have other limits.
    Resized {
        /// By which step.
        by: String,
        /// What it might use.
        from: Resources,
        /// What it may use.
        to: Resources,
    },
}

/// Whether a step's id can be part of a container's name.
pub(crate) fn is_plain(step: &StepId) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-/".contains(&byte);
    step.as_str().len() <= 80 && step.as_str().bytes().all(plain)
}

fn written(step: &str) -> String {
    step.replace('/', "_")
}

fn limits(text: &str) -> Option<Resources> {
    let (cpu, memory) = text.split_once('-')?;
    let (cpu_milli, memory_bytes) = (cpu.parse().ok()?, memory.parse().ok()?);
    Some(Resources { cpu_milli, memory_bytes, ..Resources::default() })
}

fn read(step: &str) -> String {
    step.replace('_', "/")
}

impl Name {
    /// The name of a member that a step makes.
    pub(crate) fn made(step: &StepId, member: u32) -> Self {
        Self { base: format!("{PREFIX}.{}.{member}", written(step.as_str())), mark: None }
    }

    /// Reads a name; `None` where it is not one of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_start_matches('/').split('.');
        let (prefix, step, member) = (parts.next()?, parts.next()?, parts.next()?);
        let _: u32 = member.parse().ok()?;
        if prefix != PREFIX || step.is_empty() {
            return None;
        }
        let rest: Vec<&str> = parts.collect();
        let mark = match rest.as_slice() {
            [] => None,
            [how @ ("s" | "f"), by] => Some(Mark::Suspended { by: read(by), frozen: *how == "f" }),
            ["r", ended, by] => Some(Mark::Resumed { by: read(by), ended: ended.parse().ok()? }),
            ["l", from, to, by] => {
                Some(Mark::Resized { by: read(by), from: limits(from)?, to: limits(to)? })
            }
            _ => return None,
        };
        Some(Self { base: format!("{PREFIX}.{step}.{member}"), mark })
    }

    /// The same with another mark.
    pub(crate) fn marked(&self, mark: Mark) -> Self {
        Self { base: self.base.clone(), mark: Some(mark) }
    }

    /// The step that marked it.
    pub(crate) fn by(&self) -> Option<&str> {
        match self.mark.as_ref()? {
            Mark::Suspended { by, .. } | Mark::Resumed { by, .. } | Mark::Resized { by, .. } => {
                Some(by)
            }
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.mark {
            None => out.write_str(&self.base),
            Some(Mark::Suspended { by, frozen }) => {
                let how = if *frozen { 'f' } else { 's' };
                write!(out, "{}.{how}.{}", self.base, written(by))
            }
            Some(Mark::Resized { by, from, to }) => {
                let (base, by) = (&self.base, written(by));
                write!(out, "{base}.l.{}-{}", from.cpu_milli, from.memory_bytes)?;
                write!(out, ".{}-{}.{by}", to.cpu_milli, to.memory_bytes)
            }
            Some(Mark::Resumed { by, ended }) => {
                write!(out, "{}.r.{ended}.{}", self.base, written(by))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_reads_back_as_it_is_written() {
        let made = Name::made(&StepId::new("p12/3").unwrap(), 7);
        let suspended = made.marked(Mark::Suspended { by: "b5-1".to_owned(), frozen: false });
        let frozen = made.marked(Mark::Suspended { by: "p2/1".to_owned(), frozen: true });
        let resumed = suspended.marked(Mark::Resumed { by: "b5-1".to_owned(), ended: 17 });
        let size =
            |cpu_milli, memory_bytes| Resources { cpu_milli, memory_bytes, ..Resources::default() };
        let (from, to) = (size(500, 4_096), size(100, 1_024));
        let resized = suspended.marked(Mark::Resized { by: "r9-1".to_owned(), from, to });
        for (name, text) in [
            (&made, "farthing.p12_3.7"),
            (&suspended, "farthing.p12_3.7.s.b5-1"),
            (&frozen, "farthing.p12_3.7.f.p2_1"),
            (&resumed, "farthing.p12_3.7.r.17.b5-1"),
            (&resized, "farthing.p12_3.7.l.500-4096.100-1024.r9-1"),
        ] {
            assert_eq!(name.to_string(), text);
            assert_eq!(Name::parse(&format!("/{text}")).as_ref(), Some(name));
        }
        assert_eq!(resumed.by(), Some("b5-1"));
        for other in [
            "nginx",
            "farthing",
            "farthing.p1",
            "farthing.p1.x",
            "farthing.p1.0.s",
            "farthing.p1.0.r.x.b",
            "farthing.p1.0.s.b.c",
            "farthing.p1.0.l.1-2.3.b",
            "farthing.p1.0.l.1-2.3-4",
            "farthing..0",
            "other.p1.0",
        ] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_step_that_cannot_be_in_a_name_is_known() {
        let is = |text: &str| is_plain(&StepId::new(text).unwrap());
        assert!(is("p1/2") && is("b17-1"));
        assert!(!is("a.b") && !is("a_b") && !is("a b") && !is(&"x".repeat(81)));
    }

    proptest! {
        #[test]
        fn any_name_is_taken(text in "[-a-z0-9._/]{0,40}") {
            if let Some(name) = Name::parse(&text) {
                prop_assert_eq!(Name::parse(&name.to_string()), Some(name));
            }
        }
    }
}
