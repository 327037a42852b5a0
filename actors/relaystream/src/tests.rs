#![allow(clippy::unwrap_used)]

mod commands;
mod faults;
mod packets;

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use lttngd_model::{ChunkId, RelayStreamHandle};
use lttngd_ringbuffer::SharedBytes;
use lttngd_wire::{
    ctf::PacketIndex,
    relay::{
        ConsumerCommand, ConsumerReply, DATA_HEADER_LEN, DataHeader, HEADER_LEN, Header, ReplyKind,
        Version,
    },
};
use rustix::net::sockopt::set_socket_send_buffer_size;

use crate::*;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A connection and the relay daemon's ends of it, with a clock that stands still.
struct World {
    connection: RelayConnection,
    control: UnixStream,
    data: UnixStream,
    minor: u32,
    now: Instant,
}

impl World {
    fn new() -> Self {
        Self::of_minor(13)
    }

    fn of_minor(minor: u32) -> Self {
        let (control, own_control) = UnixStream::pair().unwrap();
        let (data, own_data) = UnixStream::pair().unwrap();
        // Soon full.
        set_socket_send_buffer_size(&own_data, 4096).unwrap();
        let version = Version { major: 2, minor };
        let limits = RelayLimits { stall_timeout: TIMEOUT };
        let connection = RelayConnection::new(own_control.into(), own_data.into(), version, limits);
        Self { connection, control, data, minor, now: Instant::now() }
    }

    fn queue(&mut self, command: &ConsumerCommand) -> Ticket {
        let ticket = self.connection.queue(self.now, command).unwrap();
        self.connection.flush(self.now);
        ticket
    }

    /// The next command at the relay daemon, which has to be there.
    fn command(&mut self) -> ConsumerCommand {
        let mut head = [0; HEADER_LEN];
        self.control.set_nonblocking(true).unwrap();
        self.control.read_exact(&mut head).unwrap();
        let header = Header::decode(&head).unwrap();
        let mut payload = vec![0; usize::try_from(header.data_size).unwrap()];
        self.control.read_exact(&mut payload).unwrap();
        ConsumerCommand::decode(header.command, &payload, self.minor).unwrap()
    }

    /// Whether a command is there.
    fn has_command(&mut self) -> bool {
        let mut bytes = [0; 1];
        let peek = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT;
        rustix::net::recv(&self.control, &mut bytes, peek).is_ok()
    }

    fn reply(&mut self, bytes: &[u8]) {
        self.control.write_all(bytes).unwrap();
        self.connection.on_control_ready(self.now);
    }

    /// Reads `len` bytes of data, letting the connection send more meanwhile.
    fn data_bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.data.set_nonblocking(true).unwrap();
        self.data.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// The next packet of data, which has to be there.
    fn packet(&mut self) -> (DataHeader, Vec<u8>) {
        let header = DataHeader::decode(&self.data_bytes(DATA_HEADER_LEN)).unwrap();
        (header, self.data_bytes(header.content_len as usize))
    }

    fn offer(&mut self, stream: &mut RelayStream, content: &[u8]) -> Result<Offered, OfferError> {
        let (head, rest) = content.split_at(content.len().min(84));
        let views = [head, rest].map(SharedBytes::from);
        let index = index_of(content);
        let offered = self.connection.offer_packet(self.now, stream, &views, 7, Some(&index));
        self.connection.flush(self.now);
        offered
    }
}

/// An index to tell packets apart.
fn index_of(content: &[u8]) -> PacketIndex {
    PacketIndex { content_size_bits: 8 * content.len() as u64, ..PacketIndex::default() }
}

fn pending(handle: RelayStreamHandle) -> ConsumerCommand {
    ConsumerCommand::DataPending { handle, last_net_seq_num: 3 }
}
