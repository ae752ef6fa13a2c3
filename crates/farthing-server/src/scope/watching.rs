//! Following what is published, as far as it is someone's.

use super::Scoped;
use crate::publish::View;
use std::sync::Arc;
use tokio::sync::watch;

/// A view each time there is a newer one, for as long as he may see it.
pub(crate) struct Watching {
    views: watch::Receiver<Arc<View>>,
    scoped: Scoped,
    first: bool,
}

impl Scoped {
    /// The newest view, and then each that follows; who is too slow misses some.
    pub(crate) fn watch(&self) -> Watching {
        let views = self.inner().published.watch();
        Watching { views, scoped: self.clone(), first: true }
    }
}

impl Watching {
    /// The next view; `None` when there will be none, or his token is no longer good.
    pub(crate) async fn next(&mut self) -> Option<Arc<View>> {
        if !std::mem::take(&mut self.first) && self.views.changed().await.is_err() {
            return None;
        }
        if !self.scoped.sources.door().is_good(&self.scoped.who).await.unwrap_or(false) {
            return None;
        }
        let view = Arc::clone(&self.views.borrow_and_update());
        Some(self.scoped.narrowed(view))
    }
}
