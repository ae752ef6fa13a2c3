//! Which of several replicas runs the loop: the others wait, and one of them goes on when the
//! leader's connection to the database ends.

use super::Stop;
use crate::home::Home;
use crate::print::talk;
use crate::store::{Journal, StoreAt};
use anyhow::anyhow;
use farthing_model::ClusterId;
use farthing_providers::postgres::{Campaign, Leader, PostgresStore, Standing};
use std::time::{Duration, Instant};

/// How often who waits asks again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The right to run the loop.
pub(crate) struct Lead {
    /// `None` where the journal is a file: then two loops take turns by its conflicts.
    standing: Option<Standing>,
    journal: Option<Journal>,
}

impl Lead {
    /// Waits until this process leads; `None` when it was told to stop.
    pub(crate) fn take(
        home: &Home,
        cluster: &ClusterId,
        stop: &Stop,
    ) -> anyhow::Result<Option<Self>> {
        let StoreAt::Postgres(url) = home.store() else {
            return Ok(Some(Self { standing: None, journal: None }));
        };
        let mut store = PostgresStore::open(url, cluster)?;
        let who = format!("{cluster}, process {}", std::process::id());
        let mut told: Option<Leader> = None;
        loop {
            match store.campaign(&who)? {
                Campaign::Leads(standing) => {
                    talk(&format!("leads {cluster} in {url}, term {}", standing.term()));
                    let journal: Journal = Box::new(store);
                    return Ok(Some(Self { standing: Some(standing), journal: Some(journal) }));
                }
                Campaign::Follows(leader) if told.as_ref() != Some(&leader) => {
                    let Leader { name, since } = &leader;
                    talk(&format!("waits: {name} leads {cluster} since {since}"));
                    told = Some(leader);
                }
                Campaign::Follows(_) => {}
            }
            let again = Instant::now() + ASK_AGAIN;
            if !stop.nap_until(again, &mut std::thread::sleep) {
                return Ok(None);
            }
        }
    }

    /// The journal, opened.
    pub(crate) fn journal(&mut self, home: &Home, cluster: &ClusterId) -> anyhow::Result<Journal> {
        let journal = match self.journal.take() {
            Some(journal) => journal,
            None => home.store().open(cluster)?,
        };
        home.signed(cluster, journal)
    }

    /// An error once another replica leads: the process ends, and whatever keeps it running starts
    /// it anew, to wait.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match &self.standing {
            Some(standing) if standing.is_lost() => Err(anyhow!(
                "this replica leads no more: its term {} is over; nothing was done after it",
                standing.term()
            )),
            _ => Ok(()),
        }
    }
}
