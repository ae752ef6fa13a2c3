//! Answers that several people get: who asks for what is being made already waits for that, and
//! what was made a moment ago is sent again.
//!
//! The dashboards of a team ask for the same reports at the same time, each of which reads the
//! books. An answer is shared only among those who see the same teams and ask for the very same
//! address, while nothing new was published, and for [`KEPT_MAX`] at most: that is how old what
//! another process wrote into the books (an import) can be missing. Refusals and faults are nobody
//! else's.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// How long an answer is sent again.
const KEPT_MAX: Duration = Duration::from_secs(5);

/// Answers that are kept or made at once; what is asked beside them is made for each alone.
const ENTRIES_MAX: usize = 128;

/// Larger answers are only for those who wait for them already: with [`ENTRIES_MAX`] this bounds
/// the memory.
const KEPT_BYTES_MAX: usize = 512 << 10;

/// An answer with status 200, whole.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
    pub(super) tag: String,
}

/// Answers that are made, and those that were made last.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<BTreeMap<String, Entry>>);

#[derive(Debug)]
struct Entry {
    began: Instant,
    cell: Arc<OnceCell<Arc<Answered>>>,
}

impl Kept {
    /// The answer to `request`, which `key` names whole: made by `next`, or by someone before.
    ///
    /// # Errors
    /// Any other answer than one with status 200, as it is.
    pub(super) async fn answer(
        &self,
        key: String,
        bytes_max: usize,
        (request, next): (Request, Next),
    ) -> Result<Arc<Answered>, Box<Response>> {
        let make = || made(next.run(request), bytes_max);
        let Some(cell) = self.cell(&key, Instant::now()) else {
            return make().await.map(Arc::new);
        };
        // Where whoever makes it gives up, one of those who wait goes on in his place.
        let answered = cell.get_or_try_init(|| async { make().await.map(Arc::new) }).await?;
        if answered.bytes.len() > KEPT_BYTES_MAX {
            self.entries().remove(&key);
        }
        Ok(Arc::clone(answered))
    }

    /// Where the answer of a key is, or will be; `None` where too many others are.
    fn cell(&self, key: &str, now: Instant) -> Option<Arc<OnceCell<Arc<Answered>>>> {
        let mut entries = self.entries();
        let is_fresh = |entry: &Entry| now.saturating_duration_since(entry.began) < KEPT_MAX;
        entries.retain(|_, entry| {
            // What is being made is waited for by someone, who holds it too.
            is_fresh(entry) || (!entry.cell.initialized() && Arc::strong_count(&entry.cell) > 1)
        });
        if let Some(entry) = entries.get(key) {
            return Some(Arc::clone(&entry.cell));
        }
        if entries.len() >= ENTRIES_MAX {
            return None;
        }
        let cell = Arc::<OnceCell<Arc<Answered>>>::default();
        entries.insert(key.to_owned(), Entry { began: now, cell: Arc::clone(&cell) });
        Some(cell)
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn made(
    answer: impl Future<Output = Response>,
    bytes_max: usize,
) -> Result<Answered, Box<Response>> {
    let response = answer.await;
    if response.status() != StatusCode::OK {
        return Err(Box::new(response));
    }
    let (parts, body) = response.into_parts();
    match to_bytes(body, bytes_max).await {
        Ok(bytes) => {
            let tag = crate::identity::content_tag(&bytes);
            Ok(Answered { headers: parts.headers, bytes, tag })
        }
        Err(_) => Err(Box::new(StatusCode::INTERNAL_SERVER_ERROR.into_response())),
    }
}

impl Answered {
    /// As it was made.
    pub(super) fn response(&self) -> Response {
        let mut response = Body::from(self.bytes.clone()).into_response();
        *response.headers_mut() = self.headers.clone();
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered() -> Arc<Answered> {
        Arc::new(Answered { headers: HeaderMap::new(), bytes: Bytes::new(), tag: String::new() })
    }

    #[test]
    fn an_answer_is_shared_while_it_is_made_and_for_a_moment_after() {
        let kept = Kept::default();
        let now = Instant::now();
        let first = kept.cell("a", now).unwrap();
        // However long it takes.
        let late = now + KEPT_MAX * 10;
        assert!(Arc::ptr_eq(&first, &kept.cell("a", late).unwrap()));
        assert!(!Arc::ptr_eq(&first, &kept.cell("b", now).unwrap()));
        first.set(answered()).unwrap();
        assert!(!Arc::ptr_eq(&first, &kept.cell("a", late).unwrap()));
        // What nobody makes any more, as everybody gave up, is forgotten too.
        let given_up = Arc::downgrade(&kept.cell("c", now).unwrap());
        kept.cell("d", late).unwrap();
        assert!(given_up.upgrade().is_none());
    }

    #[test]
    fn no_more_answers_are_kept_than_the_limit() {
        let kept = Kept::default();
        let now = Instant::now();
        let cells: Vec<_> = (0..ENTRIES_MAX).map(|n| kept.cell(&n.to_string(), now)).collect();
        assert!(cells.iter().all(Option::is_some));
        assert!(kept.cell("more", now).is_none());
        assert!(kept.cell("0", now).is_some());
        drop(cells);
        assert!(kept.cell("more", now + KEPT_MAX).is_some());
    }
}
