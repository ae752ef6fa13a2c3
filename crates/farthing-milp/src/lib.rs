//! Mixed-integer linear programs with proven bounds; the only crate that calls a solver.
//!
//! A caller builds a [`Problem`] in integers, calls [`solve`], and gets integers back: every point
//! is checked exactly before it is returned, and every answer carries a [`DualCertificate`] whose
//! bound the caller can recompute with [`Problem::certified_bound`] without trust in the solver.
//! Column generation uses [`relax`] and [`DualCertificate::reduced_cost`].
//!
//! The crate refuses to know what a variable means, what time it is, and how many cores there are:
//! one thread, a fixed seed, work limits. Start at [`solve`]; the mathematics is in `README.md`.
//!
//! ```
//! use farthing_milp::{Kind, Limits, Outcome, Problem, Sense, VarSpec, solve};
//!
//! // At least 10 GPUs, from nodes of 8 at 98.32 USD/h and of 1 at 12.29 USD/h (in 1e-12 USD).
//! let mut problem = Problem::new();
//! let gpus = problem.add_row(Sense::AtLeast, 10)?;
//! let node = |cost| VarSpec { cost, lower: 0, upper: Some(100), kind: Kind::Integer };
//! problem.add_var(node(98_320_000_000_000), &[(gpus, 8)])?;
//! problem.add_var(node(12_290_000_000_000), &[(gpus, 1)])?;
//! let Outcome::Optimal(best) = solve(&problem, &Limits::default())? else { unreachable!() };
//! assert_eq!(best.objective, 122_900_000_000_000);
//! assert_eq!(best.bound, Some(best.objective));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![allow(clippy::doc_markdown, reason = "HiGHS is a name, not code")]

mod backend;
mod certificate;
mod choices;
mod problem;
mod relax;
mod round;
mod scale;
mod solve;
mod wide;

pub use certificate::{DualCertificate, SHIFT_MAX};
pub use choices::{
    Binding, Broken, Choices, ChoicesError, Mixture, PRICE_SHIFT, SHARE_ONE, Share, Use,
};
pub use problem::{Kind, Overflow, Problem, ProblemError, Row, Sense, Var, VarSpec, Violation};
pub use relax::{Relaxation, Relaxed, relax, relax_inside};
pub use solve::{Limits, Outcome, Solution, SolveError, Stop, solve, solve_from};
