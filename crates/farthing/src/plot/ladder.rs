//! A ladder of prices: one bar for each offer, from the cheapest.

use super::svg::{Anchor, COLOURS, Svg, fitted, nice_step};

const WIDTH: f64 = 1_100.0;
const LEFT: f64 = 420.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 64.0;
const ROW: f64 = 24.0;
const LETTERS: f64 = 11.0;

/// One offer.
pub(crate) struct Rung {
    /// What is bought, and where.
    pub(crate) label: String,
    /// The length of the bar.
    pub(crate) amount: f64,
    /// The amount in words, at the end of the bar.
    pub(crate) words: String,
    /// Rungs of one kind share a colour; the kind is named in the legend.
    pub(crate) kind: String,
}

/// The picture of a ladder; `unit` is what the bars measure.
pub(crate) fn picture(title: &str, unit: &str, rungs: &[Rung]) -> String {
    let rows = f64::from(u16::try_from(rungs.len()).unwrap_or(u16::MAX));
    let bottom = TOP + rows.max(1.0) * ROW;
    let mut svg = Svg::new(WIDTH, bottom + 64.0);
    svg.text((16.0, 26.0), 16.0, Anchor::Start, &fitted(title, 16.0, WIDTH - 32.0));
    let most = rungs.iter().map(|rung| rung.amount).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let x = |amount: f64| LEFT + amount / most * (WIDTH - LEFT - RIGHT);
    let step = nice_step(most, 5.0);
    let places = if step < 0.1 { 4 } else { 2 };
    let mut level = 0.0;
    while level <= most {
        svg.line(&[(x(level), TOP - 6.0), (x(level), bottom)], "#dddddd", (1.0, ""));
        let words = format!("{level:.places$}");
        svg.text((x(level), bottom + 16.0), LETTERS, Anchor::Middle, &words);
        level += step;
    }
    svg.text((LEFT, bottom + 34.0), LETTERS, Anchor::Start, unit);
    let kinds = kinds(rungs);
    let mut y = TOP;
    for rung in rungs {
        let label = fitted(&rung.label, LETTERS, LEFT - 24.0);
        svg.text((LEFT - 8.0, y + 16.0), LETTERS, Anchor::End, &label);
        let kind = kinds.iter().position(|kind| *kind == rung.kind).unwrap_or(0);
        let length = x(rung.amount) - LEFT;
        svg.rect((LEFT, y + 3.0), (length, ROW - 6.0), COLOURS[kind % COLOURS.len()]);
        svg.text((LEFT + length + 6.0, y + 16.0), LETTERS, Anchor::Start, &rung.words);
        y += ROW;
    }
    legend(&mut svg, &kinds);
    svg.finish(title)
}

fn kinds(rungs: &[Rung]) -> Vec<&str> {
    let mut kinds: Vec<&str> = Vec::new();
    for rung in rungs {
        if !kinds.contains(&rung.kind.as_str()) {
            kinds.push(&rung.kind);
        }
    }
    kinds
}

fn legend(svg: &mut Svg, kinds: &[&str]) {
    let mut x = 16.0;
    for (index, kind) in kinds.iter().enumerate() {
        svg.rect((x, 38.0), (12.0, 12.0), COLOURS[index % COLOURS.len()]);
        svg.text((x + 18.0, 48.0), LETTERS, Anchor::Start, kind);
        let letters = u16::try_from(kind.chars().count()).unwrap_or(u16::MAX);
        x += 40.0 + f64::from(letters) * LETTERS * 0.6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dearest_bar_is_the_longest_and_kinds_are_named_once() {
        let rung = |label: &str, amount, kind: &str| Rung {
            label: label.to_owned(),
            amount,
            words: format!("{amount:.2}"),
            kind: kind.to_owned(),
        };
        let svg = picture(
            "title",
            "USD an hour",
            &[rung("cheap", 1.0, "spot"), rung("dear", 4.0, "on-demand"), rung("b", 2.0, "spot")],
        );
        let length = WIDTH - LEFT - RIGHT;
        assert!(svg.contains(&format!("width=\"{length:.1}\" height=\"18.0\"")), "{svg}");
        assert!(svg.contains(&format!("width=\"{:.1}\" height=\"18.0\"", length / 4.0)), "{svg}");
        assert_eq!(svg.matches(">spot</text>").count(), 1);
        assert!(picture("", "", &[]).ends_with("</svg>\n"));
    }
}
