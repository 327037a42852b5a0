//! Metadata at relay daemons.

use std::time::Instant;

use lttngd_model::{ChannelKey, NetIndex, RelayStreamHandle};
use lttngd_relaystream::{QueueError, RelayConnection};
use lttngd_wire::{ctf::metadata_packets, relay::ConsumerCommand};

use super::{
    connections::{Awaited, Relays},
    recorded_text::RecordedText,
};
use crate::worker::metadata::Metadata;

/// The command that sends text. All of it goes in one, whatever its packets: a viewer of a live session
/// reads what came with whole commands, and text that ends within a statement ends the viewer.
fn text_command(handle: RelayStreamHandle, uuid: [u8; 16], text: &[u8]) -> ConsumerCommand {
    let mut content = Vec::new();
    let mut padding_len = 0;
    for packet in metadata_packets(uuid, text) {
        // The relay daemon fills up the last packet.
        content.resize(content.len() + padding_len, 0);
        content.extend_from_slice(packet.content());
        padding_len = packet.padding_len();
    }
    let padding_len = u32::try_from(padding_len).unwrap_or(0);
    ConsumerCommand::SendMetadata { handle, padding_len, content }
}

/// Queues text, and says whether it was taken.
fn queue_text(
    connection: &mut RelayConnection,
    handle: RelayStreamHandle,
    uuid: [u8; 16],
    text: &[u8],
) -> Result<bool, QueueError> {
    if text.is_empty() {
        return Ok(true);
    }
    match connection.queue(Instant::now(), &text_command(handle, uuid, text)) {
        Ok(_) => Ok(true),
        Err(QueueError::Full) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Relays {
    /// Sends the metadata that its relay daemon does not have, when it takes it.
    pub(in crate::worker) fn send_metadata(&mut self, key: ChannelKey, metadata: &mut Metadata) {
        let Some(remote) = metadata.output.remote().filter(|_| metadata.chunk.is_some()) else {
            return;
        };
        let (net_index, handle) = (remote.net_index, remote.handle());
        let Some(relay) = self.touch(net_index) else { return };
        if metadata.reset_due {
            let version = metadata.text.version();
            let reset = ConsumerCommand::ResetMetadata { handle, version };
            match relay.connection.queue(Instant::now(), &reset) {
                Ok(_) => metadata.reset_due = false,
                Err(QueueError::Full) => return relay.parking.text_is_behind(key),
                Err(error) => {
                    tracing::error!(relayd = %net_index, %error, "metadata cannot be told anew");
                    metadata.reset_due = false;
                }
            }
        }
        let text = metadata.text.unwritten();
        match queue_text(&mut relay.connection, handle, metadata.uuid, text) {
            Ok(true) => metadata.text.all_written(),
            Ok(false) => relay.parking.text_is_behind(key),
            // What is lost with a connection is told once, for all of it.
            Err(_) => {}
        }
    }

    /// Sends all metadata of a snapshot, and closes its stream.
    pub(in crate::worker) fn send_recorded_text(
        &mut self,
        net_index: NetIndex,
        recorded: RecordedText,
    ) {
        let mut sent = false;
        if let Some(relay) = self.touch(net_index) {
            let RecordedText { handle, uuid, text, .. } = &recorded;
            let taken = queue_text(&mut relay.connection, *handle, *uuid, text);
            if taken == Ok(false) {
                return relay.parking.keep(recorded);
            }
            sent = taken.is_ok();
        }
        let RecordedText { handle, answer, .. } = recorded;
        let close = ConsumerCommand::CloseStream { handle, last_net_seq_num: u64::MAX };
        self.command(net_index, &close, Awaited::TextClosed(sent, answer));
    }
}

#[cfg(test)]
mod tests {
    use lttngd_wire::ctf::METADATA_PACKET_LEN;

    use super::*;

    fn sent(text: &[u8]) -> (usize, u32) {
        match text_command(RelayStreamHandle(5), [3; 16], text) {
            ConsumerCommand::SendMetadata {
                handle: RelayStreamHandle(5),
                padding_len,
                content,
            } => (content.len(), padding_len),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn text_of_many_packets_goes_in_one_command() {
        let (len, padding_len) = sent(&[b'x'; 2 * METADATA_PACKET_LEN]);
        assert_eq!(len + padding_len as usize, 3 * METADATA_PACKET_LEN);
        assert!(padding_len > 0, "the relay daemon fills up the last packet alone");
    }

    #[test]
    fn text_of_one_packet_is_sent_without_what_fills_it_up() {
        let (len, padding_len) = sent(b"x");
        assert_eq!(len + padding_len as usize, METADATA_PACKET_LEN);
    }
}
