//! The machines and regions of the default price book, and what stands in them.
//!
//! The memory and form of an accelerator come from this list (the provider's public description of
//! the machine), never from the catalogue's short name: `A100` alone means 40 GB there, `H100` may
//! be SXM, `PCIe` or NVL.

/// A machine to look for: `theirs` is the catalogue's accelerator name, checked against the row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub(crate) provider: &'static str,
    pub(crate) name: &'static str,
    pub(crate) accelerator: &'static str,
    pub(crate) count: u32,
    pub(crate) theirs: &'static str,
}

impl Machine {
    /// GCP: the row that carries the host price. A `+` joins an N1 host with the accelerator
    /// attached to it; a TPU machine has no host row, its price is whole.
    pub(crate) fn host(&self) -> Option<&'static str> {
        if self.name.starts_with("ct") {
            return None;
        }
        Some(self.name.split_once('+').map_or(self.name, |(host, _)| host))
    }

    /// GCP sells these as spot or flexible start only, though their parts have an on-demand price.
    pub(crate) fn spot_only(&self) -> bool {
        matches!(self.name, "a3-highgpu-1g" | "a3-highgpu-2g" | "a3-highgpu-4g")
    }

    /// vCPUs and memory (GiB) of TPU machines, which the catalogue leaves empty: Google Cloud TPU
    /// documentation.
    pub(crate) fn tpu_shape(&self) -> Option<(u32, u32)> {
        match self.name {
            "ct5lp-hightpu-1t" => Some((24, 48)),
            "ct5lp-hightpu-4t" => Some((112, 192)),
            "ct5lp-hightpu-8t" => Some((224, 384)),
            "ct6e-standard-1t" => Some((44, 176)),
            "ct6e-standard-4t" => Some((180, 720)),
            "ct6e-standard-8t" => Some((180, 1440)),
            _ => None,
        }
    }
}

/// Azure families that are retired (2025-09-30) but still have list prices.
pub(crate) const AZURE_RETIRED: [&str; 5] = [
    "Standard_NC6s_v3",
    "Standard_NC12s_v3",
    "Standard_NC24s_v3",
    "Standard_NC24rs_v3",
    "Standard_ND40rs_v2",
];

/// Regions of the book; AWS keeps every region that is known at all.
pub(crate) fn keeps_region(provider: &str, region: &str) -> bool {
    match provider {
        "aws" => true,
        "gcp" => GCP_REGIONS.contains(&region),
        "azure" => AZURE_REGIONS.contains(&region),
        "lambda" => LAMBDA_REGIONS.contains(&region),
        _ => false,
    }
}

const GCP_REGIONS: [&str; 5] =
    ["us-central1", "us-east4", "us-east5", "europe-west4", "asia-southeast1"];
const AZURE_REGIONS: [&str; 4] = ["eastus", "westus3", "westeurope", "southeastasia"];
const LAMBDA_REGIONS: [&str; 3] = ["us-east-1", "europe-central-1", "asia-northeast-1"];

