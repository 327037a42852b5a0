//! The metadata socket: the consumer asks for text, whoever has it is told, and what comes back is
//! pushed. Its actor serves it, because the consumer asks here while it makes us wait on the command
//! socket.

use std::{collections::HashMap, time::Duration};

use lttngd_model::{ChannelKey, SessionId};
use lttngd_runtime::{Peer, PeerError, fail_point};
use lttngd_wire::consumer::{
    METADATA_REQUEST_LEN, Message, MetadataRequest, STATUS_LEN, decode_status,
};
use tokio::sync::oneshot;

use crate::{
    MetadataAccepted, MetadataRequested, MetadataSource, MetadataText,
    reader::Socket,
    reports::{FindSource, Owner, Unread},
};

/// How long whoever has the text may take; after that the consumer is told that there is none yet.
const SOURCE_DEADLINE: Duration = Duration::from_secs(5);

/// Who has the text of which metadata channel.
#[derive(Debug, Default)]
pub(crate) struct Sources(HashMap<ChannelKey, (SessionId, MetadataSource)>);

impl Sources {
    pub(crate) fn insert(&mut self, session: SessionId, key: ChannelKey, source: MetadataSource) {
        self.0.insert(key, (session, source));
    }

    pub(crate) fn remove(&mut self, key: ChannelKey) {
        self.0.remove(&key);
    }

    /// Nobody of a session that has ended is asked.
    pub(crate) fn end(&mut self, session: SessionId) {
        self.0.retain(|_, (of, _)| *of != session);
    }

    pub(crate) fn get(&self, key: ChannelKey) -> Option<MetadataSource> {
        self.0.get(&key).map(|(_, source)| source.clone())
    }
}

/// The socket.
pub(crate) struct MetadataSocket(pub(crate) Peer);

impl Socket for MetadataSocket {
    async fn serve(self, owner: &Owner) -> String {
        loop {
            if let Err(error) = self.answer(owner).await {
                return format!("its metadata socket: {error}");
            }
        }
    }

    fn unread(owner: &Owner, why: Unread) {
        owner.socket_ended(why.reason("its metadata socket"));
    }
}

impl MetadataSocket {
    async fn answer(&self, owner: &Owner) -> Result<(), PeerError> {
        let Self(socket) = self;
        let mut bytes = [0; METADATA_REQUEST_LEN];
        socket.read_exact(&mut bytes).await?;
        let request = MetadataRequest::decode(&bytes).map_err(invalid)?;
        fail_point::reached("MetadataSocket request");
        let find = FindSource { start: owner.start, key: request.key };
        // Without its owner nobody has text.
        let source = owner.ask(find).await.ok().flatten();
        let text = match &source {
            Some(source) => wanted(source, request.key).await,
            None => None,
        };
        // A request that has no answer must be answered all the same: with no text.
        let text = text.unwrap_or(MetadataText { offset: 0, version: 0, bytes: Vec::new() });
        let push = Message::PushMetadata {
            key: request.key,
            target_offset: text.offset,
            len: text.bytes.len() as u64,
            version: text.version,
        };
        socket.write_all(&push.encode()).await?;
        let mut status = self.status().await?;
        if status == 0 && !text.bytes.is_empty() {
            socket.write_all(&text.bytes).await?;
            status = self.status().await?;
        }
        match (status, source) {
            (0, Some(source)) => source.accepted.tell(MetadataAccepted {
                key: request.key,
                version: text.version,
                end: text.offset + text.bytes.len() as u64,
            }),
            (0, None) => {}
            (status, _) => {
                tracing::warn!(key = %request.key, status, "the consumer refused metadata it asked for");
            }
        }
        Ok(())
    }

    async fn status(&self) -> Result<i32, PeerError> {
        let mut status = [0; STATUS_LEN];
        self.0.read_exact(&mut status).await?;
        decode_status(&status).map_err(invalid)
    }
}

async fn wanted(source: &MetadataSource, key: ChannelKey) -> Option<MetadataText> {
    let (reply, text) = oneshot::channel();
    source.requested.tell(MetadataRequested { key, reply });
    tokio::time::timeout(SOURCE_DEADLINE, text).await.ok()?.ok()
}

fn invalid(error: lttngd_wire::DecodeError) -> PeerError {
    PeerError::Io(std::io::Error::new(std::io::ErrorKind::InvalidData, error))
}
