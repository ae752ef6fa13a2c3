//! Reading the manifests of `--config` again while the loop runs: `kill -HUP`.
//!
//! All or nothing: everything that the files say is made ready before anything is taken, and the
//! record in the journal is the last thing that can fail. A file that is not in order is named, and
//! what was told before holds. Start at [`again`].

use super::bell::Bell;
use super::board::Board;
use super::cycle::{Setting, allowed};
use super::serve::Front;
use crate::print::talk;
use anyhow::Context as _;
use farthing_edge::Store;
use farthing_engine::{Engine, World};
use farthing_providers::alert::Settings;
use jiff::Timestamp;
use nix::sys::signal::{SigSet, Signal};
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A signal that says to read the manifests again.
#[derive(Debug)]
pub(crate) struct Reload {
    asked: Arc<AtomicBool>,
    /// Whether somebody looked on when it began.
    watched: bool,
}

/// What the signal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To read the manifests again.
    Reload,
    /// To stop: the terminal is gone.
    Stop,
}

impl Reload {
    /// Listens for the signal, on a thread of its own. It is kept from all others, so that this has
    /// to be called before they are started.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let mut set = SigSet::empty();
        set.add(Signal::SIGHUP);
        set.thread_block().context("SIGHUP cannot be listened for")?;
        let asked = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&asked);
        let thread = std::thread::Builder::new().name("reload".to_owned());
        let listens = thread.spawn(move || {
            while set.wait().is_ok() {
                flag.store(true, Ordering::SeqCst);
            }
        });
        listens.context("the thread that waits for SIGHUP cannot be started")?;
        Ok(Self { asked, watched: std::io::stderr().is_terminal() })
    }

    /// What was asked since this was called last.
    pub(super) fn asked(&self) -> Option<Asked> {
        let asked = self.asked.swap(false, Ordering::SeqCst);
        let gone = self.watched && !std::io::stderr().is_terminal();
        asked.then_some(if gone { Asked::Stop } else { Asked::Reload })
    }
}

/// The loop that is told something else.
pub(super) struct Told<'a, W, S> {
    pub(super) engine: &'a mut Engine<W, S>,
    pub(super) front: &'a Front,
    pub(super) bell: &'a mut Bell,
    /// The channels that are open.
    pub(super) alerts: &'a mut Option<Settings>,
    /// What is looked at, in words.
    pub(super) what: &'a str,
}

/// Reads the manifests again and takes what they say; or says why not, and takes nothing.
pub(super) fn again<W: World, S: Store>(
    setting: &Setting<'_>,
    board: &mut dyn Board,
    mut told: Told<'_, W, S>,
) {
    let now = Timestamp::now();
    match take(setting, board, &mut told, now) {
        Ok(text) => talk(&text),
        Err(error) => {
            let text = format!("SIGHUP: what was told before holds: {error:#}");
            talk(&text);
            if let Err(error) = told.engine.remark("config", &text, now) {
                talk(&format!("that could not be noted: {error}"));
            }
        }
    }
}

fn take<W: World, S: Store>(
    setting: &Setting<'_>,
    board: &mut dyn Board,
    told: &mut Told<'_, W, S>,
    now: Timestamp,
) -> anyhow::Result<String> {
    let new = board.again(setting.args, setting.unsaid)?;
    let policy = allowed(new.policy.unwrap_or_default(), setting.most, told.what);
    let oidc = told.front.provider(new.identity.as_ref())?;
    let same = new.alerts == *told.alerts;
    let bell = if same { None } else { Some(Bell::open(new.alerts.as_ref())?) };
    let from: Vec<String> =
        setting.args.config.iter().map(|path| path.display().to_string()).collect();
    told.engine.reconfigure((policy.clone(), new.budgets), &from, now)?;
    told.front.identify(oidc);
    told.front.told(policy);
    if let Some(bell) = bell {
        *told.alerts = new.alerts;
        std::mem::replace(told.bell, bell).close(told.engine, now);
    }
    let config = told.engine.config();
    let (budgets, mode) = (config.budgets.len(), config.policy.mode.name());
    Ok(format!("SIGHUP: {} read again: {budgets} budgets, mode {mode}", from.join(", ")))
}
