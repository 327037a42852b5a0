//! Packets for relay daemons, and who waits until one takes more.

use std::{os::fd::BorrowedFd, time::Instant};

use lttngd_kernelbuffer::NotSent;
use lttngd_model::NetIndex;
use lttngd_relaystream::{OfferError, Offered, SendError};
use lttngd_wire::ctf::PacketIndex;

use super::{connections::Relays, effect::Effect};
use crate::worker::{
    remote::{RemoteStream, Sent},
    snapshot::JobId,
    stream_source::{SourcePacket, StreamSource},
};

impl Relays {
    /// Sends a packet of a stream, as far as it goes.
    pub(in crate::worker) fn send(
        &mut self,
        remote: &mut RemoteStream,
        packet: &SourcePacket<'_>,
    ) -> Sent {
        let Some(relay) = self.touch(remote.net_index) else { return Sent::Lost };
        let (content, padding_len) = packet.content();
        let index = remote.indexed.then_some(&packet.index);
        let (now, padding_len) = (Instant::now(), u32::try_from(padding_len).unwrap_or(0));
        let offered =
            relay.connection.offer_packet(now, &mut remote.stream, &content, padding_len, index);
        sent(offered, content.iter().map(|view| view.len() as u64).sum())
    }

    /// The same of one of `len` bytes that is moved to the socket unread.
    pub(in crate::worker) fn send_pages(
        &mut self,
        remote: &mut RemoteStream,
        len: u64,
        index: &PacketIndex,
        source: &mut dyn StreamSource,
    ) -> Sent {
        let Some(relay) = self.touch(remote.net_index) else { return Sent::Lost };
        let content_len = len.min(index.content_size_bits / 8);
        let index = remote.indexed.then_some(index);
        let lens = [content_len, len - content_len].map(u32::try_from);
        let [Ok(content), Ok(padding)] = lens else {
            return sent(Err(OfferError::TooLarge(usize::try_from(len).unwrap_or(usize::MAX))), 0);
        };
        let move_to = |socket: BorrowedFd<'_>| {
            source.send_to(socket, content_len).map_err(|error| match error {
                NotSent::Buffer(_) => SendError::Unreadable,
                NotSent::Socket(errno) => SendError::Socket(errno.into()),
            })
        };
        let (now, lens) = (Instant::now(), (content, padding));
        let offered = relay.connection.offer_pages(now, &mut remote.stream, lens, index, move_to);
        sent(offered, content_len)
    }

    /// Whether a part of a packet of this stream is sent, and more of it is awaited.
    pub(in crate::worker) fn has_part_of(&self, remote: &RemoteStream) -> bool {
        let relay = self.known.get(&remote.net_index);
        relay.is_some_and(|relay| relay.connection.has_part_of(&remote.stream))
    }

    /// Whether the relay daemon of a stream has still to take the index of a packet that was sent.
    pub(in crate::worker) fn awaits_indexes(&self, remote: &RemoteStream) -> bool {
        let relay = self.known.get(&remote.net_index);
        relay.is_some_and(|relay| !relay.connection.has_indexes_of(&remote.stream))
    }

    /// Copies what is left of a packet that may be partly sent: its stream lets go of it.
    pub(in crate::worker) fn keep_rest(
        &mut self,
        remote: &mut RemoteStream,
        packet: &SourcePacket<'_>,
    ) {
        let Some(relay) = self.touch(remote.net_index) else { return };
        let (content, padding_len) = packet.content();
        let index = remote.indexed.then_some(&packet.index);
        let (now, padding_len) = (Instant::now(), u32::try_from(padding_len).unwrap_or(0));
        relay.connection.keep_rest(now, &mut remote.stream, &content, padding_len, index);
    }

    /// Tells viewers how far a stream without packets is, unless there is something to send before.
    pub(in crate::worker) fn send_beacon(&mut self, remote: &RemoteStream, index: &PacketIndex) {
        if remote.indexed
            && let Some(relay) = self.touch(remote.net_index)
            && relay.connection.ready_for_packet()
        {
            relay.connection.queue_beacon(Instant::now(), &remote.stream, index);
        }
    }

    /// Has a stream wait until its relay daemon takes more.
    pub(in crate::worker) fn park(&mut self, net_index: NetIndex, slot: usize, partly: bool) {
        if let Some(relay) = self.known.get_mut(&net_index) {
            relay.parking.park(slot, partly);
        }
    }

    /// Has a stream wait for what its relay daemon answers next.
    pub(in crate::worker) fn wait_for_indexes(&mut self, net_index: NetIndex, slot: usize) {
        if let Some(relay) = self.known.get_mut(&net_index) {
            relay.parking.wait_for_indexes(slot);
        }
    }

    /// Has a snapshot wait until its relay daemon takes more. Without one it goes on and finds that out.
    pub(in crate::worker) fn park_snapshot(&mut self, net_index: NetIndex, id: JobId) {
        match self.known.get_mut(&net_index) {
            Some(relay) => relay.parking.park_snapshot(id),
            None => self.effects.push_back(Effect::ResumeSnapshot(id)),
        }
    }

    /// A socket of a relay daemon gives or takes something.
    pub(in crate::worker) fn socket_ready(&mut self, net_index: NetIndex, is_control: bool) {
        let Some(relay) = self.touch(net_index) else { return };
        let now = Instant::now();
        if is_control {
            relay.connection.on_control_ready(now);
        } else {
            relay.connection.on_data_ready(now);
        }
        let answered = relay.parking.answered();
        self.effects.extend(answered.into_iter().map(Effect::MakeReady));
        self.unpark(net_index);
    }

    /// Lets whoever waits for a relay daemon go on: the first stream, which lets the next one, and
    /// all else.
    pub(in crate::worker) fn unpark(&mut self, net_index: NetIndex) {
        let Some(relay) = self.known.get_mut(&net_index) else { return };
        let going_on = relay.parking.has_room();
        self.effects.extend(going_on.snapshots.into_iter().map(Effect::ResumeSnapshot));
        self.effects.extend(going_on.stream.map(Effect::MakeReady));
        self.effects.extend(going_on.behind.into_iter().map(Effect::SendMetadata));
        for text in going_on.recorded {
            self.send_recorded_text(net_index, text);
        }
    }
}

/// What became of a packet of `len` bytes that was offered.
fn sent(offered: Result<Offered, OfferError>, len: u64) -> Sent {
    match offered {
        Ok(Offered::Sent) => Sent::Whole(len),
        Ok(Offered::Partial) => Sent::Parked { partly: true },
        Ok(Offered::NotReady) => Sent::Parked { partly: false },
        Err(OfferError::Gone) => Sent::Lost,
        Err(error @ (OfferError::Unreadable | OfferError::TooLarge(_))) => {
            tracing::error!(%error, "a packet for a relay daemon is lost");
            Sent::Lost
        }
    }
}
