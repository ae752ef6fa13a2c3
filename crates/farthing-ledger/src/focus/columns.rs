//! The columns: their names, types, and values of a charge.

use farthing_model::{
    Asset, Attribution, Charge, Destination, Detail, HourlyRate, Money, NodeId, OfferId, Purchase,
    Resource, TeamId, Window, midnight, proportion, utc_day,
};
use jiff::{Span, Timestamp};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Which version of the specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FocusVersion {
    /// 1.2: 57 columns.
    #[default]
    V1_2,
    /// 1.3: those, and the columns of split costs.
    V1_3,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Not there.
    Null,
    /// Text.
    Text(Cow<'a, str>),
    /// A number in units of 10^-12.
    Number(i128),
    /// A moment, to the second.
    Time(Timestamp),
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A number in units of 10^-12.
    Number,
    /// A moment.
    Time,
}

/// 10^-12 in one.
const PICO: i128 = 1_000_000_000_000;

/// A charge with what several columns need.
pub(super) struct Row<'a> {
    charge: &'a Charge,
    account: &'a str,
    /// Hours of the node that the cost would buy, in 10^-12: at the list price where one is known.
    hours: i128,
    /// The price of the list, else that of the node, and what a contract makes of it.
    list: HourlyRate,
    contracted: HourlyRate,
    /// Those hours at these prices, in 10^-12.
    list_cost: i128,
    contracted_cost: i128,
    consumed: i128,
    /// Which part of what the node cost in that time, in 10^-12.
    ratio: Option<i128>,
    period: (Timestamp, Timestamp),
    month: (Timestamp, Timestamp),
}

/// What charges are parts of: what a node cost over a stretch of time. Its charges stand together.
#[derive(Default)]
pub(super) struct Origin {
    of: Option<(NodeId, OfferId, Window, HourlyRate)>,
    /// Of its cost, what its charges so far have.
    pico: i128,
}

impl Origin {
    /// The part of it that a charge is, in 10^-12: the difference of what all up to it are, so that
    /// the parts of one sum to one.
    pub(super) fn part(&mut self, charge: &Charge) -> Option<i128> {
        let key = (&charge.node, &charge.offer, charge.window, charge.node_rate);
        if !self.of.as_ref().is_some_and(|of| (&of.0, &of.1, of.2, of.3) == key) {
            let of = (charge.node.clone(), charge.offer.clone(), charge.window, charge.node_rate);
            *self = Self { of: Some(of), pico: 0 };
        }
        let whole = match charge.asset {
            Asset::Network => return None,
            asset => asset.cost(charge.node_rate, charge.window, 0).ok()?.pico(),
        };
        let until = self.pico.checked_add(charge.cost.pico())?;
        let before = std::mem::replace(&mut self.pico, until);
        Some(proportion(PICO, until, whole)? - proportion(PICO, before, whole)?)
    }
}

impl<'a> Row<'a> {
    /// `None` when a number does not fit.
    pub(super) fn of(
        charge: &'a Charge,
        account: Option<&'a str>,
        ratio: Option<i128>,
    ) -> Option<Self> {
        let known = charge.provenance.list.as_deref();
        let list = known.map_or(charge.node_rate, |list| list.rate);
        let contracted = known.map_or(Some(charge.node_rate), |list| {
            list.contracted(charge.node_rate, charge.resource)
        })?;
        let rate = |of: HourlyRate| of.per_hour().pico();
        // What is free is measured by time alone, to the nearest unit.
        let hours = match rate(list) {
            0 => 0,
            rate => nearest(charge.list_cost.pico(), PICO, rate)?,
        };
        let period = period(charge)?;
        Some(Self {
            charge,
            account: account.unwrap_or(&charge.place.provider),
            hours,
            list,
            contracted,
            list_cost: nearest(rate(list), hours, PICO)?,
            contracted_cost: nearest(rate(contracted), hours, PICO)?,
            consumed: consumed(charge)?,
            ratio,
            period,
            month: month(period.0)?,
        })
    }

