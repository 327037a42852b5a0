//! How many streams a channel needs.

use std::{fs, io, path::Path, sync::OnceLock};

/// What the system tells of its processors.
const CPUS: &str = "/sys/devices/system/cpu";

/// Count of CPUs that the machine may have: the highest possible id, and one. Applications refuse a
/// channel with another count of streams, so that it is found as LTTng-UST finds it (`get_possible_cpus_array_len`,
/// `src/common/smp.c`): where the system has no list of CPUs, as in a sandbox without `/sys`, from the
/// directories of CPUs or the C library's count, whichever is more. It stays the same until the machine is started
/// anew, and is looked up once.
///
/// # Errors
/// When the system tells nothing at all.
pub fn possible_cpu_count() -> io::Result<u32> {
    static COUNT: OnceLock<u32> = OnceLock::new();

    if let Some(count) = COUNT.get() {
        return Ok(*count);
    }
    // SAFETY: the call takes a number.
    let configured = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) };
    let count = count(Path::new(CPUS), configured)
        .ok_or_else(|| io::Error::other("the system does not tell how many CPUs it has"))?;
    Ok(*COUNT.get_or_init(|| count))
}

fn count(cpus: &Path, configured: i64) -> Option<u32> {
    let list = fs::read_to_string(cpus.join("possible")).ok();
    if let Some(highest) = list.as_deref().and_then(last_id) {
        return highest.checked_add(1);
    }
    let named = fs::read_dir(cpus).into_iter().flatten().flatten().filter_map(|entry| {
        entry.file_name().to_str()?.strip_prefix("cpu")?.parse::<u32>().ok()?.checked_add(1)
    });
    let configured = u32::try_from(configured).unwrap_or(0);
    Some(named.max().unwrap_or(0).max(configured)).filter(|count| *count > 0)
}

/// The last id of a list as `0-3,8`, which is in order.
fn last_id(list: &str) -> Option<u32> {
    list.trim_end().rsplit([',', '-']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_last_id_of_a_list() {
        assert_eq!(last_id("0\n"), Some(0));
        assert_eq!(last_id("0-3\n"), Some(3));
        assert_eq!(last_id("0,4-7,9"), Some(9));
        for bad in ["", "\n", "a-b", "0-"] {
            assert_eq!(last_id(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn without_a_list_the_most_that_is_known_counts() {
        let sys = tempfile::tempdir().unwrap();
        assert_eq!(count(&sys.path().join("missing"), 4), Some(4));
        assert_eq!(count(&sys.path().join("missing"), -1), None);
        for name in ["cpu0", "cpu6", "cpufreq", "cpu"] {
            fs::create_dir(sys.path().join(name)).unwrap();
        }
        assert_eq!(count(sys.path(), 4), Some(7));
        assert_eq!(count(sys.path(), 8), Some(8));
        fs::write(sys.path().join("possible"), "nonsense\n").unwrap();
        assert_eq!(count(sys.path(), 8), Some(8));
        fs::write(sys.path().join("possible"), "0-1\n").unwrap();
        assert_eq!(count(sys.path(), 8), Some(2));
    }
}
