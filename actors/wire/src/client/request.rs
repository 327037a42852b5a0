//! The fixed part of a request (`struct lttcomm_session_msg`, packed).

use std::mem::offset_of;

use lttngd_model::{BufferScheme, Domain, ErrorCode};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Command, CommandKind, Dialect, body, kind, mirror};
use crate::{DecodeError, Reader};

/// Size of the fixed part in bytes.
pub const REQUEST_LEN: usize = 13156;
/// Largest payload in bytes. Room for any event with the longest filter and a thousand exclusions,
/// and for the largest trigger that a client can make by hand.
pub const PAYLOAD_MAX_LEN: usize = 1 << 20;
/// Largest count of descriptors with one message (`LTTCOMM_MAX_SEND_FDS`).
pub const FDS_MAX: usize = 253;
/// Size of the members that differ from command to command, in bytes.
pub(super) const UNION_LEN: usize = 8464;

/// `struct lttcomm_session_msg`.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct SessionMessage {
    command: u32,
    session_name: [u8; 255],
    /// What else `struct lttng_session` has; clients leave it zero.
    session_rest: [u8; 4121],
    domain: u32,
    buffer_type: u32,
    domain_padding: [u8; 12],
    pid: i32,
    domain_attributes: [u8; 284],
    union: [u8; UNION_LEN],
    fd_count: u32,
}

const _: () = assert!(size_of::<SessionMessage>() == REQUEST_LEN);
const _: () = assert!(offset_of!(SessionMessage, domain) == 4380);
const _: () = assert!(offset_of!(SessionMessage, pid) == 4400);
const _: () = assert!(offset_of!(SessionMessage, union) == 4688);
const _: () = assert!(offset_of!(SessionMessage, fd_count) == 13152);

/// The fixed part of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// The version in which it is meant, and is to be answered.
    pub dialect: Dialect,
    /// Raw command number, see [`CommandKind::from_raw`].
    pub command: u32,
    /// Session that the command names, empty for none.
    pub session_name: String,
    /// Raw domain, see [`Domain::from_raw`].
    pub domain: u32,
    /// Raw buffering scheme, see [`BufferScheme::from_raw`].
    pub buffer_type: u32,
    /// Meaningless number that the reply repeats.
    pub pid: i32,
    /// Count of descriptors that follow the payload, at most [`FDS_MAX`].
    pub fd_count: u32,
    /// The members of the command.
    union: Members,
}

/// The members of a command, [`UNION_LEN`] bytes, of which most are zero at most commands' end and are not kept.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Members(Vec<u8>);

impl Members {
    fn of(union: &[u8]) -> Self {
        // Long steps, in which many bytes are looked at together.
        const STEP: usize = 256;
        let is_used = |step: &[u8]| step.iter().fold(0, |all, byte| all | byte) != 0;
        let last = union.chunks(STEP).rposition(is_used);
        let used = last.map_or(0, |last| ((last + 1) * STEP).min(union.len()));
        Self(union.get(..used).unwrap_or_default().to_vec())
    }
}

