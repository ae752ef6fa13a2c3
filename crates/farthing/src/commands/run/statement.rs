//! What is told of a command when it has ended. It is told on stderr: stdout is the command's.

use super::limit::Limits;
use super::machine::Machine;
use super::metric::{cost_of_one, per_money};
use super::supervise::Ended;
use super::tab::Sums;
use crate::args::{Output, RunArgs};
use crate::commands::estimate;
use crate::print::talk;
use crate::show;
use anyhow::Context as _;
use farthing_engine::RunRecord;
use farthing_model::{ClusterId, Decimal, Joules, Money, Price, Quantity, Ratio};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::path::Path;

/// Everything that is told.
pub(crate) struct Statement<'a> {
    pub(crate) name: &'a str,
    pub(crate) run: &'a str,
    pub(crate) cluster: &'a ClusterId,
    pub(crate) machine: &'a Machine,
    pub(crate) limits: &'a Limits,
    pub(crate) began: Timestamp,
    pub(crate) wall: SignedDuration,
    pub(crate) ended: &'a Ended,
    /// What an hour of what is set aside costs.
    pub(crate) hourly: Option<Money>,
    /// `None` where the price is not known.
    pub(crate) sums: Option<Sums>,
    pub(crate) metric: Option<(Decimal, &'a str)>,
    /// Why it is not in the books, if it is not.
    pub(crate) unposted: Option<&'a str>,
    /// Whose loop meters this machine too, if one does.
    pub(crate) also: Option<&'a ClusterId>,
}

