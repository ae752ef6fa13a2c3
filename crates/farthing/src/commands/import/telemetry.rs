//! `farthing import telemetry` and `farthing import prometheus`: metrics into the books.

use super::{books, summary};
use crate::args::{IntoBooks, Output, PrometheusArgs, TelemetryArgs};
use crate::commands::{cache_folder, duration, earlier_contracts, price_book};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::{Progress, talk};
use anyhow::Context as _;
use farthing_model::Window;
use farthing_providers::prometheus::{self, Access, Prometheus};
use farthing_providers::telemetry::{
    ClusterOptions, Intake, NodePrices, SourceMap, TextOptions, measure,
};
use farthing_providers::text::read_text;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;

/// Later samples than this after now cannot have been measured yet: clocks of nodes differ.
const SKEW: SignedDuration = SignedDuration::from_mins(10);
/// Most bytes of a token, a password or certificates.
const SECRET_BYTES_MAX: u64 = 1 << 20;

/// Files of metrics.
pub(super) fn files(args: &TelemetryArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let now = Timestamp::now();
    let window = args.window.as_deref().map(|text| span("--window", text)).transpose()?;
    let at = args.at.as_deref().map(|text| moment("--at", text)).transpose()?;
    let mut intake = Intake::new(source_map(&args.into)?);
    let options = TextOptions {
        at_ms: at.map(Timestamp::as_millisecond),
        latest_ms: Some(now.saturating_add(SKEW)?.as_millisecond()),
        ..TextOptions::default()
    };
    let mut progress = Progress::new();
    for path in &args.paths {
        let name = path.display();
        let size = std::fs::metadata(path).map_or(0, |meta| meta.len());
        let read = intake.read_file(path, &options, &mut |bytes| {
            progress.tell(&format!("{name}: {} MiB read (file: {} MiB)", bytes >> 20, size >> 20));
        });
        read.map_err(|error| WrongUse::new(format!("{name}: cannot be read ({error})")))?;
    }
    progress.end();
    finish(intake, window, now, &args.into, (home, output))
}

/// A window of a server of metrics.
pub(super) fn server(
    args: &PrometheusArgs,
    home: &Home,
    output: Output,
) -> anyhow::Result<Outcome> {
    let now = Timestamp::now();
    let window = if args.window.contains('/') {
        span("--window", &args.window)?
    } else {
        Window::new(now.checked_sub(duration("--window", &args.window)?)?, now)?
    };
    let step = args.step.as_deref().map(|text| duration("--step", text)).transpose()?;
    let mut intake = Intake::new(source_map(&args.into)?);
    let server = Prometheus::new(&args.url, &access(args)?)
        .map_err(|error| WrongUse::new(error.to_string()))?;
    let query = prometheus::Query {
        window,
        step,
        select: args.select.clone(),
        hold: SignedDuration::from_mins(5),
    };
    let mut progress = Progress::new();
    let read = server
        .read(&query, &mut intake, &mut |text| progress.tell(text))
        .with_context(|| "nothing was imported")?;
    progress.end();
    let outcome = finish(intake, Some(read.window), now, &args.into, (home, output))?;
    let Some((missing, why)) = read.missing else { return Ok(outcome) };
    let why = anyhow::Error::from(why);
    talk(&format!("missing: {missing} is not in these totals: {why:#}"));
    talk("the same import again completes it; nothing is written twice");
    Ok(Outcome::Failed)
}

/// Turns what was read into books, and prints what came of it.
fn finish(
    intake: Intake,
    window: Option<Window>,
    now: Timestamp,
    into: &IntoBooks,
    (home, output): (&Home, Output),
) -> anyhow::Result<Outcome> {
    let catalogue = price_book(&into.prices, now, cache_folder())?;
    let options =
        ClusterOptions { window, coverage_min: into.coverage, ..ClusterOptions::default() };
    let faults: Vec<String> = intake.faults().map(ToString::to_string).collect();
    let mut cluster = measure(intake, options, NodePrices::new(&catalogue)).map_err(|error| {
        for fault in &faults {
            talk(&format!("left out: {fault}"));
        }
        WrongUse::new(error.to_string())
    })?;
    let about = (cluster.window, &catalogue);
    for (part, book) in earlier_contracts(&into.prices, now, about)? {
        cluster.price_by(part, &book);
    }
    summary::tell(&cluster);
    let posted = books::post(&cluster, &catalogue, into, (home, now))?;
    summary::print(&cluster, &posted, into, output)?;
    Ok(Outcome::Done)
}

fn source_map(into: &IntoBooks) -> anyhow::Result<SourceMap> {
    let map = match &into.source_map {
        Some(path) => SourceMap::from_file(path),
        None => SourceMap::built_in(),
    };
    map.map_err(|error| WrongUse::new(error.to_string()).into())
}

fn access(args: &PrometheusArgs) -> anyhow::Result<Access> {
    let secret = |path: &Option<std::path::PathBuf>| path.as_deref().map(secret).transpose();
    let timeout = duration("--timeout", &args.timeout)?;
    Ok(Access {
        bearer: secret(&args.token_file)?.map(|text| text.trim().to_owned()),
        basic: match (&args.user, secret(&args.password_file)?) {
            (Some(user), Some(password)) => {
                Some((user.clone(), password.trim_end_matches(['\r', '\n']).to_owned()))
            }
            _ => None,
        },
        ca: secret(&args.ca)?,
        identity: secret(&args.cert)?.zip(secret(&args.key)?),
        timeout: std::time::Duration::try_from(timeout)?,
    })
}

/// A file that holds a secret.
pub(crate) fn secret(path: &Path) -> anyhow::Result<String> {
    read_text(path, SECRET_BYTES_MAX).map_err(|error| WrongUse::new(error.to_string()).into())
}

/// Reads `FROM/TO`.
fn span(flag: &str, text: &str) -> anyhow::Result<Window> {
    let wrong = || {
        let example = "2026-11-01T00:00:00Z/2026-11-02T00:00:00Z";
        WrongUse::new(format!("{flag} `{text}` is not a span of time"))
            .hint(format!("write it like {example}"))
    };
    let (from, to) = text.split_once('/').ok_or_else(wrong)?;
    Window::new(moment(flag, from)?, moment(flag, to)?).map_err(|_| wrong().into())
}

fn moment(flag: &str, text: &str) -> anyhow::Result<Timestamp> {
    text.trim().parse().map_err(|_| {
        WrongUse::new(format!("{flag} `{text}` is not a time"))
            .hint("write it like 2026-11-01T00:00:00Z")
            .into()
    })
}