    fn who(&self) -> Option<&'a Attribution> {
        self.charge.attribution.as_deref()
    }
}

/// `amount x part / whole` to the nearest.
fn nearest(amount: i128, part: i128, whole: i128) -> Option<i128> {
    let down = proportion(amount, part, whole)?;
    let twice = proportion(amount.checked_mul(2)?, part, whole)?;
    Some(if twice - 2 * down >= 1 { down + 1 } else { down })
}

/// Hours of the resource's unit (GPU, core, GiB), in 10^-12.
fn consumed(charge: &Charge) -> Option<i128> {
    if charge.resource == Resource::Network {
        // 10^-9 of a byte to 10^-12 of 10^9 bytes.
        return nearest(charge.quantity_nano, 1, 1_000_000);
    }
    let unit: i128 = match charge.resource {
        Resource::Memory | Resource::Storage => 3_600 << 30,
        _ => 3_600,
    };
    // 10^-9 of a second to 10^-12 of an hour.
    nearest(charge.quantity_nano, 1_000, unit)
}

/// The seconds that a charge touches first and last; neighbours stay neighbours.
fn period(charge: &Charge) -> Option<(Timestamp, Timestamp)> {
    let second = |at: Timestamp| Timestamp::from_second(at.as_second()).ok();
    let (from, to) = (second(charge.window.from())?, second(charge.window.to())?);
    let next = Timestamp::from_second(from.as_second().checked_add(1)?).ok()?;
    Some((from, to.max(next)))
}

fn month(at: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let first = utc_day(at).first_of_month();
    let next = first.checked_add(Span::new().months(1)).ok()?;
    Some((midnight(first)?, midnight(next)?))
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

fn owned<'a>(text: String) -> Cell<'a> {
    Cell::Text(Cow::Owned(text))
}

fn optional(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Null, |text| Cell::Text(Cow::Borrowed(text)))
}

const fn null<'a>(_: &Row<'a>) -> Cell<'a> {
    Cell::Null
}

fn cost<'a>(row: &Row<'a>) -> Cell<'a> {
    Cell::Number(row.charge.cost.pico())
}

fn list_cost<'a>(row: &Row<'a>) -> Cell<'a> {
    Cell::Number(row.list_cost)
}

fn contracted_cost<'a>(row: &Row<'a>) -> Cell<'a> {
    Cell::Number(row.contracted_cost)
}

fn list_price<'a>(row: &Row<'a>) -> Cell<'a> {
    Cell::Number(row.list.per_hour().pico())
}

fn contracted_price<'a>(row: &Row<'a>) -> Cell<'a> {
    Cell::Number(row.contracted.per_hour().pico())
}

fn rate<'a>(row: &Row<'a>) -> Cell<'a> {
    Cell::Number(row.charge.node_rate.per_hour().pico())
}

fn currency<'a>(row: &Row<'a>) -> Cell<'a> {
    owned(row.charge.cost.currency().to_string())
}

fn account<'a>(row: &Row<'a>) -> Cell<'a> {
    text(row.account)
}

fn provider<'a>(row: &Row<'a>) -> Cell<'a> {
    text(&row.charge.place.provider)
}

fn region<'a>(row: &Row<'a>) -> Cell<'a> {
    text(&row.charge.place.region)
}

fn node<'a>(row: &Row<'a>) -> Cell<'a> {
    text(row.charge.node.as_str())
}

fn cluster<'a>(row: &Row<'a>) -> Cell<'a> {
    text(row.charge.cluster.as_str())
}

fn sku<'a>(row: &Row<'a>) -> Cell<'a> {
    text(row.charge.offer.as_str())
}

/// What a row is about, for people.
fn description<'a>(row: &Row<'a>) -> Cell<'a> {
    let Charge { resource, node, destination, .. } = row.charge;
    let what = match (destination, row.who()) {
        (Destination::Used, Some(who)) => format!("used by {}", who.workload),
        (Destination::Idle, Some(who)) => format!("held by {} and not used", who.workload),
        (Destination::Overhead, Some(who)) => format!("overhead of {}", who.workload),
        (Destination::Unallocated, _) => "that nobody asked for".to_owned(),
        (Destination::Overhead, None) => "of the system".to_owned(),
        (_, None) => "of somebody unknown".to_owned(),
    };
    owned(format!("{resource} of node {node} {what}"))
}