impl Statement<'_> {
    /// Tells it.
    pub(crate) fn tell(&self, output: Output) {
        match output {
            Output::Json => talk(&format!("{:#}", self.json())),
            Output::Table | Output::Csv => talk(&self.text()),
        }
    }

    /// Writes it into a file.
    pub(crate) fn write(&self, file: Option<&Path>) -> anyhow::Result<()> {
        let Some(file) = file else { return Ok(()) };
        std::fs::write(file, format!("{:#}\n", self.json()))
            .with_context(|| format!("{} cannot be written", file.display()))
    }

    /// What is kept of it for the next estimate.
    pub(crate) fn record(&self, args: &RunArgs) -> anyhow::Result<RunRecord> {
        let complete = self.ended.stopped.is_none() && self.ended.code() == 0;
        let expected = args.of.as_deref().map(estimate::expected).transpose()?;
        let (kind, expected) = match expected {
            Some((kind, expected)) => (kind, expected),
            None => (format!("{} on {}", self.name, accelerators(self.machine)), None),
        };
        let hourly = self.hourly;
        let cost =
            expected.zip(hourly).and_then(|(length, hourly)| estimate::cost_of(hourly, length));
        Ok(RunRecord {
            run: self.run.to_owned(),
            kind,
            from: self.began.to_string(),
            wall_ms: u64::try_from(self.wall.as_millis())?,
            outcome: self.ended.in_words(),
            complete,
            cost: self.sums.map(|sums| sums.paid.to_string()),
            expected_ms: expected.and_then(|it| u64::try_from(it.as_millis()).ok()),
            expected_cost: cost.map(|cost| cost.to_string()),
        })
    }

    fn text(&self) -> String {
        let mut lines = vec![format!(
            "\n{} ({}): {}, {}",
            self.name,
            self.run,
            self.ended.in_words(),
            show::duration(self.wall)
        )];
        lines.push(self.cost());
        if let Some((achieved, unit)) = self.metric {
            lines.push(self.achieved(achieved, unit));
        }
        lines.push(self.used());
        if self.ended.left > 0 {
            lines.push(format!(
                "  {} processes are left running; nobody meters them from here on",
                self.ended.left
            ));
        }
        match self.unposted {
            Some(why) => lines.push(format!("  not in the books: {why}")),
            None => lines.push(format!(
                "  in the books: farthing cost --cluster {} --filter 'label[run]:\"{}\"'",
                self.cluster, self.run
            )),
        }
        if let Some(also) = self.also {
            lines.push(format!(
                "  `farthing up` meters this machine too: this time is also in the books of {also}, \
                 so do not add the two"
            ));
        }
        lines.join("\n")
    }

    fn cost(&self) -> String {
        let Some(sums) = self.sums else {
            let why = match self.machine.price() {
                Price::Unknown(why) => why.as_str(),
                Price::Known(..) => "no price",
            };
            return format!("  cost unknown: {why}");
        };
        let amount = show::small_money;
        let unknown = if sums.unknown.is_zero() {
            String::new()
        } else {
            format!(" + unknown {}", amount(sums.unknown))
        };
        format!(
            "  paid {} {} = used {} + waste {}{unknown}; utilisation {}",
            amount(sums.paid),
            sums.paid.currency(),
            amount(sums.used),
            amount(sums.waste),
            show::ratio(utilisation(&sums)),
        )
    }

    fn achieved(&self, achieved: Decimal, unit: &str) -> String {
        let costs = self.sums.and_then(|sums| {
            let one = cost_of_one(sums.paid, achieved)?;
            let per = per_money(sums.paid, achieved)?;
            let currency = sums.paid.currency();
            let one = show::small_money(one);
            Some(format!(": {one} {currency} each, R = {per} {unit} per {currency}"))
        });
        format!("  achieved {achieved} {unit}{}", costs.unwrap_or_default())
    }

    fn used(&self) -> String {
        let look = &self.ended.look;
        let seconds = |nanos: u64| {
            format!("{}.{:02}", nanos / 1_000_000_000, nanos % 1_000_000_000 / 10_000_000)
        };
        let mut parts = vec![
            format!("CPU {} core-seconds", seconds(look.cpu_nanos)),
            format!("peak memory {} MiB", look.memory_peak_bytes >> 20),
        ];
        if let Some(bytes) = self.ended.device_memory_peak {
            parts.push(format!("peak GPU memory {} MiB", bytes >> 20));
        }
        parts.push(match self.ended.energy() {
            Some(energy) => format!("energy {} Wh", watt_hours(energy)),
            None => "energy unknown (no counter can be read)".to_owned(),
        });
        format!("  {}", parts.join(", "))
    }

    fn json(&self) -> Value {
        let look = &self.ended.look;
        let decimal = |amount: Money| amount.to_decimal();
        let sums = self.sums;
        json!({
            "name": self.name,
            "run": self.run,
            "cluster": self.cluster.as_str(),
            "from": self.began.to_string(),
            "wall_s": seconds(self.wall),
            "outcome": self.ended.in_words(),
            "exit_code": self.ended.code(),
            "stopped": self.ended.stopped.map(super::limit::Why::name),
            "killed": self.ended.killed,
            "left_running": self.ended.left,
            "offer": self.machine.offer().offer.as_str(),
            "max_cost": self.limits.max_cost.map(decimal),
            "currency": self.machine.currency().code(),
            "paid": sums.map(|sums| decimal(sums.paid)),
            "used": sums.map(|sums| decimal(sums.used)),
            "waste": sums.map(|sums| decimal(sums.waste)),
            "unknown": sums.map(|sums| decimal(sums.unknown)),
            "utilisation": sums.and_then(|sums| utilisation(&sums)).map(|it| it.to_string()),
            "metric": self.metric.map(|(achieved, unit)| json!({
                "value": achieved.to_string(),
                "unit": unit,
                "cost_per_unit":
                    sums.and_then(|sums| cost_of_one(sums.paid, achieved)).map(decimal),
                "units_per_currency": sums.and_then(|sums| per_money(sums.paid, achieved)),
            })),
            "cpu_core_seconds": nano_decimal(i128::from(look.cpu_nanos)),
            "memory_peak_bytes": look.memory_peak_bytes,
            "gpu_memory_peak_bytes": self.ended.device_memory_peak,
            "energy_joules": self.ended.energy().map(|energy| nano_decimal(energy.nano())),
            "posted": self.unposted.is_none(),
            "also_metered_by": self.also.map(ClusterId::as_str),
        })
    }
}

/// The part of what was paid that was used, of what is known.
fn utilisation(sums: &Sums) -> Option<Ratio> {
    let known = sums.used.checked_add(sums.waste).ok()?;
    Ratio::of(sums.used.pico(), known.pico())
}

/// What makes runs on this machine comparable to those on others.
fn accelerators(machine: &Machine) -> String {
    let first = machine.devices.first();
    let gpu = machine.inventory.gpus.iter().find(|gpu| Some(&gpu.uuid) == first);
    match gpu {
        Some(gpu) => format!("{}x {}", machine.devices.len(), gpu.name),
        None => format!("{} cores", machine.asks.cpu_milli.div_ceil(1_000)),
    }
}

fn seconds(length: SignedDuration) -> Value {
    nano_decimal(length.as_nanos())
}

/// A number with nine decimals, as JSON: exact, whatever reads it.
fn nano_decimal(nano: i128) -> Value {
    let text = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn watt_hours(energy: Quantity<Joules>) -> String {
    let milli = energy.nano() / 3_600_000_000;
    format!("{}.{:03}", milli / 1_000, milli % 1_000)
}
