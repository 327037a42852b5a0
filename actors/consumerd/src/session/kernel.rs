//! Channels of the kernel: announced, given their streams one after the other, and taken over by a data thread
//! when all are there. Streams of processors that come later are taken over one by one.

use std::{os::fd::OwnedFd, sync::Arc};

use lttngd_kernelbuffer::{Calls, Descriptor, KernelStream, MetadataStream};
use lttngd_model::{ChannelOutput, SessionId};
use lttngd_runtime::Held;
use lttngd_wire::consumer::{AddChannel, ConsumerError as Code, MetadataRequest};

use super::{
    Command, Inner,
    kernel_text::TextReader,
    state::{Announced, Asked, Streamed},
};
use crate::{
    makers::{Kind, make},
    refusal::Refusal,
    request::{AddKernelChannel, AddKernelStream, AnnounceStreams},
    samples::{BufferGauge, Monitor, SampledStream, WrittenPackets},
    worker::{
        ChannelEnd, KERNEL_DIRECTORY, LOOK_PERIOD_US, NewChannel, NewMetadata, NewStream, Order,
        OutputConfig, Timers,
    },
    workers::WorkerHandle,
};

/// In whose share channels of the kernel are: who commands them has nobody's programs in hand.
const KERNELS: u32 = 0;
/// Descriptors that a stream has besides its own: a pipe for packets that are spliced, and its data and index.
const STREAM_DESCRIPTORS: usize = 5;

impl Command for AddKernelChannel {
    type Done = ();
    const NAME: &'static str = "ADD_CHANNEL";

    async fn perform(self, session: &Inner) -> Result<(), Refusal> {
        let Self(add) = self;
        let (key, is_remote) = (add.key, !add.monitor || add.relayd_id.is_some());
        let worker = if is_remote { &session.context.remote } else { &session.context.local };
        let worker = worker.clone();
        let mut state = session.state.borrow_mut();
        let chunk = state.admit_channel(add.chunk_id)?;
        let announced = Announced { add, chunk, streams: Vec::new() };
        state.add_channel(key, worker, Asked::Kernel(Box::new(announced)));
        Ok(())
    }
}

impl Command for AddKernelStream {
    type Done = ();
    const NAME: &'static str = "ADD_STREAM";

    async fn perform(self, session: &Inner) -> Result<(), Refusal> {
        let Self { key, cpu, descriptor } = self;
        let cpu = u32::try_from(cpu).map_err(|_| Refusal::Malformed)?;
        let streamed = session.state.borrow_mut().add_stream(key, (cpu, descriptor))?;
        match streamed {
            Streamed::Waits => Ok(()),
            Streamed::Whole(worker, announced) => {
                let started = match announced.add.metadata {
                    true => session.start_metadata(&worker, *announced).await,
                    false => session.start_channel(&worker, *announced).await,
                };
                session.is_running(key, Ok(started))
            }
            Streamed::Late { worker, is_mapped, stream } => {
                let held = session.kernel_room(STREAM_DESCRIPTORS)?;
                let made = session.make_streams(vec![stream], is_mapped).await?;
                let Made { streams, sampled, .. } = made;
                worker.ask(|answer| Order::AddStreams(key, streams, held, answer)).await??;
                session.context.tell(|owner| owner.streams_came(key, sampled));
                Ok(())
            }
        }
    }
}

impl Command for AnnounceStreams {
    type Done = ();
    const NAME: &'static str = "STREAMS_SENT";

    async fn perform(self, session: &Inner) -> Result<(), Refusal> {
        let worker = session.state.borrow().worker_of(self.key)?;
        let Some(relay) = self.relay else { return Ok(()) };
        Ok(worker.ask(|answer| Order::AnnounceStreams(relay, answer)).await??)
    }
}

/// Streams that are made.
struct Made {
    streams: Vec<NewStream>,
    sampled: Vec<SampledStream>,
    stream_id: u64,
}

