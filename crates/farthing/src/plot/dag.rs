//! A plan of a DAG over time: where each task runs, what moves between them, and what that has
//! cost by then.

use super::svg::{Anchor, COLOURS, Svg, fitted, part, time_ticks};
use super::whole;
use crate::show;
use farthing_model::{Dag, Money, Place, Window};
use farthing_planner::{DagPlan, TransferPlan};
use jiff::Timestamp;
use std::collections::BTreeMap;

const WIDTH: f64 = 1_100.0;
const LEFT: f64 = 330.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 64.0;
const LANE: f64 = 30.0;
const COSTS: f64 = 170.0;
const LETTERS: f64 = 11.0;
/// Lanes that are drawn; the rest is counted.
const LANES_MAX: usize = 50;
/// Moves that are named on the picture: the dearest.
const NAMED_MAX: usize = 14;
const MOVES: &str = "#d55e00";
const STAYS: &str = "#999999";
const DUE: &str = "#b00020";

/// What the picture is about.
struct Picture<'a> {
    plan: &'a DagPlan,
    dag: &'a Dag,
    window: Window,
    lanes: Vec<Lane>,
    /// The lane of each task.
    of: Vec<usize>,
}

/// One row: an offer, whose tasks do not overlap, or a place that holds data.
struct Lane {
    name: String,
    place: (String, String),
    tasks: Vec<usize>,
}

/// The picture of a plan of a DAG.
pub(crate) fn picture(plan: &DagPlan, dag: &Dag) -> String {
    let end = plan.start.checked_add(plan.makespan).unwrap_or(plan.start);
    let to = dag.deadline.filter(|due| *due > end && near(plan, *due)).unwrap_or(end);
    let window = Window::new(plan.start, to.max(plan.start));
    let Ok(window) = window else { return Svg::new(WIDTH, TOP).finish("no plan") };
    let (lanes, of) = lanes(plan, dag);
    let picture = Picture { plan, dag, window, lanes, of };
    picture.draw()
}

/// Whether a deadline is near enough to the end to be drawn without pressing the plan flat.
fn near(plan: &DagPlan, due: Timestamp) -> bool {
    due.duration_since(plan.start).as_secs() / 2 <= plan.makespan.as_secs()
}

fn region(place: &Place) -> (String, String) {
    (place.provider.clone(), place.region.clone())
}

/// Fixed places first, then offers in the order in which they are begun.
fn lanes(plan: &DagPlan, dag: &Dag) -> (Vec<Lane>, Vec<usize>) {
    let mut lanes: Vec<Lane> = Vec::new();
    for port in dag.inputs.iter().chain(&dag.outputs) {
        let place = region(&port.place);
        if lanes.iter().all(|lane| lane.place != place) {
            let name = format!("data in {}", port.place);
            lanes.push(Lane { name, place, tasks: Vec::new() });
        }
    }
    let fixed = lanes.len();
    let start = |task: usize| plan.tasks[task].window.map_or(plan.start, Window::from);
    let end = |task: usize| plan.tasks[task].window.map_or(plan.start, Window::to);
    let mut tasks: Vec<usize> = (0..plan.tasks.len()).collect();
    tasks.sort_by_key(|task| (start(*task), *task));
    let mut of = vec![0; plan.tasks.len()];
    for task in tasks {
        let name = plan.tasks[task].offer.to_string();
        let free = lanes[fixed..].iter().position(|lane| {
            let last = lane.tasks.last().is_none_or(|last| end(*last) <= start(task));
            lane.name == name && last
        });
        of[task] = fixed + free.unwrap_or(lanes.len() - fixed);
        if free.is_none() {
            let mut parts = name.split('/').map(str::to_owned);
            let place = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            lanes.push(Lane { name, place, tasks: Vec::new() });
        }
        lanes[of[task]].tasks.push(task);
    }
    (lanes, of)
}

