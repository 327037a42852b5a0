//! Samples of how full the buffers of channels are: plain values. Who knows when they are due and where they
//! are told is [`Control`](crate::control::Control).
//!
//! All channels of a period are sampled at the same moments, which are multiples of it since one moment, so that
//! the samples of all need one wake-up, here and at the session daemon.

use std::{
    collections::BTreeMap,
    os::fd::BorrowedFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use lttngd_kernelbuffer::KernelGauge;
use lttngd_model::ChannelKey;
use lttngd_ringbuffer::{Gauge, Positions};
use lttngd_wire::consumer::{LONG_MONITOR_SAMPLE_LEN, MonitorSample};

/// Samples that are written at a time: a pipe takes so many bytes whole or not at all (`PIPE_BUF`).
const WRITTEN_AT_ONCE: usize = 4096 / LONG_MONITOR_SAMPLE_LEN;

/// Shortest period in which a channel is sampled: samples are taken by the thread that serves everybody.
const PERIOD_MIN: Duration = Duration::from_millis(1);

/// What the data thread of a stream has written of it; whoever samples it looks at that.
#[derive(Clone, Debug, Default)]
pub(crate) struct WrittenPackets(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    packets: AtomicU64,
}

impl WrittenPackets {
    /// One more, of so many bytes.
    pub(crate) fn one_more(&self, len: u64) {
        self.0.bytes.fetch_add(len, Ordering::Relaxed);
        self.0.packets.fetch_add(1, Ordering::Relaxed);
    }

    /// How long all of them are, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.packets.load(Ordering::Relaxed)
    }
}

/// What shows how full a buffer is.
#[derive(Debug)]
pub(crate) enum BufferGauge {
    /// One of applications.
    Ring(Gauge),
    /// One of the kernel.
    Kernel(KernelGauge),
}

impl BufferGauge {
    fn is_gone(&self) -> bool {
        match self {
            Self::Ring(gauge) => gauge.is_gone(),
            Self::Kernel(gauge) => gauge.is_gone(),
        }
    }

    fn positions(&self) -> Option<Positions> {
        match self {
            Self::Ring(gauge) => gauge.positions(),
            Self::Kernel(gauge) => gauge.positions(),
        }
    }
}

/// What is looked at of a stream.
#[derive(Debug)]
pub(crate) struct SampledStream {
    pub(crate) gauge: BufferGauge,
    pub(crate) written: WrittenPackets,
}

/// How a channel is to be sampled.
#[derive(Debug)]
pub(crate) struct Monitor {
    /// Period in microseconds, 0 for never.
    pub(crate) period_us: u32,
    pub(crate) streams: Vec<SampledStream>,
}

impl SampledStream {
    fn look(&self) -> Seen {
        Seen {
            written_bytes: self.written.bytes(),
            written_packets: self.written.count(),
            used_bytes: self.gauge.positions().map(|positions| positions.used_bytes()),
        }
    }
}

/// What is seen of a stream.
#[derive(Clone, Copy, Debug)]
struct Seen {
    written_bytes: u64,
    written_packets: u64,
    /// What is in its buffer, unless that is lost.
    used_bytes: Option<u64>,
}

/// The channels that are sampled.
#[derive(Debug)]
pub(crate) struct Samples {
    /// The moment from which all periods are counted.
    epoch: Instant,
    /// By their period.
    channels: BTreeMap<Duration, Sampled>,
}

/// Channels of one period.
#[derive(Debug)]
struct Sampled {
    /// When they are sampled next.
    due: Instant,
    channels: Vec<(ChannelKey, Vec<SampledStream>)>,
}

impl Default for Samples {
    fn default() -> Self {
        Self { epoch: Instant::now(), channels: BTreeMap::new() }
    }
}

