//! Which of several replicas runs the loop: the others wait, and one of them goes on when the
//! leader's connection to the database ends, or its lock on the file beside the journal.

use super::Stop;
use super::cycle::journal_id;
use crate::home::Home;
use crate::outcome::WrongUse;
use crate::print::talk;
use crate::store::{Journal, StoreAt, Turn};
use anyhow::Context as _;
use anyhow::anyhow;
use farthing_edge::{Class, EdgeError, Head, NewRecord, Record, Store};
use farthing_kube::{self as kube, Lease};
use farthing_model::ClusterId;
use farthing_providers::postgres::{Campaign, Leader, PostgresStore, Standing};
use jiff::Timestamp;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often who waits asks again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The right to run the loop.
pub(crate) struct Lead {
    /// `None` where the journal is a file.
    standing: Option<Standing>,
    journal: Option<Journal>,
    /// The lead in a cluster, beside that in a database.
    lease: Option<Arc<kube::Standing>>,
    /// Where it is one: the system's lock beside it, which the end of the process gives back.
    #[allow(dead_code, reason = "held until the end")]
    turn: Option<File>,
}

impl Lead {
    /// Waits until this process leads; `None` when it was told to stop.
    pub(crate) fn take(
        (home, cluster): (&Home, &ClusterId),
        lease: Option<Arc<kube::Standing>>,
        stop: &Stop,
    ) -> anyhow::Result<Option<Self>> {
        let StoreAt::Postgres(url) = home.store() else {
            // A lease takes the place of the system's lock: that would be kept by a process that
            // sleeps, and is not seen from other machines.
            if lease.is_some() {
                return Ok(Some(Self { lease, ..Self::with_turn(None) }));
            }
            return Self::turn(home, cluster, stop);
        };
        let mut store = PostgresStore::open(url, cluster)?;
        let who = format!("{cluster}, process {}", std::process::id());
        let mut told: Option<Leader> = None;
        loop {
            match store.campaign(&who)? {
                Campaign::Leads(standing) => {
                    talk(&format!("leads {cluster} in {url}, term {}", standing.term()));
                    let journal: Journal = Box::new(store);
                    let (standing, journal) = (Some(standing), Some(journal));
                    return Ok(Some(Self { standing, journal, lease, turn: None }));
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

    const fn with_turn(turn: Option<File>) -> Self {
        Self { standing: None, journal: None, lease: None, turn }
    }

    /// Waits for the turn at a journal that is a file.
    fn turn(home: &Home, cluster: &ClusterId, stop: &Stop) -> anyhow::Result<Option<Self>> {
        let mut told: Option<String> = None;
        loop {
            match home.turn(cluster)? {
                None => return Ok(Some(Self::with_turn(None))),
                Some(Turn::Leads(turn)) => {
                    return Ok(Some(Self::with_turn(Some(turn))));
                }
                Some(Turn::Follows(who)) if told.as_ref() != Some(&who) => {
                    let place = home.store().place(cluster);
                    talk(&format!("waits: {who} runs the loop of {place}"));
                    told = Some(who);
                }
                Some(Turn::Follows(_)) => {}
            }
            let again = Instant::now() + ASK_AGAIN;
            if !stop.nap_until(again, &mut std::thread::sleep) {
                return Ok(None);
            }
        }
    }

    /// The right to run a loop that removes what an earlier one left: nobody waits for that.
    pub(crate) fn at_once(home: &Home, cluster: &ClusterId) -> anyhow::Result<Self> {
        match home.turn(cluster)? {
            Some(Turn::Follows(who)) => {
                let what = format!("{who} runs {cluster} in this data folder");
                Err(WrongUse::new(what).hint("stop it first, or name another --data").into())
            }
            Some(Turn::Leads(turn)) => Ok(Self::with_turn(Some(turn))),
            None => Ok(Self::with_turn(None)),
        }
    }

    /// The journal, opened.
    pub(crate) fn journal(&mut self, home: &Home, cluster: &ClusterId) -> anyhow::Result<Journal> {
        let journal = match self.journal.take() {
            Some(journal) => journal,
            None => home.store().open(cluster)?,
        };
        let journal = match &self.lease {
            Some(standing) => Box::new(Fenced { journal, standing: Arc::clone(standing) }),
            None => journal,
        };
        home.signed(cluster, journal)
    }

    /// Says which journal is kept, for whoever leads next.
    pub(crate) fn keeps_journal(&self, journal: &str) {
        if let Some(standing) = &self.lease {
            standing.keeps_journal(journal);
        }
    }

    /// As [`Self::check`], before a tick. Where the lease could not be renewed for a while, nothing
    /// is written until it is: the tick then fails, and the next one tries again.
    pub(crate) fn leads(&self, now: Timestamp) -> anyhow::Result<()> {
        if let Some(standing) = self.lease.as_ref().filter(|standing| !standing.holds(now)) {
            self.check()?;
            let term = standing.term();
            talk(&format!("the lease of term {term} could not be renewed lately: nothing is done"));
        }
        self.check()
    }

    /// An error once another replica leads: the process ends, and whatever keeps it running starts
    /// it anew, to wait.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if let Some(standing) = self.lease.as_ref().filter(|standing| standing.is_lost()) {
            let term = standing.term();
            return Err(anyhow!(
                "this replica leads no more: the lease of its term {term} is lost; nothing was \
                 done after it"
            ));
        }
        match &self.standing {
            Some(standing) if standing.is_lost() => Err(anyhow!(
                "this replica leads no more: its term {} is over; nothing was done after it",
                standing.term()
            )),
            _ => Ok(()),
        }
    }
}

/// A journal that is written only while the lease is held.
struct Fenced {
    journal: Journal,
    standing: Arc<kube::Standing>,
}

impl Store for Fenced {
    fn head(&self) -> Result<Head, EdgeError> {
        self.journal.head()
    }

    fn append(&mut self, expected: &Head, records: &[NewRecord]) -> Result<Vec<Record>, EdgeError> {
        if self.standing.holds(Timestamp::now()) {
            return self.journal.append(expected, records);
        }
        let message = "nothing is written: this replica does not hold the lease".to_owned();
        Err(EdgeError::new(Class::Denied, message))
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, EdgeError> {
        self.journal.read(from, limit)
    }
}

/// Waits until this replica holds the lease; `None` when it was told to stop.
pub(super) fn lease(
    mut lease: Lease,
    (home, cluster): (&Home, &ClusterId),
    stop: &Stop,
) -> anyhow::Result<Option<Arc<kube::Standing>>> {
    let (mut told, mut failed) = (String::new(), String::new());
    loop {
        // Another one may begin it meanwhile.
        home.make_folder()?;
        let journal = journal_id(&*home.store().look(cluster)?)?;
        let line = match lease.campaign(journal.as_deref()) {
            Ok(kube::Campaign::Leads(standing)) => {
                talk(&format!("leads {cluster} by lease, term {}", standing.term()));
                return Ok(Some(Arc::new(standing)));
            }
            Ok(kube::Campaign::Follows { holder, since }) => {
                format!("waits: {holder} leads {cluster} by lease since {since}")
            }
            Ok(kube::Campaign::OtherJournal { holder, theirs }) => {
                return Err(other_journal(&holder, &theirs));
            }
            Err(error) if matches!(error.class(), Class::Denied | Class::NotFound) => {
                let hint = "`farthing kube manifests --role recommend | kubectl apply -f -` makes \
                            the namespace and gives the right";
                let error = WrongUse::new(error.to_string()).hint(hint);
                return Err(error).context("the lease farthing/farthing cannot be taken");
            }
            Err(error) => {
                let line = format!("the lease cannot be asked for now: {error}");
                if failed != line {
                    talk(&line);
                    failed = line;
                }
                String::new()
            }
        };
        if !line.is_empty() && told != line {
            talk(&line);
            told = line;
        }
        let again = Instant::now() + ASK_AGAIN;
        if !stop.nap_until(again, &mut std::thread::sleep) {
            return Ok(None);
        }
    }
}

fn other_journal(holder: &str, theirs: &str) -> anyhow::Error {
    let theirs: String = theirs.chars().take(12).collect();
    let who = if holder.is_empty() { "the leader before" } else { holder };
    let what = format!(
        "{who} kept another journal ({theirs}...): what it began is not known here, and would be \
         done twice or lost"
    );
    WrongUse::new(what)
        .hint(
            "all replicas need one journal: --store postgres://..., or --data on a volume that \
             they share; to begin anew: kubectl annotate lease farthing -n farthing \
             farthing.dev/journal-",
        )
        .into()
}
