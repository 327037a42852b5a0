//! A clock plugin in the consumer daemon, which reads its clock for every packet: the times of packets
//! have to be those of the events in them.

use std::thread;

use lttngd::process::ReadClock;

use super::{VARIABLE, api, forbid_unix_streams, load};

/// Loads the plugin that applications load, and returns its clock. Without one that sets a clock the
/// clock is the monotonic one, as it is for applications.
pub fn consumers_clock() -> Option<ReadClock> {
    let library = std::env::var_os(VARIABLE).filter(|library| !library.is_empty())?;
    // LTTng-UST's constructor starts its threads from this one, so that they cannot register; the other
    // threads of the consumer go on as before.
    let loading = thread::Builder::new().name("clock-plugin".to_owned()).spawn(move || {
        if let Err(error) = forbid_unix_streams() {
            tracing::warn!(%error, "the clock plugin may register as an application");
        }
        load(&library)
    });
    let outcome = match loading.map(thread::JoinHandle::join) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err("it was not loaded".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(reason) = outcome {
        tracing::warn!(reason, "the clock plugin is not used; packets have monotonic times");
        return None;
    }
    let read64 = api::clock()?.read64;
    // SAFETY: the function is the plugin's, which stays loaded.
    Some(Box::new(move || unsafe { read64() }))
}
