//! Parameters of `--set`, each known by its name.

use crate::commands::duration;
use crate::commands::simulate::names::unknown;
use crate::outcome::WrongUse;
use farthing_model::{Currency, Money, Ratio};
use std::collections::BTreeMap;

/// What was set, by name.
pub(super) struct Set<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Set<'a> {
    /// Reads them; each is among those that the format has.
    pub(super) fn read(given: &'a [String], known: &[&str]) -> anyhow::Result<Self> {
        let mut all = BTreeMap::new();
        for text in given {
            let Some((name, value)) = text.split_once('=') else {
                let hint = format!("write it like {}=...", known.first().unwrap_or(&"name"));
                return Err(WrongUse::new(format!("--set {text}: it has no `=`"))
                    .hint(hint)
                    .into());
            };
            let name = name.trim();
            if !known.contains(&name) {
                return Err(unknown(("--set", "parameter"), name, known).into());
            }
            if all.insert(name, value.trim()).is_some() {
                return Err(WrongUse::new(format!("--set {name} is there twice")).into());
            }
        }
        Ok(Self(all))
    }

    /// A value as it was written.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied()
    }

    /// A whole number from one to another.
    pub(super) fn whole(&self, name: &str, (from, to): (u32, u32)) -> anyhow::Result<Option<u32>> {
        let read = |text: &str| {
            let number = text.parse::<u32>().ok().filter(|number| (from..=to).contains(number));
            number.ok_or_else(|| {
                WrongUse::new(format!("--set {name}={text}: it is no number from {from} to {to}"))
            })
        };
        Ok(self.text(name).map(read).transpose()?)
    }

    /// A length of time in seconds, or what it usually is.
    pub(super) fn seconds(&self, name: &str, usual: i64) -> anyhow::Result<i64> {
        match self.text(name) {
            None => Ok(usual),
            Some("0" | "0s" | "0m" | "0h") => Ok(0),
            Some(text) => Ok(duration(&format!("--set {name}"), text)?.as_secs()),
        }
    }

    /// A part of a whole, in millionths.
    pub(super) fn part(&self, name: &str, usual: u32) -> anyhow::Result<u32> {
        let Some(text) = self.text(name) else { return Ok(usual) };
        let part = text.parse::<Ratio>().ok().map(Ratio::ppm).filter(|ppm| *ppm <= 1_000_000);
        part.ok_or_else(|| {
            let what = format!("--set {name}={text}: it is no part of a whole");
            WrongUse::new(what).hint("write it like 0.99 or 99%").into()
        })
    }

    /// An amount that is not below zero, in 10^-12.
    pub(super) fn pico(&self, name: &str) -> anyhow::Result<i128> {
        let Some(text) = self.text(name) else { return Ok(0) };
        number(&format!("--set {name}={text}"), text)
    }
}

/// A number that is not below zero, in 10^-12.
pub(super) fn number(what: &str, text: &str) -> anyhow::Result<i128> {
    let wrong = |why: &str| WrongUse::new(format!("{what}: {why}"));
    let money =
        Money::from_decimal(text, Currency::USD).map_err(|error| wrong(&error.to_string()))?;
    if money.is_negative() {
        return Err(wrong("it is below zero").into());
    }
    Ok(money.pico())
}

/// Prices of `--price`, of names that are known, in 10^-12.
pub(super) fn prices(given: &[String], known: &[&str]) -> anyhow::Result<BTreeMap<String, i128>> {
    let mut all = BTreeMap::new();
    for text in given {
        let Some((name, amount)) = text.split_once('=') else {
            let hint = format!("write it like --price {}=2.48", known.join("=2.48,"));
            let what = format!("--price {text}: it has no `=`");
            return Err(WrongUse::new(what).hint(hint).into());
        };
        if !known.contains(&name.trim()) {
            return Err(unknown(("--price", "price"), name.trim(), known).into());
        }
        let amount = number(&format!("--price {text}"), amount.trim())?;
        if all.insert(name.trim().to_owned(), amount).is_some() {
            return Err(WrongUse::new(format!("--price {name} is there twice")).into());
        }
    }
    Ok(all)
}
