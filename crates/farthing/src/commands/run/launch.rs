//! The last step between `farthing run` and its command: what must be done in the process that
//! becomes the command, and cannot be done from outside of it without unsafe code.

use crate::args::BecomeArgs;
use crate::outcome::Outcome;
use crate::print::talk;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::getppid;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Not to be executed, as shells say it.
const CANNOT: u8 = 126;
/// Not found, as shells say it.
const NOT_FOUND: u8 = 127;

/// Joins the group, asks to be told when `farthing run` dies, and becomes the command. Comes back
/// only when that fails.
pub(crate) fn become_command(args: &BecomeArgs) -> Outcome {
    let [program, rest @ ..] = &args.command[..] else { return Outcome::Code(CANNOT) };
    let told = prctl::set_pdeathsig(Signal::SIGTERM);
    // It may have died before it was asked for.
    if told.is_err() || u32::try_from(getppid().as_raw()) != Ok(args.parent) {
        talk("farthing: whoever started this is gone: the command is not started");
        return Outcome::Code(CANNOT);
    }
    if let Some(door) = &args.join
        && let Err(error) = std::fs::write(door, "0")
    {
        talk(&format!("farthing: {} cannot be joined: {error}", door.display()));
        return Outcome::Code(CANNOT);
    }
    // Whatever is blocked in the process that meters is not in the command.
    let _ = SigSet::all().thread_unblock();
    let error = Command::new(program).args(rest).exec();
    talk(&format!("farthing: {} cannot be run: {error}", program.display()));
    Outcome::Code(if error.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { CANNOT })
}
