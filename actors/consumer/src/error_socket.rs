//! The error socket, on which a consumer daemon says its last words.

use lttngd_runtime::{Peer, PeerError, fail_point};
use lttngd_wire::consumer::ConsumerError as Code;

use crate::{
    reader::Socket,
    reports::{Owner, Unread},
};

/// The socket.
pub(crate) struct ErrorSocket(pub(crate) Peer);

impl Socket for ErrorSocket {
    async fn serve(self, _: &Owner) -> String {
        let mut word = [0; 4];
        let said = self.0.read_exact(&mut word).await;
        fail_point::reached("ErrorSocket word");
        match said {
            Ok(()) => format!("it reported {}", Code(i32::from_ne_bytes(word))),
            Err(PeerError::Closed) => "it closed its error socket".to_owned(),
            Err(error) => format!("its error socket: {error}"),
        }
    }

    fn unread(owner: &Owner, why: Unread) {
        owner.socket_ended(why.reason("its error socket"));
    }
}
