//! What the outcome of a command at a relay daemon means for whoever waits for it.

use lttngd_model::{ChunkId, NetIndex, RelayStreamHandle};
use lttngd_relaystream::Outcome;
use lttngd_wire::{consumer::ConsumerError as Code, relay::ConsumerReply};

/// A trace chunk was made, or not.
pub(super) fn chunk_made(net_index: NetIndex, id: ChunkId, outcome: Outcome) -> Result<(), Code> {
    outcome.map(|_| ()).map_err(|error| {
        tracing::error!(relayd = %net_index, chunk = %id, %error, "no trace chunk is made");
        Code::CREATE_TRACE_CHUNK_FAILED
    })
}

/// A trace chunk was closed, at a path, or not.
pub(super) fn chunk_closed(
    net_index: NetIndex,
    id: ChunkId,
    outcome: Outcome,
) -> Result<String, Code> {
    match outcome {
        Ok(ConsumerReply::ChunkClosed { path }) => Ok(path),
        failed => {
            tracing::error!(relayd = %net_index, chunk = %id, ?failed, "a trace chunk is not closed");
            Err(Code::CLOSE_TRACE_CHUNK_FAILED)
        }
    }
}

/// Whether a trace chunk is there.
pub(super) fn chunk_exists(outcome: Outcome) -> Result<bool, Code> {
    match outcome {
        Ok(ConsumerReply::ChunkExists(exists)) => Ok(exists),
        _ => Err(Code::RELAYD_FAIL),
    }
}

/// The handle of a stream that was made known.
pub(super) fn stream_added(outcome: Outcome) -> Option<RelayStreamHandle> {
    match outcome {
        Ok(ConsumerReply::StreamAdded { handle }) => Some(handle),
        Ok(_) => None,
        Err(error) => {
            tracing::error!(%error, "a relay daemon does not take a stream");
            None
        }
    }
}

/// All text of a snapshot was sent and its stream closed, or not.
pub(super) fn text_recorded(sent: bool, outcome: &Outcome) -> Result<(), Code> {
    if sent && outcome.is_ok() { Ok(()) } else { Err(Code::SNAPSHOT_FAILED) }
}

#[cfg(test)]
mod tests {
    use lttngd_relaystream::CommandError;

    use super::*;

    const RELAY: NetIndex = NetIndex(2);
    const CHUNK: ChunkId = ChunkId(3);

    #[test]
    fn a_trace_chunk_that_is_made_needs_no_other_word() {
        assert_eq!(chunk_made(RELAY, CHUNK, Ok(ConsumerReply::Done)), Ok(()));
    }

    #[test]
    fn a_trace_chunk_that_a_relay_daemon_does_not_make_is_told_as_such() {
        for error in [CommandError::Gone, CommandError::Full] {
            let made = chunk_made(RELAY, CHUNK, Err(error));
            assert_eq!(made, Err(Code::CREATE_TRACE_CHUNK_FAILED));
        }
    }

    #[test]
    fn the_path_of_a_trace_chunk_that_is_closed_is_told() {
        let reply = ConsumerReply::ChunkClosed { path: "archives/1".to_owned() };
        assert_eq!(chunk_closed(RELAY, CHUNK, Ok(reply)), Ok("archives/1".to_owned()));
    }

    #[test]
    fn a_trace_chunk_without_a_path_is_not_closed() {
        for outcome in [Ok(ConsumerReply::Done), Err(CommandError::Gone)] {
            assert_eq!(chunk_closed(RELAY, CHUNK, outcome), Err(Code::CLOSE_TRACE_CHUNK_FAILED));
        }
    }

    #[test]
    fn a_relay_daemon_says_whether_it_has_a_trace_chunk() {
        for exists in [true, false] {
            assert_eq!(chunk_exists(Ok(ConsumerReply::ChunkExists(exists))), Ok(exists));
        }
    }

    #[test]
    fn a_relay_daemon_that_says_nothing_of_a_trace_chunk_has_failed() {
        for outcome in [Ok(ConsumerReply::Done), Err(CommandError::Full)] {
            assert_eq!(chunk_exists(outcome), Err(Code::RELAYD_FAIL));
        }
    }

    #[test]
    fn a_stream_is_known_by_the_handle_that_comes_back() {
        assert_eq!(
            stream_added(Ok(ConsumerReply::StreamAdded { handle: RelayStreamHandle(5) })),
            Some(RelayStreamHandle(5))
        );
    }

    #[test]
    fn a_stream_without_a_handle_is_not_known() {
        assert_eq!(stream_added(Ok(ConsumerReply::Done)), None);
        assert_eq!(stream_added(Err(CommandError::Gone)), None);
    }

    #[test]
    fn text_of_a_snapshot_is_there_when_it_was_sent_and_its_stream_closed() {
        assert_eq!(text_recorded(true, &Ok(ConsumerReply::Done)), Ok(()));
        assert_eq!(text_recorded(false, &Ok(ConsumerReply::Done)), Err(Code::SNAPSHOT_FAILED));
        let gone = Err(CommandError::Gone);
        assert_eq!(text_recorded(true, &gone), Err(Code::SNAPSHOT_FAILED));
    }
}
