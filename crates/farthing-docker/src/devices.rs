//! Accelerators that containers asked for, and what of each is theirs: whether or not anything runs
//! on it, as nobody else is meant to have it.
//!
//! ```text
//! HostConfig.DeviceRequests   --gpus of Docker, also `cdi` requests
//! HostConfig.Devices          /dev/nvidia0; nvidia.com/gpu=0 where an engine says so
//! NVIDIA_VISIBLE_DEVICES      where the runtime is NVIDIA's: images set it too, and get nothing
//! ```
//!
//! Who *uses* a device is told by the driver, process by process, and by the control groups of
//! those. It refuses to guess which devices `--gpus 2` got: the engine does not say.

use crate::wire::{DeviceRequest, Inspected};
use farthing_model::{
    Attribution, DeviceId, DeviceUse, NodeId, Resource, Sample, SourceId, Window, proportion,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The variable that NVIDIA's runtime goes by.
const VISIBLE: &str = "NVIDIA_VISIBLE_DEVICES";
/// What devices of the container device interface are called.
const CDI: &str = "nvidia.com/gpu=";

/// What a container asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// All of them.
    all: bool,
    /// By number, or by unique id.
    named: BTreeSet<String>,
    /// Any so many, of which it is not known which.
    any: u32,
    /// From when on the container runs.
    pub(crate) since: Option<Timestamp>,
}

impl Asked {
    /// Reads what an engine says of a container.
    pub(crate) fn read(seen: &Inspected) -> Self {
        let host = &seen.host_config;
        let mut asked = Self { since: seen.state.started_at.parse().ok(), ..Self::default() };
        for request in host.device_requests.iter().flatten() {
            asked.request(request);
        }
        for device in host.devices.iter().flatten() {
            let path = &device.path_on_host;
            if let Some(name) = path.strip_prefix(CDI) {
                asked.name(name);
            } else if let Some(number) = path.strip_prefix("/dev/nvidia") {
                // `nvidiactl` and `nvidia-uvm` are no accelerators.
                if number.bytes().all(|byte| byte.is_ascii_digit()) {
                    asked.name(number);
                }
            }
        }
        if host.runtime.as_deref().is_some_and(|runtime| runtime.contains("nvidia")) {
            let mut variables = seen.config.env.iter().flatten();
            let value = variables.find_map(|it| it.strip_prefix(VISIBLE)?.strip_prefix('='));
            for name in value.unwrap_or_default().split(',') {
                asked.name(name.trim());
            }
        }
        asked
    }

    fn request(&mut self, request: &DeviceRequest) {
        let ids = request.device_ids.iter().flatten();
        let ids: Vec<&str> = ids.map(|id| id.strip_prefix(CDI).unwrap_or(id)).collect();
        let of_gpus = request.driver.as_deref() == Some("nvidia")
            || request.capabilities.iter().flatten().flatten().any(|it| it == "gpu");
        let by_cdi = request.driver.as_deref() == Some("cdi");
        if by_cdi {
            let given = request.device_ids.iter().flatten();
            for name in given.filter_map(|id| id.strip_prefix(CDI)) {
                self.name(name);
            }
        } else if of_gpus && !ids.is_empty() {
            for name in ids {
                self.name(name);
            }
        } else if of_gpus && request.count < 0 {
            self.all = true;
        } else if of_gpus {
            self.any = self.any.saturating_add(u32::try_from(request.count).unwrap_or(0));
        }
    }

    fn name(&mut self, name: &str) {
        match name {
            "" | "none" | "void" => {}
            "all" => self.all = true,
            name => {
                self.named.insert(name.to_owned());
            }
        }
    }

    /// How many it asked for without saying which.
    pub(crate) const fn unnamed(&self) -> u32 {
        if self.all { 0 } else { self.any }
    }

    /// Which of the machine's it has, in the driver's order.
    fn of<'g>(&self, gpus: &'g [DeviceId]) -> Vec<&'g DeviceId> {
        let has = |(number, gpu): &(usize, &DeviceId)| {
            let by_id = || self.named.iter().any(|name| is_of(gpu.as_str(), name));
            self.all || self.named.contains(&number.to_string()) || by_id()
        };
        gpus.iter().enumerate().filter(has).map(|(_, gpu)| gpu).collect()
    }
}

/// Whether a name means a device: its unique id, or the beginning of it as `nvidia-smi` takes it.
fn is_of(gpu: &str, name: &str) -> bool {
    name.len() >= "GPU-".len() + 4 && name.starts_with("GPU-") && gpu.starts_with(name)
}

/// A container that has devices.
pub(crate) struct Holder<'h> {
    pub(crate) who: &'h Arc<Attribution>,
    pub(crate) asked: &'h Asked,
}

/// What is metered of the devices of a machine.
pub(crate) struct Meter<'m> {
    pub(crate) node: &'m NodeId,
    pub(crate) gpus: &'m [DeviceId],
    pub(crate) source: &'m SourceId,
    pub(crate) window: Window,
}

