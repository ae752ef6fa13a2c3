//! Objects of which only who they are is kept so far: namespaces with their team, and the rules
//! that others set (priorities, quotas, disruption budgets, queues, pools of nodes).

use super::{Key, Meta, Names};
use serde::Deserialize;
use std::sync::Arc;

/// An object of which little is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) key: Key,
    pub(crate) team: Option<Arc<str>>,
    pub(crate) generation: u64,
}

/// An object as the server writes it.
#[derive(Deserialize)]
pub(crate) struct Wire {
    metadata: Meta,
}

impl Rule {
    pub(crate) fn of(wire: &Wire, names: &mut Names) -> Self {
        let meta = &wire.metadata;
        Self {
            team: meta.team().map(|team| names.of(team)),
            generation: meta.version(),
            key: meta.key(names),
        }
    }
}