impl Samples {
    /// A channel is to be sampled from now on, until its streams are gone.
    pub(crate) fn add(&mut self, key: ChannelKey, monitor: Monitor, now: Instant) {
        let Monitor { period_us, streams } = monitor;
        if period_us == 0 {
            return;
        }
        let asked = Duration::from_micros(period_us.into());
        let period = asked.max(PERIOD_MIN);
        if period > asked {
            tracing::warn!(%key, ?asked, ?period, "a channel's use of buffers is sampled less often than it is asked for");
        }
        let due = tick_after(self.epoch, period, now);
        let new = || Sampled { due, channels: Vec::new() };
        self.channels.entry(period).or_insert_with(new).channels.push((key, streams));
    }

    /// Streams of a channel came later, as those of processors do. Nothing for one that is not sampled.
    pub(crate) fn add_streams(&mut self, key: ChannelKey, streams: Vec<SampledStream>) {
        let mut channels = self.channels.values_mut().flat_map(|sampled| &mut sampled.channels);
        if let Some((_, known)) = channels.find(|(sampled, _)| *sampled == key) {
            known.extend(streams);
        }
    }

    /// When something is to be sampled.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.channels.values().map(|sampled| sampled.due).min()
    }

    /// The samples that are due.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<MonitorSample> {
        let mut samples = Vec::new();
        for (period, sampled) in &mut self.channels {
            if sampled.due > now {
                continue;
            }
            for (_, streams) in &mut sampled.channels {
                streams.retain(|stream| !stream.gauge.is_gone());
            }
            sampled.channels.retain(|(_, streams)| !streams.is_empty());
            sampled.due = tick_after(self.epoch, *period, now);
            samples.extend(sampled.channels.iter().filter_map(|(key, streams)| {
                sample_of(*key, streams.iter().map(SampledStream::look))
            }));
        }
        self.channels.retain(|_, sampled| !sampled.channels.is_empty());
        samples
    }
}

/// The next moment after `now` that is a multiple of `period` since `epoch`. What was missed is not made up for.
fn tick_after(epoch: Instant, period: Duration, now: Instant) -> Instant {
    let since = now.saturating_duration_since(epoch).as_nanos();
    let behind = since % period.as_nanos();
    let left = u64::try_from(period.as_nanos() - behind).unwrap_or(u64::MAX);
    now + Duration::from_nanos(left)
}

/// The sample of a channel by what its streams have written, and have in their buffers; what one that is lost had
/// written counts. None when no stream can be looked at.
fn sample_of(key: ChannelKey, streams: impl Iterator<Item = Seen>) -> Option<MonitorSample> {
    let (mut lowest, mut highest, mut total_consumed, mut packets) = (u64::MAX, 0, 0_u64, 0_u64);
    for stream in streams {
        total_consumed = total_consumed.saturating_add(stream.written_bytes);
        packets = packets.saturating_add(stream.written_packets);
        if let Some(used_bytes) = stream.used_bytes {
            lowest = used_bytes.min(lowest);
            highest = used_bytes.max(highest);
        }
    }
    let total_packets = Some(packets);
    let sample = MonitorSample { key, lowest, highest, total_consumed, total_packets };
    (lowest <= highest).then_some(sample)
}

/// Writes samples to the monitor pipe, with their packets for a reader that asked for them. One that does not keep up
/// misses some.
pub(crate) fn write(pipe: BorrowedFd<'_>, samples: &[MonitorSample], tells_packets: bool) {
    let encode = |sample: &MonitorSample| {
        let total_packets = sample.total_packets.filter(|_| tells_packets);
        MonitorSample { total_packets, ..*sample }.encode()
    };
    for samples in samples.chunks(WRITTEN_AT_ONCE) {
        let samples: Vec<_> = samples.iter().map(encode).collect();
        if rustix::io::write(pipe, &samples.concat()).is_ok() {
            continue;
        }
        // The pipe has no room for all of them, and maybe some for a few.
        for bytes in samples {
            if rustix::io::write(pipe, &bytes).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
