//! The fields of a node that stands.

use super::Form::{Count, List, Map, OneOf, Text, Truth};
use super::{RESOURCES, Shape, may, must};

pub(crate) static NODE: Shape = Shape {
    name: "NodeSpec",
    doc: "A node that stands, with who is on it: what is planned begins with it.",
    fields: &[
        must("instanceType", Text, "The provider's name of the machine."),
        may(
            "provider",
            Text,
            "Which of the offers of this machine it was bought as. Default: any.",
        ),
        may("region", Text, "Where it is, where the machine is sold in several regions."),
        may("zone", Text, "The zone, where prices differ by zone."),
        may(
            "purchase",
            OneOf(&["on-demand", "spot", "reserved", "owned"]),
            "How it is paid. Default: on-demand.",
        ),
        may(
            "price",
            Text,
            "What an hour of it costs, such as 0.192 USD/h. Default: as the price book has it.",
        ),
        may("resources", Map(&RESOURCES), "What it has. Default: as the price book has it."),
        may("count", Count, "So many of them, named NAME-1, NAME-2 and so on. Default: 1."),
        may("holds", List(&Map(&HELD)), "Who is on each of them. Default: nobody."),
        may("keep", Truth, "Whether it stays, whatever it costs. Default: false."),
    ],
};

pub(crate) static HELD: Shape = Shape {
    name: "Held",
    doc: "Members of a workload on a node.",
    fields: &[
        must("workload", Text, "Whose members."),
        may("members", Count, "How many. Default: 1."),
    ],
};
