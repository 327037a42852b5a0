//! The command socket as commands and replies.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use lttngd_buffers::ChannelObject;
use lttngd_model::{Context, ust::EventRule};
use lttngd_wire::ust::command::{
    Command, FIELD_ENTRY_LEN, FieldEntry, ROOT_HANDLE, UstContext, UstError, app_context,
    exclusions,
};

use crate::{
    Tracepoint,
    error::Broken,
    socket::{Answer, Attached, CommandSocket},
};

/// Most entries that are taken from one listing.
const LISTING_MAX: usize = 1 << 16;

/// Most requests of one job that are on their way together. What an application has not read fills
/// its socket; more would only wait there.
pub(crate) const ON_THEIR_WAY_MAX: usize = 8;

/// The command socket.
pub(crate) struct Link<'a>(pub(crate) &'a CommandSocket);

/// Goes on with the value of an answer, or returns the refusal.
macro_rules! granted {
    ($answer:expr) => {
        match $answer {
            Ok(value) => value,
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
}

impl Link<'_> {
    async fn request(
        &self,
        handle: u32,
        command: &Command,
        payload: &[u8],
        attached: Option<Attached>,
    ) -> Answer<u32> {
        self.0.value(handle, command, (payload, attached)).await
    }

    /// A command without payload: the value of its reply.
    pub(crate) async fn command(&self, handle: u32, command: &Command) -> Answer<u32> {
        self.request(handle, command, &[], None).await
    }

    pub(crate) async fn tracer_version(&self) -> Answer<(u32, u32, u32)> {
        let reply = self.0.reply(ROOT_HANDLE, &Command::TracerVersion).await?;
        Ok(reply.map(|reply| reply.tracer_version()))
    }

    /// CHANNEL and all its STREAMs: the channel's handle.
    pub(crate) async fn create_channel(
        &self,
        session: u32,
        object: &Arc<ChannelObject>,
    ) -> Answer<u32> {
        let command = Command::Channel { len: object.image.len() as u64 };
        let attached = Attached::Channel(Arc::clone(object));
        let reply = self.request(session, &command, &object.image, Some(attached)).await?;
        let channel = granted!(reply);
        let streams = stream::iter(object.streams.iter().enumerate()).map(async |(at, stream)| {
            let command = Command::Stream { len: stream.len, stream_nr: stream.number };
            let attached = Attached::Stream(Arc::clone(object), at);
            self.request(channel, &command, &[], Some(attached)).await
        });
        let sent: Vec<_> = streams.buffered(ON_THEIR_WAY_MAX).try_collect().await?;
        if let Err(refusal) = sent.into_iter().collect::<Result<Vec<_>, _>>() {
            // A channel that lacks a stream is of no use.
            let _ = self.command(channel, &Command::Release).await?;
            return Ok(Err(refusal));
        }
        Ok(Ok(channel))
    }

    pub(crate) async fn add_context(&self, channel: u32, context: &Context) -> Answer<()> {
        let Some(wire) = UstContext::from_model(context) else { return Ok(Err(UstError::Invalid)) };
        let payload = match context {
            Context::App(app) => app_context(app),
            _ => Vec::new(),
        };
        Ok(self.request(channel, &Command::Context(wire), &payload, None).await?.map(drop))
    }

    /// EVENT with its filter and exclusions: the handle of the event, which is disabled.
    pub(crate) async fn create_event(&self, channel: u32, rule: &EventRule) -> Answer<u32> {
        let command = Command::Event { name: rule.name.clone(), loglevel: rule.loglevel, token: 0 };
        let event = granted!(self.command(channel, &command).await?);
        if let Err(refusal) = self.qualify_event(event, rule).await? {
            let _ = self.command(event, &Command::Release).await?;
            return Ok(Err(refusal));
        }
        Ok(Ok(event))
    }

    async fn qualify_event(&self, event: u32, rule: &EventRule) -> Answer<()> {
        if let Some(filter) = &rule.filter {
            let command = Command::filter(&filter.bytecode);
            granted!(self.request(event, &command, &filter.bytecode.data, None).await?);
        }
        if !rule.exclusions.is_empty() {
            let count = u32::try_from(rule.exclusions.len()).unwrap_or(u32::MAX);
            let payload = exclusions(&rule.exclusions);
            granted!(self.request(event, &Command::Exclusion { count }, &payload, None).await?);
        }
        Ok(Ok(()))
    }

    /// RELEASE of each handle. A refusal is logged: what an application keeps does no harm.
    pub(crate) async fn release(&self, handles: &[u32], pid: u32) -> Result<(), Broken> {
        let released = stream::iter(handles).map(async |&handle| {
            if let Err(refusal) = self.command(handle, &Command::Release).await? {
                tracing::warn!(pid, handle, %refusal, "an object stays in the application");
            }
            Ok(())
        });
        released.buffered(ON_THEIR_WAY_MAX).try_collect().await
    }

    pub(crate) async fn tracepoints(&self) -> Answer<Vec<Tracepoint>> {
        let list = granted!(self.command(ROOT_HANDLE, &Command::TracepointList).await?);
        let mut tracepoints = Vec::new();
        while tracepoints.len() < LISTING_MAX {
            match self.0.reply(list, &Command::TracepointListGet).await? {
                Ok(reply) => {
                    let (name, loglevel) = reply.tracepoint();
                    tracepoints.push(Tracepoint { name, loglevel });
                }
                Err(UstError::NoEntry) => break,
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        granted!(self.command(list, &Command::Release).await?);
        Ok(Ok(tracepoints))
    }

    pub(crate) async fn tracepoint_fields(&self) -> Answer<Vec<FieldEntry>> {
        let list = granted!(self.command(ROOT_HANDLE, &Command::TracepointFieldList).await?);
        let mut fields = Vec::new();
        while fields.len() < LISTING_MAX {
            let command = Command::TracepointFieldListGet;
            match self.0.entry(list, &command, FIELD_ENTRY_LEN).await? {
                Ok(entry) => fields.push(FieldEntry::decode(&entry)?),
                Err(UstError::NoEntry) => break,
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        granted!(self.command(list, &Command::Release).await?);
        Ok(Ok(fields))
    }
}
