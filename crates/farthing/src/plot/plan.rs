//! A plan over time: which offer does what, and what that has cost by then against each budget.

use super::svg::{Anchor, COLOURS, Svg, fitted, part, time_ticks};
use super::whole;
use crate::show;
use farthing_model::{Limit, Window};
use farthing_planner::{BudgetState, Input, Placement, Planned};
use jiff::Timestamp;
use std::collections::BTreeMap;

const WIDTH: f64 = 1_100.0;
const LEFT: f64 = 360.0;
const RIGHT: f64 = 120.0;
const TOP: f64 = 64.0;
const LANE: f64 = 24.0;
const COSTS: f64 = 190.0;
const LETTERS: f64 = 11.0;
/// Lanes that are drawn; the rest is named.
const LANES_MAX: usize = 60;

/// Where a moment is on paper.
struct Scale {
    window: Window,
}

impl Scale {
    fn x(&self, at: Timestamp) -> f64 {
        LEFT + part(self.window.from(), self.window.duration(), at) * (WIDTH - LEFT - RIGHT)
    }
}

/// One row of the chart: placements on one offer that do not overlap.
struct Lane<'a> {
    name: &'a str,
    placements: Vec<&'a Placement>,
}

/// The picture of a plan.
pub(crate) fn picture(planned: &Planned, input: &Input) -> String {
    let report = &planned.report;
    let scale = Scale { window: drawn(planned) };
    let lanes = lanes(&report.placements);
    let drawn = lanes.len().min(LANES_MAX);
    let bottom = TOP + lane_height(drawn.max(1));
    let notes = report.waiting.len().min(8);
    let mut svg = Svg::new(WIDTH, bottom + 56.0 + COSTS + 24.0 + lane_height(notes));
    let currency = report.cost.currency();
    let title = format!(
        "Plan {}: {} {currency}{}",
        planned.plan.id,
        show::money(report.cost),
        report.lower_bound.map_or_else(String::new, |bound| format!(
            ", proven least {} (gap {})",
            show::money(bound),
            show::ratio(report.gap)
        )),
    );
    svg.text((16.0, 26.0), 16.0, Anchor::Start, &title);
    if lanes.len() > drawn {
        let more = format!("{} more rows are not drawn", lanes.len() - drawn);
        svg.text((16.0, 44.0), LETTERS, Anchor::Start, &more);
    }
    axis(&mut svg, &scale, (TOP, bottom + 36.0 + COSTS));
    bars(&mut svg, &scale, &lanes[..drawn]);
    costs(&mut svg, &scale, (&report.placements, input), bottom + 36.0);
    let mut y = bottom + 36.0 + COSTS + 36.0;
    for waiting in report.waiting.iter().take(notes) {
        let text = format!("waits: {} x {}: {}", waiting.members, waiting.workload, waiting.reason);
        svg.text((16.0, y), LETTERS, Anchor::Start, &fitted(&text, LETTERS, WIDTH - 32.0));
        y += LANE;
    }
    svg.finish(&title)
}

#[allow(clippy::cast_precision_loss, reason = "at most some tens of rows")]
fn lane_height(lanes: usize) -> f64 {
    lanes as f64 * LANE
}

/// From the first start to the last end.
fn drawn(planned: &Planned) -> Window {
    let horizon = planned.report.horizon;
    let ends = planned.report.placements.iter().map(|placement| placement.window.to());
    let to = ends.max().unwrap_or(horizon.to()).max(horizon.from());
    Window::new(horizon.from(), to).unwrap_or(horizon)
}

/// Placements by offer, as few rows for each as do not overlap.
fn lanes(placements: &[Placement]) -> Vec<Lane<'_>> {
    let mut by_offer: BTreeMap<&str, Vec<&Placement>> = BTreeMap::new();
    for placement in placements {
        let name = placement.offer.as_ref().map_or("(quoted)", |offer| offer.as_str());
        by_offer.entry(name).or_default().push(placement);
    }
    let mut lanes: Vec<Lane<'_>> = Vec::new();
    for (name, mut placements) in by_offer {
        placements.sort_by_key(|placement| (placement.window.from(), placement.workload.clone()));
        let first = lanes.len();
        for placement in placements {
            let free = lanes[first..].iter_mut().find(|lane| {
                let last = lane.placements.last();
                last.is_none_or(|last| last.window.to() <= placement.window.from())
            });
            match free {
                Some(lane) => lane.placements.push(placement),
                None => lanes.push(Lane { name, placements: vec![placement] }),
            }
        }
    }
    lanes.sort_by_key(|lane| lane.placements[0].window.from());
    lanes
}

fn axis(svg: &mut Svg, scale: &Scale, (top, bottom): (f64, f64)) {
    for tick in time_ticks(scale.window.from(), scale.window.to(), 8) {
        let x = scale.x(tick);
        svg.line(&[(x, top - 6.0), (x, bottom)], "#dddddd", (1.0, ""));
        svg.text((x, bottom + 14.0), LETTERS, Anchor::Middle, &show::short_time(tick));
    }
}

