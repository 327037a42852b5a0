//! The protocol between the session daemon and a logging agent, version 2.0: the part of a Java or
//! Python program that hands what is logged to LTTng-UST (`src/common/sessiond-comm/agent.h` of
//! lttng-tools 2.13).
//!
//! All numbers are big-endian. An agent connects over TCP and sends a [`Registration`]. From then on the
//! daemon sends a [`Command`] and the agent a reply, of which each begins with a code; RegistrationDone
//! has none.
//!
//! Text that agents send is taken as it comes: bytes that are not UTF-8 become U+FFFD.

mod command;
mod reply;
#[cfg(test)]
mod tests;

use lttngd_model::Domain;

pub use command::{Command, EnableEvent, HEADER_LEN, Header, PAYLOAD_MAX_LEN};
pub use reply::{
    LIST_HEAD_LEN, LOGGERS_MAX, LOGGERS_MAX_LEN, ListHead, Loggers, REPLY_LEN, Refusal, Reply,
    encode_loggers,
};

use crate::{DecodeError, Reader, Writer, number};

/// Size in bytes of a registration (`struct agent_register_msg`).
pub const REGISTRATION_LEN: usize = 16;
/// Version of the protocol (`AGENT_MAJOR_VERSION`, `AGENT_MINOR_VERSION`). There is no other that works
/// with it.
const VERSION: (u32, u32) = (2, 0);

/// How an agent introduces itself. The process id is its own claim: a TCP socket knows nothing better.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Registration {
    /// One of the agent domains.
    pub domain: Domain,
    /// Process id.
    pub pid: u32,
}

impl Registration {
    /// Reads a registration.
    ///
    /// # Errors
    /// Wrong size, a domain without agents, another version than 2.0.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let domain = number::u32(&mut reader, "agent domain")?;
        let pid = number::u32(&mut reader, "agent process id")?;
        for (what, supported) in
            [("agent major version", VERSION.0), ("agent minor version", VERSION.1)]
        {
            let value = number::u32(&mut reader, what)?;
            if value != supported {
                return Err(DecodeError::BadValue { what, value: value.into() });
            }
        }
        reader.finish("agent registration")?;
        match Domain::from_raw(domain).filter(|domain| domain.is_agent()) {
            Some(domain) => Ok(Self { domain, pid }),
            None => Err(DecodeError::BadValue { what: "agent domain", value: domain.into() }),
        }
    }

    /// The registration's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(REGISTRATION_LEN);
        for value in [self.domain as u32, self.pid, VERSION.0, VERSION.1] {
            number::put_u32(&mut writer, value);
        }
        writer.into_bytes()
    }
}
