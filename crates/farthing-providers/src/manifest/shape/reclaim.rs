//! What a policy says may be taken back from what runs.

use super::Form::{Duration, List, Text};
use super::{Shape, may};

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
            "limits",
            Duration,
            "Limits of containers that were far from needed at any time in so long are lowered to \
             what was, while they run, and given back when they are needed.",
        ),
        may(
            "lend",
            Duration,
            "Room of nodes that are owned or reserved is lent to jobs that say \
             farthing.dev/elastic and would be late, and given back when anything waits; not \
             again for so long.",
        ),
        may(
            "sick",
            List(&Text),
            "Nodes that say one of these do no work and are emptied: TYPE=STATUS of a condition, \
             or a device of which not all can be used, such as nvidia.com/gpu.",
        ),
    ],
};
