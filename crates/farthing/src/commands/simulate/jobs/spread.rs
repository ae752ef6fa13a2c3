//! Means of several seeds, and how sure they are.

use serde_json::{Value, json};

/// Quantiles of Student's t for 95 % on both sides, by degrees of freedom from 1.
/// Source: any table of the distribution.
const T_95: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];
const T_95_MANY: f64 = 1.960;

/// A mean with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) mean: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// The spread of some values; an interval needs two.
pub(super) fn spread(values: &[f64]) -> Option<Spread> {
    let count = number(values.len());
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let error = (squares / (count - 1.0) / count).sqrt();
    let t = T_95.get(values.len() - 2).copied().unwrap_or(T_95_MANY);
    Some(Spread { mean, low: mean - t * error, high: mean + t * error })
}

impl Spread {
    pub(super) fn json(self) -> Value {
        json!({ "mean": self.mean, "low": self.low, "high": self.high })
    }
}

#[allow(clippy::cast_precision_loss, reason = "a number of runs")]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_that_of_students_t() {
        assert_eq!(spread(&[1.0]), None);
        let found = spread(&[4.0, 6.0]).unwrap();
        assert!((found.mean - 5.0).abs() < 1e-12);
        assert!((found.high - (5.0 + 12.706)).abs() < 1e-9, "{found:?}");
        let same = spread(&[2.0; 40]).unwrap();
        assert!((same.low - 2.0).abs() < 1e-12 && (same.high - 2.0).abs() < 1e-12);
    }
}
