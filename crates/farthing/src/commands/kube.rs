//! `farthing kube`: what a cluster needs from us.

mod kueue_config;
mod watchdog;

use crate::args::{KubeManifestsArgs, KubeWhat, Output};
use crate::outcome::Outcome;
use crate::print::data;
use farthing_kube::{Flavour, deployment, roles};
use farthing_providers::manifest::definitions;

/// Prints manifests, or does what belongs beside the loop.
pub(crate) fn run(what: &KubeWhat, output: Output) -> anyhow::Result<Outcome> {
    match what {
        KubeWhat::Manifests(args) => data(&manifests(args)),
        KubeWhat::KueueConfig(args) => return kueue_config::run(args),
        KubeWhat::Watchdog(args) => return watchdog::run(args, output),
    }
    Ok(Outcome::Done)
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
