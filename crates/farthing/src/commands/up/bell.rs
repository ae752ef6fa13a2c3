//! Alerts of a running loop: what the engine wants told is handed to the outbox after each tick,
//! and what became of it goes back into the journal.

use crate::outcome::WrongUse;
use crate::print::talk;
use farthing_edge::Store;
use farthing_engine::{AlertRules, Delivery, Engine, Quiet, Tick, World};
use farthing_providers::alert::{Outbox, Outcome, Patience, Settings};
use jiff::Timestamp;

/// The outbox, where a policy says that people are told.
pub(crate) struct Bell(Option<(Outbox, AlertRules)>);

impl Bell {
    /// Opens the channels of a policy.
    pub(crate) fn open(settings: Option<&Settings>) -> anyhow::Result<Self> {
        let Some(settings) = settings else { return Ok(Self(None)) };
        let channels = settings.open(|name| std::env::var(name).ok());
        let channels = channels.map_err(|error| WrongUse::new(error.to_string()))?;
        let quiet = settings.quiet.map(|quiet| Quiet {
            from_s: quiet.from_s,
            to_s: quiet.to_s,
            unless: quiet.unless,
        });
        let rules = AlertRules { repeat: settings.repeat, quiet };
        Ok(Self(Some((Outbox::open(channels, Patience::default()), rules))))
    }

    /// Tells what is new after a tick. That nobody could be told stops no loop: it is said here,
    /// and tried again with the next tick.
    pub(crate) fn ring<W: World, S: Store>(&self, engine: &mut Engine<W, S>, tick: &Tick) {
        let Some((outbox, rules)) = &self.0 else { return };
        let carried: Vec<Delivery> = outbox.outcomes().into_iter().map(delivery).collect();
        let told = engine.delivered(&carried, tick.at).and_then(|()| engine.notices(tick, rules));
        match told {
            Ok(notices) => outbox.send(&notices),
            Err(error) => {
                let error = anyhow::Error::from(error);
                talk(&format!("alerts could not be told: {error:#}"));
            }
        }
    }

    /// Ends: what waits is tried once more.
    pub(crate) fn close<W: World, S: Store>(self, engine: &mut Engine<W, S>, now: Timestamp) {
        let Some((outbox, _)) = self.0 else { return };
        let carried: Vec<Delivery> = outbox.close().into_iter().map(delivery).collect();
        if let Err(error) = engine.delivered(&carried, now) {
            let error = anyhow::Error::from(error);
            talk(&format!("what became of alerts could not be noted: {error:#}"));
        }
    }
}

fn delivery(outcome: Outcome) -> Delivery {
    let Outcome { notice, channel, tries, failed } = outcome;
    Delivery { notice, channel, tries, failed }
}
