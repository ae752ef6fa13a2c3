//! Hindsight: what would have been paid in a past window under other choices, from the books.
//!
//! The window as it was is the sum of its charges. A choice changes what some nodes cost and leaves
//! the others, and says why it leaves them; the rows of each outcome sum to what was paid and to
//! what would have been. What nobody can know from the books, such as whether work would have
//! fitted elsewhere, is named and not guessed.
//!
//! It refuses to plan: how things would have been placed otherwise is for the planner. Start with
//! [`hindsight`]; nodes given back are in `release`, capacity kept free in `reserve`, other prices
//! in `price`.

mod draft;
mod price;
mod release;
mod reserve;
mod seen;

use crate::books::{Books, Segment};
use crate::paid::{Paid, PaidKey, Unread, stretches};
use crate::report::{ReportError, whole_hours};
pub use draft::{Kept, Late, Outcome, OutcomeRow};
use farthing_model::{
    Asset, ClusterId, Currency, Money, MoneyError, Offer, OfferId, Purchase, Ratio, TeamId, Window,
};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Samples of telemetry that are read for one question, at most: some seconds of work.
const SAMPLES_MAX: usize = 20_000_000;

/// What could have been chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nodes on which no work was are given back after so long, and bought again when work comes.
    Release {
        /// How long a node has to be without work.
        after: SignedDuration,
        /// Whether work of which a verdict says that it is idle counts as none: it is stopped.
        idle_too: bool,
    },
    /// So much of each kind of node is kept free, and no more: the least time of nodes that would
    /// have held what was allocated, hour by hour.
    Reserve(Ratio),
    /// The same machines at the same place, paid in another way.
    Paid(Purchase),
    /// The cheapest machines with the same accelerators and no less of anything else, wherever they
    /// are, paid in the same way.
    Cheapest,
}

impl Choice {
    /// Whether it needs to know when work was on a node within an hour.
    const fn looks_inside_hours(self) -> bool {
        matches!(self, Self::Release { .. })
    }

    /// Whether it is about capacity that all teams share.
    pub const fn is_about_all(self) -> bool {
        matches!(self, Self::Release { .. } | Self::Reserve(_))
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct HindsightQuery {
    /// Whose books.
    pub cluster: ClusterId,
    /// When; widened to whole UTC hours, as charges are kept by the hour.
    pub window: Window,
    /// The currency of the books.
    pub currency: Currency,
    /// The choices to compare.
    pub choices: Vec<Choice>,
    /// The price book.
    pub offers: Arc<[Offer]>,
    /// How long a node that is bought again is paid before it is usable.
    pub boot: SignedDuration,
    /// Only what these teams held: for choices that are not about all.
    pub teams: Option<BTreeSet<TeamId>>,
}

/// What a window cost, and what it would have cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindsight {
    /// The whole hours that it covers.
    pub window: Window,
    /// Hours of it that have charges.
    pub hours: u32,
    /// What was paid: the same as a statement of the window says.
    pub paid: Money,
    /// Stretches of nodes without a price, which are in no sum.
    pub unpriced: usize,
    /// In the order of the choices.
    pub outcomes: Vec<Outcome>,
}

/// One hour of the books.
struct Hour<'a> {
    paid: &'a BTreeMap<PaidKey, Paid>,
    /// What was measured in it; `None` where that was let go of, or not asked for.
    seen: Option<&'a seen::Seen>,
    boot: SignedDuration,
}

/// A choice, and what is known so far of what it would have come to.
enum State<'a> {
    Release(release::Release),
    Reserve(reserve::Reserve),
    Price(price::Prices<'a>),
}

