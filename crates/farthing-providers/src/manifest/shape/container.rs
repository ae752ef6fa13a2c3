//! The fields of a workload's container.

use super::Form::{Labels, List, Text};
use super::{Shape, may, must};

pub(crate) static CONTAINER: Shape = Shape {
    name: "Container",
    doc: "The container that each member of a job is, where `farthing up --docker` runs it.",
    fields: &[
        must("image", Text, "The image. It has to be on the machine: nothing is pulled."),
        may("command", List(&Text), "What is run in it. Default: the image's own command."),
        may("environment", Labels, "Variables of its environment."),
        may(
            "volumes",
            List(&Text),
            "Folders of the machine that it sees, such as /data:/data or /data:/data:ro.",
        ),
    ],
};
