//! A replay of jobs under several policies: cost over time, utilisation by day and hour of the
//! day, and how long jobs took from submission to end.

use super::svg::{Anchor, COLOURS, Svg, fitted, nice_step};

const WIDTH: f64 = 1_100.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 64.0;
const CURVES: f64 = 260.0;
const GAP: f64 = 64.0;
const HEAT: f64 = 96.0;
const LETTERS: f64 = 11.0;
/// Points of a line at most, as many as can be told apart.
const POINTS_MAX: usize = 800;
/// Columns of a heat map at most.
const DAYS_MAX: i64 = 400;

/// What was paid and used in an hour.
pub(crate) struct Heat {
    pub(crate) from_s: i64,
    pub(crate) paid: f64,
    pub(crate) used: f64,
}

/// A policy.
pub(crate) struct Row<'a> {
    pub(crate) name: &'a str,
    /// Moments with what has been paid by then.
    pub(crate) paid: Vec<(i64, f64)>,
    /// By hour.
    pub(crate) heat: Vec<Heat>,
    /// How long jobs took, ascending.
    pub(crate) took_s: &'a [u32],
}

/// All of them.
pub(crate) struct Replay<'a> {
    pub(crate) title: &'a str,
    pub(crate) rows: &'a [Row<'a>],
}

impl Replay<'_> {
    /// The picture.
    pub(crate) fn picture(&self) -> String {
        let maps = float(self.rows.len()) * (HEAT + 28.0);
        let height = TOP + CURVES + GAP + maps + GAP + CURVES + 56.0;
        let mut svg = Svg::new(WIDTH, height);
        svg.text((16.0, 26.0), 16.0, Anchor::Start, &fitted(self.title, 16.0, WIDTH - 32.0));
        self.costs(&mut svg, TOP);
        self.heat(&mut svg, TOP + CURVES + GAP);
        self.took(&mut svg, TOP + CURVES + GAP + maps + GAP);
        svg.finish(self.title)
    }

    /// From the first hour to the last, of any policy.
    fn span(&self) -> (i64, i64) {
        let hours = || self.rows.iter().flat_map(|row| &row.heat).map(|hour| hour.from_s);
        let (first, last) = (hours().min().unwrap_or(0), hours().max().unwrap_or(0));
        (first, last + 3_600)
    }

    fn costs(&self, svg: &mut Svg, top: f64) {
        let (from, to) = self.span();
        let ends = self.rows.iter().filter_map(|row| row.paid.last());
        let most = ends.map(|(_, paid)| *paid).fold(f64::MIN_POSITIVE, f64::max) * 1.05;
        let x = |at: i64| LEFT + seconds(at - from) / seconds(to - from) * (WIDTH - LEFT - RIGHT);
        let y = |paid: f64| top + CURVES - paid / most * CURVES;
        svg.text((16.0, top - 12.0), LETTERS, Anchor::Start, "paid by then, USD");
        svg.amounts((LEFT, WIDTH - RIGHT), LETTERS, most, y);
        days(svg, (from, to), (top, top + CURVES), x);
        let mut taken: Vec<f64> = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            let each = row.paid.len().div_ceil(POINTS_MAX).max(1);
            let last = row.paid.last();
            let points = row.paid.iter().step_by(each).chain(last);
            let path: Vec<(f64, f64)> = points.map(|(at, paid)| (x(*at), y(*paid))).collect();
            svg.line(&path, colour(index), (if index == 0 { 3.0 } else { 1.5 }, ""));
            if let Some((right, height)) = path.last() {
                name(svg, (*right, *height), (row.name, index), &mut taken);
            }
        }
    }

    /// One map for each policy: days from left to right, hours of the day downwards.
    fn heat(&self, svg: &mut Svg, top: f64) {
        let (from, to) = self.span();
        let first = from.div_euclid(86_400);
        let count = (to.div_euclid(86_400) - first + 1).max(1);
        // Of long traces a column is several days.
        let each = (count + DAYS_MAX - 1) / DAYS_MAX;
        let columns = (count + each - 1) / each;
        let width = (WIDTH - LEFT - RIGHT) / seconds(columns);
        let words =
            "used of what was paid, by day and hour of the day (UTC): white 0 %, dark 100 %";
        svg.text((16.0, top - 12.0), LETTERS, Anchor::Start, words);
        for (index, row) in self.rows.iter().enumerate() {
            let top = top + float(index) * (HEAT + 28.0);
            let mut cells = std::collections::BTreeMap::<(i64, i64), (f64, f64)>::new();
            for hour in &row.heat {
                let column = (hour.from_s.div_euclid(86_400) - first) / each;
                let of_day = hour.from_s.rem_euclid(86_400) / 3_600;
                let cell = cells.entry((column, of_day)).or_default();
                cell.0 += hour.used;
                cell.1 += hour.paid;
            }
            for ((column, of_day), (used, paid)) in cells {
                let part = if paid > 0.0 { (used / paid).clamp(0.0, 1.0) } else { 0.0 };
                let at = (LEFT + seconds(column) * width, top + seconds(of_day) * HEAT / 24.0);
                svg.rect(at, (width, HEAT / 24.0), &shade(part));
            }
            svg.text((LEFT - 8.0, top + 10.0), LETTERS, Anchor::End, "0 h");
            svg.text((LEFT - 8.0, top + HEAT), LETTERS, Anchor::End, "23 h");
            let at = (WIDTH - RIGHT + 8.0, top + 14.0);
            svg.coloured(at, (LETTERS, colour(index)), Anchor::Start, row.name);
        }
    }

    /// Which part of all jobs took at most so long; time on a scale of powers of ten.
    fn took(&self, svg: &mut Svg, top: f64) {
        let longest = self.rows.iter().filter_map(|row| row.took_s.last()).max();
        let decades = f64::from(*longest.unwrap_or(&1)).max(10.0).log10();
        let x =
            |took: u32| LEFT + f64::from(took.max(1)).log10() / decades * (WIDTH - LEFT - RIGHT);
        let y = |part: f64| top + CURVES - part * CURVES;
        let words = "part of the jobs that took at most so long from submission to end";
        svg.text((16.0, top - 12.0), LETTERS, Anchor::Start, words);
        for quarter in 0..=4_u8 {
            let part = f64::from(quarter) / 4.0;
            svg.line(&[(LEFT, y(part)), (WIDTH - RIGHT, y(part))], "#eeeeee", (1.0, ""));
            let words = format!("{:.0} %", part * 100.0);
            svg.text((LEFT - 8.0, y(part) + 4.0), LETTERS, Anchor::End, &words);
        }
        for (took, words) in [
            (1, "1 s"),
            (60, "1 min"),
            (3_600, "1 h"),
            (86_400, "1 d"),
            (864_000, "10 d"),
            (8_640_000, "100 d"),
        ] {
            if x(took) <= WIDTH - RIGHT {
                svg.line(&[(x(took), top), (x(took), top + CURVES)], "#dddddd", (1.0, ""));
                svg.text((x(took), top + CURVES + 16.0), LETTERS, Anchor::Middle, words);
            }
        }
        let mut taken: Vec<f64> = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            let count = row.took_s.len();
            let each = count.div_ceil(POINTS_MAX).max(1);
            let steps = (0..count).step_by(each).chain(count.checked_sub(1));
            let path: Vec<(f64, f64)> =
                steps.map(|at| (x(row.took_s[at]), y(float(at + 1) / float(count)))).collect();
            svg.line(&path, colour(index), (if index == 0 { 3.0 } else { 1.5 }, ""));
            let end = (WIDTH - RIGHT, y(1.0) + float(index) * 14.0);
            name(svg, end, (row.name, index), &mut taken);
        }
    }
}

