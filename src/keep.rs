//! Sessions and triggers that outlive the daemon: what they were is written down at its end, and the next daemon makes
//! them again.

mod again;

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use lttngd_handle::Handle;
use lttngd_model::{Credentials, ErrorCode, UserspaceProbe, trigger::Trigger};
use lttngd_session::KeptSession;
use serde::{Deserialize, Serialize};
use tokio::{task::JoinHandle, time::timeout};

use crate::process::read_regular_file;
use again::{MadeAgain, Waiting};

/// The name of the file in the run directory.
const FILE: &str = "lttngd-kept.json";
/// Most bytes of it: 65,536 sessions of 4 KiB.
const FILE_MAX: u64 = 256 << 20;
/// Which form it has. Another form has another number.
const FORM: u32 = 1;

/// Longest wait for the list of triggers.
const TRIGGERS_DEADLINE: Duration = Duration::from_millis(500);

/// Who keeps sessions and triggers, if anybody does.
pub(crate) struct Keeper {
    path: Option<PathBuf>,
    triggers: Vec<Trigger>,
    /// Of the last daemon's.
    waiting: Waiting,
    starting: Option<JoinHandle<()>>,
}

impl Keeper {
    /// In this run directory, if that is wanted.
    pub(crate) fn of(run_dir: &Path, is_wanted: bool) -> Self {
        let path = is_wanted.then(|| run_dir.join(FILE));
        Self { path, triggers: Vec::new(), waiting: Waiting::default(), starting: None }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.path.is_some()
    }

    /// Makes again what the last daemon has left. Sessions are not started: that may wait for others.
    pub(crate) async fn make_again(&self, handle: &Handle) -> MadeAgain {
        let Some(path) = self.path.clone() else { return MadeAgain::default() };
        let taken = tokio::task::spawn_blocking(move || Kept::take_from(&path)).await;
        match taken.map_err(io::Error::other).flatten() {
            Ok(Some(kept)) => kept.make_again(handle, self.waiting.clone()).await,
            Ok(None) => MadeAgain::default(),
            Err(error) => {
                tracing::error!(%error, "what was kept of sessions is of no use");
                MadeAgain::default()
            }
        }
    }

    /// Starts what recorded when it was kept.
    pub(crate) async fn start(&mut self, again: MadeAgain) {
        self.starting = Some(again.start().await);
    }

    /// The end of the daemon begins: remembers the triggers that there are, of all users. What is not as it was is kept as it
    /// was.
    pub(crate) async fn end(&mut self, handle: &Handle) {
        if let Some(starting) = self.starting.take() {
            starting.abort();
        }
        if !self.is_wanted() {
            return;
        }
        let listed = timeout(TRIGGERS_DEADLINE, handle.list_triggers()).await;
        match listed.unwrap_or(Err(ErrorCode::Unk)) {
            Ok(triggers) => self.triggers = triggers,
            Err(code) => tracing::error!(?code, "triggers are not kept for the next daemon"),
        }
    }

    /// Writes down what the next daemon makes again.
    pub(crate) async fn write_down(self, sessions: Vec<KeptSession>) {
        let Some(path) = self.path else { return };
        let sessions = self.waiting.with(sessions);
        let kept = Kept { form: FORM, sessions, triggers: self.triggers };
        let written = tokio::task::spawn_blocking(move || kept.write_to(&path)).await;
        if let Err(error) = written.map_err(io::Error::other).flatten() {
            tracing::error!(%error, "sessions and triggers are not kept for the next daemon");
        }
    }
}

/// What is kept.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    form: u32,
    sessions: Vec<KeptSession>,
    triggers: Vec<Trigger>,
}

impl Kept {
    /// Writes it to the file at `path`, in the place of what is there. Nobody but the daemon's user reads it. What is
    /// empty is no file.
    ///
    /// # Errors
    /// When the file cannot be made.
    fn write_to(&self, path: &Path) -> io::Result<()> {
        if self.sessions.is_empty() && self.triggers.is_empty() {
            return Ok(());
        }
        let new = path.with_extension("new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(new, path)
    }

    /// What the last daemon has left at `path`, which is there no more: what cannot be made again is not tried at each
    /// start.
    ///
    /// # Errors
    /// When it cannot be read, or has another form.
    fn take_from(path: &Path) -> io::Result<Option<Self>> {
        let bytes = match read_regular_file(path, FILE_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        fs::remove_file(path)?;
        let kept: Self = serde_json::from_slice(&bytes)?;
        if kept.form != FORM {
            let form = kept.form;
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it has form {form}, and this daemon reads {FORM}"),
            ));
        }
        Ok(Some(kept))
    }

    /// Makes the triggers and the sessions again, each for its owner. What cannot be made is an error in the log.
    async fn make_again(self, handle: &Handle, waiting: Waiting) -> MadeAgain {
        for mut trigger in self.triggers {
            let name = trigger.name.clone();
            if let Some(probe) = trigger.condition.userspace_probe_mut() {
                open_program(probe).await;
            }
            let owner = Credentials { uid: trigger.owner_uid, ..handle.requester() };
            if let Err(code) = handle.acting_for(owner).register_trigger(trigger).await {
                tracing::error!(name, ?code, "a trigger is not registered again");
            }
        }
        MadeAgain::make(self.sessions, handle, waiting).await
    }
}

/// Opens the program of a probe, of which the path was written down. One that is not there any more is refused where the
/// trigger is registered.
async fn open_program(probe: &mut UserspaceProbe) {
    let Some(location) = probe.location() else { return };
    let path = location.binary_path().to_owned();
    let opened = tokio::task::spawn_blocking(move || fs::File::open(path)).await;
    if let Ok(binary) = opened.map_err(io::Error::other).flatten() {
        *probe = UserspaceProbe::new(&location, binary);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn kept() -> Kept {
        let owner = Credentials { uid: 1, gid: 2 };
        let sessions = vec![KeptSession { owner, saved: "<sessions/>".to_owned() }];
        Kept { form: FORM, sessions, triggers: Vec::new() }
    }

    #[test]
    fn what_is_kept_is_taken_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        assert_eq!(Kept::take_from(&path).unwrap(), None);
        kept().write_to(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // One that a daemon left which was killed while it wrote is in nobody's way.
        fs::write(path.with_extension("new"), "").unwrap();
        kept().write_to(&path).unwrap();
        assert_eq!(Kept::take_from(&path).unwrap(), Some(kept()));
        assert_eq!(Kept::take_from(&path).unwrap(), None);
        Kept { form: FORM, ..Kept::default() }.write_to(&path).unwrap();
        assert!(fs::read_dir(directory.path()).unwrap().next().is_none());
    }

    #[test]
    fn what_is_not_understood_is_not_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        for text in ["", "{", r#"{"form":2,"sessions":[],"triggers":[]}"#] {
            fs::write(&path, text).unwrap();
            Kept::take_from(&path).unwrap_err();
            assert_eq!(Kept::take_from(&path).unwrap(), None, "{text:?}");
        }
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        Kept::take_from(&path).unwrap_err();
    }
}
