//! In which file system a directory is, and whether that can stand still: without asking the file system itself.

use std::{
    fs,
    os::fd::{AsRawFd, OwnedFd},
};

/// File systems on disks of this machine and in its memory. All others wait for a process (FUSE) or another machine
/// (NFS, and what is like it), and may do so for ever.
const STEADY: [&str; 22] = [
    "bcachefs",
    "btrfs",
    "devtmpfs",
    "erofs",
    "exfat",
    "ext2",
    "ext3",
    "ext4",
    "f2fs",
    "hugetlbfs",
    "iso9660",
    "jfs",
    "nilfs2",
    "ntfs3",
    "overlay",
    "ramfs",
    "reiserfs",
    "tmpfs",
    "udf",
    "vfat",
    "xfs",
    "zfs",
];

/// The number of a mount.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Mount(u64);

/// The mount of a directory whose file system may stand still; `None` for one that does not, and where the system
/// does not tell.
pub(crate) fn may_stand_still(directory: &OwnedFd) -> Option<Mount> {
    let about = format!("/proc/self/fdinfo/{}", directory.as_raw_fd());
    let mount = mount_in(&fs::read_to_string(about).ok()?)?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    (!is_steady(&mounts, mount)).then_some(mount)
}

/// The mount in what the system tells of a descriptor.
fn mount_in(about: &str) -> Option<Mount> {
    let number = about.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
    number.trim().parse().ok().map(Mount)
}

/// Whether the file system of a mount never stands still. One that is not in the list is of another mount
/// namespace, and nothing is known of it.
fn is_steady(mounts: &str, Mount(mount): Mount) -> bool {
    let mount = mount.to_string();
    let line = mounts.lines().find(|line| line.split(' ').next() == Some(&mount));
    // Fields that may or may not be there end with a dash; the type follows.
    let kind = line.and_then(|line| line.split_once(" - ")?.1.split(' ').next());
    kind.is_some_and(|kind| STEADY.contains(&kind))
}

/// A mount of this number.
#[cfg(test)]
pub(crate) fn example(number: u64) -> Mount {
    Mount(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const MOUNTS: &str = "\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
25 21 0:22 / /home/user\\040name/m rw,nosuid - fuse.sshfs host: rw,user_id=1000\n\
30 21 0:40 / /srv rw - nfs4 host:/srv rw\n\
31 21 0:41 / /mnt/a\\040-\\040tmpfs rw shared:3 master:4 - fuse x - tmpfs rw\n";

    #[test]
    fn the_type_of_a_mount_says_whether_it_may_stand_still() {
        let steady = [21, 25, 30, 31, 2, 40].map(|mount| is_steady(MOUNTS, Mount(mount)));
        assert_eq!(steady, [true, false, false, false, false, false]);
        assert!(!is_steady("", Mount(21)) && !is_steady("21 garbage", Mount(21)));
    }

    #[test]
    fn the_mount_of_a_descriptor() {
        assert_eq!(mount_in("pos:\t0\nflags:\t02100000\nmnt_id:\t25\nino:\t2\n"), Some(Mount(25)));
        assert_eq!(mount_in("pos:\t0\n"), None);
        let proc: OwnedFd = fs::File::open("/proc/self").unwrap().into();
        assert!(may_stand_still(&proc).is_some(), "it is none of the list");
    }
}
