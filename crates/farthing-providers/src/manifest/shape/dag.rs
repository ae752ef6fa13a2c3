//! The fields of `kind: Dag`.

use super::{
    Any, Count, CsvPath, INTERRUPTIBLE, List, Map, Moment, Money, Number, OneOf, RESOURCES, Shape,
    Size, THROUGHPUT, Text, Work, may, must,
};

pub(crate) const OBJECTIVES: &[&str] = &["cost", "time"];
pub(crate) const PURCHASES: &[&str] = &["on-demand", "spot", "reserved", "owned", "any"];

pub(crate) static DAG: Shape = Shape {
    name: "DagSpec",
    doc: "Tasks with data between them, planned together.",
    fields: &[
        must("tasks", List(&Map(&TASK)), "What is to be run."),
        may("edges", List(&Map(&EDGE)), "What comes before what, and the data that moves."),
        may("inputs", List(&Map(&PORT)), "Data that is somewhere before a task starts."),
        may("outputs", List(&Map(&PORT)), "Data of a task that must be somewhere at the end."),
        may("objective", OneOf(OBJECTIVES), "What is minimised first. Default: cost."),
        may("deadline", Moment, "Everything to be done by. `in 36h` counts from now."),
        may("maxCost", Money, "The most that everything may cost, egress included."),
        may(
            "residency",
            List(&Text),
            "Jurisdictions of which one must hold for every task's place, such as eu.",
        ),
    ],
};

pub(crate) static TASK: Shape = Shape {
    name: "DagTask",
    doc: "One task: it holds its nodes as long as it runs.",
    fields: &[
        must("name", Text, "Unique in the DAG."),
        may("accelerators", List(&Map(&ACCELERATORS)), "Of these kinds one is enough."),
        may("resources", Map(&RESOURCES), "What one node must have."),
        may("nodes", Count, "How many nodes. Default: 1."),
        may("hours", Number, "How long it runs on any machine that meets the request."),
        may("work", Work, "What is to be done, in any unit that the throughput uses too."),
        may(
            "throughput",
            Any(&[List(&Map(&THROUGHPUT)), CsvPath]),
            "Measured; `count` is of one node, `rate` of all nodes. First match wins.",
        ),
        may(
            "purchase",
            Any(&[OneOf(PURCHASES), List(&OneOf(PURCHASES))]),
            "Ways to pay. Default: on demand, and what one owns.",
        ),
        may(
            "interruptible",
            Map(&INTERRUPTIBLE),
            "What an interruption costs it. Without it none is counted on spot.",
        ),
        may("providers", List(&Text), "Only these providers."),
        may("regions", List(&Text), "Only these regions."),
        may("residency", List(&Text), "Jurisdictions of which one must hold, beside the DAG's."),
        may("deadline", Moment, "To be done by. `in 36h` counts from now."),
        may("maxNodePrice", Text, "The most that an hour of one node may cost: 10 USD/h."),
        may("maxPrice", Text, "The most that an hour of all its nodes may cost: 40 USD/h."),
    ],
};

pub(crate) static ACCELERATORS: Shape = Shape {
    name: "DagAccelerators",
    doc: "At least so many accelerators of a kind on each node.",
    fields: &[
        must("accelerator", Text, "Model and memory, form optional: H100-80GB."),
        may("count", Count, "On each node. Default: 1."),
    ],
};

pub(crate) static EDGE: Shape = Shape {
    name: "DagEdge",
    doc: "One task before another.",
    fields: &[
        must("from", Text, "The earlier task."),
        must("to", Text, "The later task."),
        may("size", Size, "How much it hands over: 2000GB (10^9) or 2TiB (2^40). Default: 0."),
    ],
};

pub(crate) static PORT: Shape = Shape {
    name: "DagPort",
    doc: "Data of a task in a fixed place.",
    fields: &[
        must("task", Text, "Which task."),
        must("location", Text, "provider/region, such as aws/us-east-1."),
        must("size", Size, "How much."),
    ],
};
