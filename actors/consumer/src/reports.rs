//! What the actors of a consumer daemon's sockets tell and ask the one that owns them. It answers at
//! once: it never waits for a socket.

use actix::{Addr, Handler, Message};
use lttngd_model::{ChannelKey, SessionId};
use lttngd_runtime::{FailureNotice, Outlet, tell};
use lttngd_wire::consumer::MonitorSample;
use tracing::Span;

use crate::{
    ChannelSampled, Consumer, ConsumerError, MetadataSource, SampledChannel, link::LinkEnd,
};

/// Which of the consumer daemons that an actor had in its life.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Start(pub(crate) u64);

/// The owner of a socket, as the socket's actor sees it.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) consumer: Addr<Consumer>,
    pub(crate) start: Start,
    /// The process at the other end.
    pub(crate) pid: Option<u32>,
    /// In which all is logged that is of it, or of a session's socket to it.
    pub(crate) span: Span,
}

impl Owner {
    /// The socket has ended, and with it the consumer daemon.
    pub(crate) fn socket_ended(&self, reason: String) {
        tell(&self.consumer, SocketEnded { start: self.start, reason });
    }

    /// Says the same when the socket's actor fails.
    pub(crate) fn failure_notice(&self, whose: &str) -> FailureNotice {
        let reason = format!("the actor of {whose} failed");
        let ended = SocketEnded { start: self.start, reason };
        FailureNotice::new(Outlet::to(self.consumer.clone().recipient()), ended)
    }

    /// Asks it. That takes no time, unless it is gone.
    pub(crate) async fn ask<M>(&self, message: M) -> Result<M::Result, ConsumerError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Consumer: Handler<M>,
    {
        self.consumer.send(message).await.map_err(|_| ConsumerError::Lost)
    }
}

/// A socket without which the consumer daemon is of no use has ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SocketEnded {
    pub(crate) start: Start,
    pub(crate) reason: String,
}

/// A session's own connection is made.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Connected {
    pub(crate) start: Start,
    pub(crate) session: SessionId,
    pub(crate) end: LinkEnd,
}

/// Whether a session has ended.
#[derive(Debug, Message)]
#[rtype(result = "bool")]
pub(crate) struct HasEnded(pub(crate) SessionId);

/// A channel was asked for, and has so many streams.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct StreamsCounted {
    pub(crate) start: Start,
    pub(crate) streams: u32,
}

/// A channel is made: how it is used is told from now on, unless its session has ended.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub(crate) struct BeginSampling {
    pub(crate) start: Start,
    pub(crate) session: SessionId,
    pub(crate) channel: SampledChannel,
    pub(crate) sampled: Outlet<ChannelSampled>,
}

/// A sample came.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Sampled {
    pub(crate) start: Start,
    pub(crate) sample: MonitorSample,
}

/// Why a socket is not read any more.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It has ended, or cannot be used.
    Ended(String),
    /// Its actor failed.
    Failed,
}

impl Unread {
    /// Why the consumer daemon is given up, for the socket of this name.
    pub(crate) fn reason(self, name: &str) -> String {
        match self {
            Self::Ended(reason) => reason,
            Self::Failed => format!("the actor of {name} failed"),
        }
    }
}

/// Nobody reads samples any more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct MonitorUnread {
    pub(crate) start: Start,
    pub(crate) why: Unread,
}

/// A metadata channel is made: requests for its text are told from now on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct BeginMetadata {
    pub(crate) start: Start,
    pub(crate) session: SessionId,
    pub(crate) key: ChannelKey,
    pub(crate) source: MetadataSource,
}

/// There is no such metadata channel.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct EndMetadata {
    pub(crate) start: Start,
    pub(crate) key: ChannelKey,
}

/// Who has the text of a metadata channel.
#[derive(Debug, Message)]
#[rtype(result = "Option<MetadataSource>")]
pub(crate) struct FindSource {
    pub(crate) start: Start,
    pub(crate) key: ChannelKey,
}
