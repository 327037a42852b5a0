//! The command socket. An application reads one request after the other and answers each before it
//! reads the next, so several may be on their way: it need not wait for us in between.

use std::{
    cell::Cell,
    os::fd::{AsFd, BorrowedFd},
};

use futures::{StreamExt, TryStreamExt, stream};
use lttngd_buffers::ChannelObject;
use lttngd_model::{Context, ust::EventRule};
use lttngd_runtime::{Patience, Peer};
use lttngd_wire::ust::command::{
    Command, FIELD_ENTRY_LEN, FieldEntry, REPLY_LEN, ROOT_HANDLE, Reply, UstContext, UstError,
    app_context, exclusions,
};
use tokio::{
    sync::{Mutex, oneshot},
    time::Instant,
};

use crate::{Tracepoint, error::Broken};

/// Most entries that are taken from one listing.
const LISTING_MAX: usize = 1 << 16;

/// What the application answered: a value or its refusal.
pub(crate) type Answer<T> = Result<Result<T, UstError>, Broken>;

/// Most requests of one job that are on their way together. What an application has not read fills
/// its socket; more would only wait there.
pub(crate) const ON_THEIR_WAY_MAX: usize = 8;

/// The order of the requests on a command socket, in which the replies come.
#[derive(Default)]
pub(crate) struct Order {
    /// Held while a request is written: it has several parts.
    writing: Mutex<()>,
    /// Ends when the reply to the last request was read.
    last: Cell<Option<oneshot::Receiver<()>>>,
}

/// The command socket.
pub(crate) struct Link<'a> {
    pub(crate) peer: &'a Peer,
    pub(crate) order: &'a Order,
    /// Is told of each answer; `None` while nobody but us waits for one.
    pub(crate) patience: Option<&'a Patience>,
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
    /// Sends a request and reads its reply; with `entry` also what follows a reply that grants it.
    ///
    /// Must not be abandoned: the next reply would be taken for this one's.
    async fn exchange(
        &self,
        handle: u32,
        command: &Command,
        (payload, descriptors): (&[u8], &[BorrowedFd<'_>]),
        entry: &mut [u8],
    ) -> Answer<Reply> {
        let (before, _read) = {
            let _writing = self.order.writing.lock().await;
            let mut bytes = command.encode(handle);
            bytes.extend_from_slice(payload);
            self.peer.write_all(&bytes).await?;
            if !descriptors.is_empty() {
                self.peer.write_descriptors(descriptors).await?;
            }
            let (read, last) = oneshot::channel::<()>();
            (self.order.last.replace(Some(last)), read)
        };
        if let Some(before) = before {
            // Nothing is sent: it ends when it is dropped.
            let _ = before.await;
        }
        let mut bytes = [0; REPLY_LEN];
        self.peer.read_exact(&mut bytes).await?;
        if let Some(patience) = self.patience {
            patience.answered(Instant::now());
        }
        let reply = Reply::decode(&bytes)?;
        match reply.check(handle, command.number()) {
            Ok(_) => {
                self.peer.read_exact(entry).await?;
                Ok(Ok(reply))
            }
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
        self.exchange(handle, command, (payload, descriptors), &mut []).await
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
        let streams = stream::iter(&object.streams).map(async |stream| {
            let command = Command::Stream { len: stream.len, stream_nr: stream.number };
            let descriptors = [stream.memory.as_fd(), stream.wakeup.as_fd()];
            self.request(channel, &command, &[], &descriptors).await
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
            let mut entry = [0; FIELD_ENTRY_LEN];
            let command = Command::TracepointFieldListGet;
            match self.exchange(list, &command, (&[], &[]), &mut entry).await? {
                Ok(_) => fields.push(FieldEntry::decode(&entry)?),
                Err(UstError::NoEntry) => break,
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        granted!(self.command(list, &Command::Release).await?);
        Ok(Ok(fields))
    }
}
