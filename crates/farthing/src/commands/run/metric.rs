//! What a command achieved, in its own unit: the last number in a file that it writes, or of what
//! matches in its output.

use crate::args::RunMetric;
use crate::outcome::WrongUse;
use anyhow::Context as _;
use farthing_model::{Decimal, Money};
use regex::bytes::Regex;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Most bytes of the end of a metric file that are read.
const TAIL_BYTES: u64 = 64 << 10;
/// A longer line than this is looked at in pieces.
const LINE_BYTES_MAX: usize = 64 << 10;
/// What is left in the pipes is waited for so long after the command ended: whatever it left
/// running may hold them open for ever.
const REST: Duration = Duration::from_secs(1);

/// A number as people write it; the last one of a text is taken.
const NUMBER: &str = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?";

/// Where a metric is read from.
pub(crate) enum Metric {
    None,
    File(PathBuf),
    Output(Arc<Output>),
}

/// What was seen of a command's output.
pub(crate) struct Output {
    pattern: Regex,
    number: Regex,
    last: Mutex<Option<Decimal>>,
}

impl Metric {
    /// As the flags say.
    pub(crate) fn of(args: &RunMetric) -> anyhow::Result<Self> {
        if let Some(path) = &args.file {
            return Ok(Self::File(path.clone()));
        }
        let Some(text) = &args.regex else { return Ok(Self::None) };
        let pattern = Regex::new(text).map_err(|error| {
            WrongUse::new(format!("--metric-regex: {error}")).hint("write it like 'steps=(\\d+)'")
        })?;
        let number = Regex::new(NUMBER)?;
        Ok(Self::Output(Arc::new(Output { pattern, number, last: Mutex::new(None) })))
    }

    /// Copies the command's output through and reads along; what says that both ends are reached.
    pub(crate) fn follow(&self, process: &mut Child) -> Option<Receiver<()>> {
        let Self::Output(output) = self else { return None };
        let (done, ended) = channel();
        let (out, err) = (process.stdout.take(), process.stderr.take());
        if let Some(pipe) = out {
            let (output, done) = (Arc::clone(output), done.clone());
            std::thread::spawn(move || {
                output.copy(pipe, &mut std::io::stdout());
                let _ = done.send(());
            });
        }
        if let Some(pipe) = err {
            let output = Arc::clone(output);
            std::thread::spawn(move || {
                output.copy(pipe, &mut std::io::stderr());
                let _ = done.send(());
            });
        }
        Some(ended)
    }

    /// What was achieved; `None` where there is no number.
    pub(crate) fn read(&self, ended: Option<&Receiver<()>>) -> anyhow::Result<Option<Decimal>> {
        match self {
            Self::None => Ok(None),
            Self::File(path) => {
                let text = tail(path)
                    .with_context(|| format!("--metric-file {}: cannot be read", path.display()))?;
                let number = Regex::new(NUMBER)?;
                Ok(number.find_iter(&text).last().and_then(|found| decimal(found.as_bytes())))
            }
            Self::Output(output) => {
                for _ in 0..2 {
                    let _ = ended.map(|ended| ended.recv_timeout(REST));
                }
                Ok(output.last.lock().ok().and_then(|last| *last))
            }
        }
    }
}

impl Output {
    fn copy(&self, mut from: impl Read, to: &mut dyn Write) {
        let (mut buffer, mut line) = (vec![0; 16 << 10], Vec::new());
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let bytes = &buffer[..count];
            // Whoever read our output is gone: the command is told when it writes again, as it
            // would be without us.
            if to.write_all(bytes).and_then(|()| to.flush()).is_err() {
                break;
            }
            for piece in bytes.split_inclusive(|byte| *byte == b'\n' || *byte == b'\r') {
                line.extend_from_slice(piece);
                let ends = piece.last().is_some_and(|byte| *byte == b'\n' || *byte == b'\r');
                if ends || line.len() > LINE_BYTES_MAX {
                    self.look(&line);
                    line.clear();
                }
            }
        }
        self.look(&line);
    }

    /// Takes the last match of a line.
    fn look(&self, line: &[u8]) {
        let Some(found) = self.pattern.captures_iter(line).last() else { return };
        let Some(part) = found.get(1).or_else(|| found.get(0)) else { return };
        let number = self.number.find_iter(part.as_bytes()).last();
        let number = number.and_then(|number| decimal(number.as_bytes()));
        if let (Some(number), Ok(mut last)) = (number, self.last.lock()) {
            *last = Some(number);
        }
    }
}

