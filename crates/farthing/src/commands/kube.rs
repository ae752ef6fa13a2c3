//! `farthing kube`: what a cluster needs from us.

mod kueue_config;
mod watchdog;

use crate::args::{KubeManifestsArgs, KubeWhat, Output};
use crate::outcome::Outcome;
use crate::print::data;
use anyhow::Context as _;
use farthing_kube::{Flavour, Reach, deployment, mutating_webhook, roles, webhook_service};
use farthing_providers::manifest::definitions;

/// Prints manifests, or does what belongs beside the loop.
pub(crate) fn run(what: &KubeWhat, output: Output) -> anyhow::Result<Outcome> {
    match what {
        KubeWhat::Manifests(args) => data(&manifests(args)?),
        KubeWhat::KueueConfig(args) => return kueue_config::run(args),
        KubeWhat::Watchdog(args) => return watchdog::run(args, output),
    }
    Ok(Outcome::Done)
}

fn manifests(args: &KubeManifestsArgs) -> anyhow::Result<String> {
    let mut out = "# What `farthing up --kube` needs in a cluster, and nothing more. Made by \
                   `farthing kube manifests`.\n"
        .to_owned();
    out += &definitions();
    if !args.crds_only {
        let flavour: Flavour = args.role.into();
        out += &roles(flavour);
        out += &deployment(flavour, &args.image, args.webhook);
    }
    if args.webhook {
        let made = certificate().context("no certificate can be made")?;
        out += &webhook_service(&made.certificate, &made.key);
        out += &mutating_webhook(args.webhook_fail.into(), &made.authority, &Reach::Service);
    }
    Ok(out)
}

/// A certificate for the webhook's service, as PEM.
struct Made {
    authority: String,
    certificate: String,
    key: String,
}

/// Makes an authority for one certificate. Its key is forgotten: nobody can make another one that
/// the API server would believe.
fn certificate() -> Result<Made, rcgen::Error> {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.distinguished_name.push(DnType::CommonName, "farthing webhook authority");
    let own = KeyPair::generate()?;
    let root = authority.self_signed(&own)?;
    let issuer = Issuer::new(authority, own);
    let names = ["farthing-webhook.farthing.svc", "farthing-webhook.farthing.svc.cluster.local"];
    let mut certificate = CertificateParams::new(names.map(str::to_owned))?;
    certificate.distinguished_name.push(DnType::CommonName, names[0]);
    let key = KeyPair::generate()?;
    let signed = certificate.signed_by(&key, &issuer)?;
    Ok(Made { authority: root.pem(), certificate: signed.pem(), key: key.serialize_pem() })
}
