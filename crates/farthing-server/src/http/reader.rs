//! The thread that reads the books.
//!
//! Reading Parquet would hold up every other answer, and the books are synchronous. One thread
//! makes one report at a time; a few more may wait, others are told to come again.

use farthing_ledger::{Books, ReportError};
use std::io;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use tokio::sync::oneshot;

/// Reports that may wait.
const QUEUE_MAX: usize = 8;

/// Asks the thread.
#[derive(Clone)]
pub(super) struct Reader(SyncSender<Task>);

/// Reads the books and answers, unless nobody waits any longer.
type Task = Box<dyn FnOnce(&Books) + Send>;

/// Why there is no report.
#[derive(Debug)]
pub(super) enum Unread {
    /// Too many wait already.
    Busy,
    /// The thread is gone.
    Gone,
    /// The books cannot be read.
    Report(ReportError),
}

impl Reader {
    /// Starts the thread; it ends when the last reader is dropped.
    pub(super) fn start(books: Books) -> io::Result<Self> {
        let (ask, tasks) = sync_channel::<Task>(QUEUE_MAX);
        std::thread::Builder::new().name("books".to_owned()).spawn(move || {
            for task in tasks {
                task(&books);
            }
        })?;
        Ok(Self(ask))
    }

    /// What `read` makes of the books.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Books) -> Result<T, ReportError> + Send + 'static,
    ) -> Result<T, Unread> {
        let (answer, answered) = oneshot::channel();
        let task: Task = Box::new(move |books| {
            // Whoever asked may have given up: the request timed out or its connection closed.
            if !answer.is_closed() {
                let _ = answer.send(read(books));
            }
        });
        self.0.try_send(task).map_err(|error| match error {
            TrySendError::Full(_) => Unread::Busy,
            TrySendError::Disconnected(_) => Unread::Gone,
        })?;
        answered.await.map_err(|_| Unread::Gone)?.map_err(Unread::Report)
    }
}
