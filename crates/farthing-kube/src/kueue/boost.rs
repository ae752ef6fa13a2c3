//! How much a Workload's priority is raised: by how close its deadline is, and by how much of its
//! work an eviction would lose.
//!
//! Levels are entered at one threshold and left at another, so that nothing goes up and down with
//! every look: each change of it makes Kueue order its queues anew.

use super::object::Queued;
use jiff::{SignedDuration, Timestamp};

/// What a deadline adds, by the time that is left: entered at the first, left at the second.
const URGENT: [(i64, SignedDuration, SignedDuration); 3] = [
    (300, SignedDuration::from_mins(30), SignedDuration::from_mins(40)),
    (200, SignedDuration::from_hours(2), SignedDuration::from_mins(150)),
    (100, SignedDuration::from_hours(8), SignedDuration::from_hours(9)),
];
/// What work since the last checkpoint adds, which an eviction would lose; a checkpoint ends it.
const UNSAVED: [(i64, SignedDuration); 2] =
    [(40, SignedDuration::from_hours(4)), (20, SignedDuration::from_hours(1))];

/// What its annotation should say instead, if something else; nothing is said of zero.
pub(super) fn change(it: &Queued, now: Timestamp) -> Option<i64> {
    let current = it.boost.as_deref().and_then(|text| text.parse().ok());
    let wanted = level(it, now, current.unwrap_or(0));
    (wanted != current.unwrap_or(0)).then_some(wanted)
}

fn level(it: &Queued, now: Timestamp, current: i64) -> i64 {
    // Both are told apart in the number: hundreds are the deadline's.
    let was = current - current.rem_euclid(100);
    let urgent = it.deadline.map_or(0, |deadline| {
        let left = deadline.duration_since(now);
        let holds = |(add, enter, leave): &&(i64, SignedDuration, SignedDuration)| {
            left <= if was >= *add { *leave } else { *enter }
        };
        URGENT.iter().find(holds).map_or(0, |(add, ..)| *add)
    });
    let since = it.checkpointed.max(it.admitted).filter(|_| it.admitted.is_some());
    let unsaved = since.map_or(0, |since| {
        let lost = now.duration_since(since);
        UNSAVED.iter().find(|(_, least)| lost >= *least).map_or(0, |(add, _)| *add)
    });
    urgent + unsaved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Names;

    fn workload(deadline: &str, boost: i64, admitted: Option<&str>) -> Queued {
        let conditions: Vec<_> = admitted
            .iter()
            .map(|at| {
                serde_json::json!({"type": "Admitted", "status": "True", "lastTransitionTime": at})
            })
            .collect();
        let it = serde_json::json!({
            "metadata": { "name": "a", "namespace": "b", "annotations": {
                "farthing.dev/deadline": deadline,
                "kueue.x-k8s.io/priority-boost": boost.to_string(),
            } },
            "status": { "conditions": conditions },
        });
        let now = Timestamp::UNIX_EPOCH;
        match super::super::read("Workload", &it.to_string(), &mut Names::default(), now) {
            Ok(super::super::QueueObject::Workload(it)) => *it,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_level_is_left_later_than_it_is_entered() {
        let now: Timestamp = "2026-11-10T12:00:00Z".parse().unwrap();
        let at = |deadline: &str, boost| change(&workload(deadline, boost, None), now);
        assert_eq!(at("2026-11-11T12:00:00Z", 0), None);
        assert_eq!(at("2026-11-10T20:30:00Z", 0), None, "8.5 hours are not 8");
        assert_eq!(at("2026-11-10T20:30:00Z", 100), None, "nor 9");
        assert_eq!(at("2026-11-10T20:00:00Z", 0), Some(100));
        assert_eq!(at("2026-11-10T14:00:00Z", 100), Some(200));
        assert_eq!(at("2026-11-10T12:10:00Z", 200), Some(300));
        assert_eq!(at("2026-11-12T12:00:00Z", 300), Some(0), "the deadline was moved");
        let running = workload("2026-11-12T12:00:00Z", 0, Some("2026-11-10T10:30:00Z"));
        assert_eq!(change(&running, now), Some(20), "an hour and a half would be lost");
    }
}
