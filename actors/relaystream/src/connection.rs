//! A connection: its two sockets and what became of them.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use lttngd_model::StreamKind;
use lttngd_ringbuffer::SharedBytes;
use lttngd_wire::{
    ctf::PacketIndex,
    relay::{
        AddStream, ConsumerCommand, ConsumerReply, DataHeader, STREAM_NAME_MAX, STREAM_PATH_MAX,
        SendIndex, Version,
    },
};
use rustix::net::{
    RecvFlags, recv,
    sockopt::{set_tcp_nodelay, set_tcp_quickack},
};

use crate::{
    Fault, OfferError, Offered, Outcome, QueueError, RelayStream, Ticket,
    control::Control,
    data::{Data, SendError, accept},
};

/// Bytes of replies that are read at once.
const RECEIVE_LEN: usize = 4096;
/// Count of trace files told where there is no limit but their size has one: relay daemons divide by
/// it, and keep a record of each file.
const TRACEFILE_COUNT: u64 = 1 << 20;

/// What a relay daemon is given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RelayLimits {
    /// How long nothing may move on a socket while something is due there.
    pub stall_timeout: Duration,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self { stall_timeout: Duration::from_secs(30) }
    }
}

/// For which sockets the caller should watch whether they take more. Both are always watched for what
/// they give.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Interest {
    /// The control socket.
    pub control_writable: bool,
    /// The data socket.
    pub data_writable: bool,
}

/// A connection to a relay daemon, for one session.
#[derive(Debug)]
pub struct RelayConnection {
    control_socket: OwnedFd,
    data_socket: OwnedFd,
    version: Version,
    limits: RelayLimits,
    control: Control,
    data: Data,
    pub(crate) fault: Option<Fault>,
}

impl RelayConnection {
    /// The connection over two sockets on which the session was announced in this version. They need
    /// not be non-blocking; the one for data is from now on.
    #[must_use]
    pub fn new(control: OwnedFd, data: OwnedFd, version: Version, limits: RelayLimits) -> Self {
        for socket in [&control, &data] {
            // Only a socket that is not TCP says no, and then there is nothing to be slow.
            let _ = set_tcp_nodelay(socket, true);
        }
        // Pages are moved to a socket without waiting only if it is so itself. It fails for no socket that is open.
        let _ = rustix::io::ioctl_fionbio(&data, true);
        Self {
            control_socket: control,
            data_socket: data,
            version,
            limits,
            control: Control::new(),
            data: Data::default(),
            fault: None,
        }
    }

