//! Quantities in the units that a person reads.

/// Bytes, as `12.3 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths of the unit, rounded down.
    let (mut rest, mut unit) = (u128::from(bytes) * 10 / 1024, 0);
    while rest >= 10 * 1024 && unit + 1 < UNITS.len() {
        rest /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", rest / 10, rest % 10, UNITS[unit])
}

/// Bytes in a second.
pub(crate) fn rate(per_s: u64) -> String {
    format!("{}/s", bytes(per_s))
}

/// A time of milliseconds, as `350 ms` or `3 min 20 s`.
pub(crate) fn milliseconds(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { seconds(ms / 1000) }
}

/// A time of seconds, as `12 s` or `2 h 10 min`.
pub(crate) fn seconds(s: u64) -> String {
    let (minutes, hours, days) = (s / 60, s / 3600, s / 86_400);
    match () {
        () if days > 0 => format!("{days} d {} h", hours % 24),
        () if hours > 0 => format!("{hours} h {} min", minutes % 60),
        () if minutes > 0 => format!("{minutes} min {} s", s % 60),
        () => format!("{s} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_the_unit_that_fits() {
        let shown = [0, 1023, 1024, 1536, 1 << 20, 5 << 30, u64::MAX].map(bytes);
        let expected = ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "5.0 GiB", "15.9 EiB"];
        assert_eq!(shown, expected);
        assert_eq!(rate(2048), "2.0 KiB/s");
        let shown = [0, 999, 1000, 61_000, 3_600_000, 90_000_000].map(milliseconds);
        assert_eq!(shown, ["0 ms", "999 ms", "1 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]);
    }
}
