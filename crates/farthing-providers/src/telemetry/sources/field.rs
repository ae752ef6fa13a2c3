//! The canonical fields that metrics of all exporters are read as.

/// How the points of a field add up over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value that holds until the next one.
    Gauge,
    /// A running total that starts again from zero now and then.
    Counter,
}

/// What one unit of a kept value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// 10^-9 of a core, a device, a second, a watt or a share of one.
    Nano,
    /// Whole bytes, tokens, requests or codes.
    Whole,
    /// 10^-6 joule.
    MicroJoule,
    /// Milliseconds since 1970.
    Instant,
    /// Nano of cores and devices, whole bytes: the label `resource` says which.
    ByResource,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $kind:ident, $scale:ident;)+) => {
        /// What a metric says, whoever exports it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field {
            $($(#[$doc])* $name,)+
        }

        impl Field {
            /// All, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name in source maps.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// How its points add up.
            pub(crate) const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)+ }
            }

            /// What one unit of its values is.
            pub(crate) const fn scale(self) -> Scale {
                match self { $(Self::$name => Scale::$scale,)+ }
            }
        }
    };
}

fields! {
    /// A node is there; labels say where it was bought.
    NodeInfo = "node-info", Gauge, Whole;
    /// The labels of a node.
    NodeLabels = "node-labels", Gauge, Whole;
    /// What a node has of a resource.
    NodeCapacity = "node-capacity", Gauge, ByResource;
    /// What of it pods may have.
    NodeAllocatable = "node-allocatable", Gauge, ByResource;
    /// When a node was made.
    NodeCreated = "node-created", Gauge, Instant;
    /// A pod is there; labels say on which node.
    PodInfo = "pod-info", Gauge, Whole;
    /// Whose pod it is.
    PodOwner = "pod-owner", Gauge, Whole;
    /// The labels of a pod.
    PodLabels = "pod-labels", Gauge, Whole;
    /// The annotations of a pod.
    PodAnnotations = "pod-annotations", Gauge, Whole;
    /// The phase of a pod: 1 for the one it is in.
    PodPhase = "pod-phase", Gauge, Whole;
    /// When a pod was started on its node.
    PodStarted = "pod-started", Gauge, Instant;
    /// When a pod was done.
    PodCompleted = "pod-completed", Gauge, Instant;
    /// What a pod needs beside its containers.
    PodOverhead = "pod-overhead", Gauge, ByResource;
    /// The labels of a namespace.
    NamespaceLabels = "namespace-labels", Gauge, Whole;
    /// Whose replica set it is.
    ReplicaSetOwner = "replicaset-owner", Gauge, Whole;
    /// Whose job it is.
    JobOwner = "job-owner", Gauge, Whole;
    /// What a container asks for.
    ContainerRequest = "container-request", Gauge, ByResource;
    /// What an init container asks for.
    InitRequest = "init-request", Gauge, ByResource;
    /// An init container is there; labels say whether it goes on beside the others.
    InitInfo = "init-info", Gauge, Whole;
    /// Processor time of a container.
    ContainerCpu = "container-cpu", Counter, Nano;
    /// Memory of a container that cannot be taken from it.
    ContainerMemory = "container-memory", Gauge, Whole;
    /// Bytes of a container on the node's disk.
    ContainerStorage = "container-storage", Gauge, Whole;
    /// When a container was started.
    ContainerStarted = "container-started", Gauge, Instant;
    /// Bytes that a pod received.
    NetworkReceived = "network-received", Counter, Whole;
    /// Bytes that a pod sent.
    NetworkSent = "network-sent", Counter, Whole;
    /// What a claim asks for.
    ClaimRequest = "claim-request", Gauge, Whole;
    /// A claim is there; labels say its class and its volume.
    ClaimInfo = "claim-info", Gauge, Whole;
    /// The phase of a claim: 1 for the one it is in.
    ClaimPhase = "claim-phase", Gauge, Whole;
    /// When a claim was made.
    ClaimCreated = "claim-created", Gauge, Instant;
    /// A pod mounts a claim.
    PodClaim = "pod-claim", Gauge, Whole;
    /// A volume is there; labels say its class.
    VolumeInfo = "volume-info", Gauge, Whole;
    /// What a volume has.
    VolumeCapacity = "volume-capacity", Gauge, Whole;
    /// The type of a service.
    ServiceType = "service-type", Gauge, Whole;
    /// When a service was made.
    ServiceCreated = "service-created", Gauge, Instant;
    /// Bytes that a pod sent, by how far they went.
    NetworkReach = "network-reach", Counter, Whole;
    /// Bytes of a claim that are in use.
    ClaimUsed = "claim-used", Gauge, Whole;
    /// Bytes that a claim has.
    ClaimCapacity = "claim-capacity", Gauge, Whole;
    /// Processor time of a node, by mode.
    NodeCpu = "node-cpu", Counter, Nano;
    /// Memory that a node has.
    NodeMemoryTotal = "node-memory-total", Gauge, Whole;
    /// Memory that a node could still give.
    NodeMemoryAvailable = "node-memory-available", Gauge, Whole;
    /// Share of time in which a device ran anything, as the driver samples it.
    GpuBusy = "gpu-busy", Gauge, Nano;
    /// Share of time in which an engine of a device or instance was active.
    GpuEngine = "gpu-engine", Gauge, Nano;
    /// Share of its multiprocessors that were active.
    GpuSm = "gpu-sm", Gauge, Nano;
    /// Share of time in which its tensor pipes were active.
    GpuTensor = "gpu-tensor", Gauge, Nano;
    /// Memory of a device that is held.
    GpuMemoryUsed = "gpu-memory-used", Gauge, Whole;
    /// Memory of a device that is free.
    GpuMemoryFree = "gpu-memory-free", Gauge, Whole;
    /// What a device draws.
    GpuPower = "gpu-power", Gauge, Nano;
    /// What a device has drawn.
    GpuEnergy = "gpu-energy", Counter, MicroJoule;
    /// The last error of a device; it stays until another one comes.
    GpuXid = "gpu-xid", Gauge, Whole;
    /// Share of a device's cores that a container was given.
    ShareCores = "share-cores", Gauge, Nano;
    /// Memory of a device that a container was given.
    ShareMemory = "share-memory", Gauge, Whole;
    /// Memory of a device that a container holds.
    ShareMemoryUsed = "share-memory-used", Gauge, Whole;
    /// Share of a device that a container kept busy.
    ShareBusy = "share-busy", Gauge, Nano;
    /// Devices that a queue was given.
    QueueGpus = "queue-gpus", Gauge, Nano;
    /// Energy of a container.
    ContainerEnergy = "container-energy", Counter, MicroJoule;
    /// Energy of a node.
    NodeEnergy = "node-energy", Counter, MicroJoule;
    /// Requests that were answered.
    Requests = "requests", Counter, Whole;
    /// Tokens that were read.
    TokensIn = "tokens-in", Counter, Whole;
    /// Tokens that were made.
    TokensOut = "tokens-out", Counter, Whole;
    /// Steps of training that were done.
    Steps = "steps", Counter, Whole;
    /// Useful operations over the peak of the devices.
    Mfu = "mfu", Gauge, Nano;
}

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// What a label says, however it is called.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Label {
            $($(#[$doc])* $name,)+
        }

        impl Label {
            /// All, in the order of the reference.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name in source maps.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

labels! {
    /// The namespace of a pod.
    Namespace = "namespace";
    /// The pod.
    Pod = "pod";
    /// The pod's unique id.
    Uid = "uid";
    /// The container.
    Container = "container";
    /// One run of a container: another after each restart.
    Run = "run";
    /// The node.
    Node = "node";
    /// A node's id at its provider.
    ProviderId = "provider-id";
    /// The resource that a value is of.
    Resource = "resource";
    /// The kind of an owner.
    OwnerKind = "owner-kind";
    /// The name of an owner.
    OwnerName = "owner-name";
    /// Whether the owner controls it.
    OwnerIsController = "owner-is-controller";
    /// A phase.
    Phase = "phase";
    /// A replica set.
    ReplicaSet = "replicaset";
    /// A job.
    Job = "job";
    /// Whether an init container goes on.
    RestartPolicy = "restart-policy";
    /// A device by its unique id.
    Device = "device";
    /// An instance of a partitioned device.
    Instance = "instance";
    /// The profile of an instance.
    Profile = "profile";
    /// The device's model as its driver names it.
    Model = "model";
    /// One of several processors.
    Cpu = "cpu";
    /// A network interface.
    Interface = "interface";
    /// A file system's device.
    Disk = "disk";
    /// A volume claim.
    Claim = "claim";
    /// A volume.
    Volume = "volume";
    /// The class of a volume.
    StorageClass = "storage-class";
    /// A service.
    Service = "service";
    /// How a service is reached.
    ServiceType = "service-type";
    /// Whether bytes left for the internet.
    Internet = "internet";
    /// Whether they stayed in the region.
    SameRegion = "same-region";
    /// Whether they stayed in the zone.
    SameZone = "same-zone";
    /// A mode or state that is counted on its own.
    Mode = "mode";
    /// A queue.
    Queue = "queue";
    /// A power zone or domain.
    PowerZone = "power-zone";
}
