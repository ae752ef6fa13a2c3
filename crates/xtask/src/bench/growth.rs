//! How time grows with size, as a picture: rows that say which `curve` they are on and of which
//! `size` they are, both axes in powers of ten. A line of slope one beside them is time in
//! proportion to size.

use super::Row;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 420.0;
/// Room for the axes: left, top, right, bottom.
const MARGIN: [f64; 4] = [64.0, 24.0, 150.0, 48.0];
const COLOURS: [&str; 6] = ["#1b6ca8", "#c1440e", "#2e7d32", "#7b3fa0", "#8a6d00", "#444444"];

/// Size and seconds of each curve with two points or more, by its name.
pub(super) fn curves(rows: &[Row]) -> BTreeMap<String, Vec<(f64, f64)>> {
    let mut curves: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for figure in rows.iter().filter_map(|row| row.outcome.as_ref().ok()) {
        let name = figure.more.get("curve").and_then(Value::as_str);
        let size = figure.more.get("size").and_then(Value::as_f64);
        let seconds = match figure.unit.as_str() {
            "s" => figure.value,
            "ms" => figure.value / 1e3,
            _ => continue,
        };
        if let (Some(name), Some(size)) = (name, size)
            && size > 0.0
            && seconds > 0.0
        {
            curves.entry(name.to_owned()).or_default().push((size, seconds));
        }
    }
    curves.retain(|_, points| points.len() > 1);
    for points in curves.values_mut() {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    curves
}

/// The picture; `None` where there is no curve.
pub(super) fn picture(curves: &BTreeMap<String, Vec<(f64, f64)>>) -> Option<String> {
    let points = || curves.values().flatten();
    let powers = |of: fn(&(f64, f64)) -> f64| {
        let low = points().map(of).fold(f64::INFINITY, f64::min).log10().floor();
        let high = points().map(of).fold(0.0, f64::max).log10().ceil();
        (low, high.max(low + 1.0))
    };
    points().next()?;
    let (sizes, times) = (powers(|point| point.0), powers(|point| point.1));
    let [left, top, right, bottom] = MARGIN;
    let x =
        |size: f64| left + (size.log10() - sizes.0) / (sizes.1 - sizes.0) * (WIDTH - left - right);
    let y = |seconds: f64| {
        HEIGHT
            - bottom
            - (seconds.log10() - times.0) / (times.1 - times.0) * (HEIGHT - top - bottom)
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>Time of planning by size</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    for power in steps(sizes) {
        let at = x(10_f64.powf(power));
        let _ = writeln!(
            out,
            "<path d=\"M{at:.1} {top}V{:.1}\" stroke=\"#ddd\"/><text x=\"{at:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\">{}</text>",
            HEIGHT - bottom,
            HEIGHT - bottom + 18.0,
            10_f64.powf(power),
        );
    }
    for power in steps(times) {
        let at = y(10_f64.powf(power));
        let _ = writeln!(
            out,
            "<path d=\"M{left} {at:.1}H{:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"end\">{} s</text>",
            WIDTH - right,
            left - 6.0,
            at + 4.0,
            10_f64.powf(power),
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">jobs or pods</text>",
        (left + WIDTH - right) / 2.0,
        HEIGHT - 10.0,
    );
    for (number, (name, points)) in curves.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        line(&mut out, (name, colour), points, (&x, &y));
    }
    out.push_str("</svg>\n");
    Some(out)
}

/// Powers of ten from one to the other.
fn steps((low, high): (f64, f64)) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(low), |power| Some(power + 1.0)).take_while(move |it| *it <= high)
}

/// How steep a curve is between its ends: 1 is time in proportion to size.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let (first, last) = (points.first()?, points.last()?);
    let wide = (last.0 / first.0).log10();
    (wide > 0.0).then(|| (last.1 / first.1).log10() / wide)
}

/// Maps an amount to its place in the picture.
type Axis<'a> = &'a dyn Fn(f64) -> f64;

fn line(
    out: &mut String,
    (name, colour): (&str, &str),
    points: &[(f64, f64)],
    (x, y): (Axis<'_>, Axis<'_>),
) {
    let mut path = String::new();
    for (at, (size, seconds)) in points.iter().enumerate() {
        let (x, y) = (x(*size), y(*seconds));
        let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { "M" } else { "L" });
        let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
    }
    let _ = writeln!(out, "<path d=\"{path}\" stroke=\"{colour}\" fill=\"none\"/>");
    if let Some((size, seconds)) = points.last() {
        let slope = slope(points).map_or_else(String::new, |slope| format!(", size^{slope:.2}"));
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{name}{slope}</text>",
            x(*size) + 6.0,
            y(*seconds) + 4.0,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows;
    use super::*;

    #[test]
    fn curves_are_drawn_of_times_in_one_unit_and_say_how_steep_they_are() {
        let printed = "\
{\"bench\":\"b\",\"value\":2,\"limit\":9,\"unit\":\"s\",\"curve\":\"pack\",\"size\":10000}
{\"bench\":\"a\",\"value\":200,\"limit\":9,\"unit\":\"ms\",\"curve\":\"pack\",\"size\":1000}
{\"bench\":\"c\",\"value\":3,\"limit\":9,\"unit\":\"s\",\"curve\":\"alone\",\"size\":10}
{\"bench\":\"d\",\"value\":3,\"limit\":9,\"unit\":\"%\",\"curve\":\"pack\",\"size\":5}
{\"bench\":\"e\",\"value\":3,\"limit\":9,\"unit\":\"s\"}";
        let curves = curves(&rows("x", printed));
        let right = vec![(1_000.0, 0.2), (10_000.0, 2.0)];
        assert_eq!(curves, BTreeMap::from([("pack".to_owned(), right)]));
        let picture = picture(&curves).unwrap();
        assert!(picture.contains("pack, size^1.00</text>"), "{picture}");
        assert_eq!(picture.matches("<circle").count(), 2);
        assert!(super::picture(&BTreeMap::new()).is_none());
    }
}