impl Inner {
    async fn start_channel(&self, worker: &WorkerHandle, announced: Announced) -> Result<(), Code> {
        let Announced { add, chunk, streams } = announced;
        let held = self.kernel_room(streams.len() * STREAM_DESCRIPTORS)?;
        let is_mapped = add.output == ChannelOutput::Mmap;
        let Made { streams, sampled, stream_id } = self.make_streams(streams, is_mapped).await?;
        let channel = Box::new(NewChannel {
            key: add.key,
            writing: writing(self.id, &add),
            chunk,
            end: ChannelEnd::Kernel { stream_id, is_mapped },
            streams,
            shm: None,
            monitored: add.monitor,
            is_live: add.is_live,
            timers: Timers {
                switch_us: 0,
                read_us: if add.monitor { LOOK_PERIOD_US } else { 0 },
                live_us: add.live_timer_interval_us,
            },
            held,
        });
        let added = worker.ask(|answer| Order::AddChannel(channel, answer)).await;
        added.map_err(|_| Code::FATAL)??;
        let monitor = Monitor { period_us: add.monitor_timer_interval_us, streams: sampled };
        self.context.tell(|owner| owner.channel_runs(add.key, monitor));
        Ok(())
    }

    async fn make_streams(
        &self,
        streams: Vec<(u32, OwnedFd)>,
        is_mapped: bool,
    ) -> Result<Made, Code> {
        let made = make(&self.context.makers, Kind::Memory, move || made(streams, is_mapped)).await;
        made.map_err(|error| {
            tracing::error!(%error, "streams of the kernel cannot be read");
            Code::CHANNEL_FAIL
        })
    }

    async fn start_metadata(
        &self,
        worker: &WorkerHandle,
        announced: Announced,
    ) -> Result<(), Code> {
        let Announced { add, chunk, mut streams } = announced;
        let (key, monitored) = (add.key, add.monitor);
        let (_, descriptor) = streams.pop().ok_or(Code::ERROR_METADATA)?;
        let descriptor = Arc::new(Descriptor::from(descriptor));
        let calls = Arc::clone(&descriptor);
        let open = move || MetadataStream::new(calls).map_err(|error| error.to_string());
        let opened = make(&self.context.makers, Kind::Memory, open).await.map_err(|error| {
            tracing::error!(%error, "metadata of the kernel cannot be read");
            Code::ERROR_METADATA
        })?;
        let metadata = Box::new(NewMetadata {
            key,
            writing: writing(self.id, &add),
            chunk,
            // The text tells it.
            uuid: [0; 16],
            monitored,
            refresh_interval_us: 0,
        });
        let added = worker.ask(|answer| Order::AddMetadata(metadata, answer)).await;
        added.map_err(|_| Code::FATAL)??;
        let reader =
            TextReader::start(key, opened, worker.clone(), monitored.then_some(descriptor));
        self.state.borrow_mut().add_text_reader(key, reader);
        Ok(())
    }

    fn kernel_room(&self, count: usize) -> Result<Held, Code> {
        self.context.channels.take(KERNELS, count).map_err(|error| {
            tracing::error!(%error, "a channel of the kernel is refused");
            Code::CHANNEL_FAIL
        })
    }
}

/// Takes streams over.
fn made(streams: Vec<(u32, OwnedFd)>, is_mapped: bool) -> Result<Made, String> {
    let mut made = Made { streams: Vec::new(), sampled: Vec::new(), stream_id: 0 };
    for (cpu, descriptor) in streams {
        let calls: Arc<dyn Calls> = Arc::new(Descriptor::from(descriptor));
        let stream = KernelStream::new(calls, cpu, is_mapped);
        let mut stream = stream.map_err(|error| error.to_string())?;
        made.stream_id = stream.stream_id().map_err(|error| error.to_string())?;
        let written = WrittenPackets::default();
        let gauge = BufferGauge::Kernel(stream.gauge());
        made.sampled.push(SampledStream { gauge, written: written.clone() });
        made.streams.push(NewStream { source: Box::new(stream), wakeup: None, written });
    }
    Ok(made)
}

/// Where and how a channel's streams are written.
fn writing(session: SessionId, add: &AddChannel) -> OutputConfig {
    OutputConfig {
        session,
        name: add.name.clone(),
        path: add.pathname.clone(),
        domain: KERNEL_DIRECTORY,
        relay: add.relayd_id,
        tracefile_size_bytes: add.tracefile_size_bytes,
        tracefile_count: add.tracefile_count,
        // The kernel has it.
        metadata_request: MetadataRequest {
            session_id: session,
            session_id_per_pid: 0,
            bits_per_long: usize::BITS,
            uid: 0,
            key: add.key,
        },
    }
}
