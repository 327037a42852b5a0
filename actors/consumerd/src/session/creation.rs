//! The making of channels.

use std::os::fd::{AsFd, OwnedFd};

use lttngd_ringbuffer::{ChannelConfig, Mode, possible_cpu_count};
use lttngd_runas::Runas;
use lttngd_runtime::{Held, NoRoom};
use lttngd_wire::consumer::{
    AskChannel, CHANNEL_WAKEUP_FDS, ChannelClass, ChannelStatus, ConsumerError as Code,
    MetadataRequest, STREAM_FDS,
};

use super::{Command, Inner, state::Asked};
use crate::{
    makers::{Kind, make},
    refusal::Refusal,
    reply::ChannelObject,
    request::CreateChannel,
    samples::{BufferGauge, Monitor, SampledStream, WrittenPackets},
    shm::{self, ShmPlace},
    worker::{ChannelEnd, NewChannel, NewMetadata, NewStream, OutputConfig, Timers, UST_DIRECTORY},
};

/// Descriptors that a channel needs besides those of its streams: its pipe, and the file of its trace's
/// metadata.
const CHANNEL_DESCRIPTORS: usize = 2;
/// Those of each stream: both ends of its pipe.
const STREAM_DESCRIPTORS: usize = 2;
/// Those of each stream that is written to files of this machine: its data and its index.
const FILE_DESCRIPTORS: usize = 2;

/// The places in the budget of a channel, and of what is sent to the session daemon.
struct Room {
    of_channel: Held,
    of_object: Held,
}

impl Command for CreateChannel {
    type Done = ChannelStatus;
    const NAME: &'static str = "ASK_CHANNEL_CREATION";

    async fn perform(self, session: &Inner) -> Result<ChannelStatus, Refusal> {
        let Self(ask) = self;
        let (key, is_remote) = (ask.key, !ask.monitor || ask.relayd_id.is_some());
        let worker = if is_remote { &session.context.remote } else { &session.context.local };
        let worker = worker.clone();
        let (asked, stream_count) = match session.make_channel(*ask).await {
            Ok(made) => made,
            Err(code) => return Err(code.into()),
        };
        session.state.borrow_mut().add_channel(key, worker, asked);
        Ok(ChannelStatus { ret_code: 0, key, stream_count })
    }
}

impl Inner {
    /// Makes a channel and says how many streams the session daemon is to expect.
    async fn make_channel(&self, ask: AskChannel) -> Result<(Asked, u32), Code> {
        let key = ask.key;
        let chunk = self.state.borrow().admit_channel(ask.chunk_id)?;
        let writing = self.writing(&ask);
        let ChannelClass::Data { overwrite } = ask.class else {
            let metadata = NewMetadata {
                key,
                writing,
                chunk,
                uuid: ask.uuid,
                monitored: ask.monitor,
                refresh_interval_us: ask.switch_timer_interval_us,
            };
            return Ok((Asked::Metadata(Box::new(metadata)), ask.monitor.into()));
        };
        let room = self.room(&ask)?;
        let (clock, runas) = (self.context.clock.clone(), self.context.runas.clone());
        let in_files = !ask.shm_path.is_empty();
        let kind = if in_files { Kind::Files(ask.buffer_owner.uid) } else { Kind::Memory };
        let made = make(&self.context.makers, kind, {
            let (ask, of_object) = (ask.clone(), room.of_object);
            move || make_streams(&ask, overwrite, &clock, &runas, of_object)
        });
        let made = made.await;
        let Made { ring, streams, sampled, object, shm } = made.map_err(|error| {
            tracing::error!(%key, channel = ask.name, %error, "cannot make a channel");
            Code::CHANNEL_FAIL
        })?;
        let stream_count = u32::try_from(streams.len()).unwrap_or(u32::MAX);
        let channel = NewChannel {
            key,
            writing,
            chunk,
            end: ChannelEnd::Ring(Box::new(ring)),
            streams,
            shm,
            monitored: ask.monitor,
            is_live: ask.is_live,
            held: room.of_channel,
            timers: Timers {
                switch_us: ask.switch_timer_interval_us,
                read_us: ask.read_timer_interval_us,
                live_us: ask.live_timer_interval_us,
            },
        };
        let (channel, object) = (Box::new(channel), Box::new(object));
        let monitor = Monitor { period_us: ask.monitor_timer_interval_us, streams: sampled };
        let asked = Asked::Data { channel, object, monitor };
        Ok((asked, stream_count))
    }

