//! Where the consumer says how it does, and what it says.

use std::{
    fs, io,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::PathBuf,
};

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

/// The socket and who answers there. Dropping it ends both.
#[derive(Debug)]
pub(crate) struct Health {
    path: PathBuf,
    _service: lttngd_health::Health,
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
        Ok(Self { path, _service: service })
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        // The session daemon may have removed it together with its own sockets.
        let _ = fs::remove_file(&self.path);
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
