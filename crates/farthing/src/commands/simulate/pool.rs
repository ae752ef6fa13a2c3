//! Many runs on as many cores as there are.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What each of so many runs gives, in their order. After one that failed no more are begun: the
/// answer ends with it, or with one before it that failed meanwhile.
pub(super) fn all<T: Send>(
    count: usize,
    run: impl Fn(usize) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, anyhow::Result<T>>> = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(count);
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return;
            }
            let ran = run(at);
            if ran.is_err() {
                next.store(count, Ordering::Relaxed);
            }
            if let Ok(mut done) = done.lock() {
                done.insert(at, ran);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let done = done.into_inner().map_err(|_| anyhow::anyhow!("a run broke off"))?;
    done.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::unwrap_used, reason = "a failure here is a failed test")]
    fn runs_come_in_their_order_and_end_with_the_first_that_fails() {
        assert_eq!(all(50, |at| Ok(at * 2)).unwrap(), (0..50).map(|at| at * 2).collect::<Vec<_>>());
        let begun = AtomicUsize::new(0);
        let failed = all(10_000, |at| {
            begun.fetch_add(1, Ordering::Relaxed);
            anyhow::ensure!(at != 3, "run {at} fails");
            Ok(at)
        });
        assert_eq!(failed.unwrap_err().to_string(), "run 3 fails");
        assert!(begun.into_inner() < 10_000, "no more are begun");
        assert!(all(0, |_| Ok(())).unwrap().is_empty());
    }
}