fn pricing_category<'a>(row: &Row<'a>) -> Cell<'a> {
    text(match row.charge.purchase {
        Purchase::OnDemand => "Standard",
        Purchase::Spot => "Dynamic",
        Purchase::Reserved => "Committed",
        Purchase::Owned => "Other",
    })
}

/// Category, name and subcategory of the service.
const fn service(row: &Row<'_>) -> [&'static str; 3] {
    match (row.charge.asset, row.charge.resource) {
        (Asset::Volume, _) => ["Storage", "Volumes", "Block Storage"],
        (Asset::LoadBalancer, _) => ["Networking", "Load balancers", "Application Networking"],
        (Asset::Network, _) | (_, Resource::Network) => {
            ["Networking", "Network transfer", "Network Connectivity"]
        }
        (Asset::ControlPlane, _) => ["Compute", "Control planes", "Containers"],
        (Asset::Node, Resource::Storage) => ["Storage", "Node disks", "Block Storage"],
        (Asset::Node, _) => ["Compute", "Nodes", "Virtual Machines"],
    }
}

fn unit<'a>(row: &Row<'a>) -> Cell<'a> {
    text(unit_name(row.charge.resource))
}

const fn unit_name(resource: Resource) -> &'static str {
    match resource {
        Resource::Gpu => "GPU-Hours",
        Resource::Memory | Resource::Storage => "GiB-Hours",
        Resource::Network => "GB",
        Resource::Cpu => "Core-Hours",
    }
}

/// A number in 10^-12 as text; the currency is not written.
fn decimal(pico: i128) -> String {
    Money::from_pico(pico, farthing_model::Currency::USD).to_decimal()
}

/// One price of a SKU: when it is of another day, it is another one.
fn sku_price<'a>(row: &Row<'a>) -> Cell<'a> {
    let rate = row.charge.node_rate.per_hour().to_decimal();
    owned(format!("{} {rate} {}", row.charge.offer, row.charge.provenance.as_of))
}

fn sku_details<'a>(row: &Row<'a>) -> Cell<'a> {
    let mut details = Map::new();
    details.insert("InstanceType".to_owned(), row.charge.instance_type.to_string().into());
    details.insert("x_Purchase".to_owned(), row.charge.purchase.name().into());
    owned(Value::Object(details).to_string())
}

fn object<'a>(map: &BTreeMap<String, String>) -> Cell<'a> {
    if map.is_empty() {
        return Cell::Null;
    }
    let entries = map.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
    owned(Value::Object(entries.collect()).to_string())
}

/// The labels of who is charged.
fn tags<'a>(row: &Row<'a>) -> Cell<'a> {
    row.who().map_or(Cell::Null, |who| object(&who.labels))
}

