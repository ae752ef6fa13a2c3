//! Lines over a quantity: what something costs as something else grows.

use super::svg::{Anchor, COLOURS, Svg, fitted, nice_step};

const WIDTH: f64 = 1_100.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 260.0;
const TOP: f64 = 56.0;
const HEIGHT: f64 = 360.0;
const LETTERS: f64 = 11.0;

/// One line.
pub(crate) struct Series {
    /// At its end.
    pub(crate) name: String,
    /// In the order of x; a gap where it cannot be.
    pub(crate) points: Vec<(f64, Option<f64>)>,
    /// Whether it goes in steps: it keeps its height until the next point.
    pub(crate) steps: bool,
}

/// What stands beside the axes.
pub(crate) struct Axes<'a> {
    /// Along the bottom.
    pub(crate) x: &'a str,
    /// Along the side.
    pub(crate) y: &'a str,
    /// A value of x that is marked, with its name.
    pub(crate) mark: Option<(f64, &'a str)>,
}

/// The picture of lines, the first one drawn thickest.
pub(crate) fn picture(title: &str, axes: &Axes<'_>, series: &[Series]) -> String {
    let mut svg = Svg::new(WIDTH, TOP + HEIGHT + 56.0);
    svg.text((16.0, 26.0), 16.0, Anchor::Start, &fitted(title, 16.0, WIDTH - 32.0));
    let points = || series.iter().flat_map(|series| &series.points);
    let x_most = points().map(|(x, _)| *x).fold(f64::MIN_POSITIVE, f64::max);
    let y_most = points().filter_map(|(_, y)| *y).fold(f64::MIN_POSITIVE, f64::max) * 1.05;
    let x = |value: f64| LEFT + value / x_most * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| TOP + HEIGHT - value / y_most * HEIGHT;
    for (most, across) in [(x_most, true), (y_most, false)] {
        let step = nice_step(most, 6.0);
        let places = if step < 0.1 { 3 } else { usize::from(step < 1.0) };
        let mut level = 0.0;
        while level <= most {
            let words = format!("{level:.places$}");
            if across {
                svg.line(&[(x(level), TOP), (x(level), TOP + HEIGHT)], "#eeeeee", (1.0, ""));
                svg.text((x(level), TOP + HEIGHT + 16.0), LETTERS, Anchor::Middle, &words);
            } else {
                let ends = [(LEFT, y(level)), (WIDTH - RIGHT, y(level))];
                svg.line(&ends, "#eeeeee", (1.0, ""));
                svg.text((LEFT - 8.0, y(level) + 4.0), LETTERS, Anchor::End, &words);
            }
            level += step;
        }
    }
    svg.text((WIDTH - RIGHT, TOP + HEIGHT + 36.0), LETTERS, Anchor::End, axes.x);
    svg.text((16.0, TOP - 10.0), LETTERS, Anchor::Start, axes.y);
    if let Some((at, name)) = axes.mark {
        svg.line(&[(x(at), TOP), (x(at), TOP + HEIGHT)], "#888888", (1.0, "4 3"));
        svg.text((x(at) + 4.0, TOP + 10.0), LETTERS, Anchor::Start, name);
    }
    let mut taken: Vec<f64> = Vec::new();
    for (index, series) in series.iter().enumerate().rev() {
        let colour = COLOURS[index % COLOURS.len()];
        let width = if index == 0 { 3.0 } else { 1.5 };
        let mut end = None;
        for run in runs(series) {
            let path: Vec<(f64, f64)> = run.iter().map(|(a, b)| (x(*a), y(*b))).collect();
            svg.line(&path, colour, (width, ""));
            end = path.last().copied();
        }
        if let Some((right, mut height)) = end {
            while taken.iter().any(|other| (other - height).abs() < 13.0) {
                height -= 13.0;
            }
            taken.push(height);
            let name = fitted(&series.name, LETTERS, RIGHT - 12.0);
            svg.coloured((right + 6.0, height + 4.0), (LETTERS, colour), Anchor::Start, &name);
        }
    }
    svg.finish(title)
}

/// The unbroken parts of a line.
fn runs(series: &Series) -> Vec<Vec<(f64, f64)>> {
    let mut runs: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    for (x, y) in &series.points {
        match (y, runs.last_mut()) {
            (Some(y), Some(run)) => {
                if let Some((_, before)) = run.last().copied().filter(|_| series.steps) {
                    run.push((*x, before));
                }
                run.push((*x, *y));
            }
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_breaks_a_line_and_steps_keep_their_height() {
        let points = vec![(1.0, Some(2.0)), (2.0, None), (3.0, Some(4.0)), (4.0, Some(5.0))];
        let series = |steps| Series { name: "a".to_owned(), points: points.clone(), steps };
        assert_eq!(runs(&series(false)), [vec![(1.0, 2.0)], vec![(3.0, 4.0), (4.0, 5.0)]]);
        let stepped = vec![(3.0, 4.0), (4.0, 4.0), (4.0, 5.0)];
        assert_eq!(runs(&series(true)), [vec![(1.0, 2.0)], stepped]);
        let axes = Axes { x: "x", y: "y", mark: Some((2.0, "now")) };
        let svg = picture("t", &axes, &[series(true)]);
        assert!(svg.contains(">now</text>") && svg.contains("stroke-dasharray"));
    }
}
