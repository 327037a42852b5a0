//! How much memory there is: of the machine, of the control groups that the daemon is in, of a file system in memory.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Shortage;

/// What is kept for all else: one in so many, and at most so much.
const KEPT_PART: u64 = 16;
/// See [`KEPT_PART`].
const KEPT_MAX_LEN: u64 = 64 << 20;

/// How much there is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Room {
    /// Bytes that may be allocated.
    pub(crate) left: u64,
    /// What leaves no more.
    pub(crate) shortage: Shortage,
}

impl Room {
    /// Where the system does not tell.
    pub(crate) const UNKNOWN: Self = Self { left: u64::MAX, shortage: Shortage::Machine };

    /// Of so much in all, of which so much is free.
    fn of(all: u64, free: u64, shortage: Shortage) -> Self {
        let kept = (all / KEPT_PART).min(KEPT_MAX_LEN);
        Self { left: free.saturating_sub(kept), shortage }
    }

    /// The smaller of both.
    pub(crate) fn min(self, other: Self) -> Self {
        if other.left < self.left { other } else { self }
    }
}

/// Looks in the system below `root`.
pub(crate) fn look(root: &Path) -> Room {
    let machine = of_machine(root).unwrap_or(Room::UNKNOWN);
    control_groups(root).iter().filter_map(|it| it.room()).fold(machine, Room::min)
}

/// The room in a file system of memory.
pub(crate) fn of_file_system(place: &Path) -> Option<Room> {
    let it = rustix::fs::statvfs(place).ok()?;
    let (all, free) = (it.f_blocks * it.f_frsize, it.f_bavail * it.f_frsize);
    Some(Room::of(all, free, Shortage::SharedMemory))
}

fn of_machine(root: &Path) -> Option<Room> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let kib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    let (all, free) = (kib("MemTotal")?, kib("MemAvailable")?);
    Some(Room::of(all.saturating_mul(1024), free.saturating_mul(1024), Shortage::Machine))
}

/// A control group with its own limit.
struct ControlGroup {
    directory: PathBuf,
    limit: &'static str,
    used: &'static str,
    /// Begins the names of what is counted with the groups below it.
    all: &'static str,
}

impl ControlGroup {
    /// What is left of its limit, if it has one. Pages of files that were not used lately are given up for others.
    fn room(&self) -> Option<Room> {
        let number =
            |name| fs::read_to_string(self.directory.join(name)).ok()?.trim().parse::<u64>().ok();
        let (limit, used) = (number(self.limit)?, number(self.used)?);
        let counted = fs::read_to_string(self.directory.join("memory.stat")).unwrap_or_default();
        let given_up = |name: &str| {
            let mut lines = counted.lines();
            lines.find_map(|line| {
                let count = line.strip_prefix(self.all)?.strip_prefix(name)?.strip_prefix(' ')?;
                count.parse::<u64>().ok()
            })
        };
        let files = given_up("inactive_file").unwrap_or(0);
        let files = files.saturating_add(given_up("active_file").unwrap_or(0));
        let used = used.saturating_sub(files);
        Some(Room::of(limit, limit.saturating_sub(used), Shortage::ControlGroup))
    }
}

/// The groups that this process is in, and those above them, of either version.
fn control_groups(root: &Path) -> Vec<ControlGroup> {
    let read = |path| fs::read_to_string(root.join(path)).unwrap_or_default();
    let (own, mounts) = (read("proc/self/cgroup"), read("proc/self/mountinfo"));
    let mut groups = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (number, kinds, path) = (parts.next(), parts.next(), parts.next());
        let (Some(number), Some(kinds), Some(path)) = (number, kinds, path) else { continue };
        let is_first = kinds.split(',').any(|kind| kind == "memory");
        if !is_first && number != "0" {
            continue;
        }
        let Some((base, mount)) = mounts.lines().find_map(|line| mount(line, is_first)) else {
            continue;
        };
        // What is above the part that is mounted is not seen.
        let inside = path.strip_prefix(base.trim_end_matches('/')).unwrap_or("");
        let top = root.join(mount.trim_start_matches('/'));
        let (limit, used, all) = match is_first {
            true => ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
            false => ("memory.max", "memory.current", ""),
        };
        let lowest = top.join(inside.trim_start_matches('/'));
        let above = lowest.ancestors().take_while(|it| it.starts_with(&top));
        groups.extend(above.map(|it| ControlGroup {
            directory: it.to_path_buf(),
            limit,
            used,
            all,
        }));
    }
    groups
}