/// The name of a line at its end, beside those that are there.
fn name(svg: &mut Svg, (x, y): (f64, f64), (name, index): (&str, usize), taken: &mut Vec<f64>) {
    let mut height = y;
    while taken.iter().any(|other| (other - height).abs() < 13.0) {
        height += 13.0;
    }
    taken.push(height);
    let words = fitted(name, LETTERS, RIGHT - 12.0);
    svg.coloured((x + 8.0, height + 4.0), (LETTERS, colour(index)), Anchor::Start, &words);
}

/// Lines at round numbers of days since the start.
fn days(svg: &mut Svg, (from, to): (i64, i64), (top, bottom): (f64, f64), x: impl Fn(i64) -> f64) {
    let step = nice_step(seconds(to - from) / 86_400.0, 8.0).max(1.0 / 24.0);
    let mut day = 0.0;
    while day <= seconds(to - from) / 86_400.0 {
        let at = x(from + whole(day * 86_400.0));
        svg.line(&[(at, top), (at, bottom)], "#eeeeee", (1.0, ""));
        let words = if step < 1.0 { format!("{day:.2} d") } else { format!("{day:.0} d") };
        svg.text((at, bottom + 16.0), LETTERS, Anchor::Middle, &words);
        day += step;
    }
}

fn colour(index: usize) -> &'static str {
    COLOURS[index % COLOURS.len()]
}

/// From white to dark blue, evenly.
fn shade(part: f64) -> String {
    let mix = |from: f64, to: f64| from + (to - from) * part;
    format!("rgb({:.0},{:.0},{:.0})", mix(247.0, 8.0), mix(251.0, 48.0), mix(255.0, 107.0))
}

#[allow(clippy::cast_precision_loss, reason = "a length on paper")]
fn seconds(seconds: i64) -> f64 {
    seconds as f64
}

#[allow(clippy::cast_precision_loss, reason = "a length on paper")]
fn float(count: usize) -> f64 {
    count as f64
}

#[allow(clippy::cast_possible_truncation, reason = "seconds of a trace")]
fn whole(seconds: f64) -> i64 {
    seconds.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_has_its_lines_and_its_map() {
        let heat = |used| Heat { from_s: 3_600, paid: 2.0, used };
        let row = |name, used| Row {
            name,
            paid: vec![(3_600, 2.0), (7_200, 4.0)],
            heat: vec![heat(used)],
            took_s: &[60, 3_600],
        };
        let rows = [row("ours", 2.0), row("theirs", 0.0)];
        let svg = Replay { title: "two", rows: &rows }.picture();
        assert_eq!(svg.matches(">ours</text>").count(), 3);
        assert!(svg.contains("rgb(8,48,107)") && svg.contains("rgb(247,251,255)"));
        assert!(Replay { title: "none", rows: &[] }.picture().ends_with("</svg>\n"));
    }
}
