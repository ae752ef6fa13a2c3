//! Disks: file systems that keep their data on this machine, and the block devices under them.

use super::files::{Files, number};
use super::mounts::{Mount, mounts};
use std::collections::BTreeMap;
use std::path::Path;

/// File systems that keep data on a disk of this machine. A list of what counts is short and
/// stable; a list of what does not (pseudo, network, overlay, images) never ends.
const ON_DISK: [&str; 19] = [
    "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "hfsplus", "jfs",
    "msdos", "nilfs2", "ntfs", "ntfs3", "reiserfs", "ufs", "vfat", "xfs", "zfs",
];

/// Block devices that are no disks, or are made of others that count already.
const NOT_DISKS: [&str; 12] =
    ["dm-", "drbd", "fd", "loop", "md", "mtdblock", "nbd", "ram", "rbd", "sr", "zd", "zram"];

/// A file system on a disk of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// Where it is mounted; of several mounts of one device the one of its whole tree, then the
    /// one with the shortest path.
    pub mount: String,
    /// What is mounted, such as `/dev/nvme0n1p2`.
    pub source: String,
    /// Its kind, such as `ext4`.
    pub kind: String,
    /// Bytes that files can use in all.
    pub total_bytes: u64,
    /// Bytes that files use.
    pub used_bytes: u64,
}

/// A physical disk, as the kernel sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockDevice {
    /// Its name, such as `nvme0n1`.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// Total and used bytes at a path.
pub(super) type SpaceOf = fn(&Path) -> Option<(u64, u64)>;

/// Asks the file system at a path.
pub(super) fn space(path: &Path) -> Option<(u64, u64)> {
    let space = rustix::fs::statvfs(path).ok()?;
    let total = space.f_blocks.checked_mul(space.f_frsize)?;
    // More than an exbibyte is a file system that does not know.
    (total <= 1 << 60).then_some(())?;
    let free = space.f_bfree.checked_mul(space.f_frsize)?;
    Some((total, total.saturating_sub(free)))
}

/// The file systems on disks, by mount point, each device once.
pub(super) fn file_systems(files: &mut Files, space_of: SpaceOf) -> Vec<FileSystem> {
    let table = files.whole("/proc/self/mountinfo").map(mounts).unwrap_or_default();
    let mut by_device: BTreeMap<&str, &Mount> = BTreeMap::new();
    for mount in table.iter().filter(|mount| is_on_disk(mount)) {
        let rank = |mount: &Mount| (mount.root != "/", mount.point.len(), mount.point.clone());
        // Subvolumes have devices of their own and one source, bind mounts one device.
        let key = if mount.source.starts_with('/') { &mount.source } else { &mount.device };
        let kept = by_device.entry(key).or_insert(mount);
        if rank(mount) < rank(kept) {
            *kept = mount;
        }
    }
    let mut found: Vec<FileSystem> = by_device
        .into_values()
        .filter_map(|mount| {
            let (total_bytes, used_bytes) =
                space_of(&files.root().join(mount.point.trim_start_matches('/')))?;
            Some(FileSystem {
                mount: mount.point.clone(),
                source: mount.source.clone(),
                kind: mount.kind.clone(),
                total_bytes,
                used_bytes,
            })
        })
        .collect();
    found.sort_by(|a, b| a.mount.cmp(&b.mount));
    count_pools_once(&mut found);
    found
}

fn is_on_disk(mount: &Mount) -> bool {
    let is_image = mount.source.starts_with("/dev/loop");
    let is_pool = matches!(mount.kind.as_str(), "zfs" | "bcachefs");
    ON_DISK.contains(&&*mount.kind) && !is_image && (is_pool || mount.source.starts_with("/dev/"))
}

/// Every data set of a ZFS pool says that the pool's free space is its own: it counts with the
/// first of them.
fn count_pools_once(found: &mut [FileSystem]) {
    let mut seen: Vec<String> = Vec::new();
    for one in found.iter_mut().filter(|one| one.kind == "zfs") {
        let pool = one.source.split('/').next().unwrap_or_default().to_owned();
        if seen.contains(&pool) {
            one.total_bytes = one.used_bytes;
        } else {
            seen.push(pool);
        }
    }
}

