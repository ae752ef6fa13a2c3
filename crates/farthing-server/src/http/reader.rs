//! The thread that reads the books.
//!
//! Reading Parquet would hold up every other answer, and the books are synchronous. One thread
//! reads one statement at a time; a few more may wait, others are told to come again.

use farthing_ledger::{Books, ReportError, Statement, StatementQuery, statement};
use std::io;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use tokio::sync::oneshot;

/// Statements that may wait.
const QUEUE_MAX: usize = 8;

/// Asks the thread.
#[derive(Clone, Debug)]
pub(super) struct Reader(SyncSender<Task>);

type Answer = Result<Statement, ReportError>;

struct Task {
    query: StatementQuery,
    answer: oneshot::Sender<Answer>,
}

/// Why there is no statement.
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
                // Whoever asked has given up: the request timed out or its connection closed.
                if task.answer.is_closed() {
                    continue;
                }
                let _ = task.answer.send(statement(&books, &task.query));
            }
        })?;
        Ok(Self(ask))
    }

    /// The statement of a query.
    pub(super) async fn statement(&self, query: StatementQuery) -> Result<Statement, Unread> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Task { query, answer }).map_err(|error| match error {
            TrySendError::Full(_) => Unread::Busy,
            TrySendError::Disconnected(_) => Unread::Gone,
        })?;
        answered.await.map_err(|_| Unread::Gone)?.map_err(Unread::Report)
    }
}