    /// The control socket, to be watched.
    #[must_use]
    pub fn control_socket(&self) -> BorrowedFd<'_> {
        self.control_socket.as_fd()
    }

    /// The data socket, to be watched.
    #[must_use]
    pub fn data_socket(&self) -> BorrowedFd<'_> {
        self.data_socket.as_fd()
    }

    /// The version that is spoken.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// What to watch the sockets for besides what they give.
    #[must_use]
    pub fn interest(&self) -> Interest {
        let [first, second] = self.control.unsent();
        Interest {
            control_writable: !first.is_empty() || !second.is_empty(),
            data_writable: self.data.watchdog().is_due(),
        }
    }

    /// Why the connection is dead, if it is.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Whether everything was sent and answered, or nothing will be.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.control.is_idle() && self.data.is_idle()
    }

    /// Queues a command; [`flush`](Self::flush) or [`on_control_ready`](Self::on_control_ready) sends
    /// it.
    ///
    /// STREAMS_SENT and indexes before 2.4 and trace chunks before 2.11 are left out: their outcome
    /// is there at once and a success, and no chunk exists. Metadata has no reply: its outcome says
    /// that it was queued, and what is asked of the relay daemon later sees it.
    ///
    /// # Errors
    /// [`QueueError`].
    pub fn queue(&mut self, now: Instant, command: &ConsumerCommand) -> Result<Ticket, QueueError> {
        if self.fault.is_some() {
            return Err(QueueError::Gone);
        }
        let (minor, since_minor) = (self.version.minor, command.since_minor());
        if minor < since_minor {
            return match command {
                ConsumerCommand::ResetMetadata { .. } => {
                    Err(QueueError::Unsupported { minor, since_minor })
                }
                ConsumerCommand::TraceChunkExists(_) => {
                    self.control.answer(ConsumerReply::ChunkExists(false))
                }
                ConsumerCommand::CloseTraceChunk(_) => {
                    self.control.answer(ConsumerReply::ChunkClosed { path: String::new() })
                }
                _ => self.control.answer(ConsumerReply::Done),
            };
        }
        match command {
            ConsumerCommand::AddStream(stream) => {
                let stream = admit_stream(stream, minor)?;
                self.control.queue(now, &ConsumerCommand::AddStream(stream), minor)
            }
            command => self.control.queue(now, command, minor),
        }
    }

    /// Queues the index of a live stream without a new packet, which tells viewers how far it is:
    /// only `timestamp_end` and `stream_id` of `index` are of interest. Left out before 2.4.
    pub fn queue_beacon(&mut self, now: Instant, stream: &RelayStream, index: &PacketIndex) {
        let beacon = PacketIndex {
            timestamp_end: index.timestamp_end,
            stream_id: index.stream_id,
            ..PacketIndex::default()
        };
        self.queue_index(now, stream, &beacon);
    }

    /// Queues an index, unless it is left out, and says which reply will be its.
    fn queue_index(
        &mut self,
        now: Instant,
        stream: &RelayStream,
        index: &PacketIndex,
    ) -> Option<u64> {
        let command = ConsumerCommand::SendIndex(SendIndex {
            handle: stream.handle(),
            net_seq_num: stream.last_net_seq_num(),
            index: *index,
        });
        let is_sent = self.fault.is_none() && self.version.minor >= command.since_minor();
        is_sent.then(|| self.control.queue_index(now, &command, self.version.minor))
    }

    /// Whether the relay daemon has taken the indexes of all packets of a stream that were sent. Before
    /// that, after ROTATE_STREAMS, no packet may follow that belongs to the next trace chunk: relay
    /// daemons of 2.13 crash when they get one ahead of the index of the last packet of the old one.
    #[must_use]
    pub fn has_indexes_of(&self, stream: &RelayStream) -> bool {
        self.control.has_replied(stream.index_reply())
    }

    /// How many packets of a stream were sent of which the relay daemon has not said that it has them.
    /// With the connection they are lost, as far as anybody knows. Those without index, which nobody
    /// says anything about, are not counted.
    #[must_use]
    pub fn unanswered_of(&self, stream: &RelayStream) -> u64 {
        stream.unanswered(self.control.replies())
    }

    /// Whether a packet can be offered.
    #[must_use]
    pub fn ready_for_packet(&self) -> bool {
        self.fault.is_none() && self.data.is_idle() && self.control.is_ready_for_index()
    }

    /// Whether metadata can be queued.
    #[must_use]
    pub fn ready_for_metadata(&self) -> bool {
        self.fault.is_none() && self.control.is_ready_for_metadata()
    }

    /// Sends a packet: `content` in at most [`CONTENT_VIEWS_MAX`](crate::CONTENT_VIEWS_MAX) views,
    /// which the relay daemon follows by `padding_len` zeros. `index` follows on the control
    /// connection once the packet is sent; a snapshot has none.
    ///
    /// # Errors
    /// [`OfferError`]
    pub fn offer_packet(
        &mut self,
        now: Instant,
        stream: &mut RelayStream,
        content: &[SharedBytes<'_>],
        padding_len: u32,
        index: Option<&PacketIndex>,
    ) -> Result<Offered, OfferError> {
        let len = content.iter().map(SharedBytes::len).sum();
        let content_len = u32::try_from(len).map_err(|_| OfferError::TooLarge(len))?;
        let header = stream.header(content_len, padding_len);
        self.offer(now, stream, header, index, |data, socket| {
            data.send(now, socket, header, content)
        })
    }

    /// The same of a packet of `content_len` bytes which `pages` moves to the socket it is given, from where it
    /// stopped on: how many it moved, 0 when the socket takes none now. One that was sent in part has to be offered
    /// so again, or its rest to be kept.
    ///
    /// # Errors
    /// [`OfferError`]
    pub fn offer_pages(
        &mut self,
        now: Instant,
        stream: &mut RelayStream,
        (content_len, padding_len): (u32, u32),
        index: Option<&PacketIndex>,
        mut pages: impl FnMut(BorrowedFd<'_>) -> Result<usize, SendError>,
    ) -> Result<Offered, OfferError> {
        let header = stream.header(content_len, padding_len);
        self.offer(now, stream, header, index, |data, socket| {
            data.send_pages(now, socket, header, &mut pages)
        })
    }

    /// Whether a part of the next packet of a stream is sent, and more of it is awaited.
    #[must_use]
    pub fn has_part_of(&self, stream: &RelayStream) -> bool {
        self.data.has_part_of(stream.handle())
    }

    fn offer(
        &mut self,
        now: Instant,
        stream: &mut RelayStream,
        header: DataHeader,
        index: Option<&PacketIndex>,
        send: impl FnOnce(&mut Data, &OwnedFd) -> Result<Offered, SendError>,
    ) -> Result<Offered, OfferError> {
        if self.fault.is_some() {
            return Err(OfferError::Gone);
        }
        if !self.data.is_free_for(header)
            || (self.data.is_idle() && !self.control.is_ready_for_index())
        {
            return Ok(Offered::NotReady);
        }
        match send(&mut self.data, &self.data_socket) {
            Ok(Offered::Sent) => {
                self.end_packet(now, stream, index);
                Ok(Offered::Sent)
            }
            Ok(offered) => Ok(offered),
            Err(SendError::Unreadable) => {
                if self.data.needs_rest_of(header) {
                    // The header promised as many bytes.
                    self.data.keep(&[]);
                    self.end_packet(now, stream, index);
                }
                Err(OfferError::Unreadable)
            }
            Err(SendError::Socket(source)) => {
                self.die(Fault::Broken { socket: StreamKind::Data, source });
                Err(OfferError::Gone)
            }
        }
    }

    fn end_packet(&mut self, now: Instant, stream: &mut RelayStream, index: Option<&PacketIndex>) {
        stream.began();
        if let Some(index) = index {
            let reply = self.queue_index(now, stream, index);
            stream.index_sent(reply, self.control.replies());
        }
    }

    /// Makes what is left of a packet that is partly sent the connection's own, so that its
    /// sub-buffer can be given back. The arguments are those that it was offered with last. Does
    /// nothing for any other packet.
    pub fn keep_rest(
        &mut self,
        now: Instant,
        stream: &mut RelayStream,
        content: &[SharedBytes<'_>],
        padding_len: u32,
        index: Option<&PacketIndex>,
    ) {
        let len: usize = content.iter().map(SharedBytes::len).sum();
        let Ok(content_len) = u32::try_from(len) else { return };
        let header = stream.header(content_len, padding_len);
        if self.data.needs_rest_of(header) {
            self.data.keep(content);
            self.end_packet(now, stream, index);
        }
    }

    /// The next outcome of a command, in the order of their replies.
    pub fn next_outcome(&mut self) -> Option<(Ticket, Outcome)> {
        self.control.next_outcome()
    }

    /// Sends what was queued as far as the control socket takes it. Call it at the end of a turn in
    /// which something was queued: many commands then go at once.
    pub fn flush(&mut self, now: Instant) {
        if let Err(source) = self.send_control(now) {
            self.die(Fault::Broken { socket: StreamKind::Control, source });
        }
    }

    fn send_control(&mut self, now: Instant) -> io::Result<()> {
        loop {
            let views = self.control.unsent().map(SharedBytes::from);
            if views.iter().all(SharedBytes::is_empty) {
                return Ok(());
            }
            let socket = &self.control_socket;
            match accept(|| lttngd_ringbuffer::send(socket, &views, 0))? {
                0 => return Ok(()),
                count => self.control.sent(now, count),
            }
        }
    }

    /// The control socket has something or takes something.
    pub fn on_control_ready(&mut self, now: Instant) {
        if self.fault.is_some() {
            return;
        }
        if let Err(fault) = self.receive_control(now) {
            return self.die(fault);
        }
        self.flush(now);
    }

    fn receive_control(&mut self, now: Instant) -> Result<(), Fault> {
        let mut bytes = [0; RECEIVE_LEN];
        loop {
            match receive(&self.control_socket, &mut bytes, StreamKind::Control)? {
                0 => break,
                count => self.control.receive(now, &bytes[..count])?,
            }
        }
        if self.control.is_in_a_hurry() {
            // The relay daemon's system holds a reply back until the one before it is acknowledged,
            // with which ours takes its time. It does not remember that it is in a hurry. Only a
            // socket that is not TCP says no.
            let _ = set_tcp_quickack(&self.control_socket, true);
        }
        Ok(())
    }

    /// The data socket takes something, or has ended. Streams that wait to offer packets can do so
    /// again.
    pub fn on_data_ready(&mut self, now: Instant) {
        if self.fault.is_some() {
            return;
        }
        let mut bytes = [0; 1];
        match receive(&self.data_socket, &mut bytes, StreamKind::Data) {
            Ok(0) => {}
            Ok(_) => return self.die(Fault::Unasked(StreamKind::Data)),
            Err(fault) => return self.die(fault),
        }
        if let Err(source) = self.data.send_kept(now, &self.data_socket) {
            self.die(Fault::Broken { socket: StreamKind::Data, source });
        }
    }

    /// When [`on_deadline`](Self::on_deadline) is due, if nothing moves before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let timeout = self.limits.stall_timeout;
        [self.control.watchdog(), self.data.watchdog()]
            .into_iter()
            .filter_map(|watchdog| watchdog.deadline(timeout))
            .min()
    }

    /// Ends the connection when its time is over.
    pub fn on_deadline(&mut self, now: Instant) {
        let timeout = self.limits.stall_timeout;
        let sides = [
            (StreamKind::Control, self.control.watchdog()),
            (StreamKind::Data, self.data.watchdog()),
        ];
        let stalled = sides
            .into_iter()
            .find(|(_, watchdog)| watchdog.deadline(timeout).is_some_and(|due| due <= now));
        if let Some((socket, _)) = stalled {
            self.die(Fault::Stalled { socket, timeout });
        }
    }

    fn die(&mut self, fault: Fault) {
        if self.fault.is_none() {
            self.fault = Some(fault);
            self.control.fail();
            self.data.fail();
        }
    }
}

/// A stream as it can be told.
fn admit_stream(stream: &AddStream, minor: u32) -> Result<AddStream, QueueError> {
    let path_max = if minor < 11 { lttngd_model::PATH_MAX } else { STREAM_PATH_MAX };
    for (text, size) in [(&stream.name, STREAM_NAME_MAX), (&stream.path, path_max)] {
        if text.len() >= size {
            return Err(QueueError::TooLong { len: text.len(), limit: size - 1 });
        }
    }
    let mut stream = stream.clone();
    if stream.tracefile_size_bytes > 0 && stream.tracefile_count == 0 {
        stream.tracefile_count = TRACEFILE_COUNT;
    }
    Ok(stream)
}

/// Bytes that a socket has, 0 for none now.
fn receive(socket: &OwnedFd, bytes: &mut [u8], kind: StreamKind) -> Result<usize, Fault> {
    let mut ended = false;
    let received = accept(|| {
        let (count, _) = recv(socket, &mut *bytes, RecvFlags::DONTWAIT)?;
        ended = count == 0;
        Ok(count)
    });
    match received {
        Ok(_) if ended => Err(Fault::Closed(kind)),
        Ok(count) => Ok(count),
        Err(source) => Err(Fault::Broken { socket: kind, source }),
    }
}
