//! Whose the other end of a TCP connection within this machine is. Unlike sockets of files, those of TCP do not tell
//! it; but the kernel knows (`sock_diag`, as `ss -e` asks it).

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`: the question, and the answer to it.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST` of `linux/netlink.h`.
const NLM_F_REQUEST: u16 = 1;
/// `IPPROTO_TCP`.
const TCP: u8 = 6;
/// Address families as the kernel numbers them: `AF_INET`, `AF_INET6`.
const FAMILIES: [u8; 2] = [2, 10];
/// Length of a `struct nlmsghdr`.
const HEADER_LEN: usize = 16;
/// Length of a `struct inet_diag_req_v2`.
const REQUEST_LEN: usize = 56;
/// Where in a `struct inet_diag_msg` the user stands, and behind it the number of the file; both are 0 for a
/// socket that no process has any more.
const USER_AT: usize = HEADER_LEN + 64;

/// Asks whose sockets are.
#[derive(Debug)]
pub struct TcpUsers(OwnedFd);

impl TcpUsers {
    /// One that can ask.
    ///
    /// # Errors
    /// When the kernel has no such thing to ask.
    pub fn new() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let protocol = Some(netlink::SOCK_DIAG);
        Ok(Self(socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?))
    }

    /// The user who has the socket at `theirs` that is connected to `ours`; `None` when it is none of this
    /// machine's (or of its network namespace), when no process has it any more, or when the kernel does not tell.
    #[must_use]
    pub fn user(&self, theirs: SocketAddr, ours: SocketAddr) -> Option<u32> {
        // What an earlier question that failed left there is not the answer to this one.
        let mut reply = [0; 1024];
        while recv(&self.0, &mut reply, RecvFlags::DONTWAIT).is_ok() {}
        send(&self.0, &question(theirs, ours), SendFlags::empty()).ok()?;
        // The kernel answers before the question returns.
        let (len, _) = recv(&self.0, &mut reply, RecvFlags::DONTWAIT).ok()?;
        user_in(reply.get(..len)?)
    }
}

/// Asks for the one socket that is bound to `theirs` and connected to `ours`.
fn question(theirs: SocketAddr, ours: SocketAddr) -> Vec<u8> {
    let is_v6 = theirs.is_ipv6() || ours.is_ipv6();
    let len = HEADER_LEN + REQUEST_LEN;
    let mut bytes = Vec::with_capacity(len);
    bytes.extend(u32::try_from(len).unwrap_or_default().to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    // A number and who asks: neither matters.
    bytes.extend([0; 8]);
    bytes.extend([FAMILIES[usize::from(is_v6)], TCP, 0, 0]);
    // In any state.
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(theirs.port().to_be_bytes());
    bytes.extend(ours.port().to_be_bytes());
    for address in [theirs, ours] {
        let mut place = [0; 16];
        match address.ip() {
            IpAddr::V4(ip) if is_v6 => place = ip.to_ipv6_mapped().octets(),
            IpAddr::V4(ip) => place[..4].copy_from_slice(&ip.octets()),
            IpAddr::V6(ip) => place = ip.octets(),
        }
        bytes.extend(place);
    }
    // By any device; without the cookie of an earlier answer.
    bytes.extend([0; 4]);
    bytes.extend([0xff; 8]);
    bytes
}

/// The user in an answer.
fn user_in(reply: &[u8]) -> Option<u32> {
    let kind = u16::from_ne_bytes(reply.get(4..6)?.try_into().ok()?);
    let number = |at: usize| {
        let bytes = reply.get(at..at + 4)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    };
    let (user, file) = (number(USER_AT)?, number(USER_AT + 4)?);
    (kind == SOCK_DIAG_BY_FAMILY && file != 0).then_some(user)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_user_of_a_connection_within_the_machine() {
        let users = TcpUsers::new().unwrap();
        let own = rustix::process::geteuid().as_raw();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, theirs) = listener.accept().unwrap();
            let ours = server.local_addr().unwrap();
            assert_eq!(users.user(theirs, ours), Some(own), "{address}");
            drop(client);
            assert_eq!(users.user(theirs, ours), None, "no process has it");
        }
        let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
        assert_eq!(users.user(nobody, nobody), None);
    }

    #[test]
    fn another_user_is_told_from_the_own_one() {
        if !rustix::process::geteuid().is_root() {
            eprintln!(
                "another_user_is_told_from_the_own_one needs root, and checks nothing without"
            );
            return;
        }
        let users = TcpUsers::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let user = rustix::process::Uid::from_raw(54_321);
            rustix::thread::set_thread_res_uid(user, user, user).unwrap();
            TcpStream::connect(address).unwrap()
        });
        let _client = thread.join().unwrap();
        let (server, theirs) = listener.accept().unwrap();
        assert_eq!(users.user(theirs, server.local_addr().unwrap()), Some(54_321));
    }

    #[test]
    fn answers_that_are_none() {
        for reply in [&[][..], &[0; 100], &[0xff; 20]] {
            assert_eq!(user_in(reply), None);
        }
    }
}
