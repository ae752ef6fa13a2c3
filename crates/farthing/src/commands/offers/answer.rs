//! An answer for people, programs and spreadsheets.

use crate::plot::ladder::{self, Rung};
use crate::plot::whole;
use crate::show::{duration, prices, small_money};
use crate::table::{Align, Table};
use farthing_planner::{OfferRequest, Ranked, RankedOffer};
use farthing_providers::catalog::Catalogue;
use farthing_providers::manifest::Fault;
use farthing_server::wire::{self, Book, Listed, Listing};
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::time::Duration;

/// Faults that are told in full.
const FAULTS_MAX: usize = 20;

/// A ranked request with the book that was asked.
pub(crate) struct Answer<'a> {
    pub(crate) request: &'a OfferRequest,
    pub(crate) ranked: &'a Ranked,
    pub(crate) book: &'a Catalogue,
    pub(crate) today: Date,
    pub(crate) loaded: Duration,
    pub(crate) took: Duration,
}

impl Answer<'_> {
    /// What is left out by the request and by the book together.
    fn excluded(&self) -> BTreeMap<String, u64> {
        let mut all = self.book.excluded.clone();
        for (reason, count) in &self.ranked.excluded {
            *all.entry((*reason).to_owned()).or_default() += u64::try_from(*count).unwrap_or(0);
        }
        all
    }

    fn considered(&self) -> usize {
        let rows: u64 = self.book.excluded.values().sum();
        self.ranked.considered + usize::try_from(rows).unwrap_or(usize::MAX)
    }

    fn compared(&self) -> &'static str {
        match self.request.finish {
            Some(_) => "cost of finishing",
            None => "price per hour",
        }
    }

    /// Days since the newest price.
    fn age(&self) -> Option<i32> {
        let (_, newest) = self.book.as_of?;
        Some((self.today - newest).get_days())
    }

    pub(crate) fn json(&self) -> wire::OffersJson {
        let near = self.ranked.near.iter().map(|miss| (miss.reason, listed(&miss.offer)));
        wire::offers(&Listing {
            offers: all(&self.ranked.offers),
            considered: self.considered(),
            matched: self.ranked.matched,
            excluded: self.excluded(),
            took: self.took,
            compared: self.compared(),
            near: near.collect(),
            otherwise_paid: all(&self.ranked.otherwise_paid),
            split: self.ranked.split.as_ref().map(listed),
            book: Book {
                offers: self.book.table.len(),
                oldest: self.book.as_of.map(|(oldest, _)| oldest.to_string()),
                newest: self.book.as_of.map(|(_, newest)| newest.to_string()),
                age_days: self.age(),
                load_ms: u64::try_from(self.loaded.as_millis()).unwrap_or(u64::MAX),
                from: self.book.from.name(),
                faults: self.book.faults.iter().take(FAULTS_MAX).map(Fault::to_string).collect(),
            },
        })
    }

    /// The offers as a table, also for CSV.
    pub(crate) fn table(&self) -> Table {
        let finishes = self.request.finish.is_some();
        let mut columns = Vec::new();
        if finishes {
            columns.extend([("to finish", Align::Right), ("takes", Align::Right)]);
        }
        columns.extend([
            ("price/h", Align::Right),
            ("nodes", Align::Right),
            ("accelerators", Align::Left),
            ("provider", Align::Left),
            ("region", Align::Left),
            ("zone", Align::Left),
            ("instance type", Align::Left),
            ("vCPUs", Align::Right),
            ("GiB", Align::Right),
            ("purchase", Align::Left),
            ("as of", Align::Left),
            ("notes", Align::Left),
        ]);
        let mut table = Table::new(&columns);
        for it in &self.ranked.offers {
            table.row(cells(it));
        }
        table
    }

    pub(crate) fn text(&self) -> String {
        let mut lines = vec![self.head()];
        if self.ranked.offers.is_empty() {
            lines.push("no offer meets the request".to_owned());
        } else {
            lines.push(format!("\n{}\n", self.table().to_text()));
        }
        if let (Some(lead), [_, second, ..]) = (self.ranked.lead(), &*self.ranked.offers) {
            let name = &second.offer.id;
            lines.push(if lead.is_zero() {
                format!("next best costs the same: {name}")
            } else {
                format!("next best costs {} more: {name}", small_money(lead))
            });
        }
        for miss in &self.ranked.near {
            lines.push(format!("ruled out only by \"{}\": {}", miss.reason, brief(&miss.offer)));
        }
        for it in &self.ranked.otherwise_paid {
            lines.push(format!("paid as {}: {}", it.offer.purchase, brief(it)));
        }
        if let Some(it) = &self.ranked.split {
            lines.push(format!("cheaper over more nodes (--split): {}", brief(it)));
        }
        lines.push(self.left_out());
        lines.join("\n")
    }

    /// The ladder of prices: the offers, and what other ways to pay cost.
    pub(crate) fn picture(&self) -> String {
        let offers = self.ranked.offers.iter().chain(&self.ranked.otherwise_paid);
        let rungs: Vec<Rung> = offers
            .map(|it| {
                let amount = it.finish.as_ref().map_or(it.price.per_hour(), |finish| finish.cost);
                Rung {
                    label: it.offer.id.to_string(),
                    amount: whole(amount),
                    words: small_money(amount),
                    kind: it.offer.purchase.to_string(),
                }
            })
            .collect();
        let title = format!("{} of the whole request", self.compared());
        let first = self.ranked.offers.first();
        let unit = first.map_or_else(String::new, |it| it.price.per_hour().currency().to_string());
        ladder::picture(&title, &unit, &rungs)
    }

    fn head(&self) -> String {
        let days = self.book.as_of.map_or_else(String::new, |(oldest, newest)| {
            let age = (self.today - oldest).get_days();
            format!("; prices of {}", prices::days(oldest, newest, age))
        });
        format!(
            "by the {} of the whole request; {} of {} offers match, in {:.3} ms{days}",
            match self.request.finish {
                Some(_) => "cost of finishing the work",
                None => "price per hour",
            },
            self.ranked.matched,
            self.ranked.considered,
            self.took.as_secs_f64() * 1e3,
        )
    }

    fn left_out(&self) -> String {
        let list = |counts: Vec<String>| match &*counts {
            [] => "none".to_owned(),
            counts => counts.join(", "),
        };
        let asked = self.ranked.excluded.iter().map(|(why, count)| format!("{count} {why}"));
        let rows = self.book.excluded.iter().map(|(why, count)| format!("{count} {why}"));
        format!(
            "left out: {}\nrows of the price book that are no offers: {}",
            list(asked.collect()),
            list(rows.collect()),
        )
    }
}