/// The physical disks, by name.
pub(super) fn block_devices(files: &mut Files) -> Vec<BlockDevice> {
    let mut names = files.names("/sys/block");
    names.retain(|name| !NOT_DISKS.iter().any(|prefix| name.starts_with(prefix)));
    names.sort();
    let device = |name: String| {
        // The paths of a multipath disk are hidden; it counts once, by its head.
        let hidden = files.whole(&format!("/sys/block/{name}/hidden")).is_ok_and(is_one);
        // Always in sectors of 512 bytes, whatever the disk's own are.
        let sectors = number(files.whole(&format!("/sys/block/{name}/size")).ok()?)?;
        let bytes = sectors.checked_mul(512).filter(|bytes| *bytes > 0 && !hidden)?;
        Some(BlockDevice { name, bytes })
    };
    names.into_iter().filter_map(device).collect()
}

fn is_one(text: &[u8]) -> bool {
    number(text) == Some(1)
}

/// Bytes of disk that this machine has: its disks, or, where they cannot be seen (in a container)
/// or are smaller, its file systems.
pub(super) fn capacity_bytes(devices: &[BlockDevice], systems: &[FileSystem]) -> u64 {
    let disks = devices.iter().fold(0_u64, |sum, disk| sum.saturating_add(disk.bytes));
    let systems = systems.iter().fold(0_u64, |sum, one| sum.saturating_add(one.total_bytes));
    disks.max(systems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(mountinfo: &str) -> (tempfile::TempDir, Files) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("proc/self")).unwrap();
        std::fs::write(root.path().join("proc/self/mountinfo"), mountinfo).unwrap();
        let files = Files::open(root.path()).unwrap();
        (root, files)
    }

    #[test]
    fn each_device_counts_once() {
        let table = "1 0 8:2 /var/lib/docker /var/lib/docker rw - ext4 /dev/sda2 rw\n\
                     2 0 8:2 / / rw - ext4 /dev/sda2 rw\n\
                     3 0 8:2 / /mnt/again rw - ext4 /dev/sda2 rw\n\
                     4 0 0:50 / /merged rw - overlay overlay rw\n\
                     5 0 0:51 / /tmp rw - tmpfs tmpfs rw\n\
                     6 0 0:52 / /data rw - nfs4 server:/data rw\n\
                     7 0 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro\n\
                     8 0 7:1 / /image rw - ext4 /dev/loop1 rw\n\
                     9 0 0:60 /@ /btrfs rw - btrfs /dev/sdb1 rw\n\
                     10 0 0:61 /@home /btrfs/home rw - btrfs /dev/sdb1 rw\n\
                     11 0 0:70 / /tank rw - zfs tank rw\n\
                     12 0 0:71 / /tank/a rw - zfs tank/a rw\n";
        let (root, mut files) = fixture(table);
        let found = file_systems(&mut files, |_| Some((1_000, 100)));
        let found: Vec<_> =
            found.iter().map(|one| (&*one.mount, one.total_bytes, one.used_bytes)).collect();
        let expect = [
            ("/", 1_000, 100),
            ("/btrfs", 1_000, 100),
            ("/tank", 1_000, 100),
            ("/tank/a", 100, 100),
        ];
        assert_eq!(found, expect);
        drop(root);
    }

    #[test]
    fn disks_are_physical() {
        let (root, mut files) = fixture("");
        let sizes = [
            ("sda", "2000", ""),
            ("dm-0", "1000", ""),
            ("zram0", "9", ""),
            ("sr0", "8", ""),
            ("nvme0c0n1", "70", "1\n"),
            ("nvme0n1", "70\n", "0\n"),
            ("sdb", "0", ""),
        ];
        for (name, size, hidden) in sizes {
            let folder = root.path().join("sys/block").join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("size"), size).unwrap();
            std::fs::write(folder.join("hidden"), hidden).unwrap();
        }
        let disks = block_devices(&mut files);
        let found: Vec<_> = disks.iter().map(|disk| (&*disk.name, disk.bytes)).collect();
        assert_eq!(found, [("nvme0n1", 70 * 512), ("sda", 2_000 * 512)]);
        assert_eq!(capacity_bytes(&disks, &[]), 2_070 * 512);
    }

    #[test]
    fn a_real_file_system_has_space() {
        let (total, used) = space(Path::new("/")).unwrap();
        assert!(total > 0 && used <= total);
        assert_eq!(space(Path::new("/nowhere/at/all")), None);
    }
}
