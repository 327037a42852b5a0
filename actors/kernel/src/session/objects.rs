//! The descriptors of a session in the tracer, and what is done with them on a thread that may block.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use lttngd_model::{
    BufferMode, ChannelAttributes, ErrorCode, ProcessAttribute, TrackingPolicy,
    kernel::{Done, FailedPart, Failure, Plan, Step, TracerError},
};
use lttngd_runtime::Held;
use lttngd_wire::kernel::{Call, ChannelSettings};

use super::rules::{Rule, create_rule};
use crate::{CallError, device::Calls};

/// What a session has in the tracer. It is gone from there when this is dropped, since nobody else has the
/// session's descriptor and those that hold it; the consumer daemon reads its streams to their ends.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    session: Option<(OwnedFd, Held)>,
    metadata: Option<Metadata>,
    channels: BTreeMap<u32, Channel>,
}

/// The session's metadata channel.
#[derive(Debug)]
pub(crate) struct Metadata {
    /// What it is read by.
    pub(crate) stream: Arc<OwnedFd>,
    _channel: OwnedFd,
    _held: Held,
}

/// A channel.
#[derive(Debug)]
struct Channel {
    descriptor: Arc<OwnedFd>,
    streams: Vec<Arc<OwnedFd>>,
    rules: BTreeMap<u32, Rule>,
    /// The places of the channel and of each stream in the budget.
    held: Vec<Held>,
}

/// What a client is answered when the tracer refuses, and why it does.
pub(super) type Refusal = (ErrorCode, CallError);

/// A step that failed, and why, for people.
pub(super) type StepFailed = (Failure, String);

impl Objects {
    /// Makes the session.
    pub(crate) fn create(
        &mut self,
        calls: &Calls<'_>,
        name: &str,
        created_at: &str,
    ) -> Result<(), CallError> {
        let held = calls.room(1)?;
        let session = calls.make_of_tracer(&Call::CreateSession)?;
        for call in [Call::SetName(name.to_owned()), Call::SetCreationTime(created_at.to_owned())] {
            if let Err(error) = calls.tell(session.as_fd(), &call) {
                tracing::warn!(session = name, %error, "metadata lacks what the session is called, or when it was made");
            }
        }
        self.session = Some((session, held));
        Ok(())
    }

