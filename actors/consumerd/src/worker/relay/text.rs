//! Metadata at relay daemons.

use std::time::Instant;

use lttngd_model::{ChannelKey, NetIndex};
use lttngd_relaystream::{QueueError, RelayConnection};
use lttngd_wire::{consumer::ConsumerError as Code, ctf::metadata_packets, relay::ConsumerCommand};

use super::Worker;
use crate::worker::{metadata::MetadataOutput, order::Answer};

/// Metadata of a snapshot on its way to a relay daemon.
#[derive(Debug)]
pub(super) struct RecordedText {
    pub(super) handle: u64,
    pub(super) uuid: [u8; 16],
    pub(super) text: Vec<u8>,
    pub(super) answer: Answer,
}

/// Queues text, and says whether it was taken. All of it goes in one command, whatever its packets: a
/// viewer of a live session reads what came with whole commands, and text that ends within a statement
/// ends the viewer.
fn queue_text(
    connection: &mut RelayConnection,
    handle: u64,
    uuid: [u8; 16],
    text: &[u8],
) -> Result<bool, QueueError> {
    if text.is_empty() {
        return Ok(true);
    }
    let mut content = Vec::new();
    let mut padding_len = 0;
    for packet in metadata_packets(uuid, text) {
        // The relay daemon fills up the last packet.
        content.resize(content.len() + padding_len, 0);
        content.extend_from_slice(packet.content());
        padding_len = packet.padding_len();
    }
    let padding_len = u32::try_from(padding_len).unwrap_or(0);
    let command = ConsumerCommand::SendMetadata { handle, padding_len, content };
    match connection.queue(Instant::now(), &command) {
        Ok(_) => Ok(true),
        Err(QueueError::Full) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Worker {
    /// Sends the metadata that its relay daemon does not have, when it takes it.
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
                    tracing::error!(relayd = %net_index, %error, "metadata cannot be told anew");
                    metadata.reset_due = false;
                }
            }
        }
        match queue_text(&mut relay.connection, handle, metadata.uuid, metadata.unwritten()) {
            Ok(true) => metadata.written = metadata.text().len(),
            Ok(false) => {
                relay.behind.insert(key);
            }
            // What is lost with a connection is told once, for all of it.
            Err(_) => {}
        }
    }

    /// Sends all metadata of a snapshot, and closes its stream.
    pub(super) fn send_recorded_metadata(&mut self, net_index: NetIndex, recorded: RecordedText) {
        let taken = match self.relays.touch(net_index) {
            Some(relay) => {
                let RecordedText { handle, uuid, text, .. } = &recorded;
                let taken = queue_text(&mut relay.connection, *handle, *uuid, text);
                if taken == Ok(false) {
                    return relay.recorded.push(recorded);
                }
                taken
            }
            None => Err(QueueError::Gone),
        };
        let RecordedText { handle, answer, .. } = recorded;
        let sent = taken.is_ok();
        let close = ConsumerCommand::CloseStream { handle, last_net_seq_num: u64::MAX };
        self.command(net_index, &close, move |_, outcome| {
            let done = sent && outcome.is_ok();
            answer.answer(if done { Ok(()) } else { Err(Code::SNAPSHOT_FAILED) });
        });
    }

    /// Metadata of a relay daemon that is lost goes nowhere from now on.
    pub(super) fn lose_remote_metadata(&mut self, net_index: NetIndex) {
        for metadata in self.metadata.values_mut() {
            if matches!(&metadata.output, MetadataOutput::Remote(r) if r.net_index == net_index) {
                metadata.output = MetadataOutput::Nowhere;
                metadata.chunk = None;
            }
        }
    }
}
