//! A connection to the command socket: the exchanges of the protocol, one at a time.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use lttngd_model::{ChannelKey, PATH_MAX};
use lttngd_runtime::{Held, Peer, PeerError};
use lttngd_wire::{
    DecodeError,
    consumer::{
        CHANNEL_HEAD_LEN, CHANNEL_STATUS_LEN, COUNTER_LEN, ChannelHead, ChannelStatus,
        ChunkReplyHead, ConsumerError as Code, Message, ReplyError, STATUS_LEN, STREAM_COUNT_MAX,
        STREAM_SIZE_LEN, StreamHead, TraceChunkPresence, check_status, decode_counter,
        decode_data_pending,
    },
};

use crate::{ChannelObject, ConsumerError, StreamObject, hearing::Hearing};

/// A connection to the command socket. Who has it makes one exchange after the other: until an exchange
/// is at its end the connection is in the middle of it.
pub(crate) struct Link {
    peer: Peer,
    /// What hears of all that comes.
    hearing: Option<Hearing>,
    /// The place of a session in the budget of descriptors, if this is its own.
    _held: Option<Held>,
}

impl Link {
    pub(crate) fn new(peer: Peer) -> Self {
        Self { peer, hearing: None, _held: None }
    }

    /// The same, of one session.
    pub(crate) fn with_place(self, held: Held) -> Self {
        Self { _held: Some(held), ..self }
    }

    /// The same, of which it is heard whether something comes.
    pub(crate) fn heard_by(self, hearing: Hearing) -> Self {
        Self { hearing: Some(hearing), ..self }
    }

    /// What ends it from outside, also in the middle of an exchange.
    pub(crate) fn end(&self) -> io::Result<LinkEnd> {
        self.peer.as_fd().try_clone_to_owned().map(LinkEnd)
    }

    async fn begin(&self, message: &Message) -> Result<Exchange<'_>, ConsumerError> {
        // It would be taken for the answer to this, and each answer for that of the exchange after it.
        if self.peer.has_unread() {
            return Err(protocol(PeerError::Unsolicited));
        }
        self.peer.write_all(&message.encode()).await.map_err(lost)?;
        Ok(Exchange(&self.peer, self.hearing.as_ref()))
    }

    /// A command that a status answers.
    pub(crate) async fn status(&self, message: &Message) -> Result<(), ConsumerError> {
        self.begin(message).await?.status().await
    }

    /// A command that a status answers, then a descriptor follows and a second status answers that.
    pub(crate) async fn descriptor(
        &self,
        message: &Message,
        descriptor: BorrowedFd<'_>,
    ) -> Result<(), ConsumerError> {
        let exchange = self.begin(message).await?;
        exchange.status().await?;
        exchange.0.write_descriptors(&[descriptor]).await.map_err(lost)?;
        exchange.status().await
    }

    /// A command that a status answers, then bytes follow, if any, and a second status answers them.
    pub(crate) async fn payload(
        &self,
        message: &Message,
        bytes: &[u8],
    ) -> Result<(), ConsumerError> {
        let exchange = self.begin(message).await?;
        exchange.status().await?;
        if bytes.is_empty() {
            return Ok(());
        }
        exchange.0.write_all(bytes).await.map_err(lost)?;
        exchange.status().await
    }

    /// TRACE_CHUNK_EXISTS: whether anybody holds the chunk.
    pub(crate) async fn chunk_presence(
        &self,
        message: &Message,
    ) -> Result<TraceChunkPresence, ConsumerError> {
        let exchange = self.begin(message).await?;
        Ok(TraceChunkPresence::decode(&exchange.read::<STATUS_LEN>().await?)?)
    }

    /// DATA_PENDING.
    pub(crate) async fn data_pending(&self, message: &Message) -> Result<bool, ConsumerError> {
        let exchange = self.begin(message).await?;
        Ok(decode_data_pending(&exchange.read::<STATUS_LEN>().await?)?)
    }

    /// DISCARDED_EVENTS and LOST_PACKETS.
    pub(crate) async fn counter(&self, message: &Message) -> Result<u64, ConsumerError> {
        let exchange = self.begin(message).await?;
        Ok(decode_counter(&exchange.read::<COUNTER_LEN>().await?)?)
    }

    /// ASK_CHANNEL_CREATION: the count of streams.
    pub(crate) async fn ask_channel(&self, message: &Message) -> Result<u32, ConsumerError> {
        let exchange = self.begin(message).await?;
        let status = ChannelStatus::decode(&exchange.read::<CHANNEL_STATUS_LEN>().await?)?;
        status.check().map_err(ConsumerError::Refused)
    }

    /// CLOSE_TRACE_CHUNK: a status and a path, up to its NUL; it means nothing for a local chunk.
    pub(crate) async fn close_chunk(&self, message: &Message) -> Result<String, ConsumerError> {
        let exchange = self.begin(message).await?;
        let head = ChunkReplyHead::decode(&exchange.read::<{ ChunkReplyHead::LEN }>().await?)?;
        let mut path = vec![0; (head.path_length as usize).min(PATH_MAX)];
        exchange.0.read_exact(&mut path).await.map_err(lost)?;
        let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
        match head.ret_code {
            0 => Ok(String::from_utf8_lossy(path).into_owned()),
            code => Err(ConsumerError::Refused(Code(code))),
        }
    }

    /// GET_CHANNEL: status, objects, status. A channel of which not all descriptors could be received
    /// ends in the consumer as one that nobody has any more.
    pub(crate) async fn get_channel(
        &self,
        key: ChannelKey,
    ) -> Result<ChannelObject, ConsumerError> {
        let exchange = self.begin(&Message::GetChannel { key }).await?;
        exchange.status().await?;
        let head = ChannelHead::decode(&exchange.read::<CHANNEL_HEAD_LEN>().await?)?;
        let mut image = vec![0; usize::try_from(head.image_len).map_err(protocol)?];
        exchange.0.read_exact(&mut image).await.map_err(lost)?;
        // Where there is no room for some, the rest is read all the same: the next reply comes behind it.
        let wakeup = exchange.descriptors().await?;
        let mut complete = wakeup.is_some();
        let mut streams = Vec::new();
        let mut count = 0;
        while let Some(len) = StreamHead::decode_size(&exchange.read::<STREAM_SIZE_LEN>().await?)? {
            if count >= STREAM_COUNT_MAX {
                return Err(protocol("it sends more streams than there can be processors"));
            }
            count += 1;
            let number = StreamHead::decode_number(len, &exchange.read::<4>().await?)?.stream_nr;
            match exchange.descriptors().await? {
                Some([memory, wakeup]) if complete => {
                    streams.push(StreamObject { len, number, memory, wakeup });
                }
                _ => {
                    complete = false;
                    streams.clear();
                }
            }
        }
        exchange.status().await?;
        match wakeup {
            Some([wakeup]) if complete => {
                Ok(ChannelObject { key, kind: head.kind, image, wakeup, streams, _held: None })
            }
            _ => Err(ConsumerError::NoneLeft),
        }
    }
}