impl Meter<'_> {
    /// Sets devices aside for who asked for them: in equal parts where several did, and less of it
    /// where others used them, so that all together pay for one device and never for more.
    pub(crate) fn set_aside(&self, samples: &mut Vec<Sample>, holders: &[Holder<'_>]) {
        let mut of: BTreeMap<&DeviceId, Vec<&Holder<'_>>> = BTreeMap::new();
        for holder in holders {
            for gpu in holder.asked.of(self.gpus) {
                of.entry(gpu).or_default().push(holder);
            }
        }
        for (gpu, holders) in of {
            self.device(samples, gpu, &holders);
        }
    }

    /// What a device did on which nothing runs is said of whoever it is set aside for alone.
    pub(crate) fn name(&self, uses: &mut [DeviceUse], holders: &[Holder<'_>]) {
        let mine = |it: &&mut DeviceUse| {
            it.node == *self.node && it.attribution.is_none() && it.slice.is_none()
        };
        for one in uses.iter_mut().filter(mine) {
            let has = |it: &&Holder<'_>| it.asked.of(self.gpus).contains(&&one.device);
            let mut its = holders.iter().filter(has);
            if let (Some(only), None) = (its.next(), its.next()) {
                one.attribution = Some(Arc::clone(only.who));
            }
        }
    }

    fn device(&self, samples: &mut Vec<Sample>, gpu: &DeviceId, holders: &[&Holder<'_>]) {
        let is_here = |it: &Sample| {
            it.node == *self.node
                && it.resource == Resource::Gpu
                && it.device.as_ref() == Some(gpu)
                && it.window == self.window
        };
        // Parts of a device are nobody's to divide again.
        if samples.iter().any(|it| is_here(it) && it.slice.is_some()) {
            return;
        }
        for holder in holders {
            let own = |it: &Sample| is_here(it) && it.attribution.as_ref() == Some(holder.who);
            if !samples.iter().any(own) {
                samples.push(self.nothing_used(gpu, holder));
            }
        }
        let all = self.window.nanos();
        let mut used = 0_i128;
        let mut idle: Vec<(usize, i128)> = Vec::new();
        for (index, sample) in samples.iter_mut().enumerate().filter(|(_, it)| is_here(it)) {
            let own = sample.known_use();
            used = used.saturating_add(own);
            let holder = holders.iter().find(|it| sample.attribution.as_ref() == Some(it.who));
            sample.requested_nano = own;
            if let Some(holder) = holder {
                let part = self.lived(holder) / i128::try_from(holders.len()).unwrap_or(1);
                idle.push((index, (part - own).max(0)));
            }
        }
        let left = (all - used).max(0);
        let asked: i128 = idle.iter().map(|(_, part)| *part).sum();
        for (index, part) in idle {
            let fits = left >= asked;
            let part = if fits { part } else { proportion(left, part, asked).unwrap_or(0) };
            samples[index].requested_nano += part;
        }
    }

    /// How much of the window a container was there, in device-nanoseconds.
    fn lived(&self, holder: &Holder<'_>) -> i128 {
        let since = holder.asked.since.unwrap_or(self.window.from()).max(self.window.from());
        Window::new(since, self.window.to()).map_or(0, Window::nanos)
    }

    fn nothing_used(&self, gpu: &DeviceId, holder: &Holder<'_>) -> Sample {
        Sample {
            source: self.source.clone(),
            node: self.node.clone(),
            device: Some(gpu.clone()),
            slice: None,
            attribution: Some(Arc::clone(holder.who)),
            resource: Resource::Gpu,
            window: self.window,
            requested_nano: 0,
            used_nano: Some(0),
            held_nano: Some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_model::WorkloadId;

    fn asked(json: &str) -> Asked {
        let state = r#""Id":"x","State":{"Status":"running","StartedAt":"1970-01-01T00:00:05Z"}"#;
        let text = format!("{{{state},{json}}}");
        Asked::read(&serde_json::from_str(&text).unwrap())
    }

    fn gpus() -> Vec<DeviceId> {
        let id = |text: &str| DeviceId::new(text).unwrap();
        vec![id("GPU-aaaa1111-0000"), id("GPU-bbbb2222-0000")]
    }

    fn devices(json: &str) -> Vec<String> {
        asked(json).of(&gpus()).into_iter().map(|it| it.as_str()[4..5].to_owned()).collect()
    }

    #[test]
    fn devices_are_asked_for_in_many_ways() {
        let request = |text: &str| format!(r#""HostConfig":{{"DeviceRequests":[{text}]}}"#);
        let all = request(r#"{"Driver":"","Count":-1,"Capabilities":[["gpu"]]}"#);
        assert_eq!(devices(&all), ["a", "b"]);
        let one = r#"{"Driver":"nvidia","Count":0,"DeviceIDs":["1"],"Capabilities":[["gpu"]]}"#;
        assert_eq!(devices(&request(one)), ["b"]);
        let cdi = r#"{"Driver":"cdi","DeviceIDs":["nvidia.com/gpu=0","amd.com/gpu=1"]}"#;
        assert_eq!(devices(&request(cdi)), ["a"]);
        let two = request(r#"{"Count":2,"DeviceIDs":null,"Capabilities":[["gpu","compute"]]}"#);
        assert_eq!((devices(&two).len(), asked(&two).unnamed()), (0, 2), "which is not said");
        assert_eq!(devices(&request(r#"{"Driver":"other","Count":-1}"#)), [""; 0]);
        let paths = r#""HostConfig":{"Devices":[{"PathOnHost":"/dev/nvidiactl"},
            {"PathOnHost":"/dev/nvidia1"},{"PathOnHost":"/dev/nvidia-uvm"},
            {"PathOnHost":"/dev/fuse"}]}"#;
        assert_eq!(devices(paths), ["b"]);
        let cdi = r#""HostConfig":{"Devices":[{"PathOnHost":"nvidia.com/gpu=all"}]}"#;
        assert_eq!(devices(cdi), ["a", "b"]);
        let env = |runtime: &str, value: &str| {
            format!(
                r#""Config":{{"Env":["PATH=/bin","NVIDIA_VISIBLE_DEVICES={value}"]}},
                   "HostConfig":{{"Runtime":"{runtime}"}}"#
            )
        };
        assert_eq!(devices(&env("nvidia", "GPU-bbbb2222,0")), ["a", "b"]);
        assert_eq!(devices(&env("nvidia", "void")), [""; 0]);
        assert_eq!(devices(&env("nvidia", "7,GPU-,MIG-1")), [""; 0], "there are none such");
        assert_eq!(devices(&env("runc", "all")), [""; 0], "only the image says so");
    }

    fn who(name: &str) -> Arc<Attribution> {
        Arc::new(Attribution::of(WorkloadId::new(name).unwrap()))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn sample(name: &str, device: usize, (requested, used): (i128, i128)) -> Sample {
        let (second, gpu) = (1_000_000_000, gpus().remove(device));
        Sample {
            source: SourceId::new("nvml").unwrap(),
            node: NodeId::new("box").unwrap(),
            device: Some(gpu),
            slice: None,
            attribution: Some(who(name)),
            resource: Resource::Gpu,
            window: Window::new(at(0), at(10)).unwrap(),
            requested_nano: requested * second,
            used_nano: Some(used * second),
            held_nano: None,
        }
    }

    /// Device, whose, seconds set aside, seconds used.
    fn set_aside(
        mut samples: Vec<Sample>,
        holders: &[(&str, &str)],
    ) -> Vec<(String, String, i128, i128)> {
        let (node, source) = (NodeId::new("box").unwrap(), SourceId::new("docker").unwrap());
        let (gpus, window) = (gpus(), Window::new(at(0), at(10)).unwrap());
        let meter = Meter { node: &node, gpus: &gpus, source: &source, window };
        let env = |value: &str, since: i64| Asked {
            since: Some(at(since)),
            named: value.split(',').map(str::to_owned).collect(),
            ..Asked::default()
        };
        let all: Vec<_> = holders
            .iter()
            .map(|(name, value)| {
                let (value, since) = value.split_once('@').unwrap_or((value, "0"));
                (who(name), env(value, since.parse().unwrap()))
            })
            .collect();
        let holders: Vec<_> = all.iter().map(|(who, asked)| Holder { who, asked }).collect();
        meter.set_aside(&mut samples, &holders);
        let row = |it: &Sample| {
            let device = it.device.as_ref().unwrap().as_str()[4..5].to_owned();
            let name = it.attribution.as_ref().unwrap().workload.to_string();
            (device, name, it.requested_nano / 1_000_000_000, it.known_use() / 1_000_000_000)
        };
        samples.iter().map(row).collect()
    }

    fn row(device: &str, name: &str, aside: i128, used: i128) -> (String, String, i128, i128) {
        (device.to_owned(), name.to_owned(), aside, used)
    }

    #[test]
    fn a_device_is_for_who_asked_for_it_and_is_paid_once() {
        assert_eq!(set_aside(Vec::new(), &[("train", "0")]), [row("a", "train", 10, 0)]);
        // Two share one; one of them works, and has a device of its own as well.
        let used = vec![sample("serve", 0, (10, 4))];
        let shared = set_aside(used, &[("train", "0,1"), ("serve", "0")]);
        let expect = [row("a", "serve", 5, 4), row("a", "train", 5, 0), row("b", "train", 10, 0)];
        assert_eq!(shared, expect);
        // Who did not ask pays what it used, and who asked for the rest.
        let used = vec![sample("serve", 0, (5, 2)), sample("stray", 0, (5, 7))];
        let stray = set_aside(used, &[("serve", "0")]);
        assert_eq!(stray, [row("a", "serve", 3, 2), row("a", "stray", 7, 7)]);
        // One that began within the window pays from then on.
        assert_eq!(set_aside(Vec::new(), &[("late", "1@6")]), [row("b", "late", 4, 0)]);
        // A device that nobody asked for is as it was measured.
        let used = vec![sample("stray", 1, (10, 1))];
        assert_eq!(set_aside(used, &[("serve", "0")])[0], row("b", "stray", 10, 1));
    }
}
