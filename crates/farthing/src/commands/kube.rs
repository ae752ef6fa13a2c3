//! `farthing kube`: what a cluster needs from us.

use crate::args::KubeWhat;
use crate::outcome::Outcome;
use crate::print::data;

/// Prints manifests.
pub(crate) fn run(what: KubeWhat) -> Outcome {
    match what {
        KubeWhat::Manifests => data(&farthing_kube::manifests()),
    }
    Outcome::Done
}
