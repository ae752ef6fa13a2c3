//! Who sees what: the one way from a request to data.
//!
//! [`Sources`] holds everything that the server could answer from, and nothing outside this module
//! can open it. A handler gets a [`Scoped`], which exists only for a request that was let in, and
//! which hands out only what its principal may see: of someone with teams, only what is theirs. So
//! no route can forget to ask whose something is.
//!
//! What belongs to nobody's team (capacity that nobody has, budgets of everybody) is nobody's of a
//! team either. What is not yours is answered as what does not exist, by the same path, so that
//! neither words nor time tell one from the other.
//!
//! It refuses to know routes and JSON. Start with [`Scoped::view`], then [`view::narrow`].

mod hindsight;
mod names;
mod orders;
mod owners;
mod plans;
mod records;
mod reports;
mod view;
mod watching;

pub(crate) use orders::Unfit;
pub(crate) use records::{Page, Wanted};
pub(crate) use reports::Prospects;
pub(crate) use view::flow;

use crate::http::{Behind, Market};
use crate::identity::{AccessRules, Deed, Door, Principal};
use crate::orders::Orders;
use crate::publish::{Published, View};
use crate::reader::{Archive, Reader, Unread};
use farthing_ledger::Books;
use farthing_model::TeamId;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Sets of teams whose view is kept.
const VIEWS_MAX: usize = 256;

/// Whose things someone may see, where that is not everybody's.
pub(crate) type Teams = BTreeSet<TeamId>;

/// Everything that there is to answer from.
#[derive(Clone)]
pub(crate) struct Sources(Arc<Inner>);

/// A view, and the part of it that is of some teams.
type Narrowed = (Arc<View>, Arc<View>);

struct Inner {
    published: Published,
    books: Reader<Books>,
    /// The journal, where there is one to read.
    journal: Option<Reader<Archive>>,
    /// A thread that plans what would be otherwise.
    planner: Reader<()>,
    /// A thread that looks back over long windows, as others would wait for it.
    history: Reader<Books>,
    offers: Option<Market>,
    orders: Option<Orders>,
    door: Arc<Door>,
    /// What of the newest view is whose, as it was narrowed last.
    narrowed: Mutex<BTreeMap<Teams, Narrowed>>,
    /// Who owned which workload, from the books.
    owners: tokio::sync::Mutex<Option<owners::Kept>>,
}

impl Sources {
    /// Starts the threads that read.
    pub(crate) fn start(behind: Behind, rules: AccessRules) -> io::Result<Self> {
        let start = |journal| Reader::start("journal", [journal]);
        let journal = behind.journal.map(start).transpose()?;
        let door = Door::new(
            rules,
            (behind.oidc, behind.sessions),
            journal.clone(),
            behind.orders.clone(),
        );
        Ok(Self(Arc::new(Inner {
            published: behind.published,
            books: Reader::start("books", [behind.books.clone(), behind.books.clone()])?,
            history: Reader::start("history", [behind.books])?,
            journal,
            planner: Reader::start("what-if", [()])?,
            offers: behind.offers,
            orders: behind.orders,
            door: Arc::new(door),
            narrowed: Mutex::default(),
            owners: tokio::sync::Mutex::default(),
        })))
    }

    /// The door that requests come in by.
    pub(crate) fn door(&self) -> &Arc<Door> {
        &self.0.door
    }

    /// A mark that changes with everything that is published, also over a restart.
    pub(crate) fn mark(&self) -> String {
        let view = self.0.published.view();
        format!("{} {} {}", view.about.started, self.0.published.born(), view.version)
    }

    /// Whether the loop ticks, and for how long it has: nothing that is anybody's.
    pub(crate) fn pulse(&self) -> Pulse {
        let view = self.0.published.view();
        let is_open = !self.0.door.rules().required;
        let failure = view.failure.as_ref().filter(|_| is_open);
        Pulse {
            version: view.about.version.clone(),
            cluster: view.about.cluster.to_string(),
            started: view.about.started,
            ticks: view.ticks,
            failures: view.failures,
            last_error: failure.map(|failure| failure.text.clone()),
            why_not: view.ready().err().map(
                |why| {
                    if is_open { why.to_string() } else { why.what() }
                },
            ),
        }
    }
}

/// How the loop is, for those who watch whether the process lives.
pub(crate) struct Pulse {
    /// Of the program.
    pub(crate) version: String,
    /// Whose books.
    pub(crate) cluster: String,
    /// By the loop's clock.
    pub(crate) started: jiff::Timestamp,
    /// That succeeded.
    pub(crate) ticks: u64,
    /// That failed.
    pub(crate) failures: u64,
    /// The last of them, where anybody may know.
    pub(crate) last_error: Option<String>,
    /// Why it cannot be relied on at the moment.
    pub(crate) why_not: Option<String>,
}

/// What one principal may see and do.
#[derive(Clone)]
pub(crate) struct Scoped {
    sources: Sources,
    who: Arc<Principal>,
    from: IpAddr,
}

impl Scoped {
    /// For someone who was let in.
    pub(crate) fn new(sources: &Sources, who: Arc<Principal>, from: IpAddr) -> Self {
        Self { sources: sources.clone(), who, from }
    }

    /// Who asks.
    pub(crate) fn who(&self) -> &Principal {
        &self.who
    }

    /// Whether he may do something; that he may not is noted.
    pub(crate) fn may(&self, deed: Deed) -> bool {
        let may = self.who.may(deed);
        if !may {
            let why = format!("may not do `{}` as {}", deed.name(), self.who.role.name());
            self.sources.door().refused(Some(&self.who.name), self.from, &why);
        }
        may
    }

    /// Notes that he reads what is everybody's, where he had to log in for that.
    pub(crate) fn note_read(&self, route: &str) {
        let is_local = self.who.way == crate::identity::Way::Local;
        if self.who.teams.is_none() && !is_local {
            self.sources.door().has_read(&self.who, self.from, route);
        }
    }

    fn inner(&self) -> &Inner {
        &self.sources.0
    }

    /// His teams; `None` where he sees everything.
    fn teams(&self) -> Option<&Teams> {
        self.who.teams.as_ref()
    }

    /// Everything that is published, as far as it is his.
    pub(crate) fn view(&self) -> Arc<View> {
        self.narrowed(self.inner().published.view())
    }

    fn narrowed(&self, whole: Arc<View>) -> Arc<View> {
        let Some(teams) = self.teams() else { return whole };
        let mut kept = self.inner().narrowed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, narrowed)) = kept.get(teams)
            && Arc::ptr_eq(of, &whole)
        {
            return Arc::clone(narrowed);
        }
        let narrowed = Arc::new(view::narrow(&whole, teams));
        if kept.len() >= VIEWS_MAX {
            kept.clear();
        }
        kept.insert(teams.clone(), (whole, Arc::clone(&narrowed)));
        narrowed
    }

    /// Why something could not be read. What names files and others is for those who see all.
    fn unread(&self, why: Unread) -> Unread {
        match why {
            Unread::Failed(_) if self.teams().is_some() => {
                Unread::Failed("ask an operator for the reason".to_owned())
            }
            why => why,
        }
    }

    /// Ranks offers; `None` where there is no price book. Prices are nobody's.
    pub(crate) fn rank_offers(
        &self,
        given: &[(String, String)],
    ) -> Option<Result<serde_json::Value, String>> {
        self.inner().offers.as_ref().map(|market| (market.rank)(given))
    }
}
