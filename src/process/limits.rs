//! The limit of open descriptors: each application costs the daemon several.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, getuid, setrlimit};

/// Descriptors a daemon of root may have open, as with `lttng-sessiond`.
const ROOT_DESCRIPTORS: u64 = 65535;

/// Raises the limit of open descriptors as far as the user may; `None` is no limit.
///
/// # Errors
///
/// When the system refuses; the limit is as before then.
pub fn raise_descriptors() -> io::Result<Option<u64>> {
    let current = getrlimit(Resource::Nofile);
    let wanted = raised(current, getuid().is_root());
    if setrlimit(Resource::Nofile, wanted).is_ok() {
        return Ok(wanted.current);
    }
    // Root without the right to raise the hard limit, as in a container.
    let wanted = raised(current, false);
    setrlimit(Resource::Nofile, wanted)?;
    Ok(wanted.current)
}

/// The limit to ask for: never below `current`.
fn raised(current: Rlimit, is_root: bool) -> Rlimit {
    let maximum = match current.maximum {
        Some(hard) if is_root => Some(hard.max(ROOT_DESCRIPTORS)),
        hard => hard,
    };
    Rlimit { current: maximum, maximum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_raises_both_limits_and_others_the_soft_one() {
        let cases = [
            (Some(1024), Some(4096), true, Some(65535)),
            (Some(1024), Some(1 << 20), true, Some(1 << 20)),
            (Some(1024), None, true, None),
            (Some(1024), Some(4096), false, Some(4096)),
            (Some(4096), Some(4096), false, Some(4096)),
        ];
        for (soft, hard, is_root, expected) in cases {
            let limit = raised(Rlimit { current: soft, maximum: hard }, is_root);
            assert_eq!((limit.current, limit.maximum), (expected, expected), "{soft:?} {hard:?}");
        }
    }
}
