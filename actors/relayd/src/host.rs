//! Names of machines.
//!
//! Whoever is asked for a name may not answer for half a minute, and nothing ends that: each name has a thread of its own,
//! and each user a share of them. Those for what may block are needed by others.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs},
    thread,
    time::Duration,
};

use lttngd_model::{AddressFamily, HostUrl, NetworkUri, StreamKind};
use lttngd_users::Ledger;
use tokio::sync::oneshot;

use crate::RelaydError;

/// Most names that are being looked up.
const NAMES_MAX: u64 = 64;
/// Of those, kept for root's.
const NAMES_KEPT: u64 = 16;

/// Looks up names of machines for users.
#[derive(Clone, Debug)]
pub struct Names(Ledger);

impl Default for Names {
    /// None is being looked up.
    fn default() -> Self {
        let owner = rustix::process::geteuid().as_raw();
        let names = Ledger::new("names of machines that are looked up", NAMES_KEPT);
        Self(names.owned_by(owner))
    }
}

/// The places for control and data connections that URLs tell, with their machine's address, for the daemon itself. Its name
/// is looked up, for `deadline` at most.
///
/// # Errors
/// [`RelaydError::Address`] for an address of another family and a name that is not found in time,
/// [`RelaydError::TwoMachines`], [`RelaydError::Thread`].
pub async fn look_up(
    control: HostUrl,
    data: HostUrl,
    deadline: Duration,
) -> Result<(NetworkUri, NetworkUri), RelaydError> {
    let begin = |name: String| begin(move || addresses(&name)).map(|(found, _)| found);
    places((control, data), deadline, begin).await
}

impl Names {
    /// The same for a user.
    ///
    /// # Errors
    /// Those of [`look_up`], and [`RelaydError::Names`].
    pub async fn look_up(
        &self,
        uid: u32,
        urls: (HostUrl, HostUrl),
        deadline: Duration,
    ) -> Result<(NetworkUri, NetworkUri), RelaydError> {
        let begin = |name: String| self.begin(uid, move || addresses(&name));
        places(urls, deadline, begin).await
    }

    /// Looks for a name. It has its place among those of the user as long as it looks, whether anybody waits for it
    /// or not.
    fn begin(
        &self,
        uid: u32,
        look: impl FnOnce() -> Vec<IpAddr> + Send + 'static,
    ) -> Result<Found, RelaydError> {
        let free = NAMES_MAX.saturating_sub(self.0.taken());
        let lease = self.0.take(uid, 1, free).map_err(|refusal| {
            refusal.tell("the name of a machine is not looked up");
            RelaydError::Names(refusal)
        })?;
        let (found, ended) = begin(look)?;
        tokio::task::spawn_local(async move {
            let _ = ended.await;
            drop(lease);
        });
        Ok(found)
    }
}

/// Tells what was found.
type Found = oneshot::Receiver<Vec<IpAddr>>;

/// Looks for a name in a thread of its own: what it finds, and when it has ended.
fn begin(
    look: impl FnOnce() -> Vec<IpAddr> + Send + 'static,
) -> Result<(Found, oneshot::Receiver<()>), RelaydError> {
    let ((tell, told), (ends, ended)) = (oneshot::channel(), oneshot::channel());
    let work = move || {
        let _until_then = ends;
        // Who asked may have given up.
        let _ = tell.send(look());
    };
    let thread = thread::Builder::new().name("lttngd-name".to_owned());
    thread.spawn(work).map(|_| (told, ended)).map_err(RelaydError::Thread)
}

async fn places(
    (control, data): (HostUrl, HostUrl),
    deadline: Duration,
    begin: impl Fn(String) -> Result<Found, RelaydError>,
) -> Result<(NetworkUri, NetworkUri), RelaydError> {
    let place = |url: HostUrl, stream, address| {
        let HostUrl { family, port, subdir, .. } = url;
        NetworkUri { family, address, port, stream, subdir }
    };
    let address = address(&control, deadline, &begin).await?;
    // One name may stand for several machines: it is looked up once.
    let same = (control.family, &control.host) == (data.family, &data.host);
    if !same && self::address(&data, deadline, &begin).await? != address {
        return Err(RelaydError::TwoMachines { control: control.host, data: data.host });
    }
    let control = place(control, StreamKind::Control, address.clone());
    Ok((control, place(data, StreamKind::Data, address)))
}

async fn address(
    url: &HostUrl,
    deadline: Duration,
    begin: &impl Fn(String) -> Result<Found, RelaydError>,
) -> Result<String, RelaydError> {
    let HostUrl { family, host, .. } = url;
    let of_family = |address: &IpAddr| address.is_ipv4() == (*family == AddressFamily::V4);
    let address = match host.parse::<IpAddr>() {
        // As it was written.
        Ok(address) => of_family(&address).then(|| host.clone()),
        Err(_) => {
            let found = tokio::time::timeout(deadline, begin(host.clone())?).await;
            let found = found.unwrap_or(Ok(Vec::new())).unwrap_or_default();
            let found = found.into_iter().find(of_family).or_else(|| loopback(host, *family));
            found.map(|address| address.to_string())
        }
    };
    address.ok_or_else(|| RelaydError::Address(host.clone()))
}

/// What `localhost` means also where nobody has written it down.
fn loopback(host: &str, family: AddressFamily) -> Option<IpAddr> {
    let address = match family {
        AddressFamily::V4 => Ipv4Addr::LOCALHOST.into(),
        AddressFamily::V6 => Ipv6Addr::LOCALHOST.into(),
    };
    (host == "localhost").then_some(address)
}

/// May block for long.
fn addresses(host: &str) -> Vec<IpAddr> {
    // One that is not found has none.
    let found: io::Result<_> = (host, 0).to_socket_addrs();
    found.map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc;

    use super::*;

    /// Two users.
    const ONE: u32 = 1000;
    const OTHER: u32 = 1001;

    #[actix::test]
    async fn names_that_nobody_answers_for_leave_room_to_those_of_others() {
        let names = Names::default();
        let (ends, mut hung) = (&mut Vec::new(), Vec::new());
        let refused = loop {
            let (end, until) = mpsc::channel::<()>();
            let look = move || {
                until.recv().ok();
                Vec::new()
            };
            match names.begin(ONE, look) {
                Ok(told) => hung.push(told),
                Err(error) => break error,
            }
            ends.push(end);
        };
        assert!(matches!(refused, RelaydError::Names(_)), "{refused}");
        assert!((NAMES_MAX / 4..NAMES_MAX).contains(&(hung.len() as u64)), "{}", hung.len());
        let localhost = || vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        for uid in [OTHER, 0] {
            assert_eq!(names.begin(uid, localhost).unwrap().await.unwrap(), localhost());
        }
        // Nobody waits for these any more, but they go on.
        hung.clear();
        assert!(names.begin(ONE, localhost).is_err());
        ends.clear();
        lttngd_peer::eventually("there is room again", || names.0.held_by(ONE) == 0).await;
        assert_eq!(names.begin(ONE, localhost).unwrap().await.unwrap(), localhost());
    }
}
