//! The canonical table: what was measured, of what and when, whoever exported it.

use farthing_model::{Attribution, DeviceId, NodeId, SourceId, Window};
use std::fmt::Write as _;
use std::sync::Arc;

macro_rules! measures {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// What a row of the table measures, and its unit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Measure { $($(#[$doc])* $name,)+ }

        impl Measure {
            /// The name in tables.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

measures! {
    /// Cores that were asked for, in 10^-9 core-seconds.
    CpuRequested = "cpu-requested";
    /// Cores that were used, in 10^-9 core-seconds.
    CpuUsed = "cpu-used";
    /// Memory that was asked for, in 10^-9 byte-seconds.
    MemoryRequested = "memory-requested";
    /// Memory that was used, in 10^-9 byte-seconds.
    MemoryUsed = "memory-used";
    /// Disk that was asked for, in 10^-9 byte-seconds.
    StorageRequested = "storage-requested";
    /// Disk that was used, in 10^-9 byte-seconds.
    StorageUsed = "storage-used";
    /// Shares of devices that were held, in 10^-9 device-seconds.
    GpuAllocated = "gpu-allocated";
    /// What of them was used, on the deepest rung of the ladder that was exported.
    GpuUsed = "gpu-used";
    /// Time in which the driver saw the device busy, in 10^-9 device-seconds.
    GpuBusy = "gpu-busy";
    /// Time in which an engine was active, in 10^-9 device-seconds.
    GpuEngine = "gpu-engine";
    /// Multiprocessors that were active, in 10^-9 device-seconds.
    GpuSm = "gpu-sm";
    /// Time in which tensor pipes were active, in 10^-9 device-seconds.
    GpuTensor = "gpu-tensor";
    /// Device memory that was held, in 10^-9 byte-seconds.
    GpuMemory = "gpu-memory";
    /// Energy of a device, in 10^-6 joule.
    GpuEnergy = "gpu-energy";
    /// What a device drew, in 10^-9 watt-seconds.
    GpuPower = "gpu-power";
    /// Errors that a device told, each once.
    GpuXid = "gpu-xid";
    /// Bytes that were received.
    NetworkReceived = "network-received";
    /// Bytes that were sent.
    NetworkSent = "network-sent";
    /// Bytes of a claim that were used, in 10^-9 byte-seconds.
    ClaimUsed = "claim-used";
    /// Bytes that a claim asks for, in 10^-9 byte-seconds.
    ClaimRequested = "claim-requested";
    /// Bytes that a claim has, in 10^-9 byte-seconds.
    ClaimCapacity = "claim-capacity";
    /// Processor time of a node by mode, in 10^-9 core-seconds.
    NodeCpu = "node-cpu";
    /// Memory of a node, in 10^-9 byte-seconds.
    NodeMemory = "node-memory";
    /// Memory that a node could still give, in 10^-9 byte-seconds.
    NodeMemoryAvailable = "node-memory-available";
    /// Devices that a queue was given, in 10^-9 device-seconds.
    QueueGpus = "queue-gpus";
    /// Energy of a container, in 10^-6 joule.
    ContainerEnergy = "container-energy";
    /// Energy of a node, in 10^-6 joule.
    NodeEnergy = "node-energy";
    /// Requests that were answered.
    Requests = "requests";
    /// Tokens that were read.
    TokensIn = "tokens-in";
    /// Tokens that were made.
    TokensOut = "tokens-out";
    /// Steps of training that were done.
    Steps = "steps";
}

/// One row of the canonical table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// When; inside one UTC hour.
    pub window: Window,
    /// Where; `None` where no node is known.
    pub node: Option<NodeId>,
    /// Which device.
    pub device: Option<DeviceId>,
    /// Which instance of a partitioned device.
    pub instance: Option<Arc<str>>,
    /// Who, where someone held it.
    pub workload: Option<Arc<Attribution>>,
    /// Anything else that tells two rows apart: a claim, a queue.
    pub of: Option<Arc<str>>,
    /// What was measured.
    pub measure: Measure,
    /// How much, in the unit of the measure; `None` = unknown, as too little was measured.
    pub amount: Option<i128>,
    /// Milliseconds of the window that were measured.
    pub measured_ms: i64,
    /// Milliseconds of the window that should have been.
    pub expected_ms: i64,
    /// Which exporter it is from.
    pub source: SourceId,
}

/// The rows as text, a line each: what tests and people compare.
pub fn text<'r>(rows: impl IntoIterator<Item = &'r Row>) -> String {
    let mut out = String::new();
    for row in rows {
        let who = row.workload.as_deref().map_or_else(
            || "-".to_owned(),
            |who| {
                let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
                format!("{}/{}/{}", part(&who.namespace), part(&who.pod), part(&who.container))
            },
        );
        let device = row.device.as_ref().map_or("-", |device| device.as_str());
        let amount = row.amount.map_or_else(|| "unknown".to_owned(), |amount| amount.to_string());
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{}\t{}\t{device}\t{}\t{who}\t{}\t{}\t{amount}\t{}/{}",
            row.window,
            row.node.as_ref().map_or("-", |node| node.as_str()),
            row.instance.as_deref().unwrap_or("-"),
            row.of.as_deref().unwrap_or("-"),
            row.measure.name(),
            row.measured_ms,
            row.expected_ms,
        );
    }
    out
}
