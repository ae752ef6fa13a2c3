//! `farthing offers`: ranked by the price of the whole request, or by the cost of finishing work.

mod answer;
mod request;

use super::{cache_folder, price_book, print};
use crate::args::{Cli, Command, OffersArgs, Output};
use crate::outcome::{Outcome, WrongUse};
use crate::plot;
use answer::Answer;
use clap::Parser as _;
use farthing_model::utc_day;
use farthing_planner::rank;
use farthing_providers::catalog::Catalogue;
use farthing_server::Market;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Prints the offers. Infeasible when none meets the request.
pub(crate) fn run(args: &OffersArgs, output: Output) -> anyhow::Result<Outcome> {
    let request = request::request(args)?;
    let now = now(args.now.as_deref())?;
    let today = utc_day(now);
    let started = Instant::now();
    let book = if args.prices.is_empty() {
        Catalogue::default_book()
    } else {
        let cache = if args.no_cache { None } else { cache_folder() };
        price_book(&args.prices, now, cache)?
    };
    let loaded = started.elapsed();
    let started = Instant::now();
    let ranked = rank(&request, &book.table).map_err(|error| WrongUse::new(error.to_string()))?;
    let took = started.elapsed();
    let answer = Answer { request: &request, ranked: &ranked, book: &book, today, loaded, took };
    if let Some(path) = &args.plot {
        plot::write(path, &answer.picture())?;
    }
    print(
        output,
        || Ok(answer.text()),
        || Ok(serde_json::to_value(answer.json())?),
        || Ok(answer.table()),
    )?;
    Ok(if ranked.offers.is_empty() { Outcome::Infeasible } else { Outcome::Done })
}

/// The book that ships in the program, for the server: its offers, ranked with the parameters of
/// this command.
pub(crate) fn market() -> Market {
    let book = Arc::new(Catalogue::default_book());
    let all = Arc::clone(&book);
    let rank = Arc::new(move |given: &[(String, String)]| {
        let mut words = vec!["farthing".to_owned(), "offers".to_owned()];
        for (name, value) in given {
            match (name.as_str(), value.as_str()) {
                ("purchase", "on-demand" | "spot") => words.push(format!("--{value}")),
                ("purchase", "any") => words.push("--any-purchase".to_owned()),
                ("purchase", other) => {
                    return Err(format!("purchase `{other}` is not one of on-demand, spot, any"));
                }
                (name, value) => words.push(format!("--{}={value}", name.replace('_', "-"))),
            }
        }
        let parsed = Cli::try_parse_from(words).map_err(|error| {
            let text = error.to_string();
            text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })?;
        let Command::Offers(args) = parsed.command else { return Err("not offers".to_owned()) };
        let request = request::request(&args).map_err(|error| format!("{error:#}"))?;
        let started = Instant::now();
        let ranked = rank(&request, &book.table).map_err(|error| error.to_string())?;
        let (took, today) = (started.elapsed(), utc_day(Timestamp::now()));
        let loaded = Duration::ZERO;
        let answer =
            Answer { request: &request, ranked: &ranked, book: &book, today, loaded, took };
        serde_json::to_value(answer.json()).map_err(|error| error.to_string())
    });
    Market { rank, all: Arc::new(move || all.table.offers().into()) }
}

/// The time that is asked about: a day is its end, so that its own prices count.
fn now(asked: Option<&str>) -> anyhow::Result<Timestamp> {
    let Some(text) = asked else { return Ok(Timestamp::now()) };
    let time = text.parse().or_else(|_| format!("{text}T23:59:59Z").parse());
    time.map_err(|_: jiff::Error| {
        WrongUse::new(format!("--now `{text}` is not a time"))
            .hint("write it like 2026-12-01 or 2026-12-01T06:00:00Z")
            .into()
    })
}
