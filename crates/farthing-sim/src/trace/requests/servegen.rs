//! Alibaba `ServeGen`: how many requests each client of a model makes, from which requests are
//! drawn.
//!
//! `client_rate_windows`: `model`, `client`, `t_s` (begin of a window of 600 s, in seconds from the
//! start, ascending for each client), `rate_rps` (requests per second), `pattern` (the shape of the
//! gaps between them: `Gamma` or `Weibull`) and `arg1` (its shape parameter). `client_token_stats`:
//! `model`, `client`, `t_s` (begin of a window of six hours), `field` (`input_tokens`,
//! `output_tokens`) and the `p50`, `p95`, `p99`, `max` of what requests have. A client of which
//! there is nothing asks for what another one asks for.
//!
//! Source: <https://github.com/alibaba/ServeGen>, Apache-2.0. A window has as many requests as its
//! rate says; when they come in it and how many tokens they have is drawn.

use super::gaps::{Shape, moments, unit};
use super::{ALL_PPM, Request, RequestStream, Sampled};
use crate::Random;
use crate::trace::jobs::UNDATED_S;
use crate::trace::jobs::source::{Columns, Source, within};
use crate::trace::table::TraceError;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

const RATES: Columns = Columns {
    needed: &["model", "client", "t_s", "rate_rps", "pattern", "arg1"],
    more: &[],
    separator: b',',
};
const TOKENS: Columns = Columns {
    needed: &["model", "client", "t_s", "field", "p50", "p95", "p99", "max"],
    more: &[],
    separator: b',',
};
/// Seconds of a window of rates, and of one of tokens.
const WINDOW_S: i64 = 600;
const TOKENS_S: i64 = 21_600;
/// No client makes more requests a second.
const RATE_MAX: f64 = 1e6;
/// Windows that are kept: two hundred clients for a year.
const WINDOWS_MAX: usize = 12_000_000;

/// A client in a window.
#[derive(Clone, Copy, Debug)]
struct Rate {
    client: i64,
    rps: f64,
    shape: Shape,
}

/// What requests have of something: the amounts that half, 95, 99 and all of a hundred are not
/// above.
type Amounts = [f64; 4];

/// What the requests of a client have in a window: prompts and answers.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    input: Option<Amounts>,
    output: Option<Amounts>,
}

struct Requests {
    windows: std::collections::btree_map::IntoIter<i64, Vec<Rate>>,
    sizes: BTreeMap<(i64, i64), Sizes>,
    /// Clients of which sizes are known.
    known: Vec<i64>,
    share_ppm: u32,
    draw: Random,
    /// What comes in the window that was drawn last, the latest first.
    drawn: Vec<Request>,
}

pub(super) fn open(path: &Path, sampled: Sampled<'_>) -> Result<RequestStream, TraceError> {
    let file = |name: &str| {
        let names = [format!("{name}.parquet"), format!("{name}.csv"), format!("{name}.csv.gz")];
        within(path, &[&names[0], &names[1], &names[2]])
    };
    let (model, windows) = rates(&file("client_rate_windows"), sampled.variant)?;
    let sizes = sizes(&file("client_token_stats"), &model)?;
    let whole = |sizes: &Sizes| sizes.input.is_some() && sizes.output.is_some();
    let known: BTreeSet<i64> =
        sizes.iter().filter(|(_, sizes)| whole(sizes)).map(|((client, _), _)| *client).collect();
    if known.is_empty() {
        let what = format!("{model} has no input_tokens and output_tokens of any client");
        return Err(TraceError::Parquet { file: path.display().to_string(), what });
    }
    Ok(Box::new(Requests {
        windows: windows.into_iter(),
        sizes,
        known: known.into_iter().collect(),
        share_ppm: sampled.share_ppm,
        draw: Random::new(sampled.seed).fork("servegen"),
        drawn: Vec::new(),
    }))
}

/// The model that is meant, and its windows with the clients of each.
fn rates(
    path: &Path,
    variant: Option<&str>,
) -> Result<(String, BTreeMap<i64, Vec<Rate>>), TraceError> {
    let mut source = Source::open(path, RATES)?;
    let (mut models, mut windows) = (BTreeSet::<Arc<str>>::new(), BTreeMap::new());
    let mut count = 0;
    while source.advance()? {
        let model = source.cells.text(0);
        if !models.contains(model) {
            models.insert(Arc::from(model));
        }
        if variant.is_some_and(|variant| variant != model) {
            continue;
        }
        count += 1;
        if count > WINDOWS_MAX {
            return Err(source.error(format!("more than {WINDOWS_MAX} windows are not read")));
        }
        let (t_s, rate) = rate(&source).map_err(|what| source.error(what))?;
        let at: &mut Vec<Rate> = windows.entry(t_s).or_default();
        if at.last().is_some_and(|last| last.client == rate.client) {
            let what = format!("client {} is in the window of {t_s} s twice", rate.client);
            return Err(source.error(what));
        }
        at.push(rate);
    }
    let there = || models.iter().map(|model| &**model).collect::<Vec<_>>().join(", ");
    let model = match (variant, models.len()) {
        (_, 0) => return Err(source.fault("it has no rows".to_owned())),
        (Some(variant), _) if models.contains(variant) => variant.to_owned(),
        (None, 1) => there(),
        (Some(variant), _) => {
            return Err(source.fault(format!("it has no model `{variant}`; it has {}", there())));
        }
        (None, _) => {
            let what = format!("it has several models, name one of them: {}", there());
            return Err(source.fault(what));
        }
    };
    Ok((model, windows))
}

