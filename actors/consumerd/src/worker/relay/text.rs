//! Metadata at relay daemons.

use std::time::Instant;

use lttngd_model::ChannelKey;
use lttngd_relaystream::{QueueError, RelayConnection};
use lttngd_wire::{
    consumer::ConsumerError as Code,
    ctf::{METADATA_PACKET_HEADER_LEN, metadata_packets},
    relay::ConsumerCommand,
};

use super::{Answer, Worker};
use crate::worker::metadata::MetadataOutput;

/// Metadata of a snapshot on its way to a relay daemon.
#[derive(Debug)]
pub(super) struct RecordedText {
    pub(super) handle: u64,
    pub(super) uuid: [u8; 16],
    pub(super) text: Vec<u8>,
    pub(super) sent: usize,
    pub(super) answer: Answer,
}

/// Queues text in packets, and says how many bytes of it were taken.
fn queue_text(
    connection: &mut RelayConnection,
    handle: u64,
    uuid: [u8; 16],
    text: &[u8],
) -> Result<usize, QueueError> {
    let mut taken = 0;
    for packet in metadata_packets(uuid, text) {
        if !connection.ready_for_metadata() {
            break;
        }
        let content = packet.content().to_vec();
        let text_len = content.len() - METADATA_PACKET_HEADER_LEN;
        let padding_len = u32::try_from(packet.padding_len()).unwrap_or(0);
        let command = ConsumerCommand::SendMetadata { handle, padding_len, content };
        match connection.queue(Instant::now(), &command) {
            Ok(_) => taken += text_len,
            Err(QueueError::Full) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

impl Worker {
    /// Sends the metadata that its relay daemon does not have, as far as it takes it.
    pub(in crate::worker) fn send_metadata(&mut self, key: ChannelKey) {
        let Some(metadata) = self.metadata.get_mut(&key) else { return };
        let MetadataOutput::Remote(remote) = &metadata.output else { return };
        if metadata.chunk.is_none() {
            return;
        }
        let (net_index, handle) = (remote.net_index, remote.stream.handle());
        let Some(relay) = self.relays.touch(net_index) else { return };
        if metadata.reset_due {
            let version = metadata.version();
            let reset = ConsumerCommand::ResetMetadata { handle, version };
            match relay.connection.queue(Instant::now(), &reset) {
                Ok(_) => metadata.reset_due = false,
                Err(QueueError::Full) => {
                    relay.behind.insert(key);
                    return;
                }
                Err(error) => {
                    tracing::error!(relayd = net_index, %error, "metadata cannot be told anew");
                    metadata.reset_due = false;
                }
            }
        }
        match queue_text(&mut relay.connection, handle, metadata.uuid, metadata.unwritten()) {
            Ok(taken) => metadata.written += taken,
            // What is lost with a connection is told once, for all of it.
            Err(_) => return,
        }
        if !metadata.unwritten().is_empty() {
            relay.behind.insert(key);
        }
    }

    /// Sends all metadata of a snapshot, and closes its stream.
    pub(super) fn send_recorded_metadata(&mut self, net_index: u64, mut recorded: RecordedText) {
        let taken = match self.relays.touch(net_index) {
            Some(relay) => {
                let rest = &recorded.text[recorded.sent..];
                queue_text(&mut relay.connection, recorded.handle, recorded.uuid, rest)
            }
            None => Err(QueueError::Gone),
        };
        recorded.sent += taken.unwrap_or(0);
        if taken.is_ok()
            && recorded.sent < recorded.text.len()
            && let Some(relay) = self.relays.touch(net_index)
        {
            return relay.recorded.push(recorded);
        }
        let RecordedText { handle, answer, .. } = recorded;
        let sent = taken.is_ok();
        let close = ConsumerCommand::CloseStream { handle, last_net_seq_num: u64::MAX };
        self.command(net_index, &close, move |_, outcome| {
            let done = sent && outcome.is_ok();
            // Who asked may have gone.
            let _ = answer.send(if done { Ok(()) } else { Err(Code::SNAPSHOT_FAILED) });
        });
    }

    /// Metadata of a relay daemon that is lost goes nowhere from now on.
    pub(super) fn lose_remote_metadata(&mut self, net_index: u64) {
        for metadata in self.metadata.values_mut() {
            if matches!(&metadata.output, MetadataOutput::Remote(r) if r.net_index == net_index) {
                metadata.output = MetadataOutput::Nowhere;
                metadata.chunk = None;
            }
        }
    }
}
