//! Streams that are being made known to a relay daemon.

use lttngd_model::{ChannelKey, ChunkId, NetIndex};
use lttngd_wire::relay::{AddStream, ConsumerCommand};
use slab::Slab;

use crate::worker::{new::OutputConfig, order::Answer, snapshot::JobId};

/// What a stream is called at a relay daemon.
#[derive(Clone, Debug)]
pub(in crate::worker) struct StreamName<'a> {
    pub(in crate::worker) name: String,
    /// Its directory below that of its domain.
    pub(in crate::worker) path: &'a str,
    /// The trace chunk that it is in, if it is in one.
    pub(in crate::worker) chunk: Option<ChunkId>,
}

/// The command that makes a stream known to a relay daemon of the given minor version.
pub(super) fn add_stream(
    minor: Option<u32>,
    writing: &OutputConfig,
    stream: StreamName<'_>,
) -> ConsumerCommand {
    // Older relay daemons are told the whole path, which the session daemon has made.
    let is_old = minor.is_some_and(|minor| minor < 11);
    let path = match (is_old, stream.path.is_empty()) {
        (true, _) => stream.path.to_owned(),
        (false, true) => writing.domain.to_owned(),
        (false, false) => format!("{}/{}", writing.domain, stream.path),
    };
    ConsumerCommand::AddStream(AddStream {
        name: stream.name,
        path,
        tracefile_size_bytes: writing.tracefile_size_bytes,
        tracefile_count: writing.tracefile_count.into(),
        // The first one, where there is none yet.
        chunk_id: stream.chunk.unwrap_or(ChunkId(0)),
    })
}

/// What comes when a relay daemon knows the streams of a channel.
#[derive(Debug)]
pub(in crate::worker) enum AfterAddition {
    /// The channel is taken over.
    Channel(ChannelKey, Answer),
    /// Viewers are told of streams that came later.
    Streams(NetIndex, Answer),
    /// A snapshot goes on.
    Snapshot(JobId),
}

#[derive(Debug)]
struct Addition {
    /// Streams without a reply.
    left: usize,
    failed: bool,
    then: AfterAddition,
}

/// Channels whose streams are being made known.
#[derive(Debug, Default)]
pub(super) struct Additions(Slab<Addition>);

impl Additions {
    /// Begins with a channel of so many streams.
    ///
    /// # Errors
    /// What comes then, when there are none: a channel without streams has failed.
    pub(super) fn begin(
        &mut self,
        streams: usize,
        then: AfterAddition,
    ) -> Result<usize, AfterAddition> {
        if streams == 0 {
            return Err(then);
        }
        Ok(self.0.insert(Addition { left: streams, failed: false, then }))
    }

    /// A stream was taken, or not. After the last one: what comes, and whether all were.
    pub(super) fn answered(&mut self, number: usize, taken: bool) -> Option<(AfterAddition, bool)> {
        let addition = self.0.get_mut(number)?;
        addition.failed |= !taken;
        addition.left -= 1;
        if addition.left > 0 {
            return None;
        }
        let Addition { failed, then, .. } = self.0.remove(number);
        Some((then, !failed))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::worker::example::example_writing;

    fn path(minor: Option<u32>, path: &str) -> String {
        let stream = StreamName { name: "channel0_0".to_owned(), path, chunk: Some(ChunkId(3)) };
        let ConsumerCommand::AddStream(stream) =
            add_stream(minor, &example_writing("channel0", None), stream)
        else {
            panic!("another command");
        };
        assert_eq!((stream.name.as_str(), stream.chunk_id), ("channel0_0", ChunkId(3)));
        stream.path
    }

    fn snapshot() -> AfterAddition {
        AfterAddition::Snapshot(JobId(8))
    }

    #[test]
    fn a_relay_daemon_is_told_the_path_below_that_of_the_domain() {
        assert_eq!(path(Some(13), "uid/0/64-bit"), "ust/uid/0/64-bit");
        assert_eq!(path(Some(11), "uid/0/64-bit"), "ust/uid/0/64-bit");
    }

    #[test]
    fn a_stream_without_a_path_of_its_own_is_in_the_directory_of_the_domain() {
        assert_eq!(path(Some(13), ""), "ust");
    }

    #[test]
    fn an_older_relay_daemon_is_told_the_whole_path_as_it_is() {
        assert_eq!(path(Some(10), "host/session/ust/uid/0"), "host/session/ust/uid/0");
        assert_eq!(path(Some(4), ""), "");
    }

    #[test]
    fn limits_of_trace_files_go_to_the_relay_daemon() {
        let mut writing = example_writing("channel0", None);
        (writing.tracefile_size_bytes, writing.tracefile_count) = (1 << 20, 4);
        let stream = StreamName { name: String::new(), path: "", chunk: None };
        let ConsumerCommand::AddStream(stream) = add_stream(Some(13), &writing, stream) else {
            panic!("another command");
        };
        assert_eq!((stream.tracefile_size_bytes, stream.tracefile_count), (1 << 20, 4));
    }

    #[test]
    fn a_channel_is_known_when_all_its_streams_are() {
        let mut additions = Additions::default();
        let number = additions.begin(2, snapshot()).unwrap();
        assert!(additions.answered(number, true).is_none());
        let after = additions.answered(number, true);
        assert!(matches!(after, Some((AfterAddition::Snapshot(JobId(8)), true))));
        assert!(additions.answered(number, true).is_none(), "it is over");
    }

    #[test]
    fn one_stream_that_is_not_taken_fails_the_channel_after_all_were_answered() {
        let mut additions = Additions::default();
        let number = additions.begin(3, snapshot()).unwrap();
        assert!(additions.answered(number, true).is_none());
        assert!(additions.answered(number, false).is_none(), "one reply is missing");
        assert!(matches!(additions.answered(number, true), Some((_, false))));
    }

    #[test]
    fn a_channel_without_streams_cannot_be_made_known() {
        assert!(Additions::default().begin(0, snapshot()).is_err());
    }
}
