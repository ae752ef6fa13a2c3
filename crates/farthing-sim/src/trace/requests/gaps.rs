//! Gaps between requests, drawn from the shapes that `ServeGen` fits to its clients.
//!
//! Only the shape of a gap matters here: the requests of a window are as many as its rate says, and
//! the gaps between them are stretched to fill it.

use crate::Random;

/// The shape of gaps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// Gamma, with its shape parameter.
    Gamma(f64),
    /// Weibull, with its shape parameter.
    Weibull(f64),
}

impl Shape {
    /// A gap in units of its own.
    pub(super) fn draw(self, random: &mut Random) -> f64 {
        match self {
            Self::Weibull(shape) => (-unit(random).ln()).powf(1.0 / shape),
            Self::Gamma(shape) if shape < 1.0 => {
                let boost = unit(random).powf(1.0 / shape);
                gamma(shape + 1.0, random) * boost
            }
            Self::Gamma(shape) => gamma(shape, random),
        }
    }
}

/// Marsaglia and Tsang (2000), for shapes of at least one.
fn gamma(shape: f64, random: &mut Random) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(random);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && unit(random).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

/// Box and Muller.
fn normal(random: &mut Random) -> f64 {
    let (a, b) = (unit(random), unit(random));
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

/// Evenly between nothing and one, never either.
#[allow(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
pub(super) fn unit(random: &mut Random) -> f64 {
    ((random.bits() >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
}

/// Moments of so many requests within a window of a length, ascending.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "microseconds of a window of minutes"
)]
pub(super) fn moments(
    shape: Shape,
    (count, length_us): (usize, i64),
    random: &mut Random,
    mut at: impl FnMut(i64),
) {
    let gaps: Vec<f64> = (0..=count).map(|_| shape.draw(random)).collect();
    let whole: f64 = gaps.iter().sum();
    let length = length_us as f64;
    let mut sum = 0.0;
    for (index, gap) in gaps.iter().take(count).enumerate() {
        sum += gap;
        // Gaps may all be too small for a float: then they are alike.
        let part = if whole > 0.0 && whole.is_finite() {
            sum / whole
        } else {
            (index + 1) as f64 / (count + 1) as f64
        };
        at(((part * length) as i64).clamp(0, length_us - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::cast_precision_loss, reason = "a mean")]
    fn gaps_have_the_mean_and_the_spread_of_their_shape() {
        let mut random = Random::new(3);
        // Mean and coefficient of variation of each shape.
        for (shape, mean, cv) in [
            (Shape::Gamma(4.0), 4.0, 0.5),
            (Shape::Gamma(0.25), 0.25, 2.0),
            (Shape::Weibull(1.0), 1.0, 1.0),
            (Shape::Weibull(0.5), 2.0, 5_f64.sqrt()),
        ] {
            let all: Vec<f64> = (0..200_000).map(|_| shape.draw(&mut random)).collect();
            let is = all.iter().sum::<f64>() / all.len() as f64;
            let var = all.iter().map(|gap| (gap - is).powi(2)).sum::<f64>() / all.len() as f64;
            assert!((is / mean - 1.0).abs() < 0.03, "{shape:?}: {is}");
            assert!((var.sqrt() / is / cv - 1.0).abs() < 0.05, "{shape:?}: {}", var.sqrt() / is);
        }
    }

    #[test]
    fn a_window_has_as_many_as_it_is_told_in_order() {
        let mut random = Random::new(1);
        for shape in [Shape::Gamma(0.001), Shape::Weibull(0.7), Shape::Gamma(3.0)] {
            let mut all = Vec::new();
            moments(shape, (50, 600_000_000), &mut random, |at| all.push(at));
            assert_eq!(all.len(), 50);
            assert!(all.is_sorted() && all.iter().all(|at| (0..600_000_000).contains(at)));
        }
    }
}
