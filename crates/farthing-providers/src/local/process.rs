//! Texts of one process: `/proc/<pid>/stat`, `statm` and `status`.
//!
//! Read by our own lines rather than by the `procfs` crate: metering reads two of these files for
//! each process at each tick, and that crate parses all 52 fields of the one and 60 lines of the
//! other into owned values. What is needed here is six numbers and a name, from a buffer that is
//! reused.

use super::files::{lines, number, words};

/// `PF_KTHREAD` of the kernel's task flags.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// What is read of `/proc/<pid>/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcessStat<'a> {
    /// The program's name as the kernel keeps it: at most 15 bytes of anything.
    pub(super) comm: &'a [u8],
    /// Whether this is a thread of the kernel.
    pub(super) kernel: bool,
    /// Processor time of it and its ended threads, without its children, in ticks.
    pub(super) cpu_ticks: u64,
    /// When it started, in ticks since boot; tells processes of one id apart.
    pub(super) start_ticks: u64,
    /// Who started it, or took it over.
    pub(super) parent: u32,
    /// Processor time of the children that it waited for, and theirs, in ticks.
    pub(super) reaped_ticks: u64,
}

impl<'a> ProcessStat<'a> {
    /// Reads the line. The name is between the first `(` and the *last* `)`, as it may hold
    /// parentheses, spaces and newlines itself.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let open = text.iter().position(|byte| *byte == b'(')?;
        let close = text.iter().rposition(|byte| *byte == b')').filter(|close| *close > open)?;
        // Counted as in proc(5), where the state after the name is field 3.
        let mut fields = words(&text[close + 1..]);
        let parent = number(fields.nth(4 - 3)?)?;
        let flags = number(fields.nth(9 - 5)?)?;
        let user = number(fields.nth(14 - 10)?)?;
        let system = number(fields.next()?)?;
        // These two are signed and may be below zero on old kernels: then nothing is known.
        let reaped_user = number(fields.next()?).unwrap_or(0);
        let reaped_system = number(fields.next()?).unwrap_or(0);
        let start_ticks = number(fields.nth(22 - 18)?)?;
        Some(Self {
            comm: &text[open + 1..close],
            kernel: flags & KERNEL_THREAD != 0,
            cpu_ticks: user.checked_add(system)?,
            start_ticks,
            parent: u32::try_from(parent).ok()?,
            reaped_ticks: reaped_user.checked_add(reaped_system)?,
        })
    }
}

/// Reads `/proc/<pid>/statm`: resident pages, and how many of them are of files or shared memory.
pub(super) fn resident_pages(text: &[u8]) -> Option<(u64, u64)> {
    let mut fields = words(text).skip(1).map(number);
    Some((fields.next()??, fields.next()??))
}

/// Reads the effective user id from `/proc/<pid>/status`.
///
/// The owner of the folder is not it: a process that must not be dumped belongs to root there.
pub(super) fn effective_uid(text: &[u8]) -> Option<u32> {
    let ids = lines(text).find_map(|line| line.strip_prefix(b"Uid:"))?;
    number(words(ids).nth(1)?)?.try_into().ok()
}

/// A program's name for people: what is no UTF-8 or a control character becomes `?`.
pub(super) fn readable(comm: &[u8]) -> String {
    let text = String::from_utf8_lossy(comm);
    let keep = |c: char| if c.is_control() || c == char::REPLACEMENT_CHARACTER { '?' } else { c };
    let name: String = text.chars().map(keep).collect();
    let name = name.trim();
    if name.is_empty() { "(unnamed)".to_owned() } else { name.to_owned() }
}

/// The program's name in `/proc/<pid>/cmdline`, where it is longer than the kernel keeps: the last
/// part of the first argument, if the kernel's name is its beginning.
pub(super) fn longer_name(cmdline: &[u8], comm: &[u8]) -> Option<String> {
    let first = cmdline.split(|byte| *byte == 0).next()?;
    let name = first.rsplit(|byte| *byte == b'/').next()?;
    let sensible = name.len() > comm.len() && name.len() <= 64 && name.starts_with(comm);
    sensible.then(|| readable(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(comm: &[u8], flags: u64, user: u64, system: u64, start: u64) -> Vec<u8> {
        let mut line = b"42 (".to_vec();
        line.extend_from_slice(comm);
        let rest = format!(
            ") S 1 42 42 0 -1 {flags} 1 2 3 4 {user} {system} 7 8 20 0 1 0 {start} 9 10 -1\n"
        );
        line.extend_from_slice(rest.as_bytes());
        line
    }

    #[test]
    fn odd_names_do_not_move_the_fields() {
        for comm in [
            &b"cat"[..],
            b"tmux: server",
            b"a) S 1 (b",
            b"((",
            b"))",
            b"new\nline",
            b"\xff\xfe",
            b"",
            b") 9 9 9 9 9",
        ] {
            let text = line(comm, 0x0040_0100, 11, 22, 333);
            let stat = ProcessStat::parse(&text).unwrap();
            assert_eq!((stat.cpu_ticks, stat.start_ticks, stat.kernel), (33, 333, false));
            assert_eq!((stat.parent, stat.reaped_ticks), (1, 15));
            assert_eq!(stat.comm, comm);
        }
        assert!(ProcessStat::parse(&line(b"kworker/0:1", 0x0420_8060, 0, 5, 9)).unwrap().kernel);
    }

    #[test]
    fn names_are_made_readable() {
        assert_eq!(readable(b"new\nline"), "new?line");
        assert_eq!(readable(b"\xffx"), "?x");
        assert_eq!(readable(b" \t"), "?");
        assert_eq!(readable(b""), "(unnamed)");
        let long = longer_name(b"/usr/bin/containerd-shim-runc-v2\0-id", b"containerd-shim");
        assert_eq!(long.as_deref(), Some("containerd-shim-runc-v2"));
        assert_eq!(
            longer_name(b"nginx: worker process", b"nginx: worker p"),
            Some("nginx: worker process".to_owned())
        );
        assert_eq!(longer_name(b"/usr/bin/python3\0", b"renamed-by-user"), None);
        assert_eq!(longer_name(b"", b""), None);
    }

    #[test]
    fn other_files_of_a_process() {
        assert_eq!(resident_pages(b"765 418 390 5 0 60 0\n"), Some((418, 390)));
        assert_eq!(resident_pages(b"765\n"), None);
        assert_eq!(effective_uid(b"Name:\tUid:\nUid:\t0\t1000\t0\t0\n"), Some(1000));
        assert_eq!(effective_uid(b"Name:\tx\n"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = ProcessStat::parse(&text);
            let _ = resident_pages(&text);
            let _ = effective_uid(&text);
            let _ = longer_name(&text, b"x");
            prop_assert!(!readable(&text).chars().any(char::is_control));
        }

        #[test]
        fn what_is_written_is_read(
            comm in prop::collection::vec(any::<u8>(), 0..16),
            user in 0..u64::from(u32::MAX), system in 0..u64::from(u32::MAX), start: u64,
        ) {
            let text = line(&comm, 0, user, system, start);
            let stat = ProcessStat::parse(&text).unwrap();
            prop_assert_eq!(stat.comm, &comm[..]);
            prop_assert_eq!((stat.cpu_ticks, stat.start_ticks), (user + system, start));
        }

        #[test]
        fn a_cut_line_is_refused_or_whole(cut in 0_usize..60) {
            let text = line(b"x", 0, 11, 22, 333);
            if let Some(stat) = ProcessStat::parse(&text[..cut.min(text.len())]) {
                prop_assert_eq!(stat.cpu_ticks, 33);
            }
        }
    }
}