/// Looks back over a window of the books. Every hour is read once, for all choices.
///
/// # Errors
/// A file of the window cannot be read or is in another currency, a sum does not fit, or there is
/// more telemetry than can be looked at for one answer.
pub fn hindsight(books: &Books, query: &HindsightQuery) -> Result<Hindsight, ReportError> {
    let window = whole_hours(query.window);
    let money = |source| ReportError::Money { window, source };
    let mut states: Vec<(State<'_>, draft::Draft)> = query
        .choices
        .iter()
        .map(|choice| (State::of(*choice, query), draft::Draft::new(*choice, query.currency)))
        .collect();
    let mut found = Hindsight {
        window,
        hours: 0,
        paid: Money::zero(query.currency),
        unpriced: 0,
        outcomes: Vec::new(),
    };
    let mut telemetry = Telemetry::new(books, query)?;
    for hour in books.hours(&query.cluster, window).map_err(ReportError::Books)? {
        let hour = hour.map_err(ReportError::Books)?;
        if hour.currency != query.currency {
            let (file, found, asked) = (hour.file, hour.currency, query.currency);
            return Err(ReportError::Currency { file, found, asked });
        }
        found.hours += 1;
        // How many of these there are says what others have.
        found.unpriced += if query.teams.is_none() { hour.unpriced.len() } else { 0 };
        let of = hour.window;
        let paid = stretches(hour, query.teams.as_ref()).map_err(|unread| match unread {
            Unread::Books(error) => ReportError::Books(error),
            Unread::Money(source) => money(source),
        })?;
        let all = Money::sum(paid.values().map(|paid| paid.cost), query.currency);
        let sum = all.and_then(|all| found.paid.checked_add(all));
        found.paid = sum.map_err(money)?;
        let seen = telemetry.of(of)?;
        let hour = Hour { paid: &paid, seen: seen.as_ref(), boot: query.boot };
        for (state, draft) in &mut states {
            state.look(&hour, draft).map_err(money)?;
        }
    }
    let outcomes = states.into_iter().map(|(_, draft)| draft.finish());
    found.outcomes = outcomes.collect::<Result<_, _>>().map_err(money)?;
    Ok(found)
}

impl<'a> State<'a> {
    fn of(choice: Choice, query: &'a HindsightQuery) -> Self {
        match choice {
            Choice::Release { after, idle_too } => {
                Self::Release(release::Release::new(after, idle_too))
            }
            Choice::Reserve(free) => Self::Reserve(reserve::Reserve(free)),
            Choice::Paid(_) | Choice::Cheapest => {
                Self::Price(price::Prices::new(choice, &query.offers, query.currency))
            }
        }
    }

    fn look(&mut self, hour: &Hour<'_>, draft: &mut draft::Draft) -> Result<(), MoneyError> {
        match self {
            Self::Release(release) => release.look(hour, draft),
            Self::Reserve(reserve) => reserve.look(hour, draft),
            Self::Price(prices) => prices.look(hour, draft),
        }
    }
}

/// Why a node costs what it did whatever is chosen, if that is so.
fn committed(paid: &Paid) -> Option<Kept> {
    match (paid.asset, paid.purchase) {
        (Asset::Node, Purchase::OnDemand | Purchase::Spot) => None,
        (Asset::Node, Purchase::Reserved | Purchase::Owned) => Some(Kept::Committed),
        _ => Some(Kept::NotANode),
    }
}

/// The telemetry of the hours that are looked at, in their order.
struct Telemetry<'q> {
    books: &'q Books,
    query: &'q HindsightQuery,
    /// Hours that have some; none where nobody asks.
    measured: Vec<Window>,
    /// That of the hour before: whoever was there before is not new.
    before: Option<(Window, Vec<Segment>)>,
    samples: usize,
}

impl<'q> Telemetry<'q> {
    fn new(books: &'q Books, query: &'q HindsightQuery) -> Result<Self, ReportError> {
        let is_asked = query.choices.iter().any(|choice| choice.looks_inside_hours());
        let measured = if is_asked {
            books.measured_hours(&query.cluster).map_err(ReportError::Books)?
        } else {
            Vec::new()
        };
        Ok(Self { books, query, measured, before: None, samples: 0 })
    }

    /// What was seen in the posted part of an hour.
    fn of(&mut self, posted: Window) -> Result<Option<seen::Seen>, ReportError> {
        let begin = Window::hour_of(posted.from()).unwrap_or(posted);
        if self.measured.binary_search(&begin).is_err() {
            self.before = None;
            return Ok(None);
        }
        let segments = self.books.segments(&self.query.cluster, begin.from());
        let segments = segments.map_err(ReportError::Books)?;
        self.samples += segments.iter().map(|segment| segment.samples.len()).sum::<usize>();
        if self.samples > SAMPLES_MAX {
            return Err(ReportError::TooMuch { window: self.query.window, most: SAMPLES_MAX });
        }
        let before = self.before.take().filter(|(hour, _)| hour.to() == begin.from());
        let mut all = before.map_or_else(Vec::new, |(_, segments)| segments);
        let from = all.len();
        all.extend(segments);
        let judges = |choice: &Choice| matches!(choice, Choice::Release { idle_too: true, .. });
        let judged = self.query.choices.iter().any(judges);
        let idle = if judged {
            seen::idle(&all, posted, self.query.currency)
                .map_err(|source| ReportError::Money { window: posted, source })?
        } else {
            BTreeSet::new()
        };
        let seen = seen::Seen::of(&all[from..], posted, &idle);
        self.before = judged.then(|| (begin, all.split_off(from)));
        Ok(Some(seen))
    }
}

/// The offers of a book by id.
type ById<'a> = BTreeMap<&'a OfferId, &'a Offer>;
