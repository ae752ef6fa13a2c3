//! The command as a process, and the signals between it, us and whoever started us.
//!
//! On a terminal the command stays in our process group, so that keys, sizes, stops and hang-ups
//! reach it from the kernel as they would without us, and a pipeline is one job. Without one it has
//! a group of its own, and what we are sent is passed on to that. Nothing is handled in a signal
//! handler: the signals are blocked here and read as events by a thread.

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill, killpg, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// `SI_KERNEL`: a signal of the terminal, which its whole process group gets.
const FROM_KERNEL: i32 = 0x80;

/// What we take note of.
const SIGNALS: [Signal; 13] = [
    Signal::SIGCHLD,
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGWINCH,
    Signal::SIGCONT,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a code.
    Exited(i32),
    /// By a signal.
    Killed(i32),
}

/// Signals as events.
pub(crate) struct Signals {
    events: Receiver<(Signal, bool)>,
}

impl Signals {
    /// Blocks what we take note of, in this thread and those that it starts from here on.
    pub(crate) fn listen() -> nix::Result<Self> {
        let set: SigSet = SIGNALS.into_iter().collect();
        set.thread_block()?;
        let queue = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC)?;
        let (sender, events) = channel();
        std::thread::spawn(move || {
            loop {
                match queue.read_signal() {
                    Ok(Some(info)) => {
                        let number = i32::try_from(info.ssi_signo).unwrap_or(0);
                        let Ok(signal) = Signal::try_from(number) else { continue };
                        if sender.send((signal, info.ssi_code == FROM_KERNEL)).is_err() {
                            return;
                        }
                    }
                    Ok(None) | Err(Errno::EINTR) => {}
                    Err(_) => return,
                }
            }
        });
        Ok(Self { events })
    }

    /// The next signal, and whether the kernel sent it to the whole terminal; `None` when the time
    /// is up.
    pub(crate) fn next(&self, within: Duration) -> Option<(Signal, bool)> {
        match self.events.recv_timeout(within) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(within.min(Duration::from_millis(100)));
                None
            }
        }
    }
}

/// What to start.
pub(crate) struct Start<'a> {
    /// The program and its arguments.
    pub(crate) command: &'a [OsString],
    /// The control group to join.
    pub(crate) join: Option<PathBuf>,
    /// Set in its environment.
    pub(crate) environment: Vec<(String, String)>,
    /// Whether we read its output.
    pub(crate) piped: bool,
}

/// The command.
pub(crate) struct Child {
    process: std::process::Child,
    pid: Pid,
    /// It has a process group of its own.
    apart: bool,
    end: Option<End>,
}

impl Child {
    /// Starts the command. We become the reaper of whatever it leaves behind, so that nothing that
    /// it starts gets out of sight.
    pub(crate) fn start(start: Start<'_>) -> std::io::Result<Self> {
        // Without it (before Linux 3.4) only double forks get out of sight.
        let _ = prctl::set_child_subreaper(true);
        let apart = !has_terminal();
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["become", "--parent", &std::process::id().to_string()]);
        if let Some(door) = &start.join {
            command.arg("--join").arg(door);
        }
        command.arg("--").args(start.command).envs(start.environment);
        if apart {
            command.process_group(0);
        }
        if start.piped {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let process = command.spawn()?;
        let pid = Pid::from_raw(i32::try_from(process.id()).unwrap_or(i32::MAX));
        Ok(Self { process, pid, apart, end: None })
    }

    /// Its process, for its pipes.
    pub(crate) const fn process(&mut self) -> &mut std::process::Child {
        &mut self.process
    }

    /// How it ended, if it has.
    pub(crate) const fn end(&self) -> Option<End> {
        self.end
    }

    /// Waits for what has ended: the command, and whatever lost its parent.
    pub(crate) fn reap(&mut self) {
        loop {
            match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == self.pid => {
                    self.end = Some(End::Exited(code));
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.pid => {
                    self.end = Some(End::Killed(signal as i32));
                }
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// Does with a signal that we were sent what would have happened without us.
    pub(crate) fn pass_on(&self, signal: Signal, from_kernel: bool) {
        let reached_it = from_kernel && !self.apart;
        match signal {
            Signal::SIGCHLD => {}
            Signal::SIGTSTP | Signal::SIGTTIN | Signal::SIGTTOU => {
                if !reached_it {
                    self.send(signal);
                }
                // As the command is stopped, so are we: a shell waits for that.
                let _ = raise(Signal::SIGSTOP);
            }
            // It may be there already, and then says nothing new.
            Signal::SIGCONT => self.send(signal),
            _ if reached_it => {}
            other => self.send(other),
        }
    }

    fn send(&self, signal: Signal) {
        // One that has ended needs no signal.
        let _ = if self.apart { killpg(self.pid, signal) } else { kill(self.pid, signal) };
    }
}

/// Sends a signal to processes, and wakes those that are stopped, so that they get it.
pub(crate) fn send_all(pids: &[u32], signal: Signal) {
    for pid in pids {
        let Ok(pid) = i32::try_from(*pid) else { continue };
        let _ = kill(Pid::from_raw(pid), signal);
        let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
    }
}

/// Whether we have a controlling terminal.
fn has_terminal() -> bool {
    std::fs::OpenOptions::new().read(true).open("/dev/tty").is_ok()
}

/// Where a program is, as a shell would find it: `Err` is the exit code that a shell would give.
pub(crate) fn find(program: &Path) -> Result<PathBuf, (u8, &'static str)> {
    let runs = |path: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        let meta = std::fs::metadata(path).ok()?;
        Some(meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let candidates: Vec<PathBuf> = if program.components().count() > 1 {
        vec![program.to_owned()]
    } else {
        let path =
            std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        std::env::split_paths(&path).map(|folder| folder.join(program)).collect()
    };
    let mut found = None;
    for candidate in candidates {
        match runs(&candidate) {
            Some(true) => return Ok(candidate),
            Some(false) => found = Some((126, "is not a program that may be run")),
            None => {}
        }
    }
    Err(found.unwrap_or((127, "is not there")))
}
