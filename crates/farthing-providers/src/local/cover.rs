//! Which part of a window the counters speak of.

use farthing_model::Window;
use jiff::{SignedDuration, Timestamp};

/// Shortest difference between the window and the time that the counters cover that is more than
/// scheduling and rounding.
const TOLERANCE_NANOS: i128 = 500_000_000;

/// How the counters' time lies in a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cover {
    /// Paid and not yet accounted, before the counters' time: the machine slept, or its clock was
    /// set forward.
    pub(super) unmeasured: Option<Window>,
    /// The part that the counters cover, which is always the last.
    pub(super) measured: Option<Window>,
    /// Counted amounts are to be multiplied by this ratio (nanoseconds over nanoseconds): the
    /// counters cover more time than the window, as the clock was set back.
    pub(super) scale: Option<(i128, i128)>,
    /// What happened, for people.
    pub(super) note: Option<String>,
}

/// Fits `elapsed_nanos` of counters, which end where `window` ends, into what of the window is not
/// accounted yet.
///
/// Time before `accounted_to` is never covered again: after the clock went back, the world repeats
/// an hour that was already paid. `elapsed_nanos` is time awake since the last look; `None` = the
/// kernel does not say, and the window is believed.
pub(super) fn cover(
    window: Window,
    accounted_to: Option<Timestamp>,
    elapsed_nanos: Option<i128>,
) -> Cover {
    let from = accounted_to.map_or(window.from(), |to| to.max(window.from()));
    let Ok(open) = Window::new(from, window.to()) else {
        let note = format!(
            "the clock went back: {window} was already accounted up to {from} and is left out"
        );
        return Cover { note: Some(note), ..Cover::default() };
    };
    let went_back = (from > window.from()).then(|| {
        format!("the clock went back: {window} was already accounted up to {from}; the rest counts")
    });
    let Some(elapsed) = elapsed_nanos else {
        return Cover { measured: Some(open), note: went_back, ..Cover::default() };
    };
    let tolerance = TOLERANCE_NANOS.max(open.nanos() / 20);
    if elapsed > open.nanos() + tolerance {
        let note = format!(
            "the counters cover {} and the clock only {}: it was set back, or the last look \
             failed; what was used is scaled to the time on the clock",
            seconds(elapsed),
            seconds(open.nanos())
        );
        let scale = Some((open.nanos(), elapsed));
        let note = Some(went_back.unwrap_or(note));
        return Cover { measured: Some(open), scale, note, ..Cover::default() };
    }
    if elapsed >= open.nanos() - tolerance {
        return Cover { measured: Some(open), note: went_back, ..Cover::default() };
    }
    let measured = duration(elapsed)
        .and_then(|elapsed| open.to().checked_sub(elapsed).ok())
        .and_then(|from| Window::new(from, open.to()).ok());
    let edge = measured.map_or(open.to(), Window::from);
    let unmeasured = Window::new(open.from(), edge).ok();
    let note = format!(
        "a gap: of {} on the clock the counters cover {} (the machine was suspended, or its clock \
         was set forward); the rest counts as not measured",
        seconds(open.nanos()),
        seconds(elapsed.max(0))
    );
    Cover { unmeasured, measured, scale: None, note: Some(note) }
}

fn duration(nanos: i128) -> Option<SignedDuration> {
    let nanos = i64::try_from(nanos).ok()?;
    (nanos > 0).then(|| SignedDuration::from_nanos(nanos))
}

/// `12.3 s`.
fn seconds(nanos: i128) -> String {
    format!("{}.{} s", nanos / 1_000_000_000, nanos % 1_000_000_000 / 100_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn window(from: i64, to: i64) -> Window {
        Window::new(at(from), at(to)).unwrap()
    }

    fn secs(seconds: i128) -> i128 {
        seconds * 1_000_000_000
    }

    #[test]
    fn a_usual_tick_is_measured_whole() {
        for elapsed in [None, Some(secs(10)), Some(secs(10) - 400_000_000)] {
            let cover = cover(window(100, 110), Some(at(100)), elapsed);
            let expect = Cover { measured: Some(window(100, 110)), ..Cover::default() };
            assert_eq!(cover, expect);
        }
    }

    #[test]
    fn sleep_is_not_measured() {
        let cover = cover(window(0, 3_610), None, Some(secs(10)));
        assert_eq!(cover.unmeasured, Some(window(0, 3_600)));
        assert_eq!(cover.measured, Some(window(3_600, 3_610)));
        assert!(cover.note.unwrap().starts_with("a gap: of 3610.0 s"));
    }

    #[test]
    fn a_clock_that_went_back_pays_nothing_twice() {
        let all = cover(window(50, 60), Some(at(100)), Some(secs(10)));
        assert_eq!((all.unmeasured, all.measured), (None, None));
        assert!(all.note.unwrap().starts_with("the clock went back"));
        let part = cover(window(95, 105), Some(at(100)), Some(secs(10)));
        assert_eq!(part.measured, Some(window(100, 105)));
        assert_eq!(part.scale, Some((secs(5), secs(10))));
    }

    #[test]
    fn counters_that_went_back_measure_nothing() {
        let cover = cover(window(0, 10), None, Some(-secs(100)));
        assert_eq!((cover.unmeasured, cover.measured), (Some(window(0, 10)), None));
    }

    proptest! {
        #[test]
        fn parts_lie_in_order_in_the_window(
            from in 0_i64..1_000, length in 1_i64..500, to in prop::option::of(0_i64..2_000),
            elapsed in prop::option::of(-1_000_000_000_000_i128..1_000_000_000_000),
        ) {
            let window = window(from, from + length);
            let cover = cover(window, to.map(at), elapsed);
            let open = to.map_or(from, |to| to.max(from));
            let length: i128 =
                [cover.unmeasured, cover.measured].into_iter().flatten().map(Window::nanos).sum();
            prop_assert_eq!(length, secs((window.to().as_second() - open).max(0).into()));
            if let (Some(before), Some(after)) = (cover.unmeasured, cover.measured) {
                prop_assert_eq!(before.to(), after.from());
            }
            if let Some((of, over)) = cover.scale {
                prop_assert!(0 < of && of < over);
            }
        }
    }
}
