//! Bills beside the books: time is cut to the last unit, and no row counts twice.

use super::*;
use farthing_model::ClusterId;
use proptest::prelude::*;

const HEADER: &str = "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodEnd,\
    BillingPeriodStart,ChargeCategory,ChargePeriodEnd,ChargePeriodStart,EffectiveCost,ListCost,\
    ServiceCategory,ServiceName,ProviderName,RegionId,x_own";

fn row(id: &str, billed: &str, (from, to): (&str, &str), region: &str) -> String {
    format!(
        "{billed},a,USD,2026-04-01T00:00:00Z,2026-03-01T00:00:00Z,Usage,{to},{from},{billed},\
         {billed},Compute,VM,aws,{region},{id}"
    )
}

fn books(bills: &[&[String]]) -> Books {
    let books = Books::in_memory();
    for rows in bills {
        let text = format!("{HEADER}\n{}\n", rows.join("\n"));
        assert!(books.put_bill(|| Ok(text.as_bytes())).unwrap());
    }
    books
}

fn said(books: &Books, window: &str, by: &[Key]) -> Reconciliation {
    let (from, to) = window.split_once(',').unwrap();
    let window = Window::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
    let cluster = ClusterId::new("c").unwrap();
    let query = StatementQuery::of(cluster, window, Currency::USD);
    reconcile(books, &StatementQuery { by: by.to_vec(), ..query }).unwrap()
}

const DAYS: (&str, &str) = ("2026-03-01T12:00:00Z", "2026-03-03T00:00:00Z");
const MARCH: &str = "2026-03-01T00:00:00Z,2026-04-01T00:00:00Z";

#[test]
fn a_row_counts_in_a_window_by_its_time() {
    let books = books(&[&[row("1", "3.6", DAYS, "r"), row("2", "-0.36", DAYS, "")]]);
    let by_day = said(&books, MARCH, &[Key::Day, Key::Region]);
    let rows: Vec<_> = by_day
        .rows
        .iter()
        .map(|row| (row.keys.join(" "), row.billed.unwrap().to_decimal(), row.metered))
        .collect();
    let line = |keys: &str, billed: &str| (keys.to_owned(), billed.to_owned(), None);
    let expected = [
        line("2026-03-01 (no region)", "-0.12"),
        line("2026-03-01 r", "1.20"),
        line("2026-03-02 (no region)", "-0.24"),
        line("2026-03-02 r", "2.40"),
    ];
    assert_eq!(rows, expected);
    assert_eq!((by_day.billed.to_decimal().as_str(), by_day.bills), ("3.24", 1));
    assert_eq!(by_day.difference, by_day.effective);
    let hour = said(&books, "2026-03-02T05:10:00Z,2026-03-02T05:20:00Z", &[]);
    assert_eq!(hour.billed.to_decimal(), "0.09", "a whole hour of thirty-six");
}

/// Half a month's bill, then the whole month's: what both say counts once, and what one says twice
/// counts twice.
#[test]
fn what_two_bills_say_counts_once() {
    let same = row("1", "1", DAYS, "r");
    let half = [same.clone(), same.clone(), row("2", "5", DAYS, "r")];
    let whole = [row("3", "7", DAYS, "r"), same.clone(), same.clone(), same];
    let books = books(&[&half, &whole]);
    let said = said(&books, MARCH, &[]);
    assert_eq!(said.billed.to_decimal(), "15.00", "3 x 1 + 5 + 7");
    assert_eq!((said.bills, said.rows_read, said.repeated), (2, 5, 2));
}

#[test]
fn a_bill_knows_no_team() {
    let query = StatementQuery {
        by: vec![Key::Team],
        ..StatementQuery::of(
            ClusterId::new("c").unwrap(),
            Window::new(Timestamp::UNIX_EPOCH, "2026-01-01T00:00:00Z".parse().unwrap()).unwrap(),
            Currency::USD,
        )
    };
    let error = reconcile(&books(&[]), &query).unwrap_err().to_string();
    assert_eq!(error, "a bill does not say its team: provider, region, node, day, hour");
}

proptest! {
    #[test]
    fn windows_add(pico in -1_000_000_000_007_i128..1_000_000_000_007, cut in 1_i64..36) {
        let billed = Money::from_pico(pico, Currency::USD).to_decimal();
        let books = books(&[&[row("1", &billed, DAYS, "r")]]);
        let from: Timestamp = DAYS.0.parse().unwrap();
        let at = from.checked_add(jiff::SignedDuration::from_hours(cut)).unwrap();
        let of = |window: &str, by: &[Key]| said(&books, window, by).billed.pico();
        let before = of(&format!("{from},{at}"), &[]);
        let after = of(&format!("{at},{}", DAYS.1), &[Key::Hour]);
        prop_assert_eq!(before + after, pico);
    }
}