/// What of its hierarchy a line of `mountinfo` has where, if it is of groups that limit memory: of the first version, or
/// of the second.
fn mount(line: &str, is_first: bool) -> Option<(&str, &str)> {
    let (place, kind) = line.split_once(" - ")?;
    let mut kind = kind.split(' ');
    let is_it = match (kind.next()?, kind.nth(1)) {
        ("cgroup2", _) => !is_first,
        ("cgroup", Some(options)) => is_first && options.split(',').any(|it| it == "memory"),
        _ => false,
    };
    let mut place = place.split(' ').skip(3);
    is_it.then_some((place.next()?, place.next()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const MIB: u64 = 1 << 20;
    const MOUNTS: &str = "24 30 0:22 / /proc rw - proc proc rw\n\
        35 24 0:30 / /groups rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n\
        36 24 0:31 / /first rw,nosuid - cgroup cgroup rw,memory\n";

    /// A system with these files.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn look_in(files: &[(&str, &str)]) -> Room {
        look(system(files).path())
    }

    #[test]
    fn a_machine_keeps_some_of_what_is_available() {
        let meminfo = "MemTotal:        1048576 kB\nMemFree: 1 kB\nMemAvailable:     524288 kB\n";
        let expected = Room { left: (512 - 64) * MIB, shortage: Shortage::Machine };
        assert_eq!(look_in(&[("proc/meminfo", meminfo)]), expected);
        assert_eq!(look_in(&[]), Room::UNKNOWN);
    }

    #[test]
    fn the_least_that_a_group_above_leaves_is_what_there_is() {
        let limit = (64 * MIB).to_string();
        let used = (40 * MIB).to_string();
        let files = format!("anon 5\ninactive_file {}\nactive_file {}\n", 6 * MIB, 2 * MIB);
        let all: &[(&str, &str)] = &[
            ("proc/self/mountinfo", MOUNTS),
            ("proc/self/cgroup", "3:cpu:/x\n0::/a/b\n"),
            ("groups/a/b/memory.max", "max\n"),
            ("groups/a/b/memory.current", "1\n"),
            ("groups/a/memory.max", &limit),
            ("groups/a/memory.current", &used),
            ("groups/a/memory.stat", &files),
        ];
        // 64 less 40 in use, of which 8 are given up, less a sixteenth.
        let expected = Room { left: 28 * MIB, shortage: Shortage::ControlGroup };
        assert_eq!(look_in(all), expected);
    }

    #[test]
    fn groups_of_the_first_version_limit_as_well() {
        let files = format!("inactive_file 7\ntotal_inactive_file {MIB}\n");
        let (limit, used) = ((32 * MIB).to_string(), (11 * MIB).to_string());
        let all: &[(&str, &str)] = &[
            ("proc/self/mountinfo", MOUNTS),
            ("proc/self/cgroup", "4:memory:/a\n0::/\n"),
            ("first/a/memory.limit_in_bytes", &limit),
            ("first/a/memory.usage_in_bytes", &used),
            ("first/a/memory.stat", &files),
            ("first/memory.limit_in_bytes", "9223372036854771712\n"),
            ("first/memory.usage_in_bytes", "1\n"),
        ];
        let expected = Room { left: 20 * MIB, shortage: Shortage::ControlGroup };
        assert_eq!(look_in(all), expected);
    }

    #[test]
    fn this_machine_has_some() {
        assert!(look(Path::new("/")).left > 0);
        assert!(of_file_system(Path::new("/nowhere")).is_none());
    }
}
