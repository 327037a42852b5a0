//! Buffers in files of a directory that the user chose.

use std::{path::PathBuf, rc::Rc, time::Duration};

use lttngd_model::ErrorCode;
use tokio::time::{Instant, sleep};

use crate::{SetShmPath, actor::Inner, admission::turn::Turn};

/// Longest wait at the end of a session for the consumer daemons to remove the files of buffers.
const REMOVAL_DEADLINE: Duration = Duration::from_secs(5);
/// Time between two looks for that.
const REMOVAL_PERIOD: Duration = Duration::from_millis(10);

impl Inner {
    pub(crate) async fn set_shm_path(self: Rc<Self>, request: SetShmPath) -> Result<(), ErrorCode> {
        self.admit_turn(Turn::SetShmPath)?;
        let path = Some(request.path).filter(|path| !path.as_os_str().is_empty());
        if path.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err(ErrorCode::Invalid);
        }
        self.state_mut().shm_path = path;
        self.show_changed();
        Ok(())
    }

    /// The directories of the present buffer sets' files.
    pub(crate) fn shm_directories(&self) -> Vec<PathBuf> {
        let state = self.state();
        let Some(root) = &state.shm_path else { return Vec::new() };
        let of = |set: &crate::state::SessionSet| {
            root.join(set.kind.tracer().directory()).join(&set.path)
        };
        state.sets.values().map(of).collect()
    }

    /// Waits until the consumer daemons have removed what was in these directories.
    pub(crate) async fn wait_for_removal(&self, directories: Vec<PathBuf>) {
        let deadline = Instant::now() + REMOVAL_DEADLINE;
        for directory in directories {
            // What cannot be looked at counts as gone.
            while tokio::fs::try_exists(&directory).await.unwrap_or(false) {
                if Instant::now() >= deadline {
                    let path = directory.display();
                    tracing::warn!(?path, "files of buffers stay");
                    return;
                }
                sleep(REMOVAL_PERIOD).await;
            }
        }
    }
}