fn bars(svg: &mut Svg, scale: &Scale, lanes: &[Lane<'_>]) {
    let mut colours: BTreeMap<&str, &str> = BTreeMap::new();
    let mut y = TOP;
    for lane in lanes {
        let name = fitted(lane.name, LETTERS, LEFT - 24.0);
        svg.text((LEFT - 8.0, y + 16.0), LETTERS, Anchor::End, &name);
        for placement in &lane.placements {
            let next = COLOURS[colours.len() % COLOURS.len()];
            let colour = colours.entry(placement.workload.as_str()).or_insert(next);
            let (from, to) = (scale.x(placement.window.from()), scale.x(placement.window.to()));
            svg.rect((from, y + 3.0), (to - from, LANE - 6.0), colour);
            let words = format!(
                "{} x {}, {}",
                placement.members,
                placement.workload,
                show::money(placement.cost)
            );
            let inside = fitted(&words, LETTERS, to - from - 8.0);
            if inside == words {
                svg.coloured((from + 4.0, y + 16.0), (LETTERS, "#ffffff"), Anchor::Start, &words);
            } else {
                svg.text((to + 4.0, y + 16.0), LETTERS, Anchor::Start, &words);
            }
        }
        y += LANE;
    }
}

/// What is paid by each moment, in all and under each budget with its limit.
fn costs(svg: &mut Svg, scale: &Scale, (placements, input): (&[Placement], &Input), top: f64) {
    let all: Vec<&Placement> = placements.iter().collect();
    let limits: Vec<(&BudgetState, f64)> = input
        .budgets
        .iter()
        .filter_map(|state| match state.limit {
            Limit::Money(limit) => Some((state, whole(limit))),
            Limit::GpuHoursMilli(_) => None,
        })
        .collect();
    let total = paid_by(&all, scale.window.to());
    // A limit far beyond what is spent would press everything to the floor.
    let shown = limits.iter().map(|(_, limit)| *limit).filter(|limit| *limit <= total * 3.0);
    let most = shown.fold(total, f64::max).max(1e-9) * 1.08;
    let y = |amount: f64| top + COSTS - (amount / most).clamp(0.0, 1.0) * COSTS;
    svg.amounts((LEFT, WIDTH - RIGHT), LETTERS, most, y);
    let label = format!("cost by then, {}", input.currency);
    svg.text((16.0, top + 10.0), LETTERS, Anchor::Start, &label);
    curve(svg, scale, &all, (&y, "#222222"));
    svg.text((WIDTH - RIGHT + 6.0, y(total) + 4.0), LETTERS, Anchor::Start, "everything");
    for (index, (state, limit)) in limits.iter().enumerate() {
        let colour = COLOURS[(index + 5) % COLOURS.len()];
        let covered: Vec<&Placement> =
            all.iter().copied().filter(|placement| covers(state, placement, input)).collect();
        curve(svg, scale, &covered, (&y, colour));
        let name = fitted(state.budget.id.as_str(), LETTERS, RIGHT - 8.0);
        if *limit <= most {
            let ends = [(LEFT, y(*limit)), (WIDTH - RIGHT, y(*limit))];
            svg.line(&ends, colour, (1.5, "6 4"));
            let at = (WIDTH - RIGHT + 6.0, y(*limit) + 4.0);
            svg.coloured(at, (LETTERS, colour), Anchor::Start, &name);
        } else {
            let words = format!("limit of {name} is above: {limit:.2}");
            let at = (WIDTH - RIGHT, top + 10.0);
            svg.coloured(at, (LETTERS, colour), Anchor::End, &words);
        }
    }
}

fn covers(state: &BudgetState, placement: &Placement, input: &Input) -> bool {
    let observed = input.snapshot.workload(&placement.workload);
    observed.is_some_and(|seen| state.budget.scope.covers(&seen.workload))
}

/// A line of what placements have cost by each moment at which that changes its pace.
fn curve(
    svg: &mut Svg,
    scale: &Scale,
    placements: &[&Placement],
    (y, colour): (&impl Fn(f64) -> f64, &str),
) {
    let windows = placements.iter().map(|placement| placement.window);
    let mut moments: Vec<Timestamp> =
        windows.flat_map(|window| [window.from(), window.to()]).collect();
    moments.extend([scale.window.from(), scale.window.to()]);
    moments.sort_unstable();
    moments.dedup();
    let points: Vec<(f64, f64)> =
        moments.iter().map(|at| (scale.x(*at), y(paid_by(placements, *at)))).collect();
    svg.line(&points, colour, (2.0, ""));
}

/// What placements have cost by a moment, in whole units of money, for drawing.
fn paid_by(placements: &[&Placement], at: Timestamp) -> f64 {
    let paid = placements.iter().map(|placement| {
        let done = part(placement.window.from(), placement.window.duration(), at);
        whole(placement.cost) * done
    });
    paid.sum()
}
