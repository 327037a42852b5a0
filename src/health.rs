//! What the daemon says of its health. All parts of ours that the mask names live in the actors' thread:
//! they answer together or not at all.

use std::{io, os::unix::net::UnixListener, time::Duration};

use lttngd_handle::Handle;
use lttngd_health::Health;
use lttngd_model::ErrorCode;

/// How long the actors may take for an answer before they count as stuck.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// The mask's bits for what runs in the actors' thread (`src/bin/lttng-sessiond/health-sessiond.h`): client
/// commands (0), management (1), registration (2), notification (6) and dispatch (7) of applications,
/// consumer daemons (4), rotation (9) and timers (10). The others name parts that are not there.
const ACTORS: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 9 | 1 << 10;

/// Answers on `listener` what the actors behind `handle` make known by answering.
///
/// # Errors
/// When the thread or its clock cannot be made.
pub(crate) fn start(listener: UnixListener, handle: Handle) -> io::Result<Health> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    Health::start(listener, "lttngd-health", move || {
        runtime.block_on(async {
            let answer = tokio::time::timeout(ANSWER_DEADLINE, handle.check("", None));
            // No session has this name; what counts is that the registry says so.
            let alive = matches!(answer.await, Ok(Err(ErrorCode::SessNotFound)));
            if alive { 0 } else { ACTORS }
        })
    })
}
