//! How many streams a channel needs.

use std::io;

const POSSIBLE_CPUS: &str = "/sys/devices/system/cpu/possible";

/// Count of CPUs that the machine may have: the highest possible id, and one. Applications refuse a
/// channel with another count of streams.
///
/// # Errors
/// When the system does not tell, or tells what is no list of ids.
pub fn possible_cpu_count() -> io::Result<u32> {
    let list = std::fs::read_to_string(POSSIBLE_CPUS)?;
    highest_id(&list).and_then(|id| id.checked_add(1)).ok_or_else(|| {
        let text = format!("{POSSIBLE_CPUS} has no list of CPUs: {list:?}");
        io::Error::new(io::ErrorKind::InvalidData, text)
    })
}

/// The highest id of a list as `0-3,8`.
fn highest_id(list: &str) -> Option<u32> {
    let last = |range: &str| range.rsplit('-').next()?.parse().ok();
    let ids: Option<Vec<u32>> = list.trim().split(',').map(last).collect();
    ids?.into_iter().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_id_of_a_list() {
        assert_eq!(highest_id("0\n"), Some(0));
        assert_eq!(highest_id("0-3\n"), Some(3));
        assert_eq!(highest_id("0,4-7,9"), Some(9));
        assert_eq!(highest_id("8-11,0-3"), Some(11));
        for bad in ["", "\n", "a-b", "1,,2", "0-"] {
            assert_eq!(highest_id(bad), None, "{bad:?}");
        }
    }
}
