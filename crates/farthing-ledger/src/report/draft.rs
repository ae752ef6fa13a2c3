//! From groups to the rows of a statement: what is shared is shared, and everything is summed.

use super::ReportError;
use super::group::{Group, Groups, Kind};
use super::key::{Key, Label, RowIds};
use super::share::{Portion, Rules, ShareIdle, Shares, Spare, Taken, share};
use super::statement::{Scope, SpareRow, Statement, StatementQuery, StatementRow};
use super::sums::{Cell, KINDS, Sums};
use crate::books::Correction;
use crate::meter::{Unpriced, Usage};
use farthing_model::{
    Coverage, Destination, Money, PerResource, Ratio, Resource, SplitError, Window, split,
};
use std::collections::BTreeMap;

/// What the footers of the hours say.
#[derive(Default)]
pub(super) struct Head {
    pub(super) hours: u32,
    pub(super) paid_pico: i128,
    pub(super) coverage: Coverage,
    pub(super) unpriced: Vec<Unpriced>,
    pub(super) corrections: Vec<Correction>,
}

/// Amounts of the destinations, in the order of [`Destination::ALL`].
type Parts = [i128; 4];

/// What is nobody's in one group and for one destination.
struct Nobody {
    row: usize,
    pool: usize,
    destination: Destination,
    nano: [i128; KINDS],
    unknown: i128,
}

/// Rows in the making, sorted by key so that ties of sharing do not depend on hash order.
pub(super) struct Draft<'a> {
    query: &'a StatementQuery,
    window: Window,
    rows: Vec<DraftRow<'a>>,
    /// What is charged to somebody, with its money by destination and its quantities.
    portions: Vec<Portion<KINDS>>,
    sums: Vec<&'a Sums>,
    /// What is not.
    spares: Vec<Spare<KINDS>>,
    nobody: Vec<Nobody>,
    pools: Vec<PoolName<'a>>,
    /// Of what is nobody's and may be kept, that of which nobody measured whether it was used.
    unknown_nano: [i128; KINDS],
}

type PoolName<'a> = (Label<'a>, Option<Label<'a>>, Vec<Label<'a>>);

struct DraftRow<'a> {
    labels: Vec<Label<'a>>,
    parts: Parts,
    own: [i128; KINDS],
    shared: i128,
    common: i128,
    /// What its charges cost less than by the prices of lists.
    discount: i128,
    unknown: i128,
    usage: PerResource<Usage>,
    is_someones: bool,
}