    /// The session, which is there once it was created.
    fn session(&self) -> Result<BorrowedFd<'_>, CallError> {
        let closed = || CallError {
            doing: "do anything for a session that is closed",
            error: std::io::ErrorKind::NotFound.into(),
        };
        self.session.as_ref().map(|(session, _)| session.as_fd()).ok_or_else(closed)
    }

    /// Does what a plan says.
    pub(crate) fn perform(&mut self, calls: &Calls<'_>, plan: &Plan, session: &str) -> Done {
        let mut done = Done::new();
        for step in &plan.steps {
            let outcome = self.step(calls, step).map_err(|(failure, reason)| {
                tracing::warn!(session, reason, "the kernel tracer does not do what was asked for");
                failure
            });
            done.push(outcome);
            let Err(failure) = outcome else { continue };
            if plan.ends_with(step, failure) {
                if let Some(channel) = plan.undoes(step) {
                    self.channels.remove(&channel);
                }
                break;
            }
        }
        let stops = |step: &Step| {
            matches!(
                step,
                Step::SetChannelEnabled { enabled: false, .. }
                    | Step::SetRuleEnabled { enabled: false, .. }
            )
        };
        if plan.steps.iter().any(stops) {
            calls.wait_quiescent();
        }
        done
    }

    fn step(&mut self, calls: &Calls<'_>, step: &Step) -> Result<(), StepFailed> {
        match step {
            Step::CreateChannel(channel) => {
                let held = vec![calls.room(1).map_err(|error| refused(&error))?];
                let call = Call::CreateChannel(settings(&channel.attributes));
                let made = self.session().and_then(|session| calls.make(session, &call));
                let descriptor = Arc::new(made.map_err(|error| refused(&error))?);
                let (streams, rules) = (Vec::new(), BTreeMap::new());
                let made = Channel { descriptor, streams, rules, held };
                self.channels.insert(channel.index, made);
                Ok(())
            }
            Step::SetChannelEnabled { channel, enabled } => {
                let channel = self.channel(*channel)?;
                tell(calls, channel.descriptor.as_fd(), &enabling(*enabled))
            }
            Step::CreateRule { channel, rule } => {
                let channel = self.channel(*channel)?;
                let made = create_rule(calls, channel.descriptor.as_fd(), rule)?;
                channel.rules.insert(rule.index, made);
                Ok(())
            }
            Step::SetRuleEnabled { channel, rule, enabled } => {
                let rule = self.channel(*channel)?.rules.get(rule).ok_or_else(unknown)?;
                tell(calls, rule.descriptor.as_fd(), &enabling(*enabled))
            }
            Step::AddContext { channel, context } => {
                let channel = self.channel(*channel)?;
                tell(calls, channel.descriptor.as_fd(), &Call::AddContext(context.clone()))
            }
            Step::SetTrackingPolicy(attribute, policy) => {
                let track = *policy == TrackingPolicy::IncludeAll;
                let session = self.session().map_err(|error| refused(&error))?;
                tell(calls, session, &tracking(*attribute, -1, track))
            }
            Step::SetTracked { attribute, id, tracked, .. } => {
                let id = i32::try_from(*id).map_err(|_| unknown())?;
                let session = self.session().map_err(|error| refused(&error))?;
                tell(calls, session, &tracking(*attribute, id, *tracked))
            }
        }
    }

    fn channel(&mut self, index: u32) -> Result<&mut Channel, StepFailed> {
        self.channels.get_mut(&index).ok_or_else(unknown)
    }

    /// The descriptor of a channel.
    pub(crate) fn channel_descriptor(&self, index: u32) -> Option<Arc<OwnedFd>> {
        self.channels.get(&index).map(|channel| Arc::clone(&channel.descriptor))
    }

    /// Makes the metadata channel with its stream, unless they are there; the stream.
    pub(crate) fn open_metadata(
        &mut self,
        calls: &Calls<'_>,
        attributes: &ChannelAttributes,
    ) -> Result<Arc<OwnedFd>, Refusal> {
        let metadata = match self.metadata.take() {
            Some(metadata) => metadata,
            None => self.new_metadata(calls, attributes)?,
        };
        let stream = Arc::clone(&metadata.stream);
        self.metadata = Some(metadata);
        Ok(stream)
    }

    /// Makes another metadata channel with its stream, which hands out all of the text from its beginning.
    pub(crate) fn new_metadata(
        &self,
        calls: &Calls<'_>,
        attributes: &ChannelAttributes,
    ) -> Result<Metadata, Refusal> {
        let held = calls.room(2).map_err(|error| (ErrorCode::KernMetaFail, error))?;
        let call = Call::CreateMetadata(settings(attributes));
        let channel = self.session().and_then(|session| calls.make(session, &call));
        let channel = channel.map_err(|error| (ErrorCode::KernMetaFail, error))?;
        let stream = calls.make(channel.as_fd(), &Call::OpenStream);
        let stream = Arc::new(stream.map_err(|error| (ErrorCode::KernStreamFail, error))?);
        Ok(Metadata { stream, _channel: channel, _held: held })
    }

    /// Opens the streams of a channel that nobody has opened: those that were, by the number of their
    /// processor.
    pub(crate) fn open_streams(
        &mut self,
        calls: &Calls<'_>,
        channel: u32,
    ) -> Result<Vec<(u32, Arc<OwnedFd>)>, CallError> {
        let Some(channel) = self.channels.get_mut(&channel) else { return Ok(Vec::new()) };
        let known = channel.streams.len();
        loop {
            let held = calls.room(1)?;
            match calls.make(channel.descriptor.as_fd(), &Call::OpenStream) {
                Ok(stream) => {
                    channel.streams.push(Arc::new(stream));
                    channel.held.push(held);
                }
                Err(error) if error.kind() == TracerError::Missing => break,
                Err(error) => return Err(error),
            }
        }
        let new = (0..).zip(&channel.streams).skip(known);
        Ok(new.map(|(cpu, stream)| (cpu, Arc::clone(stream))).collect())
    }

    /// The streams of a channel that were opened, by the number of their processor.
    pub(crate) fn streams(&self, channel: u32) -> Vec<(u32, Arc<OwnedFd>)> {
        let of = self.channels.get(&channel).into_iter();
        of.flat_map(|channel| (0..).zip(channel.streams.iter().cloned())).collect()
    }

    /// Has the session record, or not, and waits until nothing records any more then. Where it is not
    /// known what it does it may do so already.
    pub(crate) fn record(
        &self,
        calls: &Calls<'_>,
        (active, is_known): (bool, bool),
    ) -> Result<(), CallError> {
        let call = if active { Call::Start } else { Call::Stop };
        match calls.tell(self.session()?, &call) {
            Err(error) if !is_known && error.kind() == TracerError::Busy => {}
            told => told?,
        }
        if !active {
            calls.wait_quiescent();
        }
        Ok(())
    }

    /// Closes the packets of all streams.
    pub(crate) fn flush(&self, calls: &Calls<'_>) -> Result<(), CallError> {
        let metadata = self.metadata.iter().map(|metadata| &metadata.stream);
        let data = self.channels.values().flat_map(|channel| &channel.streams);
        let mut outcome = Ok(());
        for stream in metadata.chain(data) {
            // One that fails keeps the others from nothing.
            outcome = outcome.and(calls.tell(stream.as_fd(), &Call::Flush));
        }
        outcome
    }

    /// Tells the session itself something.
    pub(crate) fn tell(&self, calls: &Calls<'_>, call: &Call) -> Result<(), CallError> {
        calls.tell(self.session()?, call)
    }
}

