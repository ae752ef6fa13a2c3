//! `/allocation`, `/allocation/compute` and `/assets`: the parameters of OpenCost's clients.

use super::parameters::Parameters;
use super::problem::Problem;
use crate::publish::View;
use farthing_ledger::{AllocationQuery, Filter, Key, Property, ShareIdle, StatementQuery};
use farthing_model::{Currency, Money, NANOS_PER_HOUR, Window, parse_duration};
use jiff::{SignedDuration, Timestamp};

/// The parameters. Those that ask how Prometheus is read, or for what the answer carries anyway,
/// mean nothing here.
pub(super) const PARAMETERS: [&str; 25] = [
    "window",
    "aggregate",
    "step",
    "resolution",
    "accumulate",
    "accumulateBy",
    "includeIdle",
    "shareIdle",
    "splitIdle",
    "idleByNode",
    "filter",
    "filterClusters",
    "filterNodes",
    "filterNamespaces",
    "filterControllerKinds",
    "filterControllers",
    "filterPods",
    "filterServices",
    "shareNamespaces",
    "shareLabels",
    "shareCost",
    "shareSplit",
    "includeAggregatedMetadata",
    "includeProportionalAssetResourceCosts",
    "format",
];

/// The parameters of `/assets`.
pub(super) const ASSET_PARAMETERS: [&str; 3] = ["window", "filter", "accumulate"];

/// Lists of values that a filter of the first version has.
const LISTS: [(&str, Key); 7] = [
    ("filterClusters", Key::Cluster),
    ("filterNodes", Key::Node),
    ("filterNamespaces", Key::Namespace),
    ("filterControllerKinds", Key::ControllerKind),
    ("filterControllers", Key::Controller),
    ("filterPods", Key::Pod),
    ("filterServices", Key::Service),
];

/// Windows that one answer may have.
const SETS_MAX: usize = 400;

/// What is to be answered: one set for each query.
pub(super) struct Asked {
    pub(super) queries: Vec<AllocationQuery>,
    pub(super) include_idle: bool,
}

/// The queries of parameters, for books as of `now`.
pub(super) fn asked(view: &View, now: Timestamp, given: &Parameters) -> Result<Asked, Problem> {
    let window = given.window("window", now)?.ok_or_else(|| {
        Problem::parameter("window", "`window` is missing", ["24h", "7d", "today", "FROM,TO"])
    })?;
    if given.get("format").is_some_and(|format| format != "json") {
        return Err(Problem::parameter("format", "only json is answered", ["json"]));
    }
    let step = given.get("step").map(|text| step(text, window)).transpose()?;
    let accumulate = given.get("accumulate").is_some_and(|text| text != "false");
    let windows = match step {
        Some(step) if !accumulate => cut(window, step)?,
        _ => vec![window],
    };
    let shares = [
        ("false", ShareIdle::Separate),
        ("none", ShareIdle::Separate),
        ("true", ShareIdle::Proportional),
        ("weighted", ShareIdle::Proportional),
        ("even", ShareIdle::Even),
    ];
    let splits = [("weighted", false), ("even", true)];
    let currency = view.about.currency;
    let first = AllocationQuery {
        clusters: vec![view.about.cluster.clone()],
        window,
        currency,
        aggregate: aggregate(given)?,
        filter: filter(given)?,
        idle: given.one_of("shareIdle", &shares)?.unwrap_or_default(),
        idle_by_node: given.flag("idleByNode")?,
        split_idle: given.flag("splitIdle")?,
        common: common(given)?,
        common_evenly: given.one_of("shareSplit", &splits)?.unwrap_or(false),
        flat: None,
    };
    let monthly = given.get("shareCost").map(|text| money(text, currency)).transpose()?;
    let query = |window: Window| -> Result<AllocationQuery, Problem> {
        let flat = monthly.map(|monthly| share_of_month(monthly, window)).transpose()?;
        Ok(AllocationQuery { window, flat, ..first.clone() })
    };
    Ok(Asked {
        queries: windows.into_iter().map(query).collect::<Result<_, _>>()?,
        include_idle: given.flag("includeIdle")?,
    })
}

