//! What the environment sets.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use lttngd::process::own_program;
use lttngd::{ClockPluginConfig, Config};

use super::Surroundings;
use super::number::parse_c_integer;
use super::settings::Settings;
use crate::clock_plugin;

/// Seconds to wait for an application.
const APP_SOCKET_TIMEOUT: &str = "LTTNG_APP_SOCKET_TIMEOUT";
/// The clock override plugin of LTTng-UST.
const CLOCK_PLUGIN: &str = clock_plugin::VARIABLE;
/// Milliseconds to wait for a relay daemon.
const NETWORK_SOCKET_TIMEOUT: &str = "LTTNG_NETWORK_SOCKET_TIMEOUT";

/// The user's home directory: `LTTNG_HOME`, else `HOME`, else the user database's.
pub(super) fn home(around: &dyn Surroundings) -> Option<PathBuf> {
    path(around, "LTTNG_HOME")
        .or_else(|| path(around, "HOME"))
        .or_else(|| around.home_in_user_database())
}

/// The settings that are also options.
pub(super) fn settings(around: &dyn Surroundings, notices: &mut Vec<String>) -> Settings {
    let mut text = |name| {
        let value = path(around, name)?.into_os_string().into_string();
        value.map_err(|_| notices.push(format!("{name} is ignored: it is not UTF-8 text"))).ok()
    };
    let mut settings = Settings::default();
    settings.kmod_probes = text("LTTNG_KMOD_PROBES");
    settings.extra_kmod_probes = text("LTTNG_EXTRA_KMOD_PROBES");
    settings.consumerd32_path = path(around, "LTTNG_CONSUMERD32_BIN");
    settings.consumerd64_path = path(around, "LTTNG_CONSUMERD64_BIN");
    settings.consumerd32_libdir = path(around, "LTTNG_CONSUMERD32_LIBDIR");
    settings.consumerd64_libdir = path(around, "LTTNG_CONSUMERD64_LIBDIR");
    settings
}

/// The time limits, which have no option. For applications 0 and less mean no limit; for relay
/// daemons they mean the system's.
pub(super) fn set_timeouts(
    config: &mut Config,
    around: &dyn Surroundings,
    notices: &mut Vec<String>,
) {
    let limit = |value: i64| u64::try_from(value).ok().filter(|&value| value > 0);
    if let Some(seconds) = number(around, APP_SOCKET_TIMEOUT, notices) {
        config.app_socket_timeout = limit(seconds).map(Duration::from_secs);
    }
    if let Some(milliseconds) = number(around, NETWORK_SOCKET_TIMEOUT, notices) {
        config.network_socket_timeout = limit(milliseconds).map(Duration::from_millis);
    }
}

/// The clock plugin, which has no option either. LTTng-UST has the dynamic linker look for a name
/// without `/`; any other is a path from the working directory.
pub(super) fn set_clock_plugin(config: &mut Config, around: &dyn Surroundings) {
    config.clock_plugin = path(around, CLOCK_PLUGIN).map(|library| ClockPluginConfig {
        library: if library.as_os_str().as_bytes().contains(&b'/') {
            around.working_dir().join(library)
        } else {
            library
        },
        program: own_program(),
    });
}

/// A variable that a privileged program does not take from its caller. Empty counts as unset.
fn path(around: &dyn Surroundings, name: &str) -> Option<PathBuf> {
    if around.is_setuid() {
        return None;
    }
    around.variable(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A number, at least -1 and at most C's `INT_MAX` as in `lttng-sessiond`.
fn number(around: &dyn Surroundings, name: &str, notices: &mut Vec<String>) -> Option<i64> {
    let value = around.variable(name).filter(|value| !value.is_empty())?;
    let number = value
        .to_str()
        .and_then(parse_c_integer)
        .filter(|number| (-1..=i64::from(i32::MAX)).contains(number));
    if number.is_none() {
        notices.push(format!(
            "{name}=\"{}\" is ignored: a number from -1 to {} is needed",
            value.to_string_lossy(),
            i32::MAX
        ));
    }
    number
}