fn all(offers: &[RankedOffer]) -> Vec<Listed<'_>> {
    offers.iter().map(listed).collect()
}

fn listed(it: &RankedOffer) -> Listed<'_> {
    Listed {
        offer: &it.offer,
        arch: it.arch.map(farthing_model::offer_table::Arch::name),
        nodes: it.nodes,
        total: it.price.per_hour(),
        finish: it.finish.map(|finish| (finish.cost, finish.time)),
        notes: &it.notes,
    }
}

fn brief(it: &RankedOffer) -> String {
    let finish = it.finish.map_or_else(String::new, |finish| {
        format!("{} to finish in {}, ", small_money(finish.cost), duration(finish.time))
    });
    let nodes = if it.nodes > 1 { format!("{} x ", it.nodes) } else { String::new() };
    format!("{finish}{}/h {nodes}{}", small_money(it.price.per_hour()), it.offer.id)
}

fn cells(it: &RankedOffer) -> Vec<String> {
    let offer = &it.offer;
    let mut cells = Vec::new();
    if let Some(finish) = it.finish {
        cells.extend([small_money(finish.cost), duration(finish.time)]);
    }
    let accelerators = offer
        .accelerator
        .as_ref()
        .map_or_else(|| "-".to_owned(), |name| format!("{} x {name}", it.accelerators));
    let as_of = offer.price.provenance().map_or_else(String::new, |from| from.as_of.to_string());
    cells.extend([
        small_money(it.price.per_hour()),
        it.nodes.to_string(),
        accelerators,
        offer.place.provider.clone(),
        offer.place.region.clone(),
        offer.place.zone.clone().unwrap_or_else(|| "-".to_owned()),
        offer.instance_type.clone(),
        decimal(offer.capacity.cpu_milli),
        decimal(offer.capacity.memory_bytes / (1 << 20) * 1_000 / 1_024),
        offer.purchase.to_string(),
        as_of,
        it.notes.iter().chain(&offer.warnings).cloned().collect::<Vec<_>>().join("; "),
    ]);
    cells
}

/// Thousandths as people write them; what is not known is said.
fn decimal(milli: u64) -> String {
    match milli {
        0 => "?".to_owned(),
        milli => farthing_model::Decimal::from_nano(i128::from(milli) * 1_000_000).to_string(),
    }
}
