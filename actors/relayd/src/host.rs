//! Names of machines.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use lttngd_model::{AddressFamily, HostUrl, NetworkUri, StreamKind};

use crate::RelaydError;

/// The places for control and data connections that URLs tell, with their machine's address. Its name
/// is looked up, for `deadline` at most.
///
/// # Errors
/// [`RelaydError::Address`] for an address of another family and a name that is not found in time,
/// [`RelaydError::TwoMachines`].
pub async fn look_up(
    control: HostUrl,
    data: HostUrl,
    deadline: Duration,
) -> Result<(NetworkUri, NetworkUri), RelaydError> {
    let place = |url: HostUrl, stream, address| {
        let HostUrl { family, port, subdir, .. } = url;
        NetworkUri { family, address, port, stream, subdir }
    };
    let address = address(&control, deadline).await?;
    // One name may stand for several machines: it is looked up once.
    let same = (control.family, &control.host) == (data.family, &data.host);
    if !same && self::address(&data, deadline).await? != address {
        return Err(RelaydError::TwoMachines { control: control.host, data: data.host });
    }
    let control = place(control, StreamKind::Control, address.clone());
    Ok((control, place(data, StreamKind::Data, address)))
}

async fn address(url: &HostUrl, deadline: Duration) -> Result<String, RelaydError> {
    let HostUrl { family, host, .. } = url;
    let of_family = |address: &IpAddr| address.is_ipv4() == (*family == AddressFamily::V4);
    let address = match host.parse::<IpAddr>() {
        // As it was written.
        Ok(address) => of_family(&address).then(|| host.clone()),
        Err(_) => {
            let found = tokio::time::timeout(deadline, addresses(host)).await;
            let found = found.unwrap_or(Err(io::ErrorKind::TimedOut.into())).unwrap_or_default();
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

/// On a thread for what may block.
async fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((host, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}
