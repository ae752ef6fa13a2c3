//! Where the money goes, and utilisation against its bands.

use super::bars::{Part, band, stacked, swatch};
use super::html::{Html, amount, amount_beside, digits, escape, instant, percent};
use super::length;
use crate::publish::{Ticked, View};
use crate::wire;
use farthing_engine::Flow;
use farthing_engine::planner::Utilisation;
use farthing_model::{BandState, Currency, Money, Ratio, Resource, Window, proportion};

/// Nanoseconds in an hour.
const HOUR: i128 = farthing_model::NANOS_PER_HOUR;

/// The four places, with class, pattern and meaning.
const PLACES: [(&str, &str, &str); 4] = [
    ("used", "", "allocated and used"),
    ("idle", "hatch", "allocated and not used"),
    ("unallocated", "dots", "paid, and allocated to no one"),
    ("overhead", "grid", "the system's own, and nodes that boot"),
];

const fn parts(flow: &Flow) -> [Money; 4] {
    [flow.used, flow.idle, flow.unallocated, flow.overhead]
}

/// What is paid and where it goes: last tick, and since the start.
pub(super) fn section(html: &mut Html, view: &View, last: &Ticked) {
    let tick = &last.tick;
    let currency = escape(view.about.currency.code());
    html.put(format_args!("<section id=\"money\"><h2>What is paid, and where it goes</h2>\n"));
    match tick.window {
        Some(window) => html.put(format_args!(
            "<p class=\"lead\"><span class=\"figure\">{} {currency}/h</span> \
             <span>{} {currency} in {}, from {}; measured: {}</span></p>\n",
            hourly(tick.money.paid, window),
            amount(tick.money.paid),
            length(window.from(), window.to()),
            instant(window.from()),
            percent(tick.coverage.ratio())
        )),
        None => html.put(format_args!(
            "<p class=\"lead\">Nothing was measured yet: usage is known from the second tick on.\
             </p>\n"
        )),
    }
    bar(html, "Last tick", &tick.money);
    bar(html, "Since the start", &view.total);
    legend(html, &tick.money, &view.total, view.about.currency);
    html.put(format_args!("</section>\n"));
}

/// The rate that an amount over a window is.
fn hourly(paid: Money, window: Window) -> String {
    let rate = proportion(paid.pico(), HOUR, window.nanos());
    rate.map_or_else(|| "–".to_owned(), |pico| digits(Money::from_pico(pico, paid.currency())))
}

fn bar(html: &mut Html, title: &str, flow: &Flow) {
    let shares = PLACES.iter().zip(parts(flow)).map(|((class, pattern, _), money)| Part {
        class,
        pattern,
        size: money.pico(),
    });
    let shares: Vec<Part> = shares.collect();
    let words: Vec<String> = PLACES
        .iter()
        .zip(parts(flow))
        .map(|((name, ..), money)| format!("{name} {}", percent(share(money, flow))))
        .collect();
    let label = format!("{title}: {}", words.join(", "));
    let svg = stacked(&shares, flow.paid.pico(), None, &label);
    html.put(format_args!("<div class=\"row\"><span>{title}</span>{svg}</div>\n"));
}

fn share(part: Money, flow: &Flow) -> Option<Ratio> {
    Ratio::of(part.pico(), flow.paid.pico())
}

fn legend(html: &mut Html, tick: &Flow, total: &Flow, currency: Currency) {
    html.put(format_args!(
        "<div class=\"scroll\"><table class=\"places\"><thead><tr><th scope=\"col\">Place</th>\
         <th scope=\"col\" class=\"num\">Last tick, {currency}</th>\
         <th scope=\"col\" class=\"num\">Share</th>\
         <th scope=\"col\" class=\"num\">Since the start, {currency}</th>\
         <th scope=\"col\" class=\"num\">Share</th></tr></thead><tbody>\n"
    ));
    for (index, (name, pattern, meaning)) in PLACES.iter().enumerate() {
        let (now, all) = (parts(tick)[index], parts(total)[index]);
        html.put(format_args!(
            "<tr><th scope=\"row\">{} {name} <small>{meaning}</small></th>\
             <td class=\"num\">{}</td><td class=\"num\">{}</td>\
             <td class=\"num\">{}</td><td class=\"num\">{}</td></tr>\n",
            swatch(name, pattern),
            amount_beside(now, tick.paid),
            percent(share(now, tick)),
            amount_beside(all, total.paid),
            percent(share(all, total))
        ));
    }
    html.put(format_args!(
        "<tr class=\"sum\"><th scope=\"row\">paid <small>the sum, to the last unit</small></th>\
         <td class=\"num\">{}</td><td></td><td class=\"num\">{}</td><td></td></tr>\n\
         </tbody></table></div>\n",
        amount(tick.paid),
        amount(total.paid)
    ));
}

/// Each resource against its band.
pub(super) fn utilisation(html: &mut Html, view: &View, last: &Ticked) {
    let measured = wire::utilisation(&last.tick);
    let rows = last.tick.planned.as_ref().map(|planned| planned.report.utilisation.as_slice());
    html.put(format_args!(
        "<section id=\"utilisation\"><h2>Utilisation against its band</h2>\n\
         <p class=\"hint\">Used / paid in the last window. The shaded band is the target; the line \
         is where the plan would bring what is allocated.</p>\n<div class=\"gauges\">\n"
    ));
    for resource in Resource::ALL {
        let target = *view.about.policy.bands.get(resource);
        let measured = measured.get(resource);
        let now = measured.and_then(Utilisation::of_capacity);
        let row = rows.unwrap_or_default().iter().find(|row| row.resource == resource);
        let after = row.and_then(|row| row.after);
        let state = now.map(|now| target.state(now));
        let limits = format!("{} to {}", target.threshold(), target.max);
        let (sign, words) = match state {
            Some(BandState::Under) => ("▼", "under"),
            Some(BandState::Within) => ("●", "within"),
            Some(BandState::Over) => ("▲", "over"),
            None => ("–", "nothing paid or measured"),
        };
        let label = format!("{resource}: {}, band {limits}, {words}", percent(now));
        let class = state.map_or("none", BandState::name);
        let proposal = row.map_or("", |row| row.proposal.as_str());
        html.put(format_args!(
            "<div class=\"gaugerow\"><span class=\"name\">{resource}</span>{}\
             <span class=\"num\">{}</span>\
             <span class=\"state {class}\"><span aria-hidden=\"true\">{sign}</span> {words}</span>\
             <span class=\"hint wide\">band {limits}; used / allocated {}; {}</span></div>\n",
            band(now, target, after, &label),
            percent(now),
            percent(measured.and_then(Utilisation::of_allocated)),
            if proposal.is_empty() { "no proposal".to_owned() } else { escape(proposal) }
        ));
    }
    html.put(format_args!("</div></section>\n"));
}
