//! Threads that read what is slow to read: the books, and the journal.
//!
//! Reading Parquet or a database would hold up every other answer, and both are synchronous. One
//! thread for each makes one answer at a time; a few more may wait, others are told to come again.

use crate::orders::chain;
use farthing_edge::Store;
use std::error::Error;
use std::io;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use tokio::sync::oneshot;

/// Answers that may wait.
const QUEUE_MAX: usize = 64;

/// A journal that another thread reads.
pub(crate) type Archive = Box<dyn Store + Send>;

/// Asks the thread that reads a `T`.
pub(crate) struct Reader<T>(SyncSender<Task<T>>);

/// Reads and answers, unless nobody waits any longer.
type Task<T> = Box<dyn FnOnce(&T) + Send>;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Too many wait already.
    Busy,
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
        Self(self.0.clone())
    }
}

impl<T: Send + 'static> Reader<T> {
    /// Starts the thread, named `name`; it ends when the last reader is dropped.
    pub(crate) fn start(name: &str, source: T) -> io::Result<Self> {
        let (ask, tasks) = sync_channel::<Task<T>>(QUEUE_MAX);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            for task in tasks {
                task(&source);
            }
        })?;
        Ok(Self(ask))
    }

    /// What `read` makes of it.
    pub(crate) async fn read<R: Send + 'static, E: Error>(
        &self,
        read: impl FnOnce(&T) -> Result<R, E> + Send + 'static,
    ) -> Result<R, Unread> {
        let (answer, answered) = oneshot::channel();
        let task: Task<T> = Box::new(move |source| {
            // Whoever asked may have given up: the request timed out or its connection closed.
            if !answer.is_closed() {
                let _ = answer.send(read(source).map_err(|error| chain(&error)));
            }
        });
        self.0.try_send(task).map_err(|error| match error {
            TrySendError::Full(_) => Unread::Busy,
            TrySendError::Disconnected(_) => Unread::Gone,
        })?;
        answered.await.map_err(|_| Unread::Gone)?.map_err(Unread::Failed)
    }
}
