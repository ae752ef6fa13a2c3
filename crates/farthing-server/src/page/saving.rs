//! Predicted against realised, and what people should know.

use super::bars::{Part, stacked};
use super::html::{Html, amount, digits, escape, percent};
use crate::publish::Ticked;
use farthing_model::{Money, Ratio};

/// Notes on the page; the rest is in the API.
const NOTES_MAX: usize = 20;

/// What steps promised, and what the ledger says of them.
pub(super) fn section(html: &mut Html, last: &Ticked) {
    let scores = &last.open.scores;
    html.put(format_args!("<section id=\"saving\"><h2>Predicted against realised</h2>\n"));
    if scores.steps == 0 {
        html.put(format_args!(
            "<p class=\"hint\">No step has ended yet. When one does, the saving that it promised \
             is held against what the ledger posted.</p></section>\n"
        ));
        return;
    }
    for (currency, predicted) in &scores.predicted {
        let realised = scores.realised.get(currency).copied();
        let realised = realised.unwrap_or_else(|| Money::zero(*currency));
        let whole = predicted.pico().max(realised.pico());
        let ratio = Ratio::of(realised.pico(), predicted.pico());
        html.put(format_args!(
            "<p class=\"lead\"><span class=\"figure\">{} {currency}</span> <span>saved in {} steps \
             that ended; {} of what was predicted</span></p>\n",
            digits(realised),
            scores.steps,
            percent(ratio)
        ));
        for (name, class, pattern, money) in
            [("predicted", "unallocated", "dots", *predicted), ("realised", "used", "", realised)]
        {
            let part = Part { class, pattern, size: money.pico() };
            let label = format!("{name}: {} {currency}", digits(money));
            html.put(format_args!(
                "<div class=\"row\"><span>{name}<br><small>{} {currency}</small></span>{}</div>\n",
                amount(money),
                stacked(&[part], whole, None, &label)
            ));
        }
    }
    html.put(format_args!("</section>\n"));
}

/// What could not be read, was refused, or is unknown.
pub(super) fn notes(html: &mut Html, last: &Ticked) {
    let unknown = last.tick.planned.iter().flat_map(|planned| &planned.report.unknown);
    let notes: Vec<&String> = last.tick.notes.iter().chain(unknown).collect();
    if notes.is_empty() {
        return;
    }
    html.put(format_args!("<section id=\"notes\"><h2>To know</h2><ul>\n"));
    for note in notes.iter().take(NOTES_MAX) {
        html.put(format_args!("<li>{}</li>\n", escape(note)));
    }
    html.put(format_args!("</ul>\n"));
    if notes.len() > NOTES_MAX {
        let left = notes.len() - NOTES_MAX;
        let link = "<a href=\"/api/v1/tick\">/api/v1/tick</a>";
        html.put(format_args!("<p class=\"hint\">and {left} more in {link}</p>\n"));
    }
    html.put(format_args!("</section>\n"));
}