fn tell(calls: &Calls<'_>, to: BorrowedFd<'_>, call: &Call) -> Result<(), StepFailed> {
    calls.tell(to, call).map_err(|error| refused(&error))
}

pub(super) fn refused(error: &CallError) -> StepFailed {
    in_part(FailedPart::Itself, error)
}

pub(super) fn in_part(part: FailedPart, error: &CallError) -> StepFailed {
    (Failure { part, error: error.kind() }, error.to_string())
}

/// The rules know something that is not here: a step before has failed.
fn unknown() -> StepFailed {
    let failure = Failure { part: FailedPart::Itself, error: TracerError::Missing };
    (failure, "there is no such channel, rule or process in the kernel tracer".to_owned())
}

fn enabling(enabled: bool) -> Call {
    if enabled { Call::Enable } else { Call::Disable }
}

/// Processes by their id have calls of their own, which were there before the others.
fn tracking(attribute: ProcessAttribute, id: i32, tracked: bool) -> Call {
    match (attribute, tracked) {
        (ProcessAttribute::ProcessId, true) => Call::TrackPid(id),
        (ProcessAttribute::ProcessId, false) => Call::UntrackPid(id),
        (attribute, true) => Call::Track(attribute, id),
        (attribute, false) => Call::Untrack(attribute, id),
    }
}

fn settings(attributes: &ChannelAttributes) -> ChannelSettings {
    ChannelSettings {
        subbuf_size_bytes: attributes.subbuf_size_bytes,
        num_subbuf: attributes.num_subbuf,
        switch_timer_interval_us: attributes.switch_timer_interval_us,
        read_timer_interval_us: attributes.read_timer_interval_us,
        output: attributes.output,
        overwrite: attributes.mode == BufferMode::Overwrite,
    }
}