impl DraftRow<'_> {
    fn total(&self) -> i128 {
        self.parts.iter().sum::<i128>() + self.shared
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        query: &'a StatementQuery,
        window: Window,
        groups: &'a Groups<'_>,
    ) -> Result<Self, ReportError> {
        let mut draft = Self {
            query,
            window,
            rows: Vec::new(),
            portions: Vec::new(),
            sums: Vec::new(),
            spares: Vec::new(),
            nobody: Vec::new(),
            pools: Vec::new(),
            unknown_nano: [0; KINDS],
        };
        // Sorted by what they are, as the order of a hash is not the same twice.
        let mut sorted: Vec<(Vec<Label<'a>>, Group<'a>)> = groups
            .iter()
            .map(|group| (group.cells.iter().map(|cell| groups.label(*cell)).collect(), group))
            .collect();
        let place = |group: &Group<'_>| {
            let node = group.node.map(|node| groups.label(node));
            (groups.label(group.cluster), node, group.kind.kept, group.kind.common)
        };
        sorted.sort_by(|(labels, group), (others, other)| {
            labels.cmp(others).then_with(|| place(group).cmp(&place(other)))
        });
        let mut pools: BTreeMap<Vec<Cell>, usize> = BTreeMap::new();
        for (labels, group) in sorted {
            let cells = draft.pool_cells(&group);
            let next = pools.len();
            let pool = *pools.entry(cells).or_insert(next);
            if pool == draft.pools.len() {
                let times = query.by.iter().zip(&labels).filter(|(key, _)| key.is_time());
                let times = times.map(|(_, label)| label.clone()).collect();
                let node = group.node.map(|node| groups.label(node));
                draft.pools.push((groups.label(group.cluster), node, times));
            }
            draft.take(labels, &group, pool)?;
        }
        Ok(draft)
    }

    /// What sets a pool apart: where nobody's costs are shared among whom.
    fn pool_cells(&self, group: &Group<'_>) -> Vec<Cell> {
        let scope = self.query.sharing.scope;
        let is_place =
            |key: &Key| key.is_time() || (scope == Scope::Place && !key.is_attribution());
        let of_keys = self.query.by.iter().zip(group.cells).filter(|(key, _)| is_place(key));
        let mut cells: Vec<Cell> = of_keys.map(|(_, cell)| *cell).collect();
        cells.push(group.cluster);
        cells.extend(group.node);
        cells
    }

    fn take(
        &mut self,
        labels: Vec<Label<'a>>,
        group: &Group<'a>,
        pool: usize,
    ) -> Result<(), ReportError> {
        if self.rows.last().is_none_or(|row| row.labels != labels) {
            self.rows.push(DraftRow::new(labels));
        }
        let (row, sums) = (self.rows.len() - 1, group.sums);
        let Kind { kept, common, owned } = group.kind;
        if owned {
            let own = sums.pico.map(|parts| parts.iter().sum());
            let total = own.iter().try_fold(0_i128, |sum, part| sum.checked_add(*part));
            total.ok_or(ReportError::Overflow(self.window))?;
            let discount = sums.discount.iter().flatten().sum();
            let kept = kept == Some(true);
            self.portions.push(Portion { row, pool, kept, common, own, discount });
            self.sums.push(sums);
            return Ok(());
        }
        if kept != Some(false) {
            add_all(&mut self.unknown_nano, &sums.unknown_nano);
        }
        for destination in Destination::ALL {
            let amount = sums.pico.map(|parts| parts[destination as usize]);
            let nano = Resource::CHARGED.map(|resource| of(*sums.usage.get(resource), destination));
            let discount = sums.discount.map(|parts| parts[destination as usize]);
            if amount.iter().chain(&nano).chain(&discount).any(|part| *part != 0) {
                let unknown = sums.unknown[destination as usize];
                self.spares.push(Spare { pool, kept, amount, discount });
                self.nobody.push(Nobody { row, pool, destination, nano, unknown });
            }
        }
        Ok(())
    }

    /// Shares, sums, and writes the statement.
    pub(super) fn finish(mut self, mut head: Head) -> Result<Statement, ReportError> {
        let window = self.window;
        let sharing = &self.query.sharing;
        let flat = sharing.flat.map_or(0, Money::pico);
        let rules = Rules {
            idle: sharing.idle,
            weigh: sharing.weigh,
            even: sharing.common_evenly,
            after_filter: sharing.after_filter,
            flat,
        };
        let split_error = |source| ReportError::Split { window, source };
        let shares = share(&self.portions, &self.spares, rules).map_err(split_error)?;
        let filtered = shares.dropped.iter().flatten().sum();
        let apart = shares.common_apart;
        let mut sums = Totals { filtered, apart, ..Totals::default() };
        self.portions_to_rows(&shares, &mut sums);
        let spare = self.spares_to_rows(&shares, &mut sums).map_err(split_error)?;
        sums.taken(&self, &shares).map_err(split_error)?;
        if shares.common_apart != 0 || shares.apart_discount != 0 {
            let label = |key: &Key| {
                if key.is_attribution() { Label::Common } else { Label::Missing }
            };
            let mut row = DraftRow::new(self.query.by.iter().map(label).collect());
            row.parts[Destination::Overhead as usize] = shares.common_apart;
            row.discount = shares.apart_discount;
            self.rows.push(row);
        }
        let by_who = self.query.by.iter().any(Key::is_attribution);
        let shared_away = sharing.idle != ShareIdle::Separate || sharing.common.is_some();
        let filtered = self.query.filter.is_some();
        self.rows.retain(|row| {
            let is_empty = row.total() == 0 && row.discount == 0;
            row.is_someones || !is_empty || !(filtered || (shared_away && by_who))
        });
        head.paid_pico = head.paid_pico + flat - sums.filtered;
        add_all(&mut sums.unknown_nano, &self.unknown_nano);
        Ok(self.write(head, &sums, spare))
    }

    fn portions_to_rows(&mut self, shares: &Shares<KINDS>, totals: &mut Totals) {
        for ((portion, taken), sums) in self.portions.iter().zip(&shares.taken).zip(&self.sums) {
            let is_row = !portion.common || shares.common_stays;
            if !portion.kept && is_row {
                let own: i128 = portion.own.iter().sum();
                totals.filtered += own + taken.of_pool() + taken.common;
                continue;
            }
            let unknown = sums.unknown.iter().sum::<i128>();
            totals.unknown += unknown;
            add_all(&mut totals.unknown_nano, &sums.unknown_nano);
            if !is_row {
                continue;
            }
            let row = &mut self.rows[portion.row];
            row.is_someones = true;
            row.discount += portion.discount + taken.discount;
            row.unknown += unknown;
            for destination in Destination::ALL {
                let part = sums.of(destination);
                row.parts[destination as usize] += part;
                totals.parts[destination as usize] += part;
            }
            for ((own, amount), spare) in row.own.iter_mut().zip(portion.own).zip(taken.spare) {
                *own += amount + spare;
            }
            row.shared += taken.of_pool() + taken.common;
            row.common += taken.lump + taken.common;
            add(&mut row.usage, &sums.usage);
            add(&mut totals.usage, &sums.usage);
        }
    }

    fn spares_to_rows(
        &mut self,
        shares: &Shares<KINDS>,
        totals: &mut Totals,
    ) -> Result<Vec<SpareRow>, SplitError> {
        let currency = self.query.currency;
        let mut pools: BTreeMap<usize, ([i128; KINDS], [i128; KINDS])> = BTreeMap::new();
        for (index, nobody) in self.nobody.iter().enumerate() {
            let (kept, dropped) = (shares.kept[index], shares.dropped[index]);
            let whole = self.spares[index].amount;
            let is_left = self.spares[index].kept != Some(false);
            let row = &mut self.rows[nobody.row];
            row.discount += shares.kept_discount[index];
            let (paid, gone) = (whole.iter().sum::<i128>(), dropped.iter().sum::<i128>());
            // Cut as its cost is.
            let unknown = match (paid - gone, gone) {
                (_, 0) => nobody.unknown * i128::from(is_left),
                (stays, gone) if stays > 0 && gone > 0 => split(nobody.unknown, &[stays, gone])?[0],
                _ => 0,
            };
            row.unknown += unknown;
            totals.unknown += unknown;
            let pool = pools.entry(nobody.pool).or_default();
            for (kind, resource) in Resource::CHARGED.into_iter().enumerate() {
                row.parts[nobody.destination as usize] += kept[kind];
                totals.parts[nobody.destination as usize] += kept[kind];
                pool.0[kind] += kept[kind];
                // A quantity that is nobody's is not shared, and cut as its cost is.
                let nano = match (kept[kind], dropped[kind]) {
                    (0, dropped) if dropped != 0 => 0,
                    (kept, dropped) if dropped != 0 && kept > 0 && dropped > 0 => {
                        split(nobody.nano[kind], &[kept, dropped])?[0]
                    }
                    _ if self.spares[index].kept == Some(false) => 0,
                    _ => nobody.nano[kind],
                };
                row.usage.get_mut(resource).add(nobody.destination, nano);
                totals.usage.get_mut(resource).add(nobody.destination, nano);
                if whole[kind] == kept[kind] + dropped[kind] {
                    pool.1[kind] += nano;
                }
            }
        }
        let rows = pools.into_iter().map(|(pool, (pico, nano))| {
            let (cluster, node, times) = &self.pools[pool];
            let money = |resource: Resource| Money::from_pico(pico[resource as usize], currency);
            SpareRow {
                cluster: cluster.text(&Key::Cluster),
                node: node.as_ref().map(|node| node.text(&Key::Node)),
                times: times.iter().map(|time| time.text(&Key::Hour)).collect(),
                cost: PerResource::from_fn(money),
                quantity_nano: PerResource::from_fn(|resource| nano[resource as usize]),
            }
        });
        Ok(rows.collect())
    }

    fn write(self, head: Head, totals: &Totals, spare: Vec<SpareRow>) -> Statement {
        let currency = self.query.currency;
        let money = |pico| Money::from_pico(pico, currency);
        let parts: i128 = self.rows.iter().map(DraftRow::total).sum();
        let shared: i128 = self.rows.iter().map(|row| row.shared).sum();
        let discount: i128 = self.rows.iter().map(|row| row.discount).sum();
        let pico = |destination: Destination| money(totals.parts[destination as usize]);
        let ids = RowIds::new(&self.query.clusters, &self.query.by);
        let mut rows: Vec<StatementRow> = self.rows.iter().map(|row| self.row(row, &ids)).collect();
        // Rows are sorted by key already, and sorting is stable.
        let by_time = self.query.by.first().is_some_and(Key::is_time);
        let time = |row: &StatementRow| by_time.then(|| row.keys[0].clone());
        rows.sort_by_cached_key(|row| (time(row), std::cmp::Reverse(row.total.pico())));
        Statement {
            window: self.window,
            currency,
            by: self.query.by.clone(),
            paid: money(head.paid_pico),
            used: pico(Destination::Used),
            idle: pico(Destination::Idle),
            unallocated: pico(Destination::Unallocated),
            overhead: pico(Destination::Overhead),
            unknown: money(totals.unknown),
            measured: PerResource::from_fn(|resource| {
                let paid = totals.usage.get(resource).paid_nano();
                Ratio::of(paid - totals.unknown_nano[resource as usize], paid)
            }),
            list: money(head.paid_pico + discount),
            shared: money(shared),
            filtered: money(totals.filtered),
            apart: money(totals.apart),
            difference: money(head.paid_pico - parts),
            coverage: head.coverage,
            usage: totals.usage,
            hours: head.hours,
            unpriced: head.unpriced,
            corrections: head.corrections,
            rows,
            spare,
        }
    }

    fn row(&self, row: &DraftRow<'_>, ids: &RowIds<'_>) -> StatementRow {
        let by = &self.query.by;
        let money = |pico| Money::from_pico(pico, self.query.currency);
        let part = |destination: Destination| row.parts[destination as usize];
        let charged = part(Destination::Used) + part(Destination::Idle);
        let label = |(key, label): (&Key, &Label<'_>)| label.text(key);
        StatementRow {
            id: ids.id(&row.labels),
            keys: by.iter().zip(&row.labels).map(label).collect(),
            named: row.labels.iter().map(|label| matches!(label, Label::Named(_))).collect(),
            used: money(part(Destination::Used)),
            idle: money(part(Destination::Idle)),
            unallocated: money(part(Destination::Unallocated)),
            overhead: money(part(Destination::Overhead)),
            shared: money(row.shared),
            common: money(row.common),
            total: money(row.total()),
            unknown: money(row.unknown),
            list: money(row.total() + row.discount),
            own: PerResource::from_fn(|resource| money(row.own[resource as usize])),
            is_someones: row.is_someones,
            usage: row.usage,
            utilisation: Ratio::of(part(Destination::Used), charged),
        }
    }
}