    /// Takes the places of a channel's descriptors in the budget, before any is opened.
    fn room(&self, ask: &AskChannel) -> Result<Room, Code> {
        let refuse = |error: &dyn std::fmt::Display| {
            tracing::error!(key = %ask.key, channel = ask.name, %error, "a channel is refused");
            Code::CHANNEL_FAIL
        };
        let cpu_count = possible_cpu_count().map_err(|error| refuse(&error))? as usize;
        let has_files = ask.monitor && ask.relayd_id.is_none();
        let each =
            if has_files { STREAM_DESCRIPTORS + FILE_DESCRIPTORS } else { STREAM_DESCRIPTORS };
        let take = |count| {
            self.context.channels.take(ask.charged_to(), count).map_err(|error| match error {
                NoRoom::Descriptors(error) => refuse(&error),
                // It is told when it is news: he has many.
                NoRoom::Share(_) => Code::CHANNEL_FAIL,
            })
        };
        Ok(Room {
            of_channel: take(CHANNEL_DESCRIPTORS + cpu_count * each)?,
            of_object: take(CHANNEL_WAKEUP_FDS + cpu_count * STREAM_FDS)?,
        })
    }

    /// Where and how a channel's streams are written.
    fn writing(&self, ask: &AskChannel) -> OutputConfig {
        OutputConfig {
            session: self.id,
            name: ask.name.clone(),
            path: ask.pathname.clone(),
            domain: UST_DIRECTORY,
            relay: ask.relayd_id,
            tracefile_size_bytes: ask.tracefile_size_bytes,
            tracefile_count: ask.tracefile_count,
            metadata_request: MetadataRequest {
                session_id: self.id,
                session_id_per_pid: ask.session_id_per_pid,
                bits_per_long: ask.bitness.bits_per_long(),
                uid: ask.ust_app_uid,
                key: ask.key,
            },
        }
    }
}

/// A channel that is made.
struct Made {
    ring: lttngd_ringbuffer::Channel,
    streams: Vec<NewStream>,
    sampled: Vec<SampledStream>,
    object: ChannelObject,
    shm: Option<ShmPlace>,
}

/// Makes a channel with its streams.
fn make_streams(
    ask: &AskChannel,
    overwrite: bool,
    clock: &crate::clock::PacketClock,
    runas: &Runas,
    held: Held,
) -> Result<Made, String> {
    let text = |error: &dyn std::error::Error| match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let config = ChannelConfig {
        mode: if overwrite { Mode::Overwrite } else { Mode::Discard },
        subbuf_size_bytes: ask.subbuf_size_bytes,
        num_subbuf: ask.num_subbuf,
        switch_timer_interval_us: ask.switch_timer_interval_us,
        read_timer_interval_us: ask.read_timer_interval_us,
        blocking_timeout_us: ask.blocking_timeout_us,
        channel_id: ask.chan_id,
        trace_uuid: ask.uuid,
        cpu_count: possible_cpu_count().map_err(|error| error.to_string())?,
        snapshots: !ask.monitor,
        layout: ask.buffer_layout,
        bitness: ask.bitness,
    };
    let mut ring = lttngd_ringbuffer::Channel::create(&config, clock).map_err(|e| text(&e))?;
    let place = ShmPlace::of(ask, config.cpu_count, runas).map_err(|e| text(&e))?;
    let (mut streams, mut sampled) = (Vec::new(), Vec::new());
    let mut objects = Vec::new();
    for cpu in 0..config.cpu_count {
        let (stream, object) =
            shm::create_stream(&ring, cpu, place.as_ref(), clock).map_err(|e| text(&e))?;
        let wakeup = object.wakeup.try_clone().map_err(|error| error.to_string())?;
        let written = WrittenPackets::default();
        sampled.push(SampledStream {
            gauge: BufferGauge::Ring(stream.gauge()),
            written: written.clone(),
        });
        streams.push(NewStream { source: Box::new(stream), wakeup: Some(wakeup), written });
        objects.push(object);
    }
    let wakeup: OwnedFd = ring
        .wakeup()
        .ok_or("a channel has no pipe")?
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| error.to_string())?;
    ring.close_wakeup();
    let object =
        ChannelObject { image: ring.image().to_vec(), wakeup, streams: objects, _held: held };
    Ok(Made { ring, streams, sampled, object, shm: place })
}