impl Request {
    /// Decodes [`REQUEST_LEN`] bytes of a client of this version.
    ///
    /// # Errors
    /// When there are fewer or more bytes, the session's name is not NUL-terminated UTF-8, or more
    /// descriptors are announced than one message can carry.
    pub fn decode(bytes: &[u8], dialect: Dialect) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let message: &SessionMessage = mirror::read(&mut reader, "request")?;
        reader.finish("request")?;
        mirror::limited(message.fd_count, FDS_MAX, "request fd_count")?;
        Ok(Self {
            dialect,
            command: message.command,
            session_name: mirror::text(&message.session_name, "session.name")?,
            domain: message.domain,
            buffer_type: message.buffer_type,
            pid: message.pid,
            fd_count: message.fd_count,
            union: Members::of(&message.union),
        })
    }

    /// The number that the reply repeats, when `bytes` are a whole LIST_SESSIONS request of 2.13 that names no
    /// session and brings no descriptors: the one request that can be answered without decoding more. No other
    /// version sends the like.
    #[must_use]
    pub fn lists_sessions(bytes: &[u8]) -> Option<i32> {
        let message = SessionMessage::ref_from_bytes(bytes).ok()?;
        let kind = CommandKind::from_raw(message.command, Dialect::V2_13);
        let plain = kind == Some(CommandKind::ListSessions)
            && message.session_name[0] == 0
            && message.fd_count == 0;
        plain.then_some(message.pid)
    }

    /// The members of the command.
    pub(super) fn union(&self) -> [u8; UNION_LEN] {
        let mut union = [0; UNION_LEN];
        for (to, from) in union.iter_mut().zip(&self.union.0) {
            *to = *from;
        }
        union
    }

    /// Whether the members from this one on, up to the other, have a byte that is set.
    pub(super) fn has_set(&self, members: std::ops::Range<usize>) -> bool {
        let Members(used) = &self.union;
        let members = members.start.min(used.len())..members.end.min(used.len());
        used.get(members).unwrap_or_default().iter().any(|byte| *byte != 0)
    }

    /// Has it other members.
    #[cfg(test)]
    pub(super) fn set_union(&mut self, union: &[u8; UNION_LEN]) {
        self.union = Members::of(union);
    }

    /// The request of a command by a client of 2.13, for no session and no domain until those are set, and the payload
    /// that follows it.
    #[must_use]
    pub fn new(command: &Command) -> (Self, Vec<u8>) {
        Self::new_in(Dialect::V2_13, command)
    }

    /// The same by a client of any version. A command that it does not have gets a number that no command has.
    #[must_use]
    pub fn new_in(dialect: Dialect, command: &Command) -> (Self, Vec<u8>) {
        let (union, payload) = body::encode(command, dialect);
        let request = Self {
            dialect,
            command: command.to_raw(dialect),
            session_name: String::new(),
            domain: Domain::None as u32,
            buffer_type: BufferScheme::PerPid as u32,
            pid: 0,
            fd_count: 0,
            union: Members::of(&union),
        };
        (request, payload)
    }

    /// Names a session.
    #[must_use]
    pub fn in_session(mut self, name: &str) -> Self {
        name.clone_into(&mut self.session_name);
        self
    }

    /// Names a domain and its buffering scheme.
    #[must_use]
    pub fn in_domain(mut self, domain: Domain, scheme: BufferScheme) -> Self {
        self.domain = domain as u32;
        self.buffer_type = scheme as u32;
        self
    }

    /// The bytes of the request and of the payload behind it. A session name that is too long for
    /// its member is cut.
    #[must_use]
    pub fn encode(&self, payload: &[u8]) -> Vec<u8> {
        let message = SessionMessage {
            command: self.command,
            session_name: mirror::chars(self.session_name.as_bytes()),
            session_rest: [0; 4121],
            domain: self.domain,
            buffer_type: self.buffer_type,
            domain_padding: [0; 12],
            pid: self.pid,
            domain_attributes: [0; 284],
            union: self.union(),
            fd_count: self.fd_count,
        };
        [message.as_bytes(), payload].concat()
    }

    /// Count of payload bytes that follow, 0 for a command without payload.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] above [`PAYLOAD_MAX_LEN`]. The daemon then answers
    /// [`Request::malformed`] and closes.
    pub fn payload_len(&self) -> Result<usize, DecodeError> {
        let Some(kind) = self.kind() else { return Ok(0) };
        let value = body::payload_len(kind, &self.union())?;
        usize::try_from(value).ok().filter(|len| *len <= PAYLOAD_MAX_LEN).ok_or(
            DecodeError::TooLarge { what: "request payload", value, limit: PAYLOAD_MAX_LEN as u64 },
        )
    }

    /// The command and its parameters. `payload` is what follows the request,
    /// [`Request::payload_len`] bytes.
    ///
    /// # Errors
    /// What the command answers to a client that sent this body. The session and the domain are to
    /// be looked at first, since their errors come first.
    pub fn command(&self, payload: &[u8]) -> Result<Command, ErrorCode> {
        let Some(kind) = self.kind() else { return Ok(Command::Undefined(self.command)) };
        if self.payload_len() != Ok(payload.len()) {
            return Err(ErrorCode::InvalidProtocol);
        }
        body::decode(kind, self, payload)
    }

    /// The command, `None` for a number that no command has.
    #[must_use]
    pub fn kind(&self) -> Option<CommandKind> {
        CommandKind::from_raw(self.command, self.dialect)
    }

    /// Whether the session must exist before anything else is looked at. The unused numbers below
    /// the last command's behave as commands that need a session and a domain.
    #[must_use]
    pub fn needs_session(&self) -> bool {
        self.kind().map_or(self.command <= kind::last(self.dialect), CommandKind::needs_session)
    }

    /// Whether the domain is made ready before the command runs.
    #[must_use]
    pub fn needs_domain(&self) -> bool {
        self.kind().map_or(self.command <= kind::last(self.dialect), CommandKind::needs_domain)
    }

    /// What the command answers for a body that cannot be decoded.
    #[must_use]
    pub fn malformed(&self) -> ErrorCode {
        self.kind().map_or(ErrorCode::Und, CommandKind::malformed)
    }
}
