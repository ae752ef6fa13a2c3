//! Bars in SVG. Positions are percentages of the width, so that patterns and lines keep their
//! shape at any size.

use super::html::Html;
use farthing_model::{Band, Ratio};
use std::fmt::Write as _;

/// The patterns that bars are filled with besides colour.
pub(super) fn patterns(html: &mut Html) {
    html.put(format_args!(
        "<svg class=\"defs\" width=\"0\" height=\"0\" aria-hidden=\"true\" \
         focusable=\"false\"><defs>\n\
         <pattern id=\"hatch\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><path d=\"M0 0V7\" class=\"ink\"/></pattern>\n\
         <pattern id=\"dots\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">\
         <circle cx=\"4\" cy=\"4\" r=\"1.4\" class=\"inkfill\"/></pattern>\n\
         <pattern id=\"grid\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
         <path d=\"M0 0H6M0 0V6\" class=\"ink\"/></pattern>\n</defs></svg>\n"
    ));
}

/// One part of a bar.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Class of its colour.
    pub(super) class: &'static str,
    /// Pattern over the colour, by id; empty = plain.
    pub(super) pattern: &'static str,
    /// Its size in any unit.
    pub(super) size: i128,
}

/// A bar of parts from the left, on a track of size `whole`, with an optional line at `mark`.
/// `label` says the same in words.
pub(super) fn stacked(parts: &[Part], whole: i128, mark: Option<i128>, label: &str) -> String {
    let mut svg = open("bar", "34", label);
    let _ = write!(svg, "<rect class=\"track\" width=\"100%\" height=\"34\" rx=\"3\"/>");
    let mut from = 0;
    for part in parts {
        let size = part.size.max(0);
        let (x, width) =
            (position(from, whole), position(from + size, whole) - position(from, whole));
        from += size;
        if width <= 0 {
            continue;
        }
        let (x, width) = (Percent(x), Percent(width));
        for fill in [format!("class=\"part {}\"", part.class), pattern(part.pattern)] {
            if !fill.is_empty() {
                let _ = write!(svg, "<rect {fill} x=\"{x}\" width=\"{width}\" height=\"34\"/>");
            }
        }
    }
    if let Some(mark) = mark {
        let x = Percent(position(mark, whole));
        let _ = write!(svg, "<line class=\"mark\" x1=\"{x}\" x2=\"{x}\" y1=\"0\" y2=\"34\"/>");
    }
    svg.push_str("</svg>");
    svg
}

fn pattern(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("fill=\"url(#{name})\"") }
}

/// A utilisation on a track of 100 %, with its target band, and where a plan would bring it.
pub(super) fn band(now: Option<Ratio>, band: Band, after: Option<Ratio>, label: &str) -> String {
    let ppm = |ratio: Ratio| i64::from(ratio.ppm()).min(1_000_000);
    let mut svg = open("gauge", "26", label);
    let (from, to) = (ppm(band.threshold()), ppm(band.max));
    let _ = write!(
        svg,
        "<rect class=\"track\" y=\"6\" width=\"100%\" height=\"14\" rx=\"3\"/>\
         <rect class=\"band\" x=\"{}\" y=\"1\" width=\"{}\" height=\"24\" rx=\"3\"/>",
        Percent(from),
        Percent(to - from)
    );
    if let Some(now) = now {
        let width = Percent(ppm(now));
        let _ = write!(
            svg,
            "<rect class=\"part used\" y=\"8\" width=\"{width}\" height=\"10\" rx=\"2\"/>"
        );
    }
    if let Some(after) = after {
        let x = Percent(ppm(after));
        let _ = write!(svg, "<line class=\"after\" x1=\"{x}\" x2=\"{x}\" y1=\"2\" y2=\"24\"/>");
    }
    svg.push_str("</svg>");
    svg
}

/// The little square of a legend.
pub(super) fn swatch(class: &str, name: &str) -> String {
    let over = pattern(name);
    let over = if over.is_empty() {
        over
    } else {
        format!("<rect {over} width=\"14\" height=\"14\" rx=\"2\"/>")
    };
    format!(
        "<svg class=\"swatch\" width=\"14\" height=\"14\" aria-hidden=\"true\" focusable=\"false\">\
         <rect class=\"part {class}\" width=\"14\" height=\"14\" rx=\"2\"/>{over}</svg>"
    )
}

fn open(class: &str, height: &str, label: &str) -> String {
    let label = super::html::escape(label);
    format!(
        "<svg class=\"{class}\" width=\"100%\" height=\"{height}\" role=\"img\" \
         aria-label=\"{label}\">"
    )
}

/// The position of `size` on a track of `whole`, in millionths, inside it.
fn position(size: i128, whole: i128) -> i64 {
    let ppm = Ratio::of(size.clamp(0, whole.max(0)), whole).map_or(0, Ratio::ppm);
    i64::from(ppm)
}

/// Millionths as `12.3456%`.
struct Percent(i64);

impl std::fmt::Display for Percent {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{:04}%", self.0 / 10_000, self.0 % 10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_abut_and_end_at_the_end() {
        let part = |size| Part { class: "used", pattern: "hatch", size };
        let svg = stacked(&[part(1), part(1), part(1), part(0)], 3, Some(9), "a \"bar\"");
        assert!(svg.contains("x=\"0.0000%\" width=\"33.3333%\""), "{svg}");
        assert!(svg.contains("x=\"33.3333%\" width=\"33.3334%\""), "{svg}");
        assert!(svg.contains("x=\"66.6667%\" width=\"33.3333%\""), "{svg}");
        assert!(svg.contains("x1=\"100.0000%\""), "{svg}");
        assert!(svg.contains("aria-label=\"a &quot;bar&quot;\""), "{svg}");
        assert_eq!(svg.matches("url(#hatch)").count(), 3);
        // Nothing paid: an empty track, no division by zero.
        assert!(!stacked(&[part(0)], 0, None, "").contains("hatch"));
    }
}