type Entry = (&'static str, &'static str, u32, &'static str);

/// Every machine of the list, in a fixed order.
pub(crate) fn all() -> Vec<Machine> {
    let lists: [(&'static str, &[Entry]); 4] =
        [("aws", AWS), ("azure", AZURE), ("gcp", GCP), ("lambda", LAMBDA)];
    let mut machines = Vec::new();
    for (provider, entries) in lists {
        for &(name, accelerator, count, theirs) in entries {
            machines.push(Machine { provider, name, accelerator, count, theirs });
        }
    }
    machines
}

const AWS: &[Entry] = &[
    ("m7i.xlarge", "", 0, ""),
    ("m7i.2xlarge", "", 0, ""),
    ("m7i.4xlarge", "", 0, ""),
    ("m7i.8xlarge", "", 0, ""),
    ("m7i.16xlarge", "", 0, ""),
    ("m7i.24xlarge", "", 0, ""),
    ("c7i.xlarge", "", 0, ""),
    ("c7i.4xlarge", "", 0, ""),
    ("c7i.24xlarge", "", 0, ""),
    ("r7i.xlarge", "", 0, ""),
    ("r7i.4xlarge", "", 0, ""),
    ("r7i.24xlarge", "", 0, ""),
    ("g4dn.xlarge", "T4-16GB", 1, "T4"),
    ("g4dn.2xlarge", "T4-16GB", 1, "T4"),
    ("g4dn.4xlarge", "T4-16GB", 1, "T4"),
    ("g4dn.8xlarge", "T4-16GB", 1, "T4"),
    ("g4dn.16xlarge", "T4-16GB", 1, "T4"),
    ("g4dn.12xlarge", "T4-16GB", 4, "T4"),
    ("g4dn.metal", "T4-16GB", 8, "T4"),
    ("g5.xlarge", "A10G-24GB", 1, "A10G"),
    ("g5.2xlarge", "A10G-24GB", 1, "A10G"),
    ("g5.4xlarge", "A10G-24GB", 1, "A10G"),
    ("g5.8xlarge", "A10G-24GB", 1, "A10G"),
    ("g5.16xlarge", "A10G-24GB", 1, "A10G"),
    ("g5.12xlarge", "A10G-24GB", 4, "A10G"),
    ("g5.24xlarge", "A10G-24GB", 4, "A10G"),
    ("g5.48xlarge", "A10G-24GB", 8, "A10G"),
    ("g6.xlarge", "L4-24GB", 1, "L4"),
    ("g6.2xlarge", "L4-24GB", 1, "L4"),
    ("g6.4xlarge", "L4-24GB", 1, "L4"),
    ("g6.8xlarge", "L4-24GB", 1, "L4"),
    ("g6.16xlarge", "L4-24GB", 1, "L4"),
    ("g6.12xlarge", "L4-24GB", 4, "L4"),
    ("g6.24xlarge", "L4-24GB", 4, "L4"),
    ("g6.48xlarge", "L4-24GB", 8, "L4"),
    ("g6e.xlarge", "L40S-48GB", 1, "L40S"),
    ("g6e.2xlarge", "L40S-48GB", 1, "L40S"),
    ("g6e.4xlarge", "L40S-48GB", 1, "L40S"),
    ("g6e.8xlarge", "L40S-48GB", 1, "L40S"),
    ("g6e.16xlarge", "L40S-48GB", 1, "L40S"),
    ("g6e.12xlarge", "L40S-48GB", 4, "L40S"),
    ("g6e.24xlarge", "L40S-48GB", 4, "L40S"),
    ("g6e.48xlarge", "L40S-48GB", 8, "L40S"),
    ("p3.2xlarge", "V100-16GB-SXM", 1, "V100"),
    ("p3.8xlarge", "V100-16GB-SXM", 4, "V100"),
    ("p3.16xlarge", "V100-16GB-SXM", 8, "V100"),
    ("p3dn.24xlarge", "V100-32GB-SXM", 8, "V100-32GB"),
    ("p4d.24xlarge", "A100-40GB-SXM", 8, "A100"),
    ("p4de.24xlarge", "A100-80GB-SXM", 8, "A100-80GB"),
    ("p5.4xlarge", "H100-80GB-SXM", 1, "H100"),
    ("p5.48xlarge", "H100-80GB-SXM", 8, "H100"),
    ("p5en.48xlarge", "H200-141GB-SXM", 8, "H200"),
    ("p6-b200.48xlarge", "B200-180GB-SXM", 8, "B200"),
];

const AZURE: &[Entry] = &[
    ("Standard_D4s_v5", "", 0, ""),
    ("Standard_D8s_v5", "", 0, ""),
    ("Standard_D16s_v5", "", 0, ""),
    ("Standard_D32s_v5", "", 0, ""),
    ("Standard_D64s_v5", "", 0, ""),
    ("Standard_D96s_v5", "", 0, ""),
    ("Standard_NC4as_T4_v3", "T4-16GB", 1, "T4"),
    ("Standard_NC8as_T4_v3", "T4-16GB", 1, "T4"),
    ("Standard_NC16as_T4_v3", "T4-16GB", 1, "T4"),
    ("Standard_NC64as_T4_v3", "T4-16GB", 4, "T4"),
    ("Standard_NV36ads_A10_v5", "A10-24GB", 1, "A10"),
    ("Standard_NV72ads_A10_v5", "A10-24GB", 2, "A10"),
    ("Standard_NC24ads_A100_v4", "A100-80GB-PCIe", 1, "A100-80GB"),
    ("Standard_NC48ads_A100_v4", "A100-80GB-PCIe", 2, "A100-80GB"),
    ("Standard_NC96ads_A100_v4", "A100-80GB-PCIe", 4, "A100-80GB"),
    ("Standard_ND96asr_v4", "A100-40GB-SXM", 8, "A100"),
    ("Standard_ND96amsr_A100_v4", "A100-80GB-SXM", 8, "A100-80GB"),
    // The machine holds the 94 GB card; the book keeps the interface's spelling of its class (see
    // accelerators.csv).
    ("Standard_NC40ads_H100_v5", "H100-80GB-NVL", 1, "H100"),
    ("Standard_NC80adis_H100_v5", "H100-80GB-NVL", 2, "H100"),
    ("Standard_ND96isr_H100_v5", "H100-80GB-SXM", 8, "H100"),
    ("Standard_ND96isr_H200_v5", "H200-141GB-SXM", 8, "H200"),
    ("Standard_ND96isr_MI300X_v5", "MI300X-192GB-OAM", 8, "MI300X"),
];

const GCP: &[Entry] = &[
    ("n2-standard-4", "", 0, ""),
    ("n2-standard-8", "", 0, ""),
    ("n2-standard-16", "", 0, ""),
    ("n2-standard-32", "", 0, ""),
    ("n2-standard-64", "", 0, ""),
    ("n2-standard-96", "", 0, ""),
    ("n2-highmem-8", "", 0, ""),
    ("n1-standard-4+t4x1", "T4-16GB", 1, "T4"),
    ("n1-standard-8+t4x2", "T4-16GB", 2, "T4"),
    ("n1-standard-16+t4x4", "T4-16GB", 4, "T4"),
    ("n1-standard-8+v100x1", "V100-16GB-SXM", 1, "V100"),
    ("n1-standard-16+v100x2", "V100-16GB-SXM", 2, "V100"),
    ("n1-standard-32+v100x4", "V100-16GB-SXM", 4, "V100"),
    ("n1-standard-64+v100x8", "V100-16GB-SXM", 8, "V100"),
    ("g2-standard-4", "L4-24GB", 1, "L4"),
    ("g2-standard-8", "L4-24GB", 1, "L4"),
    ("g2-standard-12", "L4-24GB", 1, "L4"),
    ("g2-standard-16", "L4-24GB", 1, "L4"),
    ("g2-standard-32", "L4-24GB", 1, "L4"),
    ("g2-standard-24", "L4-24GB", 2, "L4"),
    ("g2-standard-48", "L4-24GB", 4, "L4"),
    ("g2-standard-96", "L4-24GB", 8, "L4"),
    ("a2-highgpu-1g", "A100-40GB-SXM", 1, "A100"),
    ("a2-highgpu-2g", "A100-40GB-SXM", 2, "A100"),
    ("a2-highgpu-4g", "A100-40GB-SXM", 4, "A100"),
    ("a2-highgpu-8g", "A100-40GB-SXM", 8, "A100"),
    ("a2-ultragpu-1g", "A100-80GB-SXM", 1, "A100-80GB"),
    ("a2-ultragpu-2g", "A100-80GB-SXM", 2, "A100-80GB"),
    ("a2-ultragpu-4g", "A100-80GB-SXM", 4, "A100-80GB"),
    ("a2-ultragpu-8g", "A100-80GB-SXM", 8, "A100-80GB"),
    ("a3-highgpu-1g", "H100-80GB-SXM", 1, "H100"),
    ("a3-highgpu-2g", "H100-80GB-SXM", 2, "H100"),
    ("a3-highgpu-4g", "H100-80GB-SXM", 4, "H100"),
    ("a3-highgpu-8g", "H100-80GB-SXM", 8, "H100"),
    ("a3-megagpu-8g", "H100-80GB-SXM", 8, "H100-MEGA"),
    ("a3-ultragpu-8g", "H200-141GB-SXM", 8, "H200"),
    ("a4-highgpu-8g", "B200-180GB-SXM", 8, "B200"),
    ("ct5lp-hightpu-1t", "TPU-v5e-16GB", 1, "tpu-v5litepod-1"),
    ("ct5lp-hightpu-4t", "TPU-v5e-16GB", 4, "tpu-v5litepod-4"),
    ("ct5lp-hightpu-8t", "TPU-v5e-16GB", 8, "tpu-v5litepod-8"),
    ("ct6e-standard-1t", "TPU-v6e-32GB", 1, "tpu-v6e-1"),
    ("ct6e-standard-4t", "TPU-v6e-32GB", 4, "tpu-v6e-4"),
    ("ct6e-standard-8t", "TPU-v6e-32GB", 8, "tpu-v6e-8"),
];

const LAMBDA: &[Entry] = &[
    ("cpu_4x_general", "", 0, ""),
    ("gpu_1x_a10", "A10-24GB", 1, "A10"),
    ("gpu_1x_a100", "A100-40GB-PCIe", 1, "A100"),
    ("gpu_2x_a100", "A100-40GB-PCIe", 2, "A100"),
    ("gpu_4x_a100", "A100-40GB-PCIe", 4, "A100"),
    ("gpu_1x_a100_sxm4", "A100-40GB-SXM", 1, "A100"),
    ("gpu_8x_a100", "A100-40GB-SXM", 8, "A100"),
    ("gpu_8x_a100_80gb_sxm4", "A100-80GB-SXM", 8, "A100-80GB"),
    ("gpu_1x_h100_pcie", "H100-80GB-PCIe", 1, "H100"),
    ("gpu_1x_h100_sxm5", "H100-80GB-SXM", 1, "H100"),
    ("gpu_2x_h100_sxm5", "H100-80GB-SXM", 2, "H100"),
    ("gpu_4x_h100_sxm5", "H100-80GB-SXM", 4, "H100"),
    ("gpu_8x_h100_sxm5", "H100-80GB-SXM", 8, "H100"),
    ("gpu_1x_b200_sxm6", "B200-180GB-SXM", 1, "B200"),
    ("gpu_2x_b200_sxm6", "B200-180GB-SXM", 2, "B200"),
    ("gpu_4x_b200_sxm6", "B200-180GB-SXM", 4, "B200"),
    ("gpu_8x_b200_sxm6", "B200-180GB-SXM", 8, "B200"),
    ("gpu_8x_v100", "V100-16GB-SXM", 8, "V100"),
];
