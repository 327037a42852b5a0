//! What a kernel session knows of itself, as a plain value. No input or output.

use std::collections::BTreeMap;

use lttngd_buffers::{ChannelSize, SetOutput};
use lttngd_consumer::AddChannel;
use lttngd_model::{
    ChannelAttributes, ChannelKey, SessionId,
    kernel::{Done, KernelChannel, Plan, Step},
};

use super::objects::Objects;
use crate::Device;

/// What a kernel session has.
pub(crate) struct State {
    /// The tracer, once the session is there.
    pub(crate) device: Option<Device>,
    /// What it has in the tracer. It is not here while something is done with it.
    pub(crate) objects: Objects,
    channels: BTreeMap<u32, Known>,
    /// The metadata channel that the consumer daemon has.
    pub(crate) metadata: Option<ChannelKey>,
    /// The one that it was given and did not refuse: it may take it later than it is waited for.
    pub(crate) given_metadata: Option<ChannelKey>,
    /// Where streams are written.
    pub(crate) output: SetOutput,
    /// Whether the tracer records; unknown when it did not stop.
    pub(crate) recording: Option<bool>,
    pub(crate) closed: bool,
}

/// A channel, as the consumer daemon knows it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) index: u32,
    pub(crate) key: ChannelKey,
    pub(crate) name: String,
    pub(crate) attributes: ChannelAttributes,
    /// Count of its streams.
    pub(crate) streams: u32,
    /// Whether the consumer daemon has it.
    pub(crate) sent: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            device: None,
            objects: Objects::default(),
            channels: BTreeMap::new(),
            metadata: None,
            given_metadata: None,
            output: SetOutput::None,
            recording: Some(false),
            closed: false,
        }
    }
}

impl State {
    /// A plan was carried out.
    pub(crate) fn settle(&mut self, plan: &Plan, done: &Done, key: impl Fn() -> ChannelKey) {
        for (step, done) in plan.steps.iter().zip(done) {
            match (step, done) {
                (Step::CreateChannel(KernelChannel { index, name, attributes, .. }), Ok(())) => {
                    let (index, name, attributes) = (*index, name.clone(), *attributes);
                    let known =
                        Known { index, key: key(), name, attributes, streams: 0, sent: false };
                    self.channels.insert(index, known);
                }
                (step, Err(failure)) if plan.ends_with(step, *failure) => {
                    if let Some(index) = plan.undoes(step) {
                        self.channels.remove(&index);
                    }
                }
                _ => {}
            }
        }
    }

    pub(crate) fn channels(&self) -> impl Iterator<Item = &Known> {
        self.channels.values()
    }

    pub(crate) fn channel_mut(&mut self, index: u32) -> Option<&mut Known> {
        self.channels.get_mut(&index)
    }

    /// The consumer daemon has a channel. Which one it is of those with data, if that was not known.
    pub(crate) fn take(&mut self, key: ChannelKey) -> Option<u32> {
        if self.given_metadata == Some(key) {
            self.metadata = Some(key);
        }
        let channel = self.channels.values_mut().find(|of| of.key == key && !of.sent)?;
        channel.sent = true;
        Some(channel.index)
    }

    /// The consumer daemon did not take a channel, or only a part of it, and is given another one of another key the
    /// next time.
    pub(crate) fn give_anew(&mut self, given: ChannelKey, key: ChannelKey) {
        self.given_metadata.take_if(|metadata| *metadata == given);
        let not_taken = self.channels.values_mut().find(|of| of.key == given && !of.sent);
        if let Some(channel) = not_taken {
            channel.key = key;
        }
    }

    /// Those that the consumer daemon has.
    pub(crate) fn sent(&self) -> Vec<Known> {
        self.channels().filter(|channel| channel.sent).cloned().collect()
    }

    pub(crate) fn sizes(&self) -> Vec<ChannelSize> {
        let size = |channel: &Known| ChannelSize {
            subbuf_size_bytes: channel.attributes.subbuf_size_bytes,
            num_subbuf: channel.attributes.num_subbuf,
            streams: channel.streams.into(),
        };
        self.channels().map(size).collect()
    }

    /// Nothing is there any more: which channels there were.
    pub(crate) fn let_go(&mut self) -> (Vec<ChannelKey>, Objects) {
        self.recording = Some(false);
        (self.metadata, self.given_metadata) = (None, None);
        let keys = self.channels().map(|channel| channel.key).collect();
        self.channels.clear();
        (keys, std::mem::take(&mut self.objects))
    }
}

/// What the consumer daemon is told of a channel.
pub(crate) fn announced(
    session: SessionId,
    channel: &Known,
    output: &SetOutput,
    live_timer_interval_us: u32,
) -> AddChannel {
    let Known { key, name, attributes, streams, .. } = channel;
    AddChannel {
        key: *key,
        session_id: session,
        chunk_id: output.chunk(),
        pathname: output.prefix().to_owned(),
        relayd_id: output.relayd(),
        nb_init_streams: *streams,
        name: name.clone(),
        output: attributes.output,
        metadata: false,
        tracefile_size_bytes: attributes.tracefile_size_bytes,
        tracefile_count: output.tracefile_count(attributes),
        monitor: output.chunk().is_some(),
        live_timer_interval_us: attributes.live_timer_interval_us,
        is_live: live_timer_interval_us != 0,
        monitor_timer_interval_us: u32::try_from(attributes.monitor_timer_interval_us)
            .unwrap_or(u32::MAX),
    }
}

/// What it is told of a metadata channel. For old relay daemons it is where the others are.
pub(crate) fn announced_metadata(
    session: SessionId,
    key: ChannelKey,
    attributes: ChannelAttributes,
    output: &SetOutput,
    live_timer_interval_us: u32,
) -> AddChannel {
    let name = "metadata".to_owned();
    let metadata = Known { index: u32::MAX, key, name, attributes, streams: 1, sent: false };
    AddChannel { metadata: true, ..announced(session, &metadata, output, live_timer_interval_us) }
}