impl<'a> DraftRow<'a> {
    fn new(labels: Vec<Label<'a>>) -> Self {
        let usage = PerResource::default();
        Self {
            labels,
            parts: [0; 4],
            own: [0; KINDS],
            shared: 0,
            common: 0,
            discount: 0,
            unknown: 0,
            usage,
            is_someones: false,
        }
    }
}

/// Sums over all rows.
#[derive(Default)]
struct Totals {
    parts: Parts,
    filtered: i128,
    apart: i128,
    unknown: i128,
    unknown_nano: [i128; KINDS],
    usage: PerResource<Usage>,
}

impl Totals {
    /// Adds what rows take, as what it was before it was shared.
    fn taken(&mut self, draft: &Draft<'_>, shares: &Shares<KINDS>) -> Result<(), SplitError> {
        // What was in each pool, of which the kept rows took a part.
        let mut pools: BTreeMap<usize, (Parts, i128, i128)> = BTreeMap::new();
        for (index, nobody) in draft.nobody.iter().enumerate() {
            let whole: i128 = draft.spares[index].amount.iter().sum();
            let kept: i128 = shares.kept[index].iter().sum();
            let dropped: i128 = shares.dropped[index].iter().sum();
            let pool = pools.entry(nobody.pool).or_default();
            pool.0[nobody.destination as usize] += whole - kept - dropped;
        }
        for (portion, taken) in draft.portions.iter().zip(&shares.taken) {
            let pool = pools.entry(portion.pool).or_default();
            if portion.common && !shares.common_stays {
                pool.2 += taken.of_pool();
            } else if portion.kept {
                pool.1 += taken.of_pool();
            }
        }
        let mut common: Parts = [0; 4];
        common[Destination::Overhead as usize] =
            draft.query.sharing.flat.map_or(0, Money::pico) - shares.common_apart;
        for (parts, to_rows, to_common) in pools.into_values() {
            plus(&mut self.parts, composed(to_rows, parts)?);
            plus(&mut common, composed(to_common, parts)?);
        }
        for (portion, sums) in draft.portions.iter().zip(&draft.sums) {
            if portion.common && !shares.common_stays {
                plus(&mut common, Destination::ALL.map(|destination| sums.of(destination)));
            }
        }
        let is_row = |portion: &Portion<KINDS>| portion.kept && !portion.common;
        let all = draft.portions.iter().zip(&shares.taken);
        let to_rows = |(portion, taken): (&Portion<KINDS>, &Taken<KINDS>)| {
            is_row(portion).then_some(taken.common)
        };
        let taken: i128 = all.filter_map(to_rows).sum();
        plus(&mut self.parts, composed(taken, common)?);
        self.parts[Destination::Overhead as usize] += shares.common_apart;
        Ok(())
    }
}

