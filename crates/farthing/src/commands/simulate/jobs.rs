//! Jobs of whole clusters: who runs next, on which nodes, and which nodes are on.
//!
//! Start with [`Jobs`]; `asked` reads the arguments, `runs` replays, `answer` sums up, `picture`
//! draws.

mod answer;
pub(super) mod asked;
mod picture;
mod runs;
mod spread;

use super::format::{Asked, Format, Policies};
use super::result::Simulated;
use crate::plot;
use farthing_sim::trace::jobs::JobFormat;

/// A trace of jobs, written in some form.
pub(super) struct Jobs(pub(super) JobFormat);

impl Format for Jobs {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn what(&self) -> &'static str {
        self.0.what()
    }

    fn takes(&self) -> &'static [&'static str] {
        &[
            "--cluster",
            "--price",
            "--prices",
            "--rent",
            "--deadline",
            "--limit",
            "--seed",
            "--seeds",
            "--set",
            "--sweep",
            "--plot",
        ]
    }

    fn policies(&self) -> Policies {
        Policies {
            all: &["farthing", "fifo", "greedy-r", "ffd-cheapest"],
            usual: &["farthing", "fifo", "greedy-r", "ffd-cheapest"],
        }
    }

    fn run(&self, asked: &Asked<'_>) -> anyhow::Result<Simulated> {
        let wanted = asked::Wanted::read(asked, self.0)?;
        let ran = runs::all(&wanted)?;
        if let Some(path) = &asked.args.plot {
            plot::write(path, &picture::picture(&wanted, &ran)?)?;
        }
        answer::simulated(&wanted, &ran)
    }
}
