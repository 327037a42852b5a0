//! The command socket: one request, one reply.

use std::{
    cell::Cell,
    os::fd::{AsFd, BorrowedFd},
    time::Instant,
};

use lttngd_buffers::ChannelObject;
use lttngd_model::{Context, ust::EventRule};
use lttngd_runtime::Peer;
use lttngd_wire::ust::command::{
    Command, FIELD_ENTRY_LEN, FieldEntry, REPLY_LEN, ROOT_HANDLE, Reply, UstContext, UstError,
    app_context, exclusions,
};

use crate::{Tracepoint, error::Broken};

/// Most entries that are taken from one listing.
const LISTING_MAX: usize = 1 << 16;

/// What the application answered: a value or its refusal.
pub(crate) type Answer<T> = Result<Result<T, UstError>, Broken>;

/// The command socket.
pub(crate) struct Link<'a> {
    pub(crate) peer: &'a Peer,
    /// When the application last answered something.
    pub(crate) progress: &'a Cell<Instant>,
}

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
    async fn reply(&self, handle: u32, command: &Command) -> Answer<Reply> {
        let mut bytes = [0; REPLY_LEN];
        self.peer.read_exact(&mut bytes).await?;
        self.progress.set(Instant::now());
        let reply = Reply::decode(&bytes)?;
        match reply.check(handle, command.number()) {
            Ok(_) => Ok(Ok(reply)),
            Err(error @ UstError::Mismatch { .. }) => Err(Broken::Protocol(error.to_string())),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    async fn request(
        &self,
        handle: u32,
        command: &Command,
        payload: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> Answer<Reply> {
        let mut bytes = command.encode(handle);
        bytes.extend_from_slice(payload);
        self.peer.write_all(&bytes).await?;
        if !descriptors.is_empty() {
            self.peer.write_descriptors(descriptors).await?;
        }
        self.reply(handle, command).await
    }

    /// A command without payload: the value of its reply.
    pub(crate) async fn command(&self, handle: u32, command: &Command) -> Answer<u32> {
        Ok(self.request(handle, command, &[], &[]).await?.map(|reply| reply.ret_val))
    }

    pub(crate) async fn tracer_version(&self) -> Answer<(u32, u32, u32)> {
        let reply = self.request(ROOT_HANDLE, &Command::TracerVersion, &[], &[]).await?;
        Ok(reply.map(|reply| reply.tracer_version()))
    }

    /// CHANNEL and all its STREAMs: the channel's handle.
    pub(crate) async fn create_channel(&self, session: u32, object: &ChannelObject) -> Answer<u32> {
        let command = Command::Channel { len: object.image.len() as u64 };
        let reply =
            self.request(session, &command, &object.image, &[object.wakeup.as_fd()]).await?;
        let channel = granted!(reply).ret_val;
        for stream in &object.streams {
            let command = Command::Stream { len: stream.len, stream_nr: stream.number };
            let descriptors = [stream.memory.as_fd(), stream.wakeup.as_fd()];
            let sent = self.request(channel, &command, &[], &descriptors).await?;
            if let Err(refusal) = sent {
                // A channel that lacks a stream is of no use.
                let _ = self.command(channel, &Command::Release).await?;
                return Ok(Err(refusal));
            }
        }
        Ok(Ok(channel))
    }

    pub(crate) async fn add_context(&self, channel: u32, context: &Context) -> Answer<()> {
        let Some(wire) = UstContext::from_model(context) else { return Ok(Err(UstError::Invalid)) };
        let payload = match context {
            Context::App(app) => app_context(app),
            _ => Vec::new(),
        };
        Ok(self.request(channel, &Command::Context(wire), &payload, &[]).await?.map(drop))
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
            granted!(self.request(event, &command, &filter.bytecode.data, &[]).await?);
        }
        if !rule.exclusions.is_empty() {
            let count = u32::try_from(rule.exclusions.len()).unwrap_or(u32::MAX);
            let payload = exclusions(&rule.exclusions);
            granted!(self.request(event, &Command::Exclusion { count }, &payload, &[]).await?);
        }
        Ok(Ok(()))
    }

    pub(crate) async fn tracepoints(&self) -> Answer<Vec<Tracepoint>> {
        let list = granted!(self.command(ROOT_HANDLE, &Command::TracepointList).await?);
        let mut tracepoints = Vec::new();
        while tracepoints.len() < LISTING_MAX {
            match self.request(list, &Command::TracepointListGet, &[], &[]).await? {
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
            match self.request(list, &Command::TracepointFieldListGet, &[], &[]).await? {
                Ok(_) => {
                    let mut entry = [0; FIELD_ENTRY_LEN];
                    self.peer.read_exact(&mut entry).await?;
                    fields.push(FieldEntry::decode(&entry)?);
                }
                Err(UstError::NoEntry) => break,
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        granted!(self.command(list, &Command::Release).await?);
        Ok(Ok(fields))
    }
}
