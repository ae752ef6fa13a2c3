//! `farthing idle`: who holds accelerators and does nothing with them, and how far up the ladder
//! from allocated to useful each device gets.

use super::{covered, duration, print};
use crate::args::{IdleArgs, Output};
use crate::home::Home;
use crate::outcome::Outcome;
use crate::show;
use farthing_ledger::{Ladder, Segment, Verdict, Watch, ladders, unallocated, watch};
use farthing_model::{ClusterId, DeviceId, NodeId, Window, hour_floor};
use farthing_server::wire;
use jiff::SignedDuration;

/// Before the window that much is read too: who was there before it is not new in it.
const BEFORE: SignedDuration = SignedDuration::from_hours(1);

/// What was found.
pub(crate) struct Found {
    pub(crate) window: Window,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) unallocated: Vec<(NodeId, DeviceId)>,
    pub(crate) ladders: Vec<Ladder>,
}

/// Prints a verdict for each workload that has accelerators.
pub(crate) fn run(args: &IdleArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let cluster = home.cluster(args.cluster.as_deref())?;
    let books = home.books()?;
    let clusters = [cluster.clone()];
    let covered = covered(&books, &clusters, &args.window, args.now.as_deref())?;
    let every = args.every.as_deref().map(|text| duration("--every", text)).transpose()?;
    let (window, currency) = (covered.window, covered.currency);
    let segments = segments(&books, &cluster, window)?;
    let charges = books.charges(&cluster, window)?;
    let asked = Watch { window, every, calendar: Vec::new(), currency };
    let mut verdicts = watch(&segments, &charges, &asked)?;
    // What costs most for nothing comes first.
    verdicts.sort_by_key(|it| (!it.idle, std::cmp::Reverse(it.per_day.pico())));
    let uses: Vec<_> = segments.into_iter().flat_map(|segment| segment.uses).collect();
    let inside: Vec<_> =
        uses.into_iter().filter(|one| one.window.intersect(window).is_some()).collect();
    let found = Found {
        window,
        verdicts,
        unallocated: unallocated(&inside, window),
        ladders: ladders(&inside),
    };
    print(
        output,
        || Ok(show::idle::text(&found)),
        || {
            Ok(serde_json::to_value(wire::idle(
                found.window,
                &found.verdicts,
                &found.unallocated,
                &found.ladders,
            ))?)
        },
        || Ok(show::idle::rows(&found.verdicts)),
    )?;
    Ok(Outcome::Done)
}

/// The telemetry of the window and of an hour before it.
fn segments(
    books: &farthing_ledger::Books,
    cluster: &ClusterId,
    window: Window,
) -> anyhow::Result<Vec<Segment>> {
    let from = hour_floor(window.from().checked_sub(BEFORE).unwrap_or(window.from()));
    let mut segments = Vec::new();
    for hour in books.measured_hours(cluster)? {
        if hour.to() > from && hour.from() < window.to() {
            segments.extend(books.segments(cluster, hour.from())?);
        }
    }
    Ok(segments)
}
