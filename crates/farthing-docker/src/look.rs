//! One look at the containers: ours with everything about them, the others by name.

use crate::cgroup;
use crate::client::Client;
use crate::container::{Container, Fate, Phase};
use crate::error::DockerError;
use crate::label::{self, STEP};
use crate::wire::Listed;
use farthing_model::Attribution;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Digits of a container's id that control groups are known by.
const SHORT_ID: usize = 12;

/// The containers as they were at a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    pub(crate) at: Timestamp,
    /// Ours, by id.
    pub(crate) ours: BTreeMap<String, Container>,
    /// Who is charged for each of the others, by the first digits of its id.
    pub(crate) others: BTreeMap<String, Arc<Attribution>>,
    /// Those of the others that run, by the first digits of their ids.
    pub(crate) others_run: BTreeSet<String>,
    /// What could not be read.
    pub(crate) faults: BTreeSet<String>,
}

impl Look {
    /// Looks. Of ours that have ended nothing changes any more, so that what the `last` look found
    /// is kept.
    pub(crate) fn take(
        client: &Client,
        last: Option<&Self>,
        at: Timestamp,
    ) -> Result<Self, DockerError> {
        let mut look = Self { at, ..Self::default() };
        for listed in client.list()? {
            let is_ours = listed.labels.as_ref().is_some_and(|labels| labels.contains_key(STEP));
            if !is_ours {
                look.add_other(&listed);
                continue;
            }
            let known = last.and_then(|last| last.ours.get(&listed.id));
            if let Some(known) = known.filter(|known| is_final(known, &listed)) {
                look.ours.insert(listed.id, known.clone());
                continue;
            }
            // Gone since the list was made.
            let Some(seen) = client.inspect(&listed.id)? else { continue };
            let pid = u32::try_from(seen.state.pid).ok().filter(|pid| *pid > 0);
            let group = pid.and_then(|pid| cgroup::read(Path::new("/"), &seen.id, pid));
            match Container::read(seen, group) {
                Ok(container) => {
                    look.ours.insert(container.id.clone(), container);
                }
                Err(why) => {
                    look.faults.insert(why);
                    look.add_other(&listed);
                }
            }
        }
        Ok(look)
    }

    fn add_other(&mut self, listed: &Listed) {
        let Some(short) = listed.id.get(..SHORT_ID) else { return };
        let name = listed.names.as_ref().and_then(|names| names.first());
        let name = name.map_or(short, |name| name.trim_start_matches('/'));
        let nothing = BTreeMap::new();
        if matches!(Phase::parse(&listed.state), Some(Phase::Running | Phase::Frozen)) {
            self.others_run.insert(short.to_ascii_lowercase());
        }
        if let Some(who) = label::face(name, listed.labels.as_ref().unwrap_or(&nothing)) {
            self.others.insert(short.to_ascii_lowercase(), who);
        }
    }

    /// All that run or are frozen, by the first digits of their ids.
    pub(crate) fn running(&self) -> BTreeSet<String> {
        let is_there = |it: &&Container| matches!(it.phase, Phase::Running | Phase::Frozen);
        let ours = self.ours.values().filter(is_there).map(|it| it.short().to_owned());
        ours.chain(self.others_run.iter().cloned()).collect()
    }

    /// Who is charged for a container.
    pub(crate) fn who(&self, short: &str) -> Option<&Arc<Attribution>> {
        let mut ours = self.ours.values();
        let own = || ours.find(|it| it.short() == short).map(|it| &it.who);
        self.others.get(short).or_else(own)
    }

    /// Ours that a step made.
    pub(crate) fn of_step(&self, step: &str) -> Vec<&Container> {
        self.ours.values().filter(|container| container.step.as_str() == step).collect()
    }

    /// Ours that a step was written down on.
    pub(crate) fn marked_by(&self, step: &str) -> Vec<&Container> {
        self.ours.values().filter(|container| container.name.by() == Some(step)).collect()
    }

    /// Ours of a workload, in the order of their names.
    pub(crate) fn of_workload(&self, workload: &str) -> Vec<&Container> {
        let mut all: Vec<&Container> = self
            .ours
            .values()
            .filter(|container| container.workload.as_str() == workload)
            .collect();
        all.sort_by(|a, b| a.name.base.cmp(&b.name.base));
        all
    }
}

fn is_final(known: &Container, listed: &Listed) -> bool {
    let ended = matches!(known.fate(), Fate::Done(_));
    let name = listed.names.as_ref().and_then(|names| names.first());
    let same = name.is_some_and(|name| name.trim_start_matches('/') == known.name.to_string());
    ended && same && Phase::parse(&listed.state) == Some(Phase::Ended)
}