fn tail(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    use std::io::{Seek as _, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut text = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

/// A number such as `-1.5e3`; `None` where it has more digits than a decimal.
fn decimal(text: &[u8]) -> Option<Decimal> {
    let text = std::str::from_utf8(text).ok()?.trim_start_matches('+');
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.trim_start_matches('+').parse().ok()?;
    let (sign, digits) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    if !(-30..=30).contains(&point) || all.len() > 40 {
        return None;
    }
    let length = i32::try_from(all.len()).ok()?;
    let plain = if point <= 0 {
        format!("0.{}{all}", "0".repeat(usize::try_from(-point).ok()?))
    } else if point >= length {
        format!("{all}{}", "0".repeat(usize::try_from(point - length).ok()?))
    } else {
        let (whole, fraction) = all.split_at(usize::try_from(point).ok()?);
        format!("{whole}.{fraction}")
    };
    let whole = plain.split('.').next().unwrap_or_default().trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = plain.split_once('.').map_or("", |(_, fraction)| fraction);
    // No more digits than a decimal has; what is beyond is far below what anyone measures.
    let fraction: String = fraction.chars().take(9).collect();
    let text = if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") };
    format!("{sign}{text}").parse().ok()
}

/// What one unit cost: `None` for nothing achieved.
pub(crate) fn cost_of_one(paid: Money, achieved: Decimal) -> Option<Money> {
    let (digits, scale) = parts(achieved)?;
    let pico = paid.pico().checked_mul(scale)?.checked_div(digits)?;
    Some(Money::from_pico(pico, paid.currency()))
}

/// Units for one unit of money, with six decimals: performance over cost.
pub(crate) fn per_money(paid: Money, achieved: Decimal) -> Option<String> {
    let (digits, scale) = parts(achieved)?;
    // (digits / scale) / (pico / 10^12), in millionths.
    let above = digits.checked_mul(1_000_000_000_000)?.checked_mul(1_000_000)?;
    let micro = above.checked_div(scale.checked_mul(paid.pico())?)?;
    Some(format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000))
}

/// A decimal above zero as digits over a power of ten.
fn parts(achieved: Decimal) -> Option<(i128, i128)> {
    let text = achieved.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    (digits > 0).then_some((digits, scale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_model::Currency;

    fn of(text: &str) -> Option<String> {
        decimal(text.as_bytes()).map(|number| number.to_string())
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for (text, number) in [
            ("12", "12"),
            ("-0.5", "-0.5"),
            ("1.5e3", "1500"),
            ("+25e-2", "0.25"),
            ("1e-3", "0.001"),
            ("007", "7"),
        ] {
            assert_eq!(of(text).as_deref(), Some(number), "{text}");
        }
        assert_eq!((of("1e999"), of("1e-999")), (None, None));
    }

    #[test]
    fn the_last_match_counts_and_its_group_before_the_whole() {
        let args = RunMetric {
            file: None,
            regex: Some(r"steps=(\d+)".to_owned()),
            unit: "step".to_owned(),
        };
        let Metric::Output(output) = Metric::of(&args).unwrap() else { unreachable!() };
        let mut copied = Vec::new();
        let text = b"steps=1 loss=9\rsteps=20 loss=8\nsteps=300".as_slice();
        output.copy(text, &mut copied);
        assert_eq!(copied, text);
        assert_eq!(output.last.lock().unwrap().unwrap().to_string(), "300");
    }

    #[test]
    fn what_one_cost_and_what_money_bought() {
        let paid = Money::from_decimal("0.50", Currency::USD).unwrap();
        let achieved: Decimal = "2000".parse().unwrap();
        assert_eq!(cost_of_one(paid, achieved).unwrap().to_decimal(), "0.00025");
        assert_eq!(per_money(paid, achieved).as_deref(), Some("4000.000000"));
        assert_eq!(cost_of_one(paid, "0".parse().unwrap()), None);
        assert_eq!(per_money(Money::zero(Currency::USD), achieved), None);
    }
}
