//! ADD_RELAYD_SOCKET.

use lttngd_model::{NetIndex, RelaySessionId, SessionId, StreamKind};

use super::packed;
use crate::{DecodeError, Reader, Writer};

/// `LTTCOMM_SOCK_TCP`, the only protocol of relay daemons.
const PROTOCOL_TCP: u8 = 1;

/// Hands a connected relay daemon's socket to the consumer (`u.relayd_sock` of `struct
/// lttcomm_consumer_msg`); the descriptor follows after a status of 0. The control socket goes
/// before the data socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddRelaydSocket {
    /// The index by which channels name this relay; unique in a session daemon's life.
    pub net_index: NetIndex,
    /// Which of the two connections.
    pub stream: StreamKind,
    /// Negotiated major version of the relay protocol.
    pub major: u32,
    /// Negotiated minor version of the relay protocol.
    pub minor: u32,
    /// The tracing session.
    pub session_id: SessionId,
    /// The id that the relay gave the session; 0 with the data socket.
    pub relayd_session_id: RelaySessionId,
}

impl AddRelaydSocket {
    pub(super) fn encode(&self, writer: &mut Writer) {
        let stream = match self.stream {
            StreamKind::Control => 0,
            StreamKind::Data => 1,
        };
        writer.u64(self.net_index.0).u32(stream).u32(self.major).u32(self.minor).u8(PROTOCOL_TCP);
        writer.u64(self.session_id.0).u64(self.relayd_session_id.0);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let net_index = NetIndex(reader.u64("net_index")?);
        let stream = match packed::flag(reader.u32("relayd socket type")?, "relayd socket type")? {
            false => StreamKind::Control,
            true => StreamKind::Data,
        };
        let major = reader.u32("relayd major")?;
        let minor = reader.u32("relayd minor")?;
        match reader.u8("relayd socket protocol")? {
            PROTOCOL_TCP => {}
            value => {
                let what = "relayd socket protocol";
                return Err(DecodeError::BadValue { what, value: value.into() });
            }
        }
        Ok(Self {
            net_index,
            stream,
            major,
            minor,
            session_id: SessionId(reader.u64("session_id")?),
            relayd_session_id: RelaySessionId(reader.u64("relayd_session_id")?),
        })
    }
}
