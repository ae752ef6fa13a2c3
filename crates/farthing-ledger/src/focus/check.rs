//! What must hold in each row, also where the official validator does not look: products of price
//! and quantity, categories that go together, and periods.

use super::columns::Cell;
use std::borrow::Cow;

/// A rule that a row breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// A column that may not be null is.
    #[error("{0} is null")]
    Null(&'static str),
    /// A column has a value where it must be null.
    #[error("{column} must be null where {why}")]
    NotNull {
        /// Which.
        column: &'static str,
        /// When that is.
        why: &'static str,
    },
    /// Not one of the values that there are.
    #[error("{column} is `{found}`, which is not one of {allowed}")]
    Category {
        /// Which column.
        column: &'static str,
        /// What it says.
        found: String,
        /// What it may say.
        allowed: String,
    },
    /// A cost is not its price times its quantity.
    #[error("{cost} is not {price} x PricingQuantity")]
    Product {
        /// The column of the cost.
        cost: &'static str,
        /// The column of the price.
        price: &'static str,
    },
    /// A period is empty, or a charge lies outside of its month.
    #[error("{0}")]
    Period(&'static str),
}

/// The 21 columns that are never null.
pub(super) const MANDATORY: [&str; 21] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingCurrency",
    "PricingCurrencyEffectiveCost",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
];

const CATEGORIES: [(&str, &[&str]); 5] = [
    ("ChargeCategory", &["Adjustment", "Credit", "Purchase", "Tax", "Usage"]),
    ("ChargeClass", &["Correction"]),
    ("ChargeFrequency", &["One-Time", "Recurring", "Usage-Based"]),
    ("PricingCategory", &["Committed", "Dynamic", "Other", "Standard"]),
    ("CommitmentDiscountStatus", &["Unused", "Used"]),
];

/// Columns that come together: the second is null exactly where the first is.
const TOGETHER: [(&str, &str); 6] = [
    ("RegionId", "RegionName"),
    ("SubAccountId", "SubAccountName"),
    ("SubAccountId", "SubAccountType"),
    ("PricingQuantity", "PricingUnit"),
    ("ConsumedQuantity", "ConsumedUnit"),
    ("CommitmentDiscountId", "CommitmentDiscountType"),
];

/// 10^-12 in one.
const PICO: i128 = 1_000_000_000_000;

/// Checks a row by the values of its columns.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_row<'a>(cell: &dyn Fn(&str) -> Cell<'a>) -> Result<(), RowFault> {
    for name in MANDATORY {
        if cell(name) == Cell::Null {
            return Err(RowFault::Null(name));
        }
    }
    for (column, allowed) in CATEGORIES {
        if let Cell::Text(found) = cell(column)
            && !allowed.contains(&&*found)
        {
            let allowed = allowed.join(", ");
            return Err(RowFault::Category { column, found: found.into_owned(), allowed });
        }
    }
    for (first, second) in TOGETHER {
        match (cell(first), cell(second)) {
            (Cell::Null, Cell::Null) => {}
            (Cell::Null, _) => {
                return Err(RowFault::NotNull { column: second, why: "what it is of is null" });
            }
            (_, Cell::Null) => return Err(RowFault::Null(second)),
            _ => {}
        }
    }
    prices(cell)?;
    periods(cell)
}

fn prices<'a>(cell: &dyn Fn(&str) -> Cell<'a>) -> Result<(), RowFault> {
    let is = |name: &str, value: &str| cell(name) == Cell::Text(Cow::Borrowed(value));
    let is_priced = is("ChargeCategory", "Usage") || is("ChargeCategory", "Purchase");
    let is_correction = is("ChargeClass", "Correction");
    let pairs = [("ListCost", "ListUnitPrice"), ("ContractedCost", "ContractedUnitPrice")];
    for name in ["ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "SkuId", "SkuPriceId"] {
        let is_null = cell(name) == Cell::Null;
        if is("ChargeCategory", "Tax") && !is_null {
            return Err(RowFault::NotNull { column: name, why: "the charge is a tax" });
        }
        // A provider without contracts need not say what it would cost under one.
        let may = name == "ContractedUnitPrice" || !is_priced || is_correction;
        if is_null && !may {
            return Err(RowFault::Null(name));
        }
    }
    let Cell::Number(quantity) = cell("PricingQuantity") else { return Ok(()) };
    for (cost, price) in pairs {
        let (Cell::Number(whole), Cell::Number(each)) = (cell(cost), cell(price)) else { continue };
        if !is_correction && !is_product(whole, each, quantity) {
            return Err(RowFault::Product { cost, price });
        }
    }
    Ok(())
}

/// Whether a cost is a product, as exact as it can be written: to a unit of 10^-12, or to a
/// millionth where prices were rounded before.
fn is_product(cost: i128, price: i128, quantity: i128) -> bool {
    let Some(product) = farthing_model::proportion(price.abs(), quantity.abs(), PICO) else {
        return false;
    };
    (product - cost.abs()).abs() <= 1 + cost.abs() / 1_000_000
}

fn periods<'a>(cell: &dyn Fn(&str) -> Cell<'a>) -> Result<(), RowFault> {
    let at = |name: &str| match cell(name) {
        Cell::Time(at) => Some(at),
        _ => None,
    };
    let (from, to) = (at("ChargePeriodStart"), at("ChargePeriodEnd"));
    let (start, end) = (at("BillingPeriodStart"), at("BillingPeriodEnd"));
    if from >= to {
        return Err(RowFault::Period("the charge period ends before it starts"));
    }
    if start >= end {
        return Err(RowFault::Period("the billing period ends before it starts"));
    }
    let is_usage = cell("ChargeCategory") == Cell::Text(Cow::Borrowed("Usage"));
    if is_usage && (from < start || from >= end) {
        return Err(RowFault::Period("the charge period does not start in the billing period"));
    }
    Ok(())
}