/// Cuts an amount into parts in the proportions of others.
fn composed(amount: i128, like: Parts) -> Result<Parts, SplitError> {
    if amount == like.iter().sum() {
        return Ok(like);
    }
    let mut parts = [0; 4];
    if like.iter().any(|part| *part < 0) || like.iter().all(|part| *part == 0) {
        // More was charged than paid: there are no proportions.
        parts[Destination::Unallocated as usize] = amount;
        return Ok(parts);
    }
    for (part, cut) in parts.iter_mut().zip(split(amount, &like)?) {
        *part = cut;
    }
    Ok(parts)
}

fn add_all(sums: &mut [i128; KINDS], parts: &[i128; KINDS]) {
    sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
}

fn plus(sums: &mut Parts, parts: Parts) {
    sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
}

const fn of(usage: Usage, destination: Destination) -> i128 {
    match destination {
        Destination::Used => usage.used_nano,
        Destination::Idle => usage.idle_nano,
        Destination::Unallocated => usage.unallocated_nano,
        Destination::Overhead => usage.overhead_nano,
    }
}

pub(super) fn add(sums: &mut PerResource<Usage>, usage: &PerResource<Usage>) {
    for (resource, usage) in usage.iter() {
        for destination in Destination::ALL {
            sums.get_mut(resource).add(destination, of(*usage, destination));
        }
    }
}
