//! The health socket: whether the consumer still does its work, asked from a thread of its own.
//!
//! A client sends 4 bytes (`struct health_comm_msg`, whatever the command) and reads 8: a mask of the
//! parts that are unhealthy (`struct health_comm_reply`).

use std::{
    fs,
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::PathBuf,
    thread,
    time::Duration,
};

/// How long a client may take for its request and for taking the reply.
const CLIENT_DEADLINE: Duration = Duration::from_secs(5);
/// Pause after a failure to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Size of a request in bytes.
const REQUEST_LEN: usize = 4;
/// Directory of the sockets of root's daemons.
const ROOT_RUN_DIRECTORY: &str = "/var/run/lttng";

/// The mask's bits for what runs in the control thread: channels (0), metadata (1), the session
/// daemon's commands (3).
pub(crate) const CONTROL: u64 = 0b01011;
/// The mask's bits for what runs in the data threads: data (2) and timers (4).
pub(crate) const DATA: u64 = 0b10100;

/// Where the health socket of a consumer of this word size stands: below the usual run directory,
/// whatever the other sockets' paths are. `None` for a user without a home.
pub(crate) fn socket_path() -> Option<PathBuf> {
    let run_directory = if rustix::process::getuid().is_root() {
        PathBuf::from(ROOT_RUN_DIRECTORY)
    } else {
        home()?.join(".lttng")
    };
    Some(run_directory.join(format!("ustconsumerd{}", usize::BITS)).join("health"))
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

/// The thread that answers. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Health {
    /// The listening socket, to wake the thread by shutting it down.
    socket: OwnedFd,
    path: PathBuf,
    thread: Option<thread::JoinHandle<()>>,
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
        let socket = OwnedFd::from(listener.try_clone()?);
        let thread = thread::Builder::new()
            .name("consumer-health".to_owned())
            .spawn(move || serve(&listener, mask))?;
        Ok(Self { socket, path, thread: Some(thread) })
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        // The session daemon may have removed it together with its own sockets.
        let _ = fs::remove_file(&self.path);
        // It fails only for a socket that does not listen any more.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // It fails only when the thread panicked, which has been reported then.
            let _ = thread.join();
        }
    }
}

/// Serves one client after the other until the socket is shut down.
fn serve(listener: &UnixListener, mask: impl Fn() -> u64) {
    loop {
        match listener.accept() {
            Ok((client, _)) => {
                if let Err(error) = answer(client, &mask) {
                    tracing::debug!(%error, "a health client was not served");
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(error) => {
                tracing::warn!(%error, "no health client is accepted for a moment");
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

fn answer(mut client: UnixStream, mask: impl Fn() -> u64) -> io::Result<()> {
    client.set_read_timeout(Some(CLIENT_DEADLINE))?;
    client.set_write_timeout(Some(CLIENT_DEADLINE))?;
    client.read_exact(&mut [0; REQUEST_LEN])?;
    client.write_all(&mask().to_ne_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

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
