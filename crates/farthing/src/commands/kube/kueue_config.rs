//! `farthing kube kueue-config`: Kueue's configuration from a price book.

use crate::args::{KueueConfigArgs, KueuePart};
use crate::commands::{cache_folder, price_book};
use crate::outcome::{Outcome, WrongUse};
use crate::print::{data, talk};
use farthing_kube::kueue::config::{self, Credit, Machine};
use farthing_model::offer_table::Filter;
use farthing_model::{HourlyRate, Offer, Price, Purchase};
use farthing_providers::catalog::Catalogue;
use jiff::Timestamp;

/// Prints one part of it.
pub(super) fn run(args: &KueueConfigArgs) -> anyhow::Result<Outcome> {
    let book = match &args.prices[..] {
        [] => Catalogue::default_book(),
        paths => price_book(paths, Timestamp::now(), cache_folder())?,
    };
    let machines: anyhow::Result<Vec<Machine>> =
        args.flavors.iter().map(|text| machine(text, &book)).collect();
    let machines = config::in_order(machines?).map_err(|error| WrongUse::new(error.to_string()))?;
    data(&match args.part {
        KueuePart::Flavors => config::flavors(&machines),
        KueuePart::Queue => {
            let mut resources = vec!["cpu".to_owned(), "memory".to_owned()];
            for text in &args.credits {
                resources.push(pair("--credit", text)?.0.to_owned());
            }
            config::queue(&machines, &resources)
        }
        KueuePart::Credits => config::transformations(&credits(args, &machines, &book)?),
    });
    Ok(Outcome::Done)
}

fn credits(
    args: &KueueConfigArgs,
    machines: &[Machine],
    book: &Catalogue,
) -> anyhow::Result<Vec<Credit>> {
    let core = match &args.core {
        Some(text) => rate("--core", text)?,
        None => cheapest_core(book)?,
    };
    let unit = args.unit.as_deref().map_or(Ok(core), |text| rate("--unit", text))?;
    let wrong = |error: config::ConfigError| WrongUse::new(error.to_string());
    let first = machines.first().ok_or_else(|| WrongUse::new("there are no flavors"))?;
    let mut credits = vec![config::worth(first, (core, unit), "cpu").map_err(wrong)?];
    for text in &args.credits {
        let (resource, name) = pair("--credit", text)?;
        let machine = machines.iter().find(|it| it.name == name).ok_or_else(|| {
            let names: Vec<&str> = machines.iter().map(|it| it.name.as_str()).collect();
            WrongUse::new(format!("--credit `{text}`: there is no flavor {name}"))
                .hint(format!("there are {}", names.join(", ")))
        })?;
        if machine.capacity.gpu_milli == 0 {
            let what = format!("--credit `{text}`: the machine of {name} has no accelerators");
            return Err(WrongUse::new(what).into());
        }
        if credits.iter().any(|it| it.resource == resource) {
            return Err(WrongUse::new(format!("--credit: {resource} is named twice")).into());
        }
        credits.push(config::worth(machine, (core, unit), resource).map_err(wrong)?);
    }
    Ok(credits)
}

fn pair<'t>(flag: &str, text: &'t str) -> Result<(&'t str, &'t str), WrongUse> {
    let wrong = || WrongUse::new(format!("{flag} `{text}` is not NAME=VALUE"));
    text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)
}

fn rate(flag: &str, text: &str) -> Result<HourlyRate, WrongUse> {
    text.parse().map_err(|error| WrongUse::new(format!("{flag}: {error}")))
}

/// A flavor's machine in the book.
fn machine(text: &str, book: &Catalogue) -> anyhow::Result<Machine> {
    let (name, offer) = pair("--flavor", text)?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if !name.chars().all(plain) || name.len() > 63 {
        let hint = "names of Kubernetes have small letters, digits, - and .";
        return Err(WrongUse::new(format!("--flavor `{name}` is no name")).hint(hint).into());
    }
    let mut parts = offer.split('/');
    let list = |part: Option<&str>| part.map(str::to_owned).into_iter().collect::<Vec<_>>();
    let filter =
        Filter { providers: list(parts.next()), regions: list(parts.next()), ..Filter::default() };
    let found = book.select(&filter).into_iter().find(|it| it.id.as_str() == offer);
    let found = found.ok_or_else(|| {
        WrongUse::new(format!("--flavor {name}: the price book has no offer {offer}"))
            .hint("`farthing offers` lists them: PROVIDER/REGION/TYPE/PURCHASE")
    })?;
    let price = match &found.price {
        Price::Known(rate, _) => *rate,
        Price::Unknown(why) => {
            return Err(
                WrongUse::new(format!("--flavor {name}: {offer} has no price: {why}")).into()
            );
        }
    };
    Ok(Machine {
        name: name.to_owned(),
        instance_type: found.instance_type,
        region: found.place.region,
        purchase: found.purchase,
        capacity: found.capacity,
        price,
    })
}

/// What a core costs where it is bought without accelerators.
fn cheapest_core(book: &Catalogue) -> anyhow::Result<HourlyRate> {
    let filter = Filter { purchases: vec![Purchase::OnDemand], ..Filter::default() };
    let plain = |it: &Offer| it.capacity.gpu_milli == 0 && it.capacity.cpu_milli >= 1_000;
    let each = |it: &Offer| {
        let (money, _) =
            it.price.rate()?.per_hour().div_rem((it.capacity.cpu_milli / 1_000).into()).ok()?;
        Some((money.pico(), it.id.clone(), HourlyRate::new(money)?))
    };
    let all = book.select(&filter).into_iter().filter(plain);
    let cheapest = all.filter_map(|it| each(&it)).min_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let (_, offer, rate) = cheapest.ok_or_else(|| {
        WrongUse::new("the price book has no machine without accelerators")
            .hint("say what a core costs: --core '0.05 USD/h'")
    })?;
    talk(&format!("a core is {}/h, that of {offer}", rate.per_hour()));
    Ok(rate)
}
