//! The trace clock, which applications stamp their events with, and where it stands against the
//! calendar: `CLOCK_MONOTONIC`, unless a plugin of LTTng-UST gives another.

mod plugin;
mod report;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::Path,
    sync::{Arc, OnceLock},
    time::{SystemTime, UNIX_EPOCH},
};

use lttngd_metadata::tsdl::Clock;
use lttngd_model::Timestamp;
use rustix::time::{ClockId, Timespec, clock_gettime};

pub use self::plugin::{ClockPlugin, ClockPluginError, READER_OPTION, REQUEST};
pub use self::report::{REPORT_MAX_LEN, Report};

/// How many times the offset is sampled; the sample taken in the shortest time wins.
const SAMPLES: usize = 10;
/// Names this boot; it does not change while the daemon runs.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const NS_PER_S: u64 = 1_000_000_000;

/// What applications stamp their events with. Copies are the same clock.
#[derive(Clone, Debug, Default)]
pub enum TraceClock {
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    #[default]
    Monotonic,
    /// A clock override plugin of LTTng-UST, in a process of its own.
    Plugin(Arc<ClockPlugin>),
}

impl TraceClock {
    /// The clock that the plugin `library` gives, which `program` loads (see [`ClockPlugin`]). When
    /// it cannot be loaded or does not want to override the clock, that is logged and the clock is
    /// the monotonic one, as it is in every application then.
    ///
    /// Blocks until the plugin is loaded.
    ///
    /// # Errors
    ///
    /// When applications do use the plugin's clock, as far as can be seen, but the daemon cannot
    /// describe it: traces would have wrong times.
    pub fn with_plugin(program: &Path, library: &Path) -> Result<Self, ClockPluginError> {
        let plugin = ClockPlugin::start(program, library)?;
        Ok(plugin.map_or(Self::Monotonic, |plugin| Self::Plugin(Arc::new(plugin))))
    }

    /// Measures the clock. Of a plugin whose process is lost or does not answer in time it is the
    /// last measurement.
    pub async fn sample(&self) -> Clock {
        let Self::Plugin(plugin) = self else { return sample_clock() };
        let asked = Arc::clone(plugin);
        let sampled = tokio::task::spawn_blocking(move || asked.sample()).await;
        sampled.unwrap_or_else(|error| {
            tracing::error!(%error, "the trace clock was not measured");
            plugin.last()
        })
    }
}

/// Measures `CLOCK_MONOTONIC`.
#[must_use]
pub fn sample_clock() -> Clock {
    let offset_ns =
        measure_offset(NS_PER_S, || nanoseconds(clock_gettime(ClockId::Monotonic)).cast_unsigned());
    Clock::monotonic(boot_id(), offset_ns)
}

/// What tells this boot of this machine from all others; `None` when the system does not say.
#[must_use]
pub fn boot_id() -> Option<String> {
    static BOOT: OnceLock<Option<String>> = OnceLock::new();
    BOOT.get_or_init(|| Some(fs::read_to_string(BOOT_ID).ok()?.trim().to_owned())).clone()
}

/// What the calendar says now.
#[must_use]
pub fn now() -> Timestamp {
    let epoch_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    Timestamp { epoch_s }
}

/// Units from the Epoch to the zero of the clock that `read` reads and that counts `freq_hz` units a
/// second. Out of 64 bits it wraps around, as it does for `lttng-sessiond`.
pub fn measure_offset(freq_hz: u64, mut read: impl FnMut() -> u64) -> i64 {
    (0..SAMPLES)
        .map(|_| {
            let before = read();
            let real = clock_gettime(ClockId::Realtime);
            let duration = read().wrapping_sub(before);
            let middle = before.wrapping_add(duration / 2);
            (duration, units(real, freq_hz).wrapping_sub(i128::from(middle)) as i64)
        })
        .min_by_key(|(duration, _)| *duration)
        .map_or(0, |(_, offset)| offset)
}

/// A time in units of a clock.
fn units(time: Timespec, freq_hz: u64) -> i128 {
    i128::from(nanoseconds(time)) * i128::from(freq_hz) / i128::from(NS_PER_S)
}

fn nanoseconds(time: Timespec) -> i64 {
    time.tv_sec * NS_PER_S.cast_signed() + time.tv_nsec
}
