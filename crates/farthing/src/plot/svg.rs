//! The pen: shapes, texts and axes of an SVG picture.

use jiff::{SignedDuration, Timestamp};
use std::fmt::Write as _;

/// Colours of series, told apart also in grey and by people who see fewer colours (Okabe and Ito).
pub(super) const COLOURS: [&str; 7] =
    ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c00"];

/// The width of a letter as a part of its size, for what fits into a box.
const LETTER: f64 = 0.58;

/// A picture in the making.
pub(super) struct Svg {
    body: String,
    width: f64,
    height: f64,
}

/// Where a text is held.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    /// At its start.
    Start,
    /// At its middle.
    Middle,
    /// At its end.
    End,
}

impl Svg {
    /// An empty picture of a size in pixels.
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    /// A filled box.
    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
        let width = width.max(1.0);
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             rx=\"2\" fill=\"{fill}\"/>"
        );
    }

    /// A line through points; `dash` is empty for an unbroken one.
    pub(super) fn line(&mut self, points: &[(f64, f64)], stroke: &str, style: (f64, &str)) {
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (width, dash) = style;
        let dash = match dash {
            "" => String::new(),
            dash => format!(" stroke-dasharray=\"{dash}\""),
        };
        let _ = writeln!(
            self.body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{stroke}\" \
             stroke-width=\"{width}\"{dash}/>",
            path.join(" ")
        );
    }

    /// A text of a size in pixels.
    pub(super) fn text(&mut self, at: (f64, f64), size: f64, anchor: Anchor, text: &str) {
        self.coloured(at, (size, "#222222"), anchor, text);
    }

    /// A text of a size in pixels and a colour.
    pub(super) fn coloured(
        &mut self,
        (x, y): (f64, f64),
        (size, fill): (f64, &str),
        anchor: Anchor,
        text: &str,
    ) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" \
             fill=\"{fill}\">{}</text>",
            escape(text)
        );
    }

    /// Lines across for round amounts of money up to `most`, each with its amount left of it. The
    /// lines reach from `left` to `right`, and an amount is `y` high.
    pub(super) fn amounts(
        &mut self,
        (left, right): (f64, f64),
        size: f64,
        most: f64,
        y: impl Fn(f64) -> f64,
    ) {
        let step = nice_step(most, 4.0);
        let places = if step < 0.01 { 6 } else { 2 };
        let mut level = 0.0;
        while level <= most {
            self.line(&[(left, y(level)), (right, y(level))], "#eeeeee", (1.0, ""));
            let words = format!("{level:.places$}");
            self.text((left - 8.0, y(level) + 4.0), size, Anchor::End, &words);
            level += step;
        }
    }

    /// The whole picture, with a title for those who cannot see it.
    pub(super) fn finish(self, title: &str) -> String {
        let (width, height) = (self.width, self.height);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\" \
             font-family=\"Helvetica, Arial, sans-serif\">\n<title>{}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{}</svg>\n",
            escape(title),
            self.body
        )
    }
}

/// A text cut so that it fits into a width.
pub(super) fn fitted(text: &str, size: f64, width: f64) -> String {
    let most = letters(width / (size * LETTER));
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of letters on a line: small, and not below zero"
)]
fn letters(count: f64) -> usize {
    count.clamp(0.0, 1e4) as usize
}

/// A step of 1, 2 or 5 times a power of ten that divides `most` in about `parts`.
pub(super) fn nice_step(most: f64, parts: f64) -> f64 {
    let rough = (most / parts).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    let factor = rough / power;
    let nice = [1.0, 2.0, 5.0].into_iter().find(|nice| factor <= *nice).unwrap_or(10.0);
    nice * power
}

/// Moments at round times that divide a span in at most `parts`.
pub(super) fn time_ticks(from: Timestamp, to: Timestamp, parts: i64) -> Vec<Timestamp> {
    const STEPS_MIN: [i64; 13] =
        [1, 5, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 10_080, 43_200];
    let span = to.duration_since(from).as_secs();
    let step = STEPS_MIN.into_iter().map(|minutes| minutes * 60);
    let step = step.clone().find(|step| span / step <= parts).unwrap_or(span / parts.max(1) + 1);
    let first = from.as_second().div_euclid(step) * step;
    let ticks = (0..=parts + 1).filter_map(|index| {
        let at = Timestamp::from_second(first.checked_add(step.checked_mul(index)?)?).ok()?;
        (at >= from && at <= to).then_some(at)
    });
    ticks.collect()
}

/// The part of a span that lies before a moment, 0 to 1.
pub(super) fn part(from: Timestamp, span: SignedDuration, at: Timestamp) -> f64 {
    let whole = span.as_secs_f64();
    if whole <= 0.0 { 0.0 } else { (at.duration_since(from).as_secs_f64() / whole).clamp(0.0, 1.0) }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // Not allowed in XML, escaped or not.
            character if character < ' ' && character != '\t' => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_ticks_are_round() {
        assert!((nice_step(850.0, 4.0) - 500.0).abs() < 1e-9);
        assert!((nice_step(0.09, 4.0) - 0.05).abs() < 1e-12);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let ticks = time_ticks(at("2026-12-01T00:10:00Z"), at("2026-12-04T00:00:00Z"), 8);
        assert_eq!(ticks.len(), 6);
        assert_eq!(ticks[0], at("2026-12-01T12:00:00Z"));
        assert_eq!(ticks[5], at("2026-12-04T00:00:00Z"));
        // A moment has one tick, and no division by zero.
        assert_eq!(time_ticks(ticks[0], ticks[0], 8), [ticks[0]]);
    }

    #[test]
    fn nothing_foreign_becomes_markup() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text((0.0, 0.0), 10.0, Anchor::Start, "<b>&\u{1}");
        assert!(svg.finish("\"t\"").contains(">&lt;b&gt;&amp; </text>"));
        assert_eq!(fitted("abcdefghij", 10.0, 30.0), "abcd…");
    }
}
