//! What sessions and buffer sets ask: which connection makes the exchange.

use std::{future::ready, sync::Arc};

use actix::{Handler, ResponseFuture};
use lttngd_model::SessionId;
use lttngd_runtime::{Counted, fail_point, tell};
use tokio::sync::oneshot;

use crate::{
    AddKernelChannel, AddKernelStreams, AddRelayd, ChannelObject, ClearChannel,
    ClearQuiescentChannel, CloseMetadata, CloseTraceChunk, Consumer, ConsumerError, CreateChannel,
    CreateMetadata, CreateTraceChunk, DataPending, DestroyChannel, DestroyRelayd, DiscardedEvents,
    EndSampling, EndSession, FlushChannel, LostPackets, OpenChannelPackets, PushMetadata,
    RecordChannel, RotateChannel, TraceChunkExists, TraceChunkPresence,
    actor::{REQUESTS_MAX, RunningConsumer, Socket},
    channels::FetchChannel,
    command::Perform,
    exchange::Exchange,
    sockets::Late,
};

/// What answers a request.
type Answer<T> = ResponseFuture<Result<T, ConsumerError>>;

impl Consumer {
    /// The connection that makes an exchange for a session, and the permit of the exchange.
    fn admit(
        &mut self,
        session: SessionId,
        late: Late,
    ) -> Result<(&Socket, Counted), ConsumerError> {
        let has_ended = self.has_ended(session);
        let running = self.life.running_mut().ok_or(ConsumerError::Lost)?;
        let permit = self.waiting.one_of(REQUESTS_MAX).ok_or(ConsumerError::Busy)?;
        let socket = running.socket(session, has_ended, late)?;
        match late {
            Late::Refused if socket.hearing.is_silent() => Err(ConsumerError::TimedOut),
            Late::Refused | Late::Kept | Late::Served => Ok((socket, permit)),
        }
    }

    /// Has an exchange made for a session, behind those that its connection has to make.
    pub(crate) fn perform<E: Exchange>(
        &mut self,
        session: SessionId,
        late: Late,
        exchange: impl FnOnce(&mut RunningConsumer) -> Result<E, ConsumerError>,
    ) -> Answer<E::Reply> {
        let admitted = self.admit(session, late);
        let admitted =
            admitted.map(|(socket, permit)| (socket.actor.clone(), socket.hearing.clone(), permit));
        let begun = admitted.and_then(|(actor, hearing, permit)| {
            let running = self.life.running_mut().ok_or(ConsumerError::Lost)?;
            let (reply, replied) = oneshot::channel();
            tell(&actor, Perform { exchange: exchange(running)?, reply });
            fail_point::reached("Consumer request");
            Ok(hearing.asked(replied, permit))
        });
        match begun {
            Ok(asked) => Box::pin(asked.answer()),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }
}

macro_rules! handle {
    ($($message:ident -> $reply:ty, $late:ident;)*) => {$(
        impl Handler<$message> for Consumer {
            type Result = Answer<$reply>;

            fn handle(&mut self, message: $message, _: &mut Self::Context) -> Self::Result {
                self.perform(message.session, Late::$late, |_| Ok(message))
            }
        }
    )*};
}

handle! {
    AddRelayd -> (), Refused;
    DestroyRelayd -> (), Served;
    CreateTraceChunk -> (), Refused;
    CloseTraceChunk -> String, Served;
    TraceChunkExists -> TraceChunkPresence, Refused;
    PushMetadata -> (), Refused;
    FlushChannel -> (), Kept;
    ClearQuiescentChannel -> (), Refused;
    OpenChannelPackets -> (), Refused;
    RotateChannel -> (), Refused;
    ClearChannel -> (), Refused;
    RecordChannel -> (), Refused;
    DataPending -> bool, Refused;
    DiscardedEvents -> u64, Refused;
    AddKernelStreams -> (), Refused;
    DestroyChannel -> (), Served;
}

impl Handler<CreateChannel> for Consumer {
    type Result = Answer<Arc<ChannelObject>>;

    fn handle(&mut self, request: CreateChannel, _: &mut Self::Context) -> Self::Result {
        let CreateChannel { ask, sampled } = request;
        self.perform(ask.session_id, Late::Refused, |running| {
            let room = running.channels.room(ask.charged_to())?;
            Ok(FetchChannel { ask, sampled, room })
        })
    }
}

impl Handler<AddKernelChannel> for Consumer {
    type Result = Answer<()>;

    fn handle(&mut self, request: AddKernelChannel, _: &mut Self::Context) -> Self::Result {
        self.perform(request.add.session_id, Late::Refused, |_| Ok(request))
    }
}

impl Handler<CreateMetadata> for Consumer {
    type Result = Answer<()>;

    fn handle(&mut self, request: CreateMetadata, _: &mut Self::Context) -> Self::Result {
        self.perform(request.ask.session_id, Late::Refused, |_| Ok(request))
    }
}

impl Handler<CloseMetadata> for Consumer {
    type Result = Answer<()>;

    fn handle(&mut self, request: CloseMetadata, _: &mut Self::Context) -> Self::Result {
        self.perform(request.session, Late::Served, |running| {
            running.sources.remove(request.key);
            Ok(request)
        })
    }
}

impl Handler<LostPackets> for Consumer {
    type Result = Answer<u64>;

    fn handle(&mut self, request: LostPackets, _: &mut Self::Context) -> Self::Result {
        let is_counted = request.overwrite
            || self.life.running().is_none_or(|running| running.sockets.are_of_our_consumer());
        match is_counted {
            true => self.perform(request.session, Late::Refused, |_| Ok(request)),
            false => {
                let none = self.admit(request.session, Late::Refused).map(|_| 0);
                Box::pin(ready(none))
            }
        }
    }
}

impl Handler<EndSampling> for Consumer {
    type Result = ();

    fn handle(&mut self, request: EndSampling, _: &mut Self::Context) {
        if let Some(running) = self.life.running_mut() {
            running.samples.remove(&request.keys);
        }
    }
}

impl Handler<EndSession> for Consumer {
    type Result = ();

    fn handle(&mut self, EndSession { session }: EndSession, _: &mut Self::Context) {
        self.ended.insert(session);
        if let Some(running) = self.life.running_mut() {
            running.end_session(session);
        }
    }
}
