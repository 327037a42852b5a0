//! Where the consumer says how it does, and what it says.

use std::{
    fs, io,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::removed::RemovedAtEnd;

/// Directory of the sockets of root's daemons.
const ROOT_RUN_DIRECTORY: &str = "/var/run/lttng";

/// The mask's bits for what runs in the control thread: channels (0), metadata (1), the session
/// daemon's commands (3).
pub(crate) const CONTROL: u64 = 0b01011;
/// The mask's bits for what runs in the data threads: data (2) and timers (4).
pub(crate) const DATA: u64 = 0b10100;

/// After how long with one thing a thread counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(20);

/// Since when a thread has been busy with one thing. Who wants to know looks at it: no thread wakes only to show
/// that it lives.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    epoch: Instant,
    /// Milliseconds since then, at least 1; 0 while it waits for something to do.
    busy_since_ms: Arc<AtomicU64>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { epoch: Instant::now(), busy_since_ms: Arc::default() }
    }
}

impl Pulse {
    /// The thread begins with the next thing.
    pub(crate) fn beat(&self) {
        self.beat_at(Instant::now());
    }

    /// It has nothing to do.
    pub(crate) fn rest(&self) {
        self.busy_since_ms.store(0, Ordering::Relaxed);
    }

    fn beat_at(&self, now: Instant) {
        let since = now.saturating_duration_since(self.epoch).as_millis();
        let since_ms = u64::try_from(since).unwrap_or(u64::MAX).max(1);
        self.busy_since_ms.store(since_ms, Ordering::Relaxed);
    }

    /// For how long it has been busy with one thing.
    pub(crate) fn busy_for(&self, now: Instant) -> Duration {
        match self.busy_since_ms.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since_ms => now.saturating_duration_since(self.epoch + Duration::from_millis(since_ms)),
        }
    }

    /// Whether it has been busy with one thing for too long.
    pub(crate) fn is_stuck_at(&self, now: Instant) -> bool {
        self.busy_for(now) > STUCK_AFTER
    }
}

/// What is said: bits for what is stuck.
pub(crate) fn mask(control: &Pulse, data: &[Pulse], now: Instant) -> u64 {
    let part = |is_stuck, bits| if is_stuck { bits } else { 0 };
    part(control.is_stuck_at(now), CONTROL)
        | part(data.iter().any(|pulse| pulse.is_stuck_at(now)), DATA)
}

/// Where the health socket of a consumer of this word size, or of the kernel's, stands: below the usual run
/// directory, whatever the other sockets' paths are. `None` for a user without a home.
pub(crate) fn socket_path(is_kernels: bool) -> Option<PathBuf> {
    let run_directory = if rustix::process::getuid().is_root() {
        PathBuf::from(ROOT_RUN_DIRECTORY)
    } else {
        home()?.join(".lttng")
    };
    let directory = match is_kernels {
        true => "kconsumerd".to_owned(),
        false => format!("ustconsumerd{}", usize::BITS),
    };
    Some(run_directory.join(directory).join("health"))
}

fn home() -> Option<PathBuf> {
    ["LTTNG_HOME", "HOME"]
        .into_iter()
        .filter_map(std::env::var_os)
        .find(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| {
            let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok()??;
            (!user.dir.as_os_str().is_empty()).then_some(user.dir)
        })
}

/// The socket and who answers there. Dropping it ends both.
#[derive(Debug)]
pub(crate) struct Health {
    _service: lttngd_health::Health,
    _removed: RemovedAtEnd,
}

impl Health {
    /// Answers at `path` with what `mask` says. As root, the group `group` may ask.
    pub(crate) fn start(
        path: PathBuf,
        group: &str,
        mask: impl Fn() -> u64 + Send + 'static,
    ) -> io::Result<Self> {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        if rustix::process::getuid().is_root() {
            // Without such a group it is root's alone.
            let gid = nix::unistd::Group::from_name(group).ok().flatten().map(|g| g.gid.as_raw());
            std::os::unix::fs::chown(&path, Some(0), Some(gid.unwrap_or(0)))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o660))?;
        }
        let service = lttngd_health::Health::start(listener, "consumer-health", mask)?;
        Ok(Self { _service: service, _removed: RemovedAtEnd::of(&path) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{
        io::{Read, Write},
        os::unix::net::UnixStream,
    };

    use super::*;

    #[test]
    fn a_thread_is_stuck_when_one_thing_takes_too_long() {
        let (pulse, now) = (Pulse::default(), Instant::now());
        let late = now + STUCK_AFTER + Duration::from_secs(1);
        assert!(!pulse.is_stuck_at(late), "it has nothing to do");
        pulse.beat_at(now);
        assert!(!pulse.is_stuck_at(now + STUCK_AFTER / 2));
        assert!(pulse.is_stuck_at(late));
        pulse.beat_at(now + STUCK_AFTER);
        assert!(!pulse.is_stuck_at(late), "it began something else");
        pulse.rest();
        assert!(!pulse.is_stuck_at(late + STUCK_AFTER));
    }

    #[test]
    fn the_mask_says_which_half_is_stuck() {
        let (control, data) = (Pulse::default(), [Pulse::default(), Pulse::default()]);
        let now = Instant::now();
        let late = now + STUCK_AFTER + Duration::from_secs(1);
        assert_eq!(mask(&control, &data, late), 0);
        data[1].beat_at(now);
        assert_eq!(mask(&control, &data, late), DATA);
        control.beat_at(now);
        assert_eq!(mask(&control, &data, late), CONTROL | DATA);
        data[1].rest();
        assert_eq!(mask(&control, &data, late), CONTROL);
    }

    #[test]
    fn a_client_is_told_the_mask_until_the_end() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("health");
        let health = Health::start(path.clone(), "no such group", || DATA).unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(&0_u32.to_ne_bytes()).unwrap();
        let mut reply = [0; 8];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(u64::from_ne_bytes(reply), 4 | 16);
        drop(health);
        assert!(!path.exists());
    }
}
