//! `/api/v1/events`: each tick as it happens, as server-sent events.

use crate::publish::View;
use crate::scope::Scoped;
use crate::wire;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{self, Stream};
use std::convert::Infallible;
use std::time::Duration;

/// Between two signs of life: less than the silence after which a connection is closed.
const ALIVE: Duration = Duration::from_secs(15);

/// The newest tick, and then each that follows; a reader that is too slow misses some.
pub(super) async fn events(scoped: Scoped) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let views = scoped.watch();
    let events = stream::unfold((views, None), |(mut views, mut sent)| async move {
        loop {
            let view = views.next().await?;
            if sent == Some((view.version, view.ticks)) {
                continue;
            }
            let what = match sent {
                Some((_, ticks)) if ticks == view.ticks => "changed",
                _ => "tick",
            };
            sent = Some((view.version, view.ticks));
            if let Some(event) = event(&view, what) {
                return Some((Ok(event), (views, sent)));
            }
        }
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE))
}

/// A tick, or that something else is new: a failure, or what is open.
fn event(view: &View, what: &'static str) -> Option<Event> {
    let event = Event::default().id(view.ticks.to_string()).event(what);
    if what == "changed" {
        return event.json_data(wire::health(view)).ok();
    }
    event.json_data(wire::tick(&view.last.as_ref()?.tick)).ok()
}
