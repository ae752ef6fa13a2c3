//! Docker and Podman: which engine `farthing up` looks at.

use clap::Args;

/// The containers of this machine.
#[derive(Debug, Args)]
pub(crate) struct DockerArgs {
    /// Name what runs on this machine by container, and run the containers that the workloads of
    /// --config say, with Docker or Podman: at a unix socket, or that of `DOCKER_HOST`, or a usual
    /// one. Only what it started itself is touched
    #[arg(
        long = "docker",
        value_name = "SOCKET",
        num_args = 0..=1,
        conflicts_with_all = ["demo", "context"]
    )]
    #[expect(clippy::option_option, reason = "the flag, and the socket with it")]
    pub(crate) socket: Option<Option<String>>,
}
