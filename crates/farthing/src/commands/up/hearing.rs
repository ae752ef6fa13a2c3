//! What a loop hears between two ticks and tells after each: by its board, and by alerts.

use super::bell::Bell;
use super::board::{Board, Said};
use super::cycle::Setting;
use super::reload::{self, Told};
use super::serve::Front;
use crate::print::talk;
use farthing_edge::Store;
use farthing_engine::{Engine, Tick, World};
use farthing_model::Mode;
use farthing_providers::alert::Settings;
use jiff::Timestamp;

/// A board, and the alerts that it may change.
pub(super) struct Hearing<'b> {
    board: &'b mut dyn Board,
    alerts: Option<Settings>,
    bell: Bell,
    /// What could not be shown after the last tick.
    told: Vec<String>,
}

impl<'b> Hearing<'b> {
    pub(super) fn open(board: &'b mut dyn Board, alerts: Option<Settings>) -> anyhow::Result<Self> {
        let bell = Bell::open(alerts.as_ref())?;
        Ok(Self { board, alerts, bell, told: Vec::new() })
    }

    /// That the journal is open, by the hash of its first record.
    pub(super) fn opened(&mut self, journal: &str) {
        self.board.opened(journal);
    }

    /// Hears what people say of proposals, and goes by other budgets and another policy where the
    /// board has them. What is wrong in them is told, and everything stays as it was.
    pub(super) fn hear<W: World, S: Store>(
        &mut self,
        (engine, front): (&mut Engine<W, S>, &Front),
        most: Mode,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let news = self.board.news(engine.open_state(), now);
        for word in news.words {
            let what = if word.approved { "approved" } else { "refused" };
            match engine.approve(&word.step, word.approved, &word.by, now) {
                Ok(()) => talk(&format!("step {} is {what} by {}", word.step, word.by)),
                Err(error) => talk(&format!("step {} is not {what}: {error}", word.step)),
            }
        }
        let Some(told) = news.told else { return Ok(()) };
        let mut policy = told.policy.unwrap_or_default();
        policy.mode = policy.mode.min(most);
        let (mode, budgets) = (policy.mode.name(), told.budgets.len());
        let from = ["objects of the cluster".to_owned()];
        match engine.reconfigure((policy.clone(), told.budgets), &from, now) {
            Ok(true) => {
                talk(&format!("told anew: mode {mode}, {budgets} budgets"));
                front.told(policy);
            }
            Ok(false) => {}
            Err(error) => {
                let error = anyhow::Error::from(error);
                talk(&format!("what the loop was told stays as it was: {error:#}"));
                return Ok(());
            }
        }
        if told.alerts != self.alerts {
            let other = Bell::open(told.alerts.as_ref())?;
            std::mem::replace(&mut self.bell, other).close(engine, now);
            self.alerts = told.alerts;
        }
        Ok(())
    }

    /// Reads the files again that the loop is told by, with what the board has.
    pub(super) fn again<W: World, S: Store>(
        &mut self,
        setting: &Setting<'_>,
        (engine, front): (&mut Engine<W, S>, &Front),
        what: &str,
    ) {
        let (bell, alerts) = (&mut self.bell, &mut self.alerts);
        reload::again(setting, self.board, Told { engine, front, bell, alerts, what });
    }

    /// Tells people and the board what a tick came to. What cannot be shown is told when it is new.
    pub(super) fn tell<W: World, S: Store>(
        &mut self,
        engine: &mut Engine<W, S>,
        tick: &Tick,
    ) -> anyhow::Result<()> {
        self.bell.ring(engine, tick);
        let config = engine.config();
        let lines = self.board.show(&Said {
            at: tick.at,
            open: engine.open_state(),
            exposures: &engine.exposures(tick.at)?,
            policy: &config.policy,
            books: engine.books(),
            currency: config.currency,
            cluster: &config.cluster,
        });
        for line in lines.iter().filter(|line| !self.told.contains(line)) {
            talk(line);
        }
        self.told = lines;
        Ok(())
    }

    /// Ends: what people were to be told and waits is tried once more.
    pub(super) fn close<W: World, S: Store>(self, engine: &mut Engine<W, S>, now: Timestamp) {
        self.bell.close(engine, now);
    }
}
