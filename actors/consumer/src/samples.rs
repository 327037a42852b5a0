//! The monitor pipe: the consumer tells how the buffers of each channel are used, and whoever made
//! the channel is told.

use std::{
    cell::RefCell, collections::HashMap, convert::Infallible, io, os::fd::OwnedFd, rc::Rc,
    sync::Arc,
};

use lttngd_model::{ChannelKey, SessionId};
use lttngd_runtime::{Outlet, fail_point, tell};
use lttngd_wire::consumer::{LONG_MONITOR_SAMPLE_LEN, MONITOR_SAMPLE_LEN, MonitorSample};
use tokio::net::unix::pipe;

use crate::{
    ChannelSampled, SampledChannel,
    reader::Socket,
    reports::{MonitorUnread, Owner, Sampled, Unread},
};

/// Most samples that are read at a time.
const READ_AT_ONCE: usize = 128;

/// Who is told of which channel.
#[derive(Debug, Default)]
pub(crate) struct Samples(HashMap<ChannelKey, Channel>);

#[derive(Debug)]
struct Channel {
    session: SessionId,
    channel: Arc<SampledChannel>,
    outlet: Outlet<ChannelSampled>,
    total_consumed: u64,
    total_packets: u64,
}

impl Samples {
    pub(crate) fn insert(
        &mut self,
        session: SessionId,
        channel: SampledChannel,
        outlet: Outlet<ChannelSampled>,
    ) {
        let (key, channel) = (channel.key, Arc::new(channel));
        let new = Channel { session, channel, outlet, total_consumed: 0, total_packets: 0 };
        self.0.insert(key, new);
    }

    pub(crate) fn remove(&mut self, keys: &[ChannelKey]) {
        for key in keys {
            if let Some(channel) = self.0.remove(key) {
                let sampled = channel.channel;
                channel.outlet.tell(ChannelSampled {
                    channel: sampled,
                    sample: None,
                    newly_consumed_bytes: 0,
                    newly_consumed_packets: None,
                });
            }
        }
    }

    /// Of how many channels something is told.
    pub(crate) fn channels(&self) -> usize {
        self.0.len()
    }

    /// None comes any more.
    pub(crate) fn remove_all(&mut self) {
        let keys: Vec<_> = self.0.keys().copied().collect();
        self.remove(&keys);
    }

    /// Nobody of a session that has ended is told anything.
    pub(crate) fn end(&mut self, session: SessionId) {
        self.0.retain(|_, channel| channel.session != session);
    }

    /// A sample came.
    pub(crate) fn tell(&mut self, sample: MonitorSample) {
        // A channel that was let go may have a sample on its way.
        let Some(channel) = self.0.get_mut(&sample.key) else { return };
        // The totals are those of the streams that are alive: they fall when one ends.
        let newly_consumed_bytes = sample.total_consumed.saturating_sub(channel.total_consumed);
        channel.total_consumed = sample.total_consumed;
        let newly_consumed_packets = sample.total_packets.map(|total| {
            let before = std::mem::replace(&mut channel.total_packets, total);
            total.saturating_sub(before)
        });
        let told = Arc::clone(&channel.channel);
        channel.outlet.tell(ChannelSampled {
            channel: told,
            sample: Some(sample),
            newly_consumed_bytes,
            newly_consumed_packets,
        });
    }
}

/// The pipe, which stays when an actor that reads it fails: the next one reads on.
#[derive(Clone)]
pub(crate) struct MonitorPipe(Rc<Pipe>);

struct Pipe {
    receiver: pipe::Receiver,
    /// Size in bytes of a sample.
    sample_len: usize,
    /// What has come of a sample that was cut.
    begun: RefCell<Vec<u8>>,
}

impl Socket for MonitorPipe {
    async fn serve(self, owner: &Owner) -> String {
        let Err(error) = self.read(owner).await;
        error.to_string()
    }

    /// Whether the consumer daemon lives is for its other sockets to say.
    fn unread(owner: &Owner, why: Unread) {
        tell(&owner.consumer, MonitorUnread { start: owner.start, why });
    }
}

impl MonitorPipe {
    /// Of a consumer daemon that tells packets in its samples or does not.
    ///
    /// # Errors
    /// When it is no pipe that can be read.
    pub(crate) fn new(pipe: OwnedFd, tells_packets: bool) -> io::Result<Self> {
        let receiver = pipe::Receiver::from_owned_fd(pipe)?;
        let sample_len = if tells_packets { LONG_MONITOR_SAMPLE_LEN } else { MONITOR_SAMPLE_LEN };
        Ok(Self(Rc::new(Pipe { receiver, sample_len, begun: RefCell::default() })))
    }

    /// Reads what is there in one go: our consumer daemon writes the samples of all channels of a moment at once.
    async fn read(&self, owner: &Owner) -> io::Result<Infallible> {
        let Pipe { receiver, sample_len, begun } = &*self.0;
        let mut bytes = [0; READ_AT_ONCE * LONG_MONITOR_SAMPLE_LEN];
        loop {
            receiver.readable().await?;
            let before = begun.borrow().len();
            bytes[..before].copy_from_slice(&begun.borrow());
            let len = match receiver.try_read(&mut bytes[before..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => before + count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            // A sample is written whole; one that is cut all the same is read with the next.
            let (whole, cut) = bytes[..len].split_at(len - len % sample_len);
            begun.replace(cut.to_vec());
            fail_point::reached("MonitorPipe samples");
            for sample in whole.chunks_exact(*sample_len) {
                let sample = MonitorSample::decode(sample).map_err(io::Error::other)?;
                tell(&owner.consumer, Sampled { start: owner.start, sample });
            }
        }
    }
}