impl Picture<'_> {
    fn draw(&self) -> String {
        let drawn = self.lanes.len().min(LANES_MAX);
        let bottom = height(drawn.max(1));
        let mut svg = Svg::new(WIDTH, bottom + 36.0 + COSTS + 40.0);
        let title = self.title();
        svg.text((16.0, 26.0), 16.0, Anchor::Start, &fitted(&title, 16.0, WIDTH - 32.0));
        let more = self.lanes.len() - drawn;
        let legend = match more {
            0 => String::new(),
            more => format!("{more} more rows are not drawn; "),
        };
        let legend = format!("{legend}bars: tasks, one colour for each region; lines: data");
        svg.text((16.0, 46.0), LETTERS, Anchor::Start, &legend);
        svg.coloured(
            (LEFT + 60.0, 46.0),
            (LETTERS, MOVES),
            Anchor::Start,
            "moves to another region",
        );
        for tick in time_ticks(self.window.from(), self.window.to(), 7) {
            let x = self.x(tick);
            svg.line(&[(x, TOP - 6.0), (x, bottom + 36.0 + COSTS)], "#dddddd", (1.0, ""));
            let at = (x, bottom + 36.0 + COSTS + 16.0);
            svg.text(at, LETTERS, Anchor::Middle, &show::short_time(tick));
        }
        let named = self.transfers(&mut svg, drawn);
        self.bars(&mut svg, drawn);
        self.names(&mut svg, &named);
        self.deadlines(&mut svg, drawn, bottom);
        self.costs(&mut svg, bottom + 36.0);
        svg.finish(&title)
    }

    fn title(&self) -> String {
        let plan = self.plan;
        let bound = plan.lower_bound.map_or_else(String::new, |bound| {
            format!(", proven least {} (gap {})", show::money(bound), show::ratio(plan.gap))
        });
        let (cost, makespan) = (show::money(plan.cost), show::duration(plan.makespan));
        format!("{}: {cost} {}{bound}, done in {makespan}", self.dag.id, plan.currency)
    }

    fn x(&self, at: Timestamp) -> f64 {
        let part = part(self.window.from(), self.window.duration(), at);
        LEFT + part * (WIDTH - LEFT - RIGHT)
    }

    /// When a task starts and ends.
    fn span(&self, task: usize) -> (Timestamp, Timestamp) {
        let window = self.plan.tasks[task].window;
        window.map_or((self.plan.start, self.plan.start), |window| (window.from(), window.to()))
    }

    /// Where data comes from and goes to: a lane and a moment each.
    fn ends(&self, at: usize) -> Option<((usize, Timestamp), (usize, Timestamp))> {
        let dag = self.dag;
        let leaves = |task: usize| (self.of[task], self.span(task).1);
        let comes = |task: usize| (self.of[task], self.span(task).0);
        if let Some(edge) = dag.edges.get(at) {
            return Some((leaves(edge.from), comes(edge.to)));
        }
        let at = at - dag.edges.len();
        let lane = |place: &Place| {
            let place = region(place);
            self.lanes.iter().position(|lane| lane.place == place)
        };
        if let Some(port) = dag.inputs.get(at) {
            return Some(((lane(&port.place)?, self.plan.start), comes(port.task)));
        }
        let port = dag.outputs.get(at - dag.inputs.len())?;
        let takes = self.plan.transfers[self.dag.edges.len() + at].takes;
        let from = leaves(port.task);
        let there = takes.and_then(|takes| from.1.checked_add(takes).ok()).unwrap_or(from.1);
        Some((from, (lane(&port.place)?, there)))
    }

    /// Lines of data; where the dearest moves are to be named.
    fn transfers(&self, svg: &mut Svg, drawn: usize) -> Vec<(f64, f64, usize)> {
        let mut moves: Vec<(f64, f64, usize)> = Vec::new();
        for (at, transfer) in self.plan.transfers.iter().enumerate() {
            let Some((from, to)) = self.ends(at) else { continue };
            if from.0 >= drawn || to.0 >= drawn {
                continue;
            }
            let ends = [(self.x(from.1), middle(from.0)), (self.x(to.1), middle(to.0))];
            if stays(transfer) {
                svg.line(&ends, STAYS, (1.0, if transfer.bytes == 0 { "2 3" } else { "" }));
                continue;
            }
            let dash = if transfer.cost.is_none() { "5 3" } else { "" };
            svg.line(&ends, MOVES, (2.0, dash));
            let [(left, top), (right, bottom)] = ends;
            let middle = (f64::midpoint(left, right), f64::midpoint(top, bottom));
            moves.push((middle.0, middle.1, at));
        }
        let cost = |at: usize| self.plan.transfers[at].cost.map_or(i128::MAX, Money::pico);
        moves.sort_by_key(|(_, _, at)| (std::cmp::Reverse(cost(*at)), *at));
        moves.truncate(NAMED_MAX);
        moves
    }

    /// What moves and what that costs, beside its line, where nothing else is written.
    fn names(&self, svg: &mut Svg, moves: &[(f64, f64, usize)]) {
        let mut taken: Vec<(f64, f64, f64)> = Vec::new();
        for (x, y, at) in moves {
            let transfer = &self.plan.transfers[*at];
            let gb = farthing_model::Decimal::from_nano(transfer.bytes.into());
            let cost = transfer.cost.map_or_else(|| "price unknown".to_owned(), show::money);
            let words = format!("{gb} GB, {cost}");
            let width = written(&words);
            // Between the lanes, where no bar is.
            let mut height = ((y - TOP) / LANE).round() * LANE + TOP;
            let hits = |height: f64| {
                let beside = |(left, at, wide): &(f64, f64, f64)| {
                    (at - height).abs() < 12.0 && x + width > *left && *x < left + wide
                };
                taken.iter().any(beside)
            };
            let mut tries = 0;
            while hits(height) && tries < 6 {
                height += LANE;
                tries += 1;
            }
            if tries == 6 {
                continue;
            }
            taken.push((*x, height, width));
            svg.rect((x + 4.0, height - 6.0), (width, 12.0), "#ffffff");
            svg.coloured((x + 6.0, height + 4.0), (LETTERS, MOVES), Anchor::Start, &words);
        }
    }

    fn bars(&self, svg: &mut Svg, drawn: usize) {
        let mut colours: BTreeMap<&(String, String), &str> = BTreeMap::new();
        for (at, lane) in self.lanes[..drawn].iter().enumerate() {
            let next = COLOURS[colours.len() % COLOURS.len()];
            let colour = *colours.entry(&lane.place).or_insert(next);
            let centre = middle(at);
            let name = fitted(&lane.name, LETTERS, LEFT - 24.0);
            svg.text((LEFT - 8.0, centre + 4.0), LETTERS, Anchor::End, &name);
            if lane.tasks.is_empty() {
                let (from, to) = (self.x(self.window.from()), self.x(self.window.to()));
                svg.rect((from, centre - 1.0), (to - from, 2.0), colour);
            }
            for task in &lane.tasks {
                let placed = &self.plan.tasks[*task];
                let (from, to) = self.span(*task);
                let (from, to) = (self.x(from), self.x(to));
                svg.rect((from, centre - 9.0), (to - from, 18.0), colour);
                let nodes =
                    if placed.nodes > 1 { format!("{} x ", placed.nodes) } else { String::new() };
                let words = format!("{nodes}{}, {}", placed.task, show::money(placed.cost));
                let fits = |words: &str| fitted(words, LETTERS, to - from - 8.0) == *words;
                let inside = [&words, &placed.task].into_iter().find(|words| fits(words));
                let y = centre + 4.0;
                let next = lane.tasks.iter().map(|task| self.x(self.span(*task).0));
                let free = next.filter(|next| *next >= to).fold(WIDTH, f64::min) - to;
                if let Some(words) = inside {
                    svg.coloured((from + 4.0, y), (LETTERS, "#ffffff"), Anchor::Start, words);
                } else if free > written(&words) {
                    svg.rect((to + 2.0, centre - 7.0), (written(&words), 14.0), "#ffffff");
                    svg.text((to + 4.0, y), LETTERS, Anchor::Start, &words);
                }
            }
        }
    }

    /// A line where everything is due, and a mark where a task is.
    fn deadlines(&self, svg: &mut Svg, drawn: usize, bottom: f64) {
        for (at, task) in self.dag.tasks.iter().enumerate() {
            let Some(due) = task.deadline.filter(|due| *due <= self.window.to()) else { continue };
            if self.of[at] < drawn {
                let (x, centre) = (self.x(due), middle(self.of[at]));
                svg.line(&[(x, centre - 13.0), (x, centre + 13.0)], DUE, (2.5, ""));
            }
        }
        let Some(due) = self.dag.deadline else { return };
        if due <= self.window.to() {
            let x = self.x(due);
            svg.line(&[(x, TOP - 6.0), (x, bottom + 36.0 + COSTS)], DUE, (1.5, "6 4"));
            svg.coloured((x + 4.0, TOP + 4.0), (LETTERS, DUE), Anchor::Start, "deadline");
        } else {
            let words = format!("deadline {}, not drawn", show::short_time(due));
            svg.coloured((WIDTH - 16.0, 46.0), (LETTERS, DUE), Anchor::End, &words);
        }
    }

    /// What is paid by each moment: machines while they run, data when it leaves.
    fn costs(&self, svg: &mut Svg, top: f64) {
        let total = whole(self.plan.cost);
        let cap = self.dag.cost_max.map(whole).filter(|cap| *cap <= total * 3.0);
        let most = cap.unwrap_or(total).max(total).max(1e-9) * 1.08;
        let y = |amount: f64| top + COSTS - (amount / most).clamp(0.0, 1.0) * COSTS;
        svg.amounts((LEFT, WIDTH - RIGHT), LETTERS, most, y);
        let label = format!("cost by then, {}", self.plan.currency);
        svg.text((16.0, top + 10.0), LETTERS, Anchor::Start, &label);
        for (egress, colour, width, name) in
            [(true, MOVES, 1.5, "data"), (false, COLOURS[0], 1.5, "machines")]
        {
            let end = self.curve(svg, (&y, colour, width), (!egress, egress));
            let at = (WIDTH - RIGHT + 6.0, y(end) + 4.0);
            svg.coloured(at, (LETTERS, colour), Anchor::Start, name);
        }
        let end = self.curve(svg, (&y, "#222222", 2.5), (true, true));
        svg.text((WIDTH - RIGHT + 6.0, y(end) - 8.0), LETTERS, Anchor::Start, "everything");
        if let Some(cap) = cap {
            svg.line(&[(LEFT, y(cap)), (WIDTH - RIGHT, y(cap))], DUE, (1.5, "6 4"));
            let at = (WIDTH - RIGHT + 6.0, y(cap) - 2.0);
            svg.coloured(at, (LETTERS, DUE), Anchor::Start, "most it may cost");
        }
    }

    /// A line of machines, of data, or of both; what it ends at.
    fn curve(
        &self,
        svg: &mut Svg,
        (y, colour, width): (&impl Fn(f64) -> f64, &str, f64),
        (machines, data): (bool, bool),
    ) -> f64 {
        let tasks = 0..self.plan.tasks.len();
        let mut moments: Vec<Timestamp> = tasks
            .flat_map(|task| [self.span(task).0, self.span(task).1])
            .chain([self.window.from(), self.window.to()])
            .collect();
        moments.sort_unstable();
        moments.dedup();
        let mut points = Vec::new();
        for at in moments {
            let before = self.paid(at, (machines, data), false);
            let after = self.paid(at, (machines, data), true);
            points.extend([(self.x(at), y(before)), (self.x(at), y(after))]);
        }
        svg.line(&points, colour, (width, ""));
        self.paid(self.window.to(), (machines, data), true)
    }

    /// What has been paid by a moment; `upon`: with the data that leaves just then.
    fn paid(&self, at: Timestamp, (machines, data): (bool, bool), upon: bool) -> f64 {
        let mut sum = 0.0;
        for (task, placed) in self.plan.tasks.iter().enumerate().filter(|_| machines) {
            let (from, to) = self.span(task);
            sum += whole(placed.cost) * part(from, to.duration_since(from), at);
        }
        for (index, transfer) in self.plan.transfers.iter().enumerate().filter(|_| data) {
            let leaves = self.ends(index).map_or(self.plan.start, |(from, _)| from.1);
            if leaves < at || (upon && leaves == at) {
                sum += transfer.cost.map_or(0.0, whole);
            }
        }
        sum
    }
}

fn stays(transfer: &TransferPlan) -> bool {
    region(&transfer.from_place) == region(&transfer.to_place)
}

/// How wide words are on paper.
fn written(words: &str) -> f64 {
    let letters = u16::try_from(words.chars().count()).unwrap_or(u16::MAX);
    f64::from(letters) * LETTERS * 0.56 + 6.0
}

/// The top of a lane.
#[allow(clippy::cast_precision_loss, reason = "at most some tens of rows")]
fn height(lane: usize) -> f64 {
    TOP + lane as f64 * LANE
}

/// The middle of a lane.
fn middle(lane: usize) -> f64 {
    height(lane) + LANE / 2.0
}