fn rate(source: &Source) -> Result<(i64, Rate), String> {
    let cells = &source.cells;
    let t_s = cells.seconds(2, 1)?;
    if t_s < 0 || t_s % WINDOW_S != 0 {
        return Err(format!("t_s {t_s} is no begin of a window of {WINDOW_S} s"));
    }
    let rps = cells.real(3, (f64::MIN_POSITIVE, "a number of requests per second"))?;
    if rps > RATE_MAX {
        return Err(format!("rate_rps {rps}: a client makes no more than {RATE_MAX} a second"));
    }
    let arg = cells.real(5, (1e-6, "a shape"))?;
    let shape = match cells.text(4) {
        "Gamma" => Shape::Gamma(arg),
        "Weibull" => Shape::Weibull(arg),
        other => return Err(format!("pattern `{other}` is neither Gamma nor Weibull")),
    };
    Ok((t_s, Rate { client: cells.whole(1, "a number of a client")?, rps, shape }))
}

/// What the requests of a model have, by client and window.
fn sizes(path: &Path, model: &str) -> Result<BTreeMap<(i64, i64), Sizes>, TraceError> {
    let mut source = Source::open(path, TOKENS)?;
    let mut sizes: BTreeMap<(i64, i64), Sizes> = BTreeMap::new();
    while source.advance()? {
        if source.cells.text(0) != model {
            continue;
        }
        let (key, is_input, amounts) = match size(&source) {
            Ok(Some(size)) => size,
            Ok(None) => continue,
            Err(what) => return Err(source.error(what)),
        };
        let of = sizes.entry(key).or_default();
        *(if is_input { &mut of.input } else { &mut of.output }) = Some(amounts);
    }
    Ok(sizes)
}

type Size = ((i64, i64), bool, Amounts);

fn size(source: &Source) -> Result<Option<Size>, String> {
    let cells = &source.cells;
    let is_input = match cells.text(3) {
        "input_tokens" => true,
        "output_tokens" => false,
        _ => return Ok(None),
    };
    let key = (cells.whole(1, "a number of a client")?, cells.seconds(2, 1)?.div_euclid(TOKENS_S));
    let mut amounts = [0.0; 4];
    for (amount, at) in amounts.iter_mut().zip(4..) {
        *amount = cells.real(at, (0.0, "a number of tokens"))?;
    }
    if !amounts.is_sorted() {
        return Err("p50, p95, p99 and max do not rise".to_owned());
    }
    Ok(Some((key, is_input, amounts)))
}

/// An amount, of what all have that are drawn: linear between what is known.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest number that there is"
)]
fn draw_amount(amounts: Amounts, draw: &mut Random) -> u32 {
    const PARTS: [f64; 5] = [0.0, 0.5, 0.95, 0.99, 1.0];
    let part = unit(draw);
    let of = |at: usize| if at == 0 { amounts[0].min(1.0) } else { amounts[at - 1] };
    let at = (1..PARTS.len()).find(|at| part <= PARTS[*at]).unwrap_or(PARTS.len() - 1);
    let inside = (part - PARTS[at - 1]) / (PARTS[at] - PARTS[at - 1]);
    (of(at - 1) + (of(at) - of(at - 1)) * inside).round() as u32
}

impl Requests {
    /// The sizes of a client in a window, as near in time as they are known.
    fn sizes_of(&mut self, client: i64, t_s: i64) -> Sizes {
        let window = t_s.div_euclid(TOKENS_S);
        let is_known = self.known.binary_search(&client).is_ok();
        let client = if is_known {
            client
        } else {
            // Always the same other one, so that a client asks for what it asked for before.
            let mut draw = self.draw.fork_number(client.unsigned_abs());
            draw.pick(&self.known).copied().unwrap_or(client)
        };
        let whole = |sizes: &Sizes| sizes.input.is_some() && sizes.output.is_some();
        let of = || self.sizes.range((client, i64::MIN)..=(client, i64::MAX));
        let near = of().filter(|(_, sizes)| whole(sizes));
        let near = near.min_by_key(|((_, at), _)| (at - window).abs());
        near.map(|(_, sizes)| *sizes).unwrap_or_default()
    }

    /// Draws the requests of the next window; whether there is one.
    fn window(&mut self) -> bool {
        let Some((t_s, rates)) = self.windows.next() else { return false };
        for rate in rates {
            let mut draw = self.draw.fork_number(rate.client.unsigned_abs());
            draw = draw.fork_number(t_s.unsigned_abs());
            let count = counted(rate.rps, self.share_ppm, &mut draw);
            let sizes = self.sizes_of(rate.client, t_s);
            let (Some(input), Some(output)) = (sizes.input, sizes.output) else { continue };
            let begin_us = (UNDATED_S + t_s) * 1_000_000;
            let mut times = Vec::with_capacity(count);
            let length = (count, WINDOW_S * 1_000_000);
            moments(rate.shape, length, &mut draw, |at| times.push(at));
            for at_us in times {
                self.drawn.push(Request {
                    at_us: begin_us + at_us,
                    input_tokens: draw_amount(input, &mut draw),
                    output_tokens: draw_amount(output, &mut draw),
                });
            }
        }
        self.drawn.sort_by_key(|request| std::cmp::Reverse(request.at_us));
        true
    }
}

/// How many requests come in a window.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "at most 10^6 a second for ten minutes"
)]
fn counted(rps: f64, share_ppm: u32, draw: &mut Random) -> usize {
    let many = rps * WINDOW_S as f64 * f64::from(share_ppm) / f64::from(ALL_PPM);
    let whole = many.floor();
    whole as usize + usize::from(unit(draw) < many - whole)
}

impl Iterator for Requests {
    type Item = Result<Request, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(request) = self.drawn.pop() {
                return Some(Ok(request));
            }
            if !self.window() {
                return None;
            }
        }
    }
}
