//! What manifests may contain, as tables: one source for the check of unknown and missing fields,
//! their suggestions, and the JSON Schema.

pub(crate) mod alerts;
mod budget;
mod container;
mod contract;
pub(crate) mod dag;
mod identity;
mod node;

pub(crate) use alerts::{ALERTS, CHANNEL, QUIET, SECRET};
pub(crate) use budget::{BUDGET, CARRY, ESCALATION, PERIODS, SCOPE, SPAN};
pub(crate) use container::CONTAINER;
pub(crate) use contract::{ADJUST, DISCOUNTS};
pub(crate) use identity::{GRANT, IDENTITY, ROLES};
pub(crate) use node::{HELD, NODE};

/// A map with known fields.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Its name among the definitions of the schema.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) doc: &'static str,
    /// What it may contain.
    pub(crate) fields: &'static [Field],
}

/// A field of a map.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) form: Form,
    pub(crate) doc: &'static str,
}

/// How a value is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Text,
    Count,
    Whole,
    Number,
    Milli,
    Size,
    Money,
    Work,
    WorkRate,
    RequestRate,
    Duration,
    Moment,
    Time,
    Date,
    Share,
    Truth,
    Labels,
    CsvPath,
    OneOf(&'static [&'static str]),
    Map(&'static Shape),
    List(&'static Form),
    Any(&'static [Form]),
}

use Form::{
    Any, Count, CsvPath, Date, Duration, Labels, List, Map, Milli, Moment, Money, Number, OneOf,
    RequestRate, Share, Size, Text, Time, Truth, Whole, Work, WorkRate,
};

const fn must(name: &'static str, form: Form, doc: &'static str) -> Field {
    Field { name, required: true, form, doc }
}

const fn may(name: &'static str, form: Form, doc: &'static str) -> Field {
    Field { name, required: false, form, doc }
}

/// Kinds that are read.
pub(crate) const KINDS: [&str; 7] =
    ["Workload", "Node", "Budget", "Policy", "PriceBook", "Dag", "Identity"];

/// The only version.
pub(crate) const API_VERSION: &str = "farthing.dev/v1alpha1";

pub(crate) static OBJECT: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];

pub(crate) static METADATA: Shape = Shape {
    name: "Metadata",
    doc: "Name and labels; the label `team` says who pays.",
    fields: &[
        may(
            "name",
            Text,
            "Unique among the objects of its kind. Only a Policy, PriceBook or Identity may go \
             without.",
        ),
        may("labels", Labels, "For statements and budgets; `team` is the team."),
        may("annotations", Labels, "Kept by people, ignored here."),
    ],
};

pub(crate) static WORKLOAD: Shape = Shape {
    name: "WorkloadSpec",
    doc: "What someone wants done: a job with finite work, or a service with a request rate.",
    fields: &[
        may("type", OneOf(&["job", "service"]), "Default: job."),
        may("count", Count, "Identical members of a job, each with all of the work. Default: 1."),
        may("work", Work, "What one member must do, in any unit that the throughput uses too."),
        may(
            "throughput",
            Any(&[List(&Map(&THROUGHPUT)), List(&Map(&BUCKET_RATE)), CsvPath]),
            "Measured. Job: per configuration, first match wins. Service: per bucket, too.",
        ),
        may("resources", Map(&RESOURCES), "What one member needs on its node."),
        may(
            "deadline",
            Moment,
            "To be done by. `in 36h` counts from `submitted`, or else from now.",
        ),
        may("submitted", Moment, "Not to start before. `in 2h` counts from now."),
        may(
            "duration",
            Duration,
            "How long it holds its resources, where that is known instead of work.",
        ),
        may(
            "value",
            Number,
            "Performance metric times priority of one member; R = value / cost. Default: 0.",
        ),
        may("cost", Money, "What finishing one member costs, quoted from outside."),
        may(
            "interruptible",
            Map(&INTERRUPTIBLE),
            "How it takes an interruption. Absent: it must not be interrupted.",
        ),
        may("data", Map(&DATA), "Where its data is."),
        may("container", Map(&CONTAINER), "What each member of a job runs, with Docker or Podman."),
        may(
            "residency",
            List(&Text),
            "Jurisdictions of which one must hold for the place, such as eu. A hard filter.",
        ),
        may("requests", Map(&REQUESTS), "What a service is asked for."),
        may("slo", Map(&SLO), "The latency objective that the throughput was measured for."),
        may(
            "split",
            Any(&[OneOf(&["continuous"]), Map(&SLICES)]),
            "How a bucket may be divided over accelerators. Default: continuous.",
        ),
        may(
            "replicas",
            Whole,
            "Never fewer replicas of a service in all; 0 lets it scale to none. Default: 1.",
        ),
        may(
            "utilisation",
            Share,
            "Part of the measured throughput that replicas are planned with. Default: the lower \
             edge of the policy's gpu band, and 1 for a plan of files without a Policy.",
        ),
        may("start", Map(&START), "What starting a replica of a service costs."),
        may(
            "outputWeight",
            Number,
            "What a token of an answer costs in tokens of a prompt, such as 4, where the \
             throughput has no `prefill_s` and `decode_s`. Default: fitted to the buckets.",
        ),
    ],
};

pub(crate) static THROUGHPUT: Shape = Shape {
    name: "Throughput",
    doc: "Measured work of one member on a configuration; give `accelerator` or `instanceType`.",
    fields: &[
        may("accelerator", Text, "Model and memory, form optional: H100-80GB."),
        may("instanceType", Text, "A machine by the provider's name."),
        may(
            "count",
            Count,
            "Accelerators, or machines for an instance type, of one member. Default: 1.",
        ),
        must("rate", WorkRate, "Work done in a time on the whole configuration."),
    ],
};

pub(crate) static BUCKET_RATE: Shape = Shape {
    name: "BucketRate",
    doc: "Most requests per second of one replica, by accelerator and bucket.",
    fields: &[
        must("accelerator", Text, "Model and memory, form optional."),
        may("count", Count, "Accelerators of one replica. Default: 1."),
        must("input_tokens", Whole, "Prompt length of the bucket."),
        must("output_tokens", Whole, "Answer length of the bucket."),
        may("requests_per_s", Number, "Zero or absent: cannot serve this bucket."),
        may("prefill_s", Number, "Seconds that a request takes to its first token, measured."),
        may("decode_s", Number, "Seconds from there to its last token; both or neither."),
    ],
};

pub(crate) static RESOURCES: Shape = Shape {
    name: "Resources",
    doc: "What one member needs on its node.",
    fields: &[
        may("gpu", Milli, "Accelerators."),
        may("cpu", Milli, "Cores."),
        may("memory", Size, "Main memory."),
        may("storage", Size, "Disk."),
    ],
};

pub(crate) static INTERRUPTIBLE: Shape = Shape {
    name: "Interruptible",
    doc: "How a job takes an interruption.",
    fields: &[
        must("checkpoint", Duration, "How long saving a checkpoint takes."),
        must("restart", Duration, "How long it takes to be productive again."),
    ],
};

pub(crate) static DATA: Shape = Shape {
    name: "Data",
    doc: "Where data is and how much of it is read.",
    fields: &[
        must("location", Text, "provider/region, such as aws/us-east-1."),
        must("size", Size, "How much must be read from there."),
    ],
};

pub(crate) static REQUESTS: Shape = Shape {
    name: "Requests",
    doc: "Request traffic.",
    fields: &[
        may("rate", RequestRate, "Requests per second in all. Default: the highest of the curve."),
        may(
            "curve",
            Any(&[List(&Map(&CURVE_POINT)), CsvPath]),
            "The rate over a cycle, by hour of the day or by time; the plan says what it costs.",
        ),
        must("buckets", Any(&[List(&Map(&BUCKET)), CsvPath]), "Request sizes and their shares."),
    ],
};

pub(crate) static BUCKET: Shape = Shape {
    name: "Bucket",
    doc: "Requests of about one size.",
    fields: &[
        must("input_tokens", Whole, "Prompt length."),
        must("output_tokens", Whole, "Answer length."),
        must("share", Number, "Share of all requests; together they make 1."),
    ],
};

pub(crate) static CURVE_POINT: Shape = Shape {
    name: "CurvePoint",
    doc: "A rate from a moment on; give `hour` or `time`, the same for all points.",
    fields: &[
        may("hour", Number, "Hours since the cycle began: 0 to 23 for a day, 0 to 167 for a week."),
        may("time", Time, "A moment; the cycle begins with the first."),
        must("rate", Any(&[Number, RequestRate]), "Requests per second, from then on."),
    ],
};

pub(crate) static START: Shape = Shape {
    name: "Start",
    doc: "What starting a replica costs.",
    fields: &[
        may("cold", Duration, "How long a replica is paid before it serves. Default: 3m."),
        may("penalty", Money, "What each start from no replica at all costs beside that."),
    ],
};

pub(crate) static SLO: Shape = Shape {
    name: "Slo",
    doc: "A latency objective.",
    fields: &[
        must("ttft", Duration, "Time to first token."),
        must("tpot", Duration, "Time per output token."),
        may(
            "percentile",
            Share,
            "Part of all requests that must have their first token in time; replicas are then \
             sized by queueing (Erlang C) too.",
        ),
        may("prefill", Duration, "The part of `ttft` that is work and no wait. Default: 0s."),
        may("concurrency", Count, "Requests that a replica works on at once. Default: 1."),
    ],
};

pub(crate) static SLICES: Shape = Shape {
    name: "Slices",
    doc: "Divide each bucket into equal slices, each whole on one accelerator.",
    fields: &[must("slices", Count, "How many.")],
};

pub(crate) const MODES: &[&str] = &["observe", "recommend", "approve", "enforce"];
pub(crate) const OBJECTIVES: &[&str] = &["cost", "time", "carbon"];

pub(crate) static POLICY: Shape = Shape {
    name: "PolicySpec",
    doc: "What Farthing may do, for which objective, inside which bands and limits.",
    fields: &[
        may("mode", OneOf(MODES), "How much it may do by itself. Default: recommend."),
        may("objective", OneOf(OBJECTIVES), "What is minimised. Default: cost."),
        may("utilisation", Map(&UTILISATION), "Target bands; what is left out keeps its default."),
        may("limits", Map(&LIMITS), "Guardrails of the executor."),
        may(
            "disruption",
            List(&Text),
            "When work may be suspended, scaled down or moved, in UTC, such as `mon-fri 20:00-06:00`. \
             Default: always.",
        ),
        may(
            "idleRelease",
            Duration,
            "A node without work for this long may be released. Default: 10m.",
        ),
        may("boot", Duration, "How long a bought node is paid before it is usable. Default: 3m."),
        may(
            "bootMax",
            Duration,
            "The same at worst: what has a deadline is planned with it. Default: boot.",
        ),
        may("spot", Map(&SPOT), "What an interruption of spot capacity is expected to cost."),
        may("nodes", Map(&NODES), "What workloads that share nodes may not use of them."),
        may("reclaim", Map(&RECLAIM), "What may be taken back from what runs. Default: nothing."),
        may("alerts", Map(&ALERTS), "When people are told, and where."),
    ],
};

pub(crate) static RECLAIM: Shape = Shape {
    name: "Reclaim",
    doc: "What may be taken back from what runs, by what is measured of it.",
    fields: &[
        may(
            "idle",
            Duration,
            "What held accelerators and did nothing with any of them for so long is stopped.",
        ),
        may(
            "replicas",
            Duration,
            "Replicas of services that say farthing.dev/elastic are taken when they were not needed \
             at any time in so long, and given back when they are.",
        ),
        may(
            "sick",
            List(&Text),
            "Nodes that say one of these do no work and are emptied: TYPE=STATUS of a condition, \
             or a device of which not all can be used, such as nvidia.com/gpu.",
        ),
    ],
};

pub(crate) static NODES: Shape = Shape {
    name: "NodeRules",
    doc: "What workloads that share nodes may not use of them.",
    fields: &[
        may("reserve", Map(&RESOURCES), "Kept on each node for the system. Default: nothing."),
        may("pods", Count, "Most members on a node. Default: no limit."),
        may(
            "moveCost",
            Money,
            "What moving a member off a node that is given back costs. Default: its part of the \
             nodes twice, for as long as a node boots.",
        ),
    ],
};

pub(crate) static UTILISATION: Shape = Shape {
    name: "Utilisation",
    doc: "A band for each resource.",
    fields: &[
        may("gpu", Map(&BAND), "Default: max 0.95, reserve 0.15."),
        may("cpu", Map(&BAND), "Default: max 0.9, reserve 0.2."),
        may("memory", Map(&BAND), "Default: max 0.9, reserve 0.2."),
        may("storage", Map(&BAND), "Default: max 0.9, reserve 0.2."),
    ],
};

pub(crate) static BAND: Shape = Shape {
    name: "Band",
    doc: "From max - reserve up to max.",
    fields: &[
        must("max", Share, "Over this, add capacity."),
        must("reserve", Share, "Under max - reserve, consolidate, lend or release."),
    ],
};

pub(crate) static LIMITS: Shape = Shape {
    name: "Limits",
    doc: "Guardrails of the executor.",
    fields: &[
        may("stepsPerHour", Whole, "Steps in any 60 minutes. Default: 30."),
        may(
            "stepsPerNamespace",
            Whole,
            "The same on the workloads of one namespace. Default: no limit of its own.",
        ),
        may("nodesPerTick", Whole, "Nodes touched in one tick. Default: 5."),
        may("ageMax", Duration, "Data older than this is not acted on. Default: 2m."),
        may(
            "coverageMin",
            Share,
            "Data with less coverage than this is not acted on. Default: 0.8.",
        ),
    ],
};

pub(crate) static SPOT: Shape = Shape {
    name: "Spot",
    doc: "How long spot capacity stays.",
    fields: &[
        must("meanUp", Duration, "Mean time between interruptions."),
        must("source", Text, "Where the number comes from."),
    ],
};

pub(crate) static PRICE_BOOK: Shape = Shape {
    name: "PriceBookSpec",
    doc: "What can be bought, and what a contract changes in it.",
    fields: &[
        may("offers", List(&Map(&OFFER)), "One entry for each offer; none: the default book."),
        may("owned", List(&Map(&OWNED)), "Hardware of one's own, by what it cost."),
        may("adjust", List(&Map(&ADJUST)), "Discounts and agreed prices, applied in order."),
        may("exchange", List(&Map(&EXCHANGE)), "Rates between currencies."),
    ],
};

pub(crate) static OWNED: Shape = Shape {
    name: "Owned",
    doc: "A machine of one's own: its price is spread over its years and used hours.",
    fields: &[
        must("instance_type", Text, "What it is called."),
        may("region", Text, "Where it stands. Default: local."),
        may("accelerator", Text, "Model and memory; none for a CPU machine."),
        may("accelerator_count", Whole, "How many accelerators a machine has. Default: 0."),
        may("vcpus", Number, "Cores."),
        may("memory_gib", Number, "Main memory in GiB."),
        may("storage_gib", Number, "Local disk in GiB; absent: not known."),
        may("available", Whole, "How many there are; absent: not limited."),
        must("purchase_price", Money, "What one machine cost."),
        must("years", Number, "Over how many years of 8766 hours that is spread."),
        may("utilisation", Share, "The share of hours that it works. Default: 100%."),
        may("watts", Number, "What it draws while it works; needs electricity."),
        may("pue", Number, "Power of the whole site for one watt of it. Default: 1."),
        may("electricity", Money, "The price of a kilowatt-hour."),
        must("source", Text, "Where the figures come from."),
        must("as_of", Date, "The day of the figures."),
    ],
};

pub(crate) static EXCHANGE: Shape = Shape {
    name: "Exchange",
    doc: "What one unit of a currency is in another.",
    fields: &[
        must("from", Text, "ISO 4217, such as EUR."),
        must("to", Text, "ISO 4217, such as USD."),
        must("rate", Number, "So many of the one for one of the other."),
        must("source", Text, "Where the rate comes from."),
        must("as_of", Date, "The day of the rate."),
    ],
};

pub(crate) static OFFER: Shape = Shape {
    name: "Offer",
    doc: "A whole machine, per hour.",
    fields: &[
        must("provider", Text, "aws, gcp, azure, lambda, local and so on."),
        must("region", Text, "The provider's name of the region."),
        may("zone", Text, "Where prices differ by zone."),
        must("instance_type", Text, "The provider's name of the machine."),
        may("accelerator", Text, "Model and memory; none for a CPU machine."),
        may("accelerator_count", Whole, "How many accelerators a machine has. Default: 0."),
        may("vcpus", Number, "Cores."),
        may("memory_gib", Number, "Main memory in GiB."),
        may("storage_gib", Number, "Local disk in GiB; absent: not known."),
        must("purchase", OneOf(&["on-demand", "spot", "reserved", "owned"]), "How it is paid."),
        must("price", Number, "Per unit, in the currency."),
        must("currency", Text, "ISO 4217, such as USD."),
        must("unit", OneOf(&["hour"]), "What the price is for."),
        must("source", Text, "Where the price comes from."),
        must("as_of", Date, "The day it was seen."),
        may("available", Whole, "How many can be had at once; absent: not limited."),
    ],
};

impl Shape {
    /// The names of the fields.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.fields.iter().map(|field| field.name).collect()
    }
}
