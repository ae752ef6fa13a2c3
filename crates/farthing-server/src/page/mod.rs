//! The page at `/`: the last tick as one HTML document, drawn by the server.
//!
//! It is whole without script (it then reloads itself); `/app.js` only fetches the same page again
//! and puts the new parts in place. Nothing is loaded from elsewhere. Every bar stands beside its
//! numbers, and differs by pattern and by label, not by colour alone.

mod bars;
mod flow;
mod html;
mod plan;
mod saving;

use crate::publish::View;
use html::Html;
use jiff::Timestamp;

/// The script, served at `/app.js`.
pub(crate) const SCRIPT: &str = include_str!("app.js");

/// The style, served at `/app.css`.
pub(crate) const STYLE: &str = include_str!("app.css");

/// Reload without script after this many seconds, and with it as often as a tick, within limits.
const RELOAD_S: u64 = 10;

/// The whole document.
pub fn page(view: &View) -> String {
    let mut html = Html::default();
    head(&mut html, view);
    header(&mut html, view);
    let refresh_s = view.about.every.as_secs().clamp(1, RELOAD_S);
    html.put(format_args!("<main id=\"main\" data-refresh-s=\"{refresh_s}\">\n"));
    match &view.last {
        Some(last) => {
            flow::section(&mut html, view, last);
            flow::utilisation(&mut html, view, last);
            plan::section(&mut html, view, last);
            plan::budgets(&mut html, last);
            saving::section(&mut html, last);
            saving::notes(&mut html, last);
        }
        None => html.put(format_args!(
            "<section><h2>No tick yet</h2><p>The first tick is under way: the world is being \
             looked at and measured. This page shows it as soon as it is done.</p></section>\n"
        )),
    }
    html.put(format_args!("</main>\n"));
    footer(&mut html, view);
    html.finish()
}

fn head(html: &mut Html, view: &View) {
    let cluster = html::escape(view.about.cluster.as_str());
    html.put(format_args!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{cluster} · Farthing</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"/app.css\">\n\
         <noscript><meta http-equiv=\"refresh\" content=\"{RELOAD_S}\"></noscript>\n\
         <script src=\"/app.js\" defer></script>\n</head>\n<body>\n"
    ));
    bars::patterns(html);
}

fn header(html: &mut Html, view: &View) {
    let about = &view.about;
    let (cluster, world) = (html::escape(about.cluster.as_str()), html::escape(&about.world));
    let mode = about.policy.mode.name();
    html.put(format_args!(
        "<header id=\"head\">\n<div><h1>Farthing</h1>\n\
         <p class=\"what\"><strong>{cluster}</strong> <span>{world}</span> \
         <span class=\"chip\">mode {mode}</span></p></div>\n"
    ));
    let when = match &view.last {
        Some(last) => format!(
            "tick {} at {}, took {:.3} s",
            view.ticks,
            html::instant(last.tick.at),
            last.took.as_secs_f64()
        ),
        None => format!("started {}", html::instant(about.started)),
    };
    match view.ready() {
        Ok(()) => html.put(format_args!(
            "<p class=\"health ok\"><span class=\"sign\" aria-hidden=\"true\">●</span> \
             <strong>running</strong><br><small>{when}</small></p>\n"
        )),
        Err(why) => html.put(format_args!(
            "<p class=\"health bad\" role=\"status\"><span class=\"sign\" aria-hidden=\"true\">▲\
             </span> <strong>not ready</strong>: {}<br><small>{when}</small></p>\n",
            html::escape(&why.what())
        )),
    }
    html.put(format_args!("</header>\n"));
    if let Some(failure) = &view.failure {
        html.put(format_args!(
            "<p id=\"failure\" class=\"notice\" role=\"status\"><strong>The last tick failed\
             </strong> at {}: {}</p>\n",
            html::instant(failure.at),
            html::escape(&failure.text)
        ));
    }
}

fn footer(html: &mut Html, view: &View) {
    let journal = match &view.last {
        Some(last) if !view.partial => format!("journal: {} records · ", last.head.seq),
        _ => String::new(),
    };
    let version = html::escape(&view.about.version);
    html.put(format_args!(
        "<footer id=\"foot\"><p>{journal}version {version} · <a href=\"/api/v1/plan\">plan</a> · \
         <a href=\"/api/v1/tick\">tick</a> · <a href=\"/api/v1/cost?window=1h&amp;by=team,workload\
         \">cost of the last hour</a> · <a href=\"/metrics\">metrics</a></p>\
         <p id=\"stale\" role=\"status\"></p></footer>\n</body>\n</html>\n"
    ));
}

/// The length of a window in words, to the nearest second: `10 s`, `15 min`, `1 h`.
fn length(from: Timestamp, to: Timestamp) -> String {
    let seconds = (to.duration_since(from).as_millis() + 500) / 1_000;
    match seconds {
        0 => "less than 1 s".to_owned(),
        _ if seconds % 3_600 == 0 => format!("{} h", seconds / 3_600),
        _ if seconds >= 60 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}
