//! The error socket, on which a consumer daemon says its last words.

use lttngd_runtime::{Peer, PeerError};
use lttngd_wire::consumer::ConsumerError as Code;

use crate::{reader::Socket, reports::Owner};

/// The socket.
pub(crate) struct ErrorSocket(pub(crate) Peer);

impl Socket for ErrorSocket {
    const VITAL: Option<&'static str> = Some("its error socket");

    async fn serve(self, _: &Owner) -> String {
        let mut word = [0; 4];
        match self.0.read_exact(&mut word).await {
            Ok(()) => format!("it reported {}", Code(i32::from_ne_bytes(word))),
            Err(PeerError::Closed) => "it closed its error socket".to_owned(),
            Err(error) => format!("its error socket: {error}"),
        }
    }
}
