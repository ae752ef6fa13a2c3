//! Notices on their way: a bounded queue and a thread for each channel, with patience.
//!
//! The loop hands notices over and goes on; what became of them comes back with the next tick. A
//! channel that does not answer holds up nobody else's, and is tried again with a growing pause.

use farthing_edge::{Class, Notice, Notify};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

/// Notices that may wait on a channel; what comes after is given up, and said to be.
const WAITING_MAX: usize = 256;
/// An end is noticed within this time.
const NAP: Duration = Duration::from_millis(20);
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// How often a notice is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Tries of one notice.
    pub tries: u32,
    /// Before the second one; doubled before each further one.
    pub pause: Duration,
}

impl Default for Patience {
    /// Eight tries in about four minutes.
    fn default() -> Self {
        Self { tries: 8, pause: Duration::from_secs(2) }
    }
}

/// What became of a notice on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The notice.
    pub notice: Notice,
    /// Which channel.
    pub channel: String,
    /// Tries that it took.
    pub tries: u32,
    /// Why it was given up; `None`: it was carried.
    pub failed: Option<String>,
}

/// Notices on their way.
#[derive(Debug)]
pub struct Outbox {
    lanes: Vec<Lane>,
    outcomes: Receiver<Outcome>,
    back: Sender<Outcome>,
    ends: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Lane {
    name: String,
    queue: SyncSender<Notice>,
    thread: JoinHandle<()>,
}

impl Outbox {
    /// Opens a lane for each channel.
    pub fn open(channels: Vec<Box<dyn Notify + Send>>, patience: Patience) -> Self {
        let (back, outcomes) = channel();
        let ends = Arc::new(AtomicBool::new(false));
        let lane = |notify: Box<dyn Notify + Send>| {
            let (queue, waiting) = sync_channel(WAITING_MAX);
            let name = notify.name().to_owned();
            let carrier = Carrier { notify, patience, back: back.clone(), ends: Arc::clone(&ends) };
            let thread = std::thread::spawn(move || carrier.run(&waiting));
            Lane { name, queue, thread }
        };
        let lanes = channels.into_iter().map(lane).collect();
        Self { lanes, outcomes, back, ends }
    }

    /// Hands notices to every channel; never waits.
    pub fn send(&self, notices: &[Notice]) {
        for notice in notices {
            for lane in &self.lanes {
                let why = match lane.queue.try_send(notice.clone()) {
                    Ok(()) => continue,
                    Err(TrySendError::Full(_)) => format!("{WAITING_MAX} others wait already"),
                    Err(TrySendError::Disconnected(_)) => "the channel has ended".to_owned(),
                };
                let (notice, channel) = (notice.clone(), lane.name.clone());
                let outcome = Outcome { notice, channel, tries: 0, failed: Some(why) };
                // It is ours to receive: there is nobody else who could be gone.
                let _ = self.back.send(outcome);
            }
        }
    }

    /// What became of notices since this was asked last.
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.outcomes.try_iter().collect()
    }

    /// Ends: what waits is tried once more, and what became of it comes back.
    pub fn close(self) -> Vec<Outcome> {
        self.ends.store(true, Ordering::SeqCst);
        for lane in self.lanes {
            drop(lane.queue);
            // One that has panicked has nothing to tell.
            let _ = lane.thread.join();
        }
        self.outcomes.try_iter().collect()
    }
}

/// What a thread has.
struct Carrier {
    notify: Box<dyn Notify + Send>,
    patience: Patience,
    back: Sender<Outcome>,
    ends: Arc<AtomicBool>,
}

impl Carrier {
    fn run(mut self, waiting: &Receiver<Notice>) {
        while let Ok(notice) = waiting.recv() {
            let (tries, failed) = self.carry(&notice);
            let channel = self.notify.name().to_owned();
            if self.back.send(Outcome { notice, channel, tries, failed }).is_err() {
                return;
            }
        }
    }

    /// Tries one notice until it is carried or given up.
    fn carry(&mut self, notice: &Notice) -> (u32, Option<String>) {
        let mut pause = self.patience.pause;
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.notify.notify(notice) {
                Ok(()) => return (tries, None),
                Err(error) => error,
            };
            let again = error.class() == Class::Transient && tries < self.patience.tries;
            if !again || !self.nap(pause) {
                return (tries, Some(error.to_string()));
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Passes a while; `false` when it ended meanwhile.
    fn nap(&self, length: Duration) -> bool {
        let until = Instant::now() + length;
        loop {
            if self.ends.load(Ordering::SeqCst) {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            sleep(left.min(NAP));
        }
    }
}