/// Everything by node, for `/assets`.
pub(super) fn assets(
    view: &View,
    now: Timestamp,
    given: &Parameters,
) -> Result<StatementQuery, Problem> {
    let window = given.window("window", now)?.ok_or_else(|| {
        Problem::parameter("window", "`window` is missing", ["24h", "7d", "today", "FROM,TO"])
    })?;
    let by = vec![Key::Node, Key::InstanceType, Key::Region, Key::Purchase, Key::Resource];
    let filter = given.filter("filter")?;
    let all = StatementQuery::of(view.about.cluster.clone(), window, view.about.currency);
    Ok(StatementQuery { by, filter, ..all })
}

fn aggregate(given: &Parameters) -> Result<Vec<Property>, Problem> {
    if given.get("aggregate") == Some("all") {
        return Ok(Vec::new());
    }
    let container = [Key::Cluster, Key::Node, Key::Namespace, Key::Pod, Key::Container];
    let asked = given.list("aggregate", str::parse)?;
    Ok(asked.unwrap_or_else(|| container.map(Property::Key).to_vec()))
}

/// The filter, and the lists of values of its first version, all of which must hold.
fn filter(given: &Parameters) -> Result<Option<Filter>, Problem> {
    let mut all: Vec<Filter> = given.filter("filter")?.into_iter().collect();
    for (name, key) in LISTS {
        let values = given.list(name, |value| Ok(value.to_owned()))?;
        all.extend(values.map(|values| Filter::one_of(key, values)));
    }
    Ok(Filter::all(all))
}

/// What all others share: namespaces, and `name:value` of labels.
fn common(given: &Parameters) -> Result<Option<Filter>, Problem> {
    let namespaces = given.list("shareNamespaces", |value| Ok(value.to_owned()))?;
    let namespaces = namespaces.map(|values| Filter::one_of(Key::Namespace, values));
    let labels = given.list("shareLabels", |text| {
        let (name, value) = text.split_once(':').ok_or_else(|| {
            format!("`{text}` is not a label and its value: write it like app:web")
        })?;
        Ok(Filter::one_of(Key::Label(name.into()), vec![value.to_owned()]))
    })?;
    Ok(Filter::any(namespaces.into_iter().chain(labels.into_iter().flatten())))
}

fn money(text: &str, currency: Currency) -> Result<Money, Problem> {
    let wrong = |error| Problem::parameter("shareCost", format!("{error}"), ["12.34"]);
    Money::from_decimal(text.trim(), currency).map_err(wrong)
}

/// The part of a monthly cost that falls on a window, to the nearest unit below.
fn share_of_month(monthly: Money, window: Window) -> Result<Money, Problem> {
    let wrong = |error| Problem::parameter("shareCost", format!("{error}"), ["12.34"]);
    let minutes = window.nanos() / (NANOS_PER_HOUR / 60);
    let whole = farthing_model::HOURS_PER_MONTH * 60;
    let share = monthly.checked_mul_int(minutes).map_err(wrong)?.div_rem(whole);
    Ok(share.map_err(wrong)?.0)
}

fn step(text: &str, window: Window) -> Result<SignedDuration, Problem> {
    let wrong = |detail: String| Problem::parameter("step", detail, ["1h", "1d", "window"]);
    if text == "window" {
        return Ok(window.duration());
    }
    let step = parse_duration(text).filter(|step| step.as_secs() >= 3_600);
    let step = step.filter(|step| step.as_secs() % 3_600 == 0 && step.subsec_nanos() == 0);
    step.ok_or_else(|| wrong(format!("`{text}` is not a number of hours, such as 1h or 1d")))
}

/// The window in steps; the last may be shorter.
fn cut(window: Window, step: SignedDuration) -> Result<Vec<Window>, Problem> {
    let mut windows = Vec::new();
    let mut from = window.from();
    while from < window.to() {
        let to = from.checked_add(step).unwrap_or(window.to()).min(window.to());
        let Ok(part) = Window::new(from, to) else { break };
        windows.push(part);
        from = to;
        if windows.len() > SETS_MAX {
            let detail = format!("{window} has more than {SETS_MAX} steps: ask for longer ones");
            return Err(Problem::parameter("step", detail, ["1h", "1d"]));
        }
    }
    Ok(windows)
}