/// The descriptor of a [`Link`], in the hands of who may end it.
#[derive(Debug)]
pub(crate) struct LinkEnd(OwnedFd);

impl LinkEnd {
    /// Ends the connection: the exchange that is under way fails, and each that follows.
    pub(crate) fn shut_down(&self) {
        // It fails only when the peer has closed already.
        let _ = rustix::net::shutdown(&self.0, rustix::net::Shutdown::Both);
    }
}

/// One exchange that has begun.
struct Exchange<'a>(&'a Peer, Option<&'a Hearing>);

impl Exchange<'_> {
    async fn read<const N: usize>(&self) -> Result<[u8; N], ConsumerError> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).await.map_err(lost)?;
        if let Some(hearing) = self.1 {
            hearing.heard();
        }
        Ok(bytes)
    }

    async fn status(&self) -> Result<(), ConsumerError> {
        Ok(check_status(&self.read::<STATUS_LEN>().await?)?)
    }

    /// `None` when there is no room for them here.
    async fn descriptors<const N: usize>(&self) -> Result<Option<[OwnedFd; N]>, ConsumerError> {
        match self.0.read_descriptors(N).await {
            Ok(descriptors) => {
                descriptors.try_into().map(Some).map_err(|_| protocol("descriptors are missing"))
            }
            Err(PeerError::NoneLeft { .. }) => Ok(None),
            Err(error) => Err(lost(error)),
        }
    }
}

fn lost(error: PeerError) -> ConsumerError {
    match error {
        PeerError::Closed => ConsumerError::Lost,
        other => protocol(other),
    }
}

pub(crate) fn protocol(error: impl ToString) -> ConsumerError {
    ConsumerError::Protocol(error.to_string())
}

impl From<DecodeError> for ConsumerError {
    fn from(error: DecodeError) -> Self {
        protocol(error)
    }
}

impl From<ReplyError> for ConsumerError {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::Malformed(error) => protocol(error),
            ReplyError::Consumer(code) => Self::Refused(code),
        }
    }
}
