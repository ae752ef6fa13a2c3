//! Threads that read what is slow to read: the books, and the journal.
//!
//! Reading Parquet or a database would hold up every other answer, and both are synchronous. A
//! thread makes one answer at a time; a few more may wait, others are told to come again. Where
//! there are two threads, what is fast does not wait for what is slow.
//! How many that is follows from how long answers took lately: who would wait longer than
//! [`WAIT_MAX`] is told so at once, as an answer that comes too late is work for nobody.

use crate::orders::chain;
use farthing_edge::Store;
use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Answers that may wait, however fast they are.
const QUEUE_MAX: usize = 256;

/// The longest that someone waits for his answer to be begun.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// One part of so many of the usual time is that of the last answer.
const MEMORY: u64 = 4;

/// A journal that another thread reads.
pub(crate) type Archive = Box<dyn Store + Send>;

/// Asks the thread that reads a `T`.
pub(crate) struct Reader<T> {
    ask: SyncSender<Task<T>>,
    load: Arc<Load>,
}

/// What a thread has to do.
#[derive(Debug, Default)]
struct Load {
    /// Answers that wait or are being made.
    pending: AtomicU64,
    /// How long one takes, as of lately, in microseconds.
    usual_us: AtomicU64,
    /// Threads that share the work.
    threads: u64,
}

impl Load {
    /// How long whoever comes now will wait.
    fn wait(&self) -> Duration {
        let pending = self.pending.load(Ordering::Relaxed);
        let usual = self.usual_us.load(Ordering::Relaxed);
        Duration::from_micros(pending.saturating_mul(usual) / self.threads.max(1))
    }

    fn ended(&self, took: Duration) {
        self.pending.fetch_sub(1, Ordering::Relaxed);
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // Of two threads that end at once one may not count: it is an estimate.
        let usual = self.usual_us.load(Ordering::Relaxed);
        let now = usual - usual / MEMORY + took / MEMORY;
        self.usual_us.store(now, Ordering::Relaxed);
    }
}

/// Reads and answers, unless nobody waits any longer.
type Task<T> = Box<dyn FnOnce(&T) + Send>;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Too many wait already; so many seconds are a sensible pause.
    Busy(u16),
    /// The thread is gone.
    Gone,
    /// It cannot be read, and why.
    Failed(String),
    /// It is not for one team to see, and why.
    NotYours(&'static str),
}

impl<T> std::fmt::Debug for Reader<T> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Reader")
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self { ask: self.ask.clone(), load: Arc::clone(&self.load) }
    }
}

impl<T: Send + 'static> Reader<T> {
    /// Starts a thread for each source, named `name`; they end when the last reader is dropped.
    pub(crate) fn start(name: &str, sources: impl IntoIterator<Item = T>) -> io::Result<Self> {
        let (ask, tasks) = sync_channel::<Task<T>>(QUEUE_MAX);
        let sources: Vec<T> = sources.into_iter().collect();
        let load = Load { threads: sources.len() as u64, ..Load::default() };
        let (load, tasks) = (Arc::new(load), Arc::new(Mutex::new(tasks)));
        for source in sources {
            let (load, tasks) = (Arc::clone(&load), Arc::clone(&tasks));
            std::thread::Builder::new().name(name.to_owned()).spawn(move || {
                while let Some(task) = next(&tasks) {
                    let began = Instant::now();
                    task(&source);
                    load.ended(began.elapsed());
                }
            })?;
        }
        Ok(Self { ask, load })
    }

    /// What `read` makes of it.
    pub(crate) async fn read<R: Send + 'static, E: Error>(
        &self,
        read: impl FnOnce(&T) -> Result<R, E> + Send + 'static,
    ) -> Result<R, Unread> {
        let wait = self.load.wait();
        let busy = Unread::Busy(u16::try_from(wait.as_secs()).unwrap_or(u16::MAX).max(1));
        if wait > WAIT_MAX {
            return Err(busy);
        }
        let (answer, answered) = oneshot::channel();
        let task: Task<T> = Box::new(move |source| {
            // Whoever asked may have given up: the request timed out or its connection closed.
            if !answer.is_closed() {
                let _ = answer.send(read(source).map_err(|error| chain(&error)));
            }
        });
        // Before it is sent: the thread may have done it before this one goes on.
        self.load.pending.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.ask.try_send(task) {
            self.load.pending.fetch_sub(1, Ordering::Relaxed);
            return Err(match error {
                TrySendError::Full(_) => busy,
                TrySendError::Disconnected(_) => Unread::Gone,
            });
        }
        answered.await.map_err(|_| Unread::Gone)?.map_err(Unread::Failed)
    }
}

/// What comes next; the lock is held while there is nothing, as no other thread has work then.
fn next<T>(tasks: &Mutex<Receiver<Task<T>>>) -> Option<Task<T>> {
    tasks.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn who_would_wait_too_long_is_told_when_to_come_again() {
        let (open, closed) = sync_channel::<()>(0);
        let reader = Reader::start("test", [Mutex::new(closed)]).unwrap();
        reader.load.usual_us.store(1_000_000, Ordering::Relaxed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ended = runtime.block_on(async {
            let mut asked = tokio::task::JoinSet::new();
            for _ in 0..6 {
                let reader = reader.clone();
                let wait = |door: &Mutex<std::sync::mpsc::Receiver<()>>| {
                    // Until the door is opened.
                    let _ = door.lock().map(|door| door.recv());
                    Ok::<_, Infallible>(())
                };
                asked.spawn(async move { reader.read(wait).await });
            }
            // All have asked; those that were refused know it already.
            tokio::task::yield_now().await;
            drop(open);
            asked.join_all().await
        });
        let busy = ended.iter().filter(|one| matches!(one, Err(Unread::Busy(4)))).count();
        // Four wait three seconds or less; who comes after them would wait four.
        assert_eq!((ended.iter().filter(|one| one.is_ok()).count(), busy), (4, 2));
        // As soon as they are done there is room again, and the usual time is another.
        let again = runtime.block_on(reader.read(|_| Ok::<_, Infallible>(7)));
        assert!(matches!(again, Ok(7)) && reader.load.usual_us.load(Ordering::Relaxed) < 1_000_000);
    }
}
