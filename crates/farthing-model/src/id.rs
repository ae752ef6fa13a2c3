//! Identifiers: one newtype each, all made by one macro, so that two kinds never mix.

use std::{fmt, str::FromStr, sync::Arc};

/// Longest identifier, in bytes. Kubernetes names are at most 253; paths of processes are longer.
const LEN_MAX: usize = 512;

/// Why a text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing there.
    #[error("a {0} cannot be empty")]
    Empty(&'static str),
    /// More bytes than allowed.
    #[error("a {kind} cannot be longer than {LEN_MAX} bytes, this one has {len}")]
    TooLong {
        /// What was parsed.
        kind: &'static str,
        /// Its length in bytes.
        len: usize,
    },
    /// A control character.
    #[error("a {0} cannot contain control characters")]
    Control(&'static str),
}

fn parse(text: &str, kind: &'static str) -> Result<Arc<str>, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty(kind));
    }
    if text.len() > LEN_MAX {
        return Err(IdError::TooLong { kind, len: text.len() });
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::Control(kind));
    }
    Ok(Arc::from(text))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// What this kind is called in messages.
            pub const KIND: &'static str = $kind;

            /// Parses an identifier.
            ///
            /// # Errors
            /// Empty, longer than 512 bytes, or with control characters.
            pub fn new(text: &str) -> Result<Self, IdError> {
                parse(text, $kind).map(Self)
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{}({:?})", stringify!($name), &*self.0)
            }
        }
    )+};
}

ids! {
    /// A budget by its manifest name.
    BudgetId = "budget name";
    /// A cluster, or this machine.
    ClusterId = "cluster name";
    /// A device by its vendor's unique id, such as an NVIDIA GPU UUID.
    DeviceId = "device id";
    /// A node by its name in the world.
    NodeId = "node name";
    /// An offer: `provider/region[/zone]/instance_type/purchase`.
    OfferId = "offer id";
    /// A plan, unique in one journal.
    PlanId = "plan id";
    /// A reservation of budget, one per step that costs money.
    ReservationId = "reservation id";
    /// Where samples or prices come from.
    SourceId = "source name";
    /// A step, unique in one journal.
    StepId = "step id";
    /// A team, the usual scope of a budget.
    TeamId = "team name";
    /// A workload by its name in the world.
    WorkloadId = "workload name";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_at_the_edge() {
        assert_eq!(NodeId::new(""), Err(IdError::Empty("node name")));
        assert_eq!(NodeId::new("a\nb"), Err(IdError::Control("node name")));
        assert!(TeamId::new(&"x".repeat(513)).is_err());
        assert_eq!(TeamId::new("research").map(|id| id.to_string()), Ok("research".to_owned()));
    }
}
