//! `farthing kube`: what a cluster needs from us.

use crate::args::{KubeManifestsArgs, KubeWhat};
use crate::outcome::Outcome;
use crate::print::data;
use farthing_kube::{Flavour, deployment, roles};
use farthing_providers::manifest::definitions;

/// Prints manifests.
pub(crate) fn run(what: &KubeWhat) -> Outcome {
    match what {
        KubeWhat::Manifests(args) => data(&manifests(args)),
    }
    Outcome::Done
}

fn manifests(args: &KubeManifestsArgs) -> String {
    let mut out = "# What `farthing up --kube` needs in a cluster, and nothing more. Made by \
                   `farthing kube manifests`.\n"
        .to_owned();
    out += &definitions();
    if !args.crds_only {
        let flavour: Flavour = args.role.into();
        out += &roles(flavour);
        out += &deployment(flavour, &args.image);
    }
    out
}
