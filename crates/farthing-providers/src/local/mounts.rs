//! The mount table: `/proc/self/mountinfo`.

use super::files::lines;

/// One line of the mount table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// The device as `major:minor`.
    pub(super) device: String,
    /// Which folder of the file system is mounted.
    pub(super) root: String,
    /// Where.
    pub(super) point: String,
    /// The file system's name, such as `ext4` or `cgroup2`.
    pub(super) kind: String,
    /// What is mounted, such as `/dev/sda1`.
    pub(super) source: String,
    /// Options of the file system itself, such as `rw,cpu,cpuacct`.
    pub(super) options: String,
}

/// Reads the table; a line that is none is left out.
pub(super) fn mounts(text: &[u8]) -> Vec<Mount> {
    lines(text).filter_map(mount).collect()
}

fn mount(line: &[u8]) -> Option<Mount> {
    let line = String::from_utf8_lossy(line);
    // Optional fields end with a lone dash.
    let (place, what) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(2);
    let (device, root, point) = (place.next()?, place.next()?, place.next()?);
    let mut what = what.split(' ');
    Some(Mount {
        device: device.to_owned(),
        root: unescaped(root),
        point: unescaped(point),
        kind: what.next()?.to_owned(),
        source: unescaped(what.next()?),
        options: what.next().unwrap_or_default().to_owned(),
    })
}

impl Mount {
    /// Whether an option is set, such as `cpu` of a cgroup version 1 mount.
    pub(super) fn has_option(&self, name: &str) -> bool {
        self.options.split(',').any(|option| option == name)
    }
}

/// Spaces, tabs, newlines and backslashes are written as three octal digits.
fn unescaped(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|digits| {
            byte == b'\\' && digits.iter().all(|digit| (b'0'..=b'7').contains(digit))
        });
        let value = digits.map(|digits| {
            digits.iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'))
        });
        if let Some(value) = value.and_then(|value| u8::try_from(value).ok()) {
            bytes.push(value);
            rest = &after[3..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spaces_and_optional_fields() {
        let text = b"27 1 254:0 / /mnt/a\\040b rw shared:1 master:2 - ext4 /dev/vda rw,discard\n\
                     32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                     broken line\n";
        let mounts = mounts(text);
        assert_eq!(mounts.len(), 2);
        assert_eq!(mounts[0].point, "/mnt/a b");
        assert_eq!((&*mounts[0].device, &*mounts[0].kind), ("254:0", "ext4"));
        assert!(mounts[1].has_option("cpuacct") && !mounts[1].has_option("cpuset"));
        assert_eq!(unescaped("a\\134b\\9\\777"), "a\\b\\9\\777");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_left_out(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = mounts(&text);
        }
    }
}
