//! The command socket in the stock protocol: one exchange after the other.

use std::rc::Rc;

use lttngd_runtime::{Peer, PeerError, read_growing};
use lttngd_wire::consumer::{
    ChannelHead, ChunkReplyHead, END_OF_STREAMS, MESSAGE_LEN, Message, StreamHead, encode_counter,
    encode_status,
};
use std::os::fd::AsFd;

use crate::{
    control::Control,
    dispatch::{Attached, perform},
    refusal::{Refusal, is_of_kernel, refuse},
    reply::{ChannelObject, Reply},
};

/// Size in bytes of the command's number, the first member of every message.
const NUMBER_LEN: usize = 4;
/// `enum lttng_ust_abi_chan_type` of data channels.
const PER_CPU_CHANNEL: i32 = 0;

/// The byte that carries descriptors.
const DESCRIPTORS_BYTE: [u8; 1] = [0];

/// Why the command socket is served no longer.
#[derive(Debug)]
pub(crate) enum End {
    /// The session daemon closed it between two commands.
    Closed,
    /// What came is no command.
    Broken(PeerError),
}

/// Serves the command socket until its end.
pub(crate) async fn serve(socket: &Peer, control: &Rc<Control>) -> End {
    let mut bytes = vec![0; MESSAGE_LEN];
    loop {
        match socket.read_exact_or_end(&mut bytes).await {
            Ok(true) => {}
            Ok(false) => return End::Closed,
            Err(error) => return End::Broken(error),
        }
        control.beat();
        let number = number_of(&bytes);
        if is_of_kernel(number) && !control.is_kernels() {
            tracing::error!(number, "there is no kernel domain");
            continue;
        }
        let exchanged = match Message::decode(&bytes) {
            Ok(message) => exchange(socket, control, message).await,
            Err(error) => refuse_unread(socket, &bytes, &error).await,
        };
        if let Err(error) = exchanged {
            return End::Broken(error);
        }
    }
}

/// Answers a message that is none. A command that does not exist has no answer in the protocol.
async fn refuse_unread(
    socket: &Peer,
    bytes: &[u8],
    error: &lttngd_wire::DecodeError,
) -> Result<(), PeerError> {
    tracing::error!(%error, "the session daemon sent a command that cannot be understood");
    send(socket, refuse(number_of(bytes), Refusal::Malformed)).await
}

/// Which command the bytes of a message are, at least as many as a number has.
fn number_of(bytes: &[u8]) -> u32 {
    let mut number = [0; NUMBER_LEN];
    number.copy_from_slice(&bytes[..NUMBER_LEN]);
    u32::from_ne_bytes(number)
}

async fn exchange(socket: &Peer, control: &Rc<Control>, message: Message) -> Result<(), PeerError> {
    let number = message.number();
    tracing::trace!(number, "command");
    let attached = match &message {
        Message::AddRelaydSocket(_)
        | Message::AddStream { .. }
        | Message::SetChannelMonitorPipe
        | Message::CreateTraceChunk { relayd_id: None, .. } => {
            send(socket, Some(Reply::OK)).await?;
            match socket.read_descriptors(1).await {
                Ok(mut descriptors) => Attached { descriptor: descriptors.pop(), text: Vec::new() },
                Err(error @ (PeerError::Descriptors { .. } | PeerError::NoneLeft { .. })) => {
                    tracing::error!(%error, number, "a command's descriptor");
                    return send(socket, refuse(number, Refusal::NoDescriptor)).await;
                }
                Err(error) => return Err(error),
            }
        }
        Message::PushMetadata { key, len, target_offset, .. } => {
            if let Err(refusal) = control.may_push(*key, *target_offset, *len) {
                return send(socket, refuse(number, refusal)).await;
            }
            send(socket, Some(Reply::OK)).await?;
            if *len == 0 {
                return Ok(());
            }
            let fill = async |bytes: &mut [u8]| socket.read_exact(bytes).await;
            let text = read_growing(usize::try_from(*len).unwrap_or_default(), fill).await?;
            Attached { descriptor: None, text }
        }
        _ => Attached::default(),
    };
    send(socket, perform(control, message, attached).await).await
}

/// Sends a reply in the stock protocol, if there is one.
async fn send(socket: &Peer, reply: Option<Reply>) -> Result<(), PeerError> {
    let Some(reply) = reply else { return Ok(()) };
    match reply {
        Reply::Status(code) => socket.write_all(&encode_status(code)).await,
        Reply::Channel(status) => socket.write_all(&status.encode()).await,
        Reply::Pending(pending) => socket.write_all(&encode_status(pending.into())).await,
        Reply::Count(count) => socket.write_all(&encode_counter(count)).await,
        Reply::ChunkClosed { code, path } => {
            socket.write_all(&ChunkReplyHead::encode(code, &path)).await
        }
        Reply::Object(object) => send_object(socket, &object).await,
    }
}

/// Sends what applications need of a channel, between two statuses. Each call to the system wakes the session
/// daemon, so what stands between two sets of descriptors goes with the byte that carries the first of them.
pub(crate) async fn send_object(socket: &Peer, object: &ChannelObject) -> Result<(), PeerError> {
    let ChannelObject { image, wakeup, streams, .. } = object;
    let channel = ChannelHead { image_len: image.len() as u64, kind: PER_CPU_CHANNEL };
    let first = [encode_status(0).as_slice(), &channel.encode(), image].concat();
    socket.write_all(&first).await?;
    let of_channel = vec![wakeup.as_fd()];
    let of_streams = streams.iter().map(|it| vec![it.memory.as_fd(), it.wakeup.as_fd()]);
    let descriptors = std::iter::once(of_channel).chain(of_streams);
    let heads = streams.iter().map(|stream| {
        let memory_map_size = stream.memory_map_size_bytes;
        StreamHead { memory_map_size, stream_nr: stream.stream_nr }.encode().to_vec()
    });
    let last = [END_OF_STREAMS.to_ne_bytes().as_slice(), &encode_status(0)].concat();
    for (descriptors, behind) in descriptors.zip(heads.chain([last])) {
        let bytes = [DESCRIPTORS_BYTE.as_slice(), &behind].concat();
        socket.write_with_descriptors(&bytes, &descriptors).await?;
    }
    Ok(())
}