/// Which part of the cost of a node this is, and of what it has how much; nobody's part is the rest
/// of it. Of what was sent the whole is not known before its last row, and of what is free there
/// are no parts.
fn method_details<'a>(row: &Row<'a>) -> Cell<'a> {
    let Some(ratio) = row.ratio else { return Cell::Null };
    let (ratio, quantity) = (decimal(ratio), decimal(row.consumed));
    let (unit, charge) = (unit_name(row.charge.resource), row.charge);
    // Numbers as they are: a float has no twelve decimals of a large amount.
    let usage = format!(r#""UsageUnit":"{unit}","UsageQuantity":{quantity}"#);
    let (resource, destination) = (charge.resource, charge.destination.name());
    let own = format!(r#""x_Resource":"{resource}","x_Destination":"{destination}""#);
    owned(format!(r#"{{"Elements":[{{"AllocatedRatio":{ratio},{usage},{own}}}]}}"#))
}

fn allocated<'a>(row: &Row<'a>) -> Cell<'a> {
    optional(row.who().map(|who| who.workload.as_str()))
}

type Of = for<'a> fn(&Row<'a>) -> Cell<'a>;
type Column = (&'static str, Kind, Of);

use Kind::{Number, Text, Time};

/// The columns of 1.2, in alphabetical order.
const V1_2: [Column; 57] = [
    ("AvailabilityZone", Text, |row| optional(row.charge.place.zone.as_deref())),
    ("BilledCost", Number, cost),
    ("BillingAccountId", Text, account),
    ("BillingAccountName", Text, account),
    ("BillingAccountType", Text, |_| text("Account")),
    ("BillingCurrency", Text, currency),
    ("BillingPeriodEnd", Time, |row| Cell::Time(row.month.1)),
    ("BillingPeriodStart", Time, |row| Cell::Time(row.month.0)),
    ("CapacityReservationId", Text, null),
    ("CapacityReservationStatus", Text, null),
    ("ChargeCategory", Text, |_| text("Usage")),
    ("ChargeClass", Text, null),
    ("ChargeDescription", Text, description),
    ("ChargeFrequency", Text, |_| text("Usage-Based")),
    ("ChargePeriodEnd", Time, |row| Cell::Time(row.period.1)),
    ("ChargePeriodStart", Time, |row| Cell::Time(row.period.0)),
    ("CommitmentDiscountCategory", Text, null),
    ("CommitmentDiscountId", Text, null),
    ("CommitmentDiscountName", Text, null),
    ("CommitmentDiscountQuantity", Number, null),
    ("CommitmentDiscountStatus", Text, null),
    ("CommitmentDiscountType", Text, null),
    ("CommitmentDiscountUnit", Text, null),
    ("ConsumedQuantity", Number, |row| Cell::Number(row.consumed)),
    ("ConsumedUnit", Text, unit),
    ("ContractedCost", Number, contracted_cost),
    ("ContractedUnitPrice", Number, contracted_price),
    ("EffectiveCost", Number, cost),
    ("InvoiceId", Text, null),
    ("InvoiceIssuerName", Text, provider),
    ("ListCost", Number, list_cost),
    ("ListUnitPrice", Number, list_price),
    ("PricingCategory", Text, pricing_category),
    ("PricingCurrency", Text, currency),
    ("PricingCurrencyContractedUnitPrice", Number, contracted_price),
    ("PricingCurrencyEffectiveCost", Number, cost),
    ("PricingCurrencyListUnitPrice", Number, list_price),
    ("PricingQuantity", Number, |row| Cell::Number(row.hours)),
    ("PricingUnit", Text, |row| text(row.charge.asset.unit())),
    ("ProviderName", Text, provider),
    ("PublisherName", Text, provider),
    ("RegionId", Text, region),
    ("RegionName", Text, region),
    ("ResourceId", Text, node),
    ("ResourceName", Text, node),
    ("ResourceType", Text, |row| text(&row.charge.instance_type)),
    ("ServiceCategory", Text, |row| text(service(row)[0])),
    ("ServiceName", Text, |row| text(service(row)[1])),
    ("ServiceSubcategory", Text, |row| text(service(row)[2])),
    ("SkuId", Text, sku),
    ("SkuMeter", Text, |row| owned(format!("{} time", row.charge.resource))),
    ("SkuPriceDetails", Text, sku_details),
    ("SkuPriceId", Text, sku_price),
    ("SubAccountId", Text, cluster),
    ("SubAccountName", Text, cluster),
    ("SubAccountType", Text, |_| text("Cluster")),
    ("Tags", Text, tags),
];

/// What 1.3 adds: who made the charge, and how it was split.
const V1_3: [Column; 8] = [
    ("AllocatedMethodDetails", Text, method_details),
    ("AllocatedMethodId", Text, |_| text("farthing-max-of-request-and-use")),
    ("AllocatedResourceId", Text, allocated),
    ("AllocatedResourceName", Text, allocated),
    ("AllocatedTags", Text, tags),
    ("ContractApplied", Text, null),
    ("HostProviderName", Text, provider),
    ("ServiceProviderName", Text, provider),
];

/// Those of our own.
const OWN: [Column; 22] = [
    ("x_annotations", Text, |row| row.who().map_or(Cell::Null, |who| object(&who.annotations))),
    ("x_asset", Text, |row| text(row.charge.asset.name())),
    ("x_container", Text, |row| optional(row.who().and_then(|who| who.container.as_deref()))),
    ("x_controller", Text, |row| {
        optional(row.who().and_then(|who| Some(who.controller.as_ref()?.name.as_str())))
    }),
    ("x_controller_kind", Text, |row| {
        optional(row.who().and_then(|who| Some(who.controller.as_ref()?.kind.as_str())))
    }),
    ("x_destination", Text, |row| text(row.charge.destination.name())),
    ("x_detail", Text, |row| optional(row.charge.detail.map(Detail::name))),
    ("x_namespace", Text, |row| optional(row.who().and_then(|who| who.namespace.as_deref()))),
    ("x_node", Text, node),
    ("x_node_rate", Number, rate),
    ("x_offer", Text, sku),
    ("x_pod", Text, |row| optional(row.who().and_then(|who| who.pod.as_deref()))),
    ("x_price_as_of", Text, |row| owned(row.charge.provenance.as_of.to_string())),
    ("x_price_kind", Text, |row| text(row.charge.provenance.kind.name())),
    ("x_price_source", Text, |row| text(&row.charge.provenance.source)),
    ("x_process", Text, |row| optional(row.who().and_then(|who| who.process.as_deref()))),
    ("x_purchase", Text, |row| text(row.charge.purchase.name())),
    ("x_resource", Text, |row| text(row.charge.resource.name())),
    ("x_services", Text, |row| {
        let services = row.who().map(|who| who.services.as_slice()).unwrap_or_default();
        if services.is_empty() { Cell::Null } else { owned(Value::from(services).to_string()) }
    }),
    ("x_team", Text, |row| {
        optional(row.who().and_then(|who| who.team.as_ref()).map(TeamId::as_str))
    }),
    ("x_user", Text, |row| optional(row.who().and_then(|who| who.user.as_deref()))),
    ("x_workload", Text, allocated),
];

fn all(version: FocusVersion) -> impl Iterator<Item = &'static Column> {
    let more: &[Column] = match version {
        FocusVersion::V1_2 => &[],
        FocusVersion::V1_3 => &V1_3,
    };
    V1_2.iter().chain(more).chain(&OWN)
}

