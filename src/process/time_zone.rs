//! The local time zone, in which the names of sessions, directories and trace chunks tell the time.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;

use super::read_regular_file;

/// Names the time zone, as the C library takes it.
const VARIABLE: &str = "TZ";
/// Names the directory of time zones.
const DIRECTORY_VARIABLE: &str = "TZDIR";
/// Where the C library has the time zones, and the one of the machine.
const DIRECTORY: &str = "/usr/share/zoneinfo";
const OF_THE_MACHINE: &str = "/etc/localtime";
/// Largest description of a time zone, in bytes; those in use have some kilobytes.
const FILE_MAX_LEN: u64 = 256 << 10;

/// Reads the time zone of this process, once and for all: later nobody waits for a file of it. A zone that
/// cannot be read is UTC, as it is for the C library, with a warning.
pub(crate) fn settle() {
    lttngd_model::set_local_time_zone(|| {
        let zone = std::env::var_os(VARIABLE);
        let directory = std::env::var_os(DIRECTORY_VARIABLE).filter(|value| !value.is_empty());
        let directory = directory.unwrap_or_else(|| DIRECTORY.into());
        find(zone.as_deref(), Path::new(&directory), Path::new(OF_THE_MACHINE)).unwrap_or_else(
            |error| {
                tracing::warn!(%error, "the local time zone cannot be read: names have times of UTC");
                TimeZone::UTC
            },
        )
    });
}

/// The time zone that a value of `TZ` means: a rule as `CET-1CEST`, or a file, which a colon may stand
/// before.
fn find(zone: Option<&OsStr>, directory: &Path, machine: &Path) -> Result<TimeZone, String> {
    let Some(zone) = zone else {
        return match read(machine) {
            Err(_) if !machine.exists() => Ok(TimeZone::UTC),
            read => read,
        };
    };
    let bytes = zone.as_bytes();
    let named = OsStr::from_bytes(bytes.strip_prefix(b":").unwrap_or(bytes));
    if named.is_empty() {
        return Ok(TimeZone::UTC);
    }
    let path: PathBuf = directory.join(named);
    read(&path).or_else(|error| {
        let rule = OsString::from(named).into_string();
        rule.ok().and_then(|rule| TimeZone::posix(&rule).ok()).ok_or(error)
    })
}

fn read(path: &Path) -> Result<TimeZone, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let content = read_regular_file(path, FILE_MAX_LEN).map_err(|error| failed(&error))?;
    TimeZone::tzif(&path.to_string_lossy(), &content).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use jiff::Timestamp;

    use super::*;

    fn offset_s(zone: Option<&str>) -> Result<i32, String> {
        let zone = find(zone.map(OsStr::new), Path::new(DIRECTORY), Path::new("/no/such/file"))?;
        Ok(zone.to_offset(Timestamp::UNIX_EPOCH).seconds())
    }

    #[test]
    fn zones_are_rules_or_files() {
        for (zone, expected) in [
            (None, 0),
            (Some(""), 0),
            (Some("UTC"), 0),
            (Some("UTC0"), 0),
            (Some("XXX-5:30"), 19800),
            (Some(":XXX3"), -10800),
        ] {
            assert_eq!(offset_s(zone), Ok(expected), "{zone:?}");
        }
        if Path::new(DIRECTORY).join("Asia/Tokyo").exists() {
            for zone in ["Asia/Tokyo", ":Asia/Tokyo", "/usr/share/zoneinfo/Asia/Tokyo"] {
                assert_eq!(offset_s(Some(zone)), Ok(9 * 3600), "{zone}");
            }
        }
    }

    #[test]
    fn what_has_no_end_or_never_begins_is_no_zone() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        let fifo = format!(":{}", fifo.display());
        for zone in [":/dev/zero", "/dev/tty", "/etc/passwd", "no such zone", &fifo] {
            assert!(offset_s(Some(zone)).is_err(), "{zone}");
        }
    }
}
