//! Idle verdicts and utilisation ladders for people.

use super::{duration, money};
use crate::table::{Align, Table};
use farthing_ledger::{DeviceEnergy, Ladder, Survey, Verdict};
use farthing_model::{Decimal, Rung, proportion};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Devices of a workload that are told one by one.
const TOLD: usize = 4;

/// Verdicts with their evidence, the ladders, and what would have to be exported to know more.
pub(crate) fn text(found: &Survey) -> String {
    let window = found.window;
    let mut out =
        format!("{} to {} ({})\n", window.from(), window.to(), duration(window.duration()));
    if found.verdicts.is_empty() {
        out.push_str("\nno device was observed: who holds an accelerator is not known\n");
    } else {
        let _ = write!(out, "\nVERDICTS\n{}\n", rows(&found.verdicts).to_text());
    }
    for verdict in &found.verdicts {
        let _ = write!(out, "\n{}", evidence(verdict));
    }
    if !found.unallocated.is_empty() {
        let names = found.unallocated.iter().map(|(node, device)| format!("{device} on {node}"));
        let _ = write!(out, "\nNOBODY'S\n{}\n", names.collect::<Vec<_>>().join("\n"));
    }
    if !found.ladders.is_empty() {
        let _ = write!(out, "\nLADDER, of the device\n{}\n", ladder(&found.ladders).to_text());
        let missing: BTreeSet<&str> = found
            .ladders
            .iter()
            .flat_map(|ladder| ladder.steps.iter().filter_map(farthing_ledger::Step::how_to_export))
            .collect();
        if !missing.is_empty() {
            out.push_str("\nmissing; these lines would export it:\n");
            for line in missing {
                let _ = writeln!(out, "  {line}");
            }
        }
    }
    if !found.energy.is_empty() {
        let _ = write!(out, "\nENERGY\n{}\n", energy(&found.energy).to_text());
    }
    out.trim_end().to_owned()
}

fn energy(all: &[DeviceEnergy]) -> Table {
    let mut table = Table::new(&[
        ("node", Align::Left),
        ("device", Align::Left),
        ("energy", Align::Right),
        ("mean power", Align::Right),
        ("read for", Align::Right),
    ]);
    for one in all {
        table.row([
            one.node.to_string(),
            one.device.to_string(),
            format!("{} Wh", watt_hours(one)),
            mean_milliwatts(one).map_or("-".to_owned(), |mean| {
                format!("{} W", Decimal::from_nano(mean * 1_000_000))
            }),
            duration(jiff::SignedDuration::from_nanos_i128(one.measured_nanos)),
        ]);
    }
    table
}

/// To the nearest thousandth.
fn watt_hours(one: &DeviceEnergy) -> Decimal {
    let milli = (one.energy.nano() + 1_800_000_000) / 3_600_000_000 * 1_000_000;
    Decimal::from_nano(milli)
}

fn mean_milliwatts(one: &DeviceEnergy) -> Option<i128> {
    proportion(one.energy.nano(), 1_000, one.measured_nanos)
}

/// What a device took, for programs.
pub(crate) fn energy_json(one: &DeviceEnergy) -> Value {
    json!({
        "node": one.node.to_string(),
        "device": one.device.to_string(),
        "accelerator": one.is_accelerator,
        "joules": Decimal::from_nano(one.energy.nano()).to_string(),
        "measured_s": Decimal::from_nano(one.measured_nanos).to_string(),
    })
}

/// One line for each workload, also for CSV.
pub(crate) fn rows(verdicts: &[Verdict]) -> Table {
    let mut table = Table::new(&[
        ("workload", Align::Left),
        ("state", Align::Left),
        ("idle", Align::Left),
        ("devices", Align::Right),
        ("seen", Align::Right),
        ("spent", Align::Right),
        ("a day", Align::Right),
        ("but", Align::Left),
    ]);
    for verdict in verdicts {
        let idle = verdict.devices.iter().filter(|one| one.activity.is_idle()).count();
        let vetoes: Vec<String> = verdict.vetoes.iter().map(ToString::to_string).collect();
        table.row([
            verdict.workload.to_string(),
            verdict.activity.to_string(),
            if verdict.idle { "yes" } else { "no" }.to_owned(),
            format!("{idle} of {} idle", verdict.devices.len()),
            percent(verdict.coverage_ppm),
            money(verdict.spent),
            money(verdict.per_day),
            vetoes.join("; "),
        ]);
    }
    table
}

/// Why each device is called what it is called; devices of which the same is said, in one line.
fn evidence(verdict: &Verdict) -> String {
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for one in &verdict.devices {
        let what = format!("{}: {}", one.activity, one.why);
        match said.iter_mut().find(|(known, _)| *known == what) {
            Some((_, devices)) => devices.push(one.device.as_str()),
            None => said.push((what, vec![one.device.as_str()])),
        }
    }
    let mut out = format!("{}\n", verdict.workload);
    for (what, devices) in said {
        let mut names = devices.iter().take(TOLD).copied().collect::<Vec<_>>().join(", ");
        let more = devices.len().saturating_sub(TOLD);
        if more > 0 {
            let _ = write!(names, " and {more} more");
        }
        let _ = writeln!(out, "  {what} ({names})");
    }
    out
}

fn ladder(ladders: &[Ladder]) -> Table {
    let mut columns = vec![
        ("node".to_owned(), Align::Left),
        ("device".to_owned(), Align::Left),
        ("workload".to_owned(), Align::Left),
        ("allocated".to_owned(), Align::Right),
    ];
    columns.extend(Rung::ALL.map(|rung| (rung.name().to_owned(), Align::Right)));
    let mut table = Table::new(&columns);
    for one in ladders {
        let workload = one.workload.as_ref().map_or("(nobody)", |workload| workload.as_str());
        let mut cells = vec![
            one.node.to_string(),
            one.device.to_string(),
            workload.to_owned(),
            one.workload.as_ref().map_or_else(|| "-".to_owned(), |_| percent(one.allocated_ppm)),
        ];
        cells.extend(one.steps.iter().map(|step| match step.device_ppm {
            Some(ppm) => percent(ppm),
            None => step.missing.map_or("-", farthing_model::Missing::name).to_owned(),
        }));
        table.row(cells);
    }
    table
}

fn percent(ppm: u32) -> String {
    format!("{}.{} %", ppm / 10_000, ppm % 10_000 / 1_000)
}
