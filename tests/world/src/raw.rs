//! Connections that speak the daemon's protocols badly.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::Arena;

/// Bytes of a client's fixed request: struct lttcomm_session_msg,
/// src/common/sessiond-comm/sessiond-comm.h.
pub const CLIENT_REQUEST_BYTES: usize = 13156;

/// Offset of the lengths in the request's union, struct lttcomm_session_msg.
const UNION_OFFSET: usize = 4688;

/// Offset of the payload's length in an enable-event request.
pub const ENABLE_LENGTH_OFFSET: usize = 4944;

/// Offset of the payload's length in requests that begin with it, as a channel's or a trigger's.
pub const LENGTH_OFFSET: usize = UNION_OFFSET;

/// Offset of the number of descriptors that follow.
pub const DESCRIPTORS_OFFSET: usize = 13152;

/// Bytes of an application's registration: struct ustctl_reg_msg, lttng-ust liblttng-ust/lttng-ust-comm.c.
pub const REGISTRATION_BYTES: usize = 136;

/// A client's fixed request.
pub struct ClientRequest(pub Vec<u8>);

impl ClientRequest {
    /// The request with this command number that names a session and the user-space domain.
    pub fn new(command: u32, session: &str) -> ClientRequest {
        let mut bytes = vec![0; CLIENT_REQUEST_BYTES];
        bytes[..4].copy_from_slice(&command.to_ne_bytes());
        bytes[4..4 + session.len()].copy_from_slice(session.as_bytes());
        bytes[4380..4384].copy_from_slice(&2u32.to_ne_bytes());
        ClientRequest(bytes)
    }

    /// Puts a number at an offset of the request.
    pub fn number(mut self, offset: usize, value: u32) -> ClientRequest {
        self.0[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        self
    }

    /// Puts a string at an offset of the request.
    pub fn string(mut self, offset: usize, value: &str) -> ClientRequest {
        self.0[offset..offset + value.len()].copy_from_slice(value.as_bytes());
        self
    }

    /// Sends it on a new connection, with `payload` behind it, then no more. Gives the reply's code, if any.
    pub fn send(&self, arena: &Arena, payload: &[u8]) -> Option<u32> {
        let mut stream = arena.connect("client-lttng-sessiond");
        // The daemon may have closed after it has seen enough.
        let _ = stream.write_all(&self.0).and_then(|()| stream.write_all(payload));
        let _ = stream.shutdown(std::net::Shutdown::Write);
        reply_code(&mut stream)
    }
}

/// What the daemon answers on a client's connection: the code of the 24 byte header, struct
/// lttcomm_lttng_msg; none when it closes instead.
pub fn reply_code(stream: &mut UnixStream) -> Option<u32> {
    stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
    let mut header = [0; 24];
    match stream.read_exact(&mut header) {
        Ok(()) => Some(u32::from_ne_bytes(header[4..8].try_into().unwrap())),
        Err(error) if is_end(error.kind()) => None,
        Err(error) => panic!("the daemon neither answers nor closes: {error}"),
    }
}

/// Waits until the daemon closes the connection. What it sends before is dropped.
pub fn expect_closed(stream: &mut UnixStream, within: Duration) {
    stream.set_read_timeout(Some(within)).unwrap();
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_end(error.kind()) => return,
            Err(error) => panic!("the daemon keeps the connection open for {within:?}: {error}"),
        }
    }
}

/// The first message of an application on both of its sockets.
pub struct Registration(pub [u8; REGISTRATION_BYTES]);

impl Registration {
    /// A registration as lttng-ust 2.13 on x86-64 sends it, of this process.
    pub fn new(socket_type: u32) -> Registration {
        let pid = std::process::id();
        let uid = rustix::process::geteuid().as_raw();
        let words = [0xC57C_57C5, 9, 0, pid, 1, uid, uid, 64, 8, 8, 8, 8, 8, socket_type];
        let mut bytes = [0; REGISTRATION_BYTES];
        for (index, word) in words.iter().enumerate() {
            bytes[index * 4..index * 4 + 4].copy_from_slice(&word.to_ne_bytes());
        }
        bytes[56..64].copy_from_slice(b"badguest");
        Registration(bytes)
    }

    /// The same with another number in the word at `offset`.
    pub fn with(mut self, offset: usize, value: u32) -> Registration {
        self.0[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        self
    }

    /// Sends the first `count` bytes of it on a new connection.
    pub fn send_part(&self, arena: &Arena, count: usize) -> UnixStream {
        let mut stream = arena.connect("lttng-ust-sock-8");
        stream.write_all(&self.0[..count]).unwrap();
        stream
    }

    /// Sends it on a new connection.
    pub fn send(&self, arena: &Arena) -> UnixStream {
        self.send_part(arena, REGISTRATION_BYTES)
    }
}

fn is_end(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}
