//! How long a job may take, and what that rests on: what is stated, and what earlier runs of the
//! same kind took.

use farthing_engine::RunRecord;
use farthing_providers::estimate::AskedJob;
use jiff::SignedDuration;

/// The tenth and the ninetieth of a hundred are the range that is told.
const RANGE: [usize; 3] = [10, 50, 90];
/// A ratio of one, in millionths.
const ONE: i128 = 1_000_000;

/// How long, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Takes {
    pub(crate) low: Option<SignedDuration>,
    pub(crate) expected: Option<SignedDuration>,
    pub(crate) high: Option<SignedDuration>,
    /// In words.
    pub(crate) basis: String,
    /// Earlier runs that it rests on.
    pub(crate) runs: usize,
}

/// What is stated of how long a job takes: by whoever asks or as measured, else by its limit.
pub(crate) fn stated(
    job: &AskedJob,
    known: Option<SignedDuration>,
) -> Option<(SignedDuration, String)> {
    match (known, &job.limit, &job.options[..]) {
        (Some(length), ..) => Some((length, "as stated or measured".to_owned())),
        (None, Some(limit), _) => Some((limit.length, limit.from.clone())),
        (None, None, [(_, length)]) => Some((*length, "measured throughput".to_owned())),
        (None, None, _) => None,
    }
}

/// The range of what it may take.
pub(crate) fn takes(job: &AskedJob, known: Option<SignedDuration>, runs: &[RunRecord]) -> Takes {
    if job.endless {
        return Takes { basis: "it runs until someone ends it".to_owned(), ..Takes::default() };
    }
    let stated = stated(job, known);
    let limit = job.limit.as_ref().map(|limit| limit.length);
    let complete: Vec<&RunRecord> = runs.iter().filter(|run| run.complete).collect();
    if let Some(mut takes) = learned(stated.as_ref(), &complete) {
        // Nothing takes longer than it is allowed to.
        if let Some(limit) = limit.filter(|_| !job.exact) {
            for length in [&mut takes.low, &mut takes.expected, &mut takes.high] {
                *length = length.map(|length| length.min(limit));
            }
        }
        return takes;
    }
    match stated {
        None => Takes {
            basis: "nothing says how long it takes: give --takes 6h, a limit in the file, or run \
                    it once with `farthing run --of FILE`"
                .to_owned(),
            ..Takes::default()
        },
        Some((length, basis)) if known.is_some() || job.exact => {
            let all = Some(length);
            Takes { low: all, expected: all, high: all, basis, runs: 0 }
        }
        Some((length, from)) => Takes {
            low: None,
            expected: None,
            high: Some(length),
            basis: format!("at most {from}; how much of that it needs is not known"),
            runs: 0,
        },
    }
}

/// From earlier runs: what they took of what was stated then, times what is stated now; or simply
/// what they took, where nothing is or was stated.
fn learned(stated: Option<&(SignedDuration, String)>, runs: &[&RunRecord]) -> Option<Takes> {
    let ratio = |run: &&RunRecord| {
        let expected = run.expected_ms.filter(|expected| *expected > 0)?;
        Some(i128::from(run.wall_ms) * ONE / i128::from(expected))
    };
    let ratios: Vec<i128> = runs.iter().filter_map(ratio).collect();
    if let Some((length, from)) = stated.filter(|_| !ratios.is_empty()) {
        let of = |ratio: i128| {
            let nanos = length.as_nanos().checked_mul(ratio)? / ONE;
            Some(SignedDuration::from_nanos(i64::try_from(nanos).ok()?))
        };
        let [low, expected, high] = quantiles(ratios.clone());
        let percent = |ratio: i128| ratio / 10_000;
        return Some(Takes {
            low: of(low),
            expected: of(expected),
            high: of(high),
            basis: format!(
                "{from}, of which {} earlier runs took {} % ({} to {} %)",
                ratios.len(),
                percent(expected),
                percent(low),
                percent(high)
            ),
            runs: ratios.len(),
        });
    }
    let walls: Vec<i128> = runs.iter().map(|run| i128::from(run.wall_ms)).collect();
    if walls.is_empty() {
        return None;
    }
    let (count, [low, expected, high]) = (walls.len(), quantiles(walls));
    let of = |milli: i128| i64::try_from(milli).ok().map(SignedDuration::from_millis);
    Some(Takes {
        low: of(low),
        expected: of(expected),
        high: of(high),
        basis: format!("what {count} earlier runs took"),
        runs: count,
    })
}

/// Quantiles by the nearest rank.
fn quantiles(mut values: Vec<i128>) -> [i128; 3] {
    values.sort_unstable();
    RANGE.map(|percent| {
        let rank = (values.len() * percent).div_ceil(100).clamp(1, values.len().max(1));
        values.get(rank - 1).copied().unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_providers::estimate::{Limit, read};

    fn job(limit_s: Option<i64>) -> AskedJob {
        let text = "kind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a}]}\n";
        let path = std::path::Path::new("a.yaml");
        let asked = read(path, text, jiff::Timestamp::UNIX_EPOCH);
        let mut job = asked.jobs.into_iter().next().unwrap();
        let limit = |s| Limit { length: SignedDuration::from_secs(s), from: "--time".to_owned() };
        job.limit = limit_s.map(limit);
        job
    }

    fn run(wall_s: u64, expected_s: Option<u64>, complete: bool) -> RunRecord {
        RunRecord {
            run: "r".to_owned(),
            kind: "k".to_owned(),
            from: "2026-11-01T00:00:00Z".to_owned(),
            wall_ms: wall_s * 1_000,
            outcome: String::new(),
            complete,
            cost: None,
            expected_ms: expected_s.map(|s| s * 1_000),
            expected_cost: None,
        }
    }

    fn seconds(takes: &Takes) -> [Option<i64>; 3] {
        [takes.low, takes.expected, takes.high].map(|length| length.map(|it| it.as_secs()))
    }

    #[test]
    fn a_limit_is_an_upper_end_and_no_more() {
        assert_eq!(seconds(&takes(&job(Some(60)), None, &[])), [None, None, Some(60)]);
        assert_eq!(seconds(&takes(&job(None), None, &[])), [None; 3]);
        let stated = Some(SignedDuration::from_secs(30));
        assert_eq!(seconds(&takes(&job(Some(60)), stated, &[])), [Some(30); 3]);
    }

    #[test]
    fn earlier_runs_say_how_much_of_what_was_stated_is_needed() {
        let runs: Vec<RunRecord> = (1..=10).map(|tenth| run(tenth * 10, Some(100), true)).collect();
        // Twice the limit that they had: twice as long.
        let found = takes(&job(Some(200)), None, &runs);
        assert_eq!(seconds(&found), [Some(20), Some(100), Some(180)]);
        assert_eq!(found.runs, 10);
        // Nothing is stated: as long as they took. What failed or was stopped says nothing.
        let mut walls = vec![run(5, None, true), run(7, None, true), run(1, None, false)];
        let found = takes(&job(None), None, &walls);
        assert_eq!((seconds(&found), found.runs), ([Some(5), Some(5), Some(7)], 2));
        // Never longer than it may.
        walls.push(run(900, None, true));
        assert_eq!(seconds(&takes(&job(Some(6)), None, &walls))[2], Some(6));
    }
}