/// Names and types, in order.
pub(super) fn names(version: FocusVersion) -> Vec<(&'static str, Kind)> {
    all(version).map(|(name, kind, _)| (*name, *kind)).collect()
}

/// Whether 1.3 is the first to have a column.
pub(super) fn is_of_split(name: &str) -> bool {
    V1_3.iter().any(|(known, ..)| *known == name)
}

/// The names that FOCUS gives, without those of our own.
pub(super) fn focus_names() -> impl Iterator<Item = &'static str> {
    V1_2.iter().chain(&V1_3).map(|(name, ..)| *name)
}

/// The values of a row, in the order of [`names`].
pub(super) fn cells<'a>(version: FocusVersion, row: &Row<'a>) -> Vec<Cell<'a>> {
    all(version).map(|(_, _, of)| of(row)).collect()
}

/// The value of one column.
pub(super) fn cell<'a>(name: &str, row: &Row<'a>) -> Cell<'a> {
    let found = V1_2.binary_search_by(|(known, ..)| (*known).cmp(name));
    found.map_or(Cell::Null, |index| V1_2[index].2(row))
}

impl Cell<'_> {
    /// As FOCUS writes it in a CSV file; nothing is the word for it.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Null => Cow::Borrowed("NULL"),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(pico) => Cow::Owned(decimal(*pico)),
            Self::Time(at) => Cow::Owned(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        }
    }
}
