//! The fields of what a contract changes in a price book.

use super::{Date, Map, OneOf, Shape, Share, Text, Whole, may, must};

pub(crate) static ADJUST: Shape = Shape {
    name: "Adjust",
    doc: "A change of list prices; patterns may have * and ?.",
    fields: &[
        must("name", Text, "What provenance calls it."),
        may("provider", Text, "A pattern. Default: all."),
        may("region", Text, "A pattern. Default: all."),
        may("instance_type", Text, "A pattern. Default: all."),
        may("purchase", OneOf(&["on-demand", "spot", "reserved", "owned"]), "Which. Default: all."),
        may("from", Date, "The first day that it holds."),
        may("to", Date, "The first day that it holds no more."),
        may("discount", Share, "So much of the price less."),
        may("discounts", Map(&DISCOUNTS), "So much less of what each resource costs of it."),
        may("off", Text, "So much less, such as 0.50 USD/h."),
        may("price", Text, "This price instead, such as 30 USD/h."),
        may("committed", Text, "This price beside on demand, as reserved, such as 21 USD/h."),
        may("available", Whole, "At most so many nodes at it."),
        must("source", Text, "The contract."),
    ],
};

pub(crate) static DISCOUNTS: Shape = Shape {
    name: "Discounts",
    doc: "By resource; a machine's price is split over its resources as its cost is.",
    fields: &[
        may("gpu", Share, "Off accelerators."),
        may("cpu", Share, "Off cores."),
        may("memory", Share, "Off memory."),
        may("storage", Share, "Off disks, and off volumes."),
        may("network", Share, "Off bytes sent."),
    ],
};
