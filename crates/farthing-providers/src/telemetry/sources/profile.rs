//! Profiles of partitioned devices as exporters and Kubernetes spell them: `1g.5gb`, `mig-1g.5gb`,
//! `nvidia_com_mig_1g_5gb`, `1g.10gb+me`. What a profile is of its device is for
//! [`farthing_model::MigDevice`] to say.

use super::SourceMap;
use farthing_model::{MigDevice, MigError, MigProfile};
use std::borrow::Cow;

/// The profile's name that a resource of Kubernetes stands for, if it is one.
pub(crate) fn mig_profile(resource: &str) -> Option<Cow<'_, str>> {
    let name =
        resource.strip_prefix("nvidia_com_mig_").or(resource.strip_prefix("nvidia.com/mig-"))?;
    let name = dotted(name);
    let known =
        |device: MigDevice| matches!(device.profile(&name), Ok(_) | Err(MigError::Ambiguous(_)));
    (known(MigDevice::of_seven(None)) || known(MigDevice::of_four(None))).then_some(name)
}

/// Where labels cannot have a point there is a line.
fn dotted(name: &str) -> Cow<'_, str> {
    if name.contains('_') { name.replace('_', ".").into() } else { name.into() }
}

/// The profile of a name on a device of a model, of which the memory may be known. A name that
/// means one memory slice of one card and two of another is taken for the one.
pub(crate) fn profile(
    map: &SourceMap,
    (model, gigabytes): (&str, Option<u32>),
    name: &str,
) -> Option<MigProfile> {
    let kind = map.slices.iter().find(|kind| model.contains(&kind.model));
    let device = |gigabytes| match kind.map(|kind| kind.compute) {
        Some(4) => MigDevice::of_four(gigabytes),
        _ => MigDevice::of_seven(gigabytes),
    };
    let name = dotted(name);
    let of_size = device(gigabytes).profile(&name);
    match of_size.or_else(|_| device(None).profile(&name)) {
        Ok(profile) => Some(profile),
        Err(MigError::Ambiguous(_)) => MigProfile::from_slices(device(None), 1, 1),
        Err(_) => None,
    }
}
