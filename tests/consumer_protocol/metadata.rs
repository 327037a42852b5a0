//! The session daemon's side of the metadata socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use lttngd_wire::consumer::{METADATA_REQUEST_LEN, Message, MetadataRequest};
use proptest::prelude::*;

/// How requests for metadata are answered.
#[derive(Clone, Copy, Debug)]
pub enum Manners {
    /// There is no text.
    Good,
    /// A little text, at a place that may be wrong.
    Text(u64),
    /// Something else.
    Garbage(u8),
    /// Not, and the socket is closed.
    Closed,
}

impl Arbitrary for Manners {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        prop_oneof![
            Just(Self::Good),
            prop_oneof![Just(0), 0..20_u64, any::<u64>()].prop_map(Self::Text),
            any::<u8>().prop_map(Self::Garbage),
            Just(Self::Closed),
        ]
        .boxed()
    }
}

/// Answers requests until the consumer daemon goes, or has been answered badly.
pub fn answer(mut socket: UnixStream, manners: Manners) {
    let mut request = [0; METADATA_REQUEST_LEN];
    while socket.read_exact(&mut request).is_ok() {
        // Whatever comes of it: the consumer daemon may close at any time.
        if answer_one(&mut socket, &request, manners).is_err() {
            return;
        }
    }
}

fn answer_one(socket: &mut UnixStream, request: &[u8], manners: Manners) -> std::io::Result<()> {
    let key = MetadataRequest::decode(request).unwrap().key;
    let text = b"text";
    let (target_offset, len) = match manners {
        Manners::Good => (0, 0),
        Manners::Text(offset) => (offset, text.len() as u64),
        Manners::Garbage(byte) => return socket.write_all(&[byte; 13_000]),
        Manners::Closed => return Err(std::io::ErrorKind::Other.into()),
    };
    let push = Message::PushMetadata { key, target_offset, len, version: 0 };
    socket.write_all(&push.encode())?;
    socket.read_exact(&mut [0; 4])?;
    if len > 0 {
        socket.write_all(text)?;
        socket.read_exact(&mut [0; 4])?;
    }
    Ok(())
}
