//! A metadata channel: its text, and where that is written.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lttngd_model::SessionId;
use lttngd_tracefile::MetadataFile;
use lttngd_wire::consumer::ConsumerError as Code;

use super::{
    complaints::Complaints,
    live::Waiters,
    metadata_text::{AskPeriod, MetadataText},
    new::{NewMetadata, OutputConfig},
    remote::RemoteStream,
};
use crate::chunk::Chunk;

/// A metadata channel.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) writing: OutputConfig,
    pub(super) uuid: [u8; 16],
    /// Whether it is written all the time; otherwise only with snapshots.
    monitored: bool,
    pub(super) text: MetadataText,
    ask_period: AskPeriod,
    pub(super) output: MetadataOutput,
    /// The trace chunk it is written in.
    pub(super) chunk: Option<Arc<Chunk>>,
    /// The trace chunk it is to go to.
    pub(super) next_chunk: Option<Arc<Chunk>>,
    /// Whether its file is to be emptied, or its relay daemon to be told, since the text begins anew.
    pub(super) reset_due: bool,
    /// Whether a further try to write it is due.
    retry_due: bool,
    /// Streams of a live session that wait for text.
    pub(super) waiters: Waiters,
    complaints: Complaints,
}

/// Where text goes.
#[derive(Debug)]
pub(super) enum MetadataOutput {
    /// Nowhere yet.
    Nowhere,
    /// To a file.
    Local(MetadataFile),
    /// To a relay daemon.
    Remote(RemoteStream),
}

impl MetadataOutput {
    /// The stream at the relay daemon that gets it.
    pub(super) fn remote(&self) -> Option<&RemoteStream> {
        match self {
            Self::Remote(remote) => Some(remote),
            Self::Nowhere | Self::Local(_) => None,
        }
    }
}

impl Metadata {
    /// Without text and output.
    pub(super) fn new(new: NewMetadata) -> Self {
        let NewMetadata { writing, chunk, uuid, monitored, refresh_interval_us, .. } = new;
        let refresh =
            (refresh_interval_us > 0).then(|| Duration::from_micros(refresh_interval_us.into()));
        Self {
            writing,
            uuid,
            monitored,
            text: MetadataText::default(),
            ask_period: AskPeriod::new(refresh, monitored),
            output: MetadataOutput::Nowhere,
            next_chunk: chunk.clone(),
            chunk: chunk.filter(|_| monitored),
            reset_due: false,
            retry_due: false,
            waiters: Waiters::default(),
            complaints: Complaints::default(),
        }
    }

    /// The trace is known by this UUID.
    pub(super) fn set_uuid(&mut self, uuid: [u8; 16]) {
        self.uuid = uuid;
        if let MetadataOutput::Local(file) = &mut self.output {
            file.set_trace_uuid(uuid);
        }
    }

    pub(super) fn session(&self) -> SessionId {
        self.writing.session
    }

    /// Whether it describes the streams that are written so.
    pub(super) fn is_of_trace(&self, data: &OutputConfig) -> bool {
        self.writing.session == data.session
            && self.writing.path == data.path
            && self.writing.relay == data.relay
    }

    /// After what time newer text is to be asked for.
    pub(super) fn next_period(&mut self) -> Option<Duration> {
        self.ask_period.next(self.text.all().len())
    }

    /// Whether it is of use to ask for newer text now that its period is over, see [`AskPeriod::is_of_use`].
    pub(super) fn asks(&mut self, recorded: u64) -> bool {
        self.ask_period.is_of_use(recorded, self.text.all().len())
    }

    /// Takes text. Whether some of it is to be written now.
    pub(super) fn take(&mut self, offset: u64, version: u64, text: &[u8]) -> Result<bool, Code> {
        let offset = usize::try_from(offset).map_err(|_| Code::ERROR_METADATA)?;
        let anew = self.text.take(offset, version, text).map_err(|hole| {
            tracing::error!(key = %self.writing.metadata_request.key, offset, known = hole.known,
                "metadata with a hole was refused");
            Code::ERROR_METADATA
        })?;
        if self.monitored {
            self.reset_due |= anew && !matches!(self.output, MetadataOutput::Nowhere);
        }
        Ok(self.monitored)
    }

    /// Writes what is not written yet to its file.
    pub(super) fn write_local(&mut self) {
        let MetadataOutput::Local(file) = &mut self.output else { return };
        let reset = if self.reset_due { file.reset() } else { Ok(()) };
        let news = self.text.unwritten();
        let outcome = reset.and_then(|()| if news.is_empty() { Ok(()) } else { file.append(news) });
        match outcome {
            Ok(()) => {
                self.reset_due = false;
                self.text.all_written();
                self.complaints.works();
            }
            Err(error) => {
                let left_out = self.complaints.fails(Instant::now());
                if let Some(left_out) = left_out {
                    let session = self.writing.session;
                    tracing::error!(%session, %error, left_out, "metadata is missing");
                }
                self.remove_empty_file(left_out.is_some());
            }
        }
    }

    /// Removes a file that found no room for any text: traces beside it could not be read. It is made again when
    /// the text is tried again. A failure is told where that one `is_told`.
    fn remove_empty_file(&mut self, is_told: bool) {
        let files = self.chunk.as_ref().and_then(|chunk| chunk.local());
        if let (MetadataOutput::Local(file), Some(files)) = (&self.output, files)
            && file.is_empty()
            && let MetadataOutput::Local(file) =
                std::mem::replace(&mut self.output, MetadataOutput::Nowhere)
            && let Err(error) = file.remove(files)
            && is_told
        {
            let session = self.writing.session;
            tracing::error!(%session, %error, "an empty metadata file stays: what is beside it cannot be read");
        }
    }

    /// Makes its file, where its trace chunk is here, and writes all text there. Where a failure may pass, the file is
    /// made when text is written again.
    ///
    /// # Errors
    /// There never can be one.
    pub(super) fn open_file(&mut self) -> Result<(), Code> {
        let Some(chunk) = &self.chunk else { return Ok(()) };
        let Some(files) = chunk.local() else { return Ok(()) };
        let file = match MetadataFile::create(files, &self.writing.path, self.uuid) {
            Ok(file) => file,
            Err(error) => {
                if let Some(left_out) = self.complaints.fails(Instant::now()) {
                    let session = self.writing.session;
                    tracing::error!(%session, %error, left_out, "metadata has no file");
                }
                return if error.may_pass() { Ok(()) } else { Err(Code::ERROR_METADATA) };
            }
        };
        self.output = MetadataOutput::Local(file);
        self.text.none_written();
        self.reset_due = false;
        self.write_local();
        Ok(())
    }

    /// Whether text should be in a file and is not.
    fn is_missing(&self) -> bool {
        match self.output {
            MetadataOutput::Nowhere => self.chunk.as_ref().is_some_and(|c| c.local().is_some()),
            MetadataOutput::Local(_) => self.reset_due || !self.text.unwritten().is_empty(),
            MetadataOutput::Remote(_) => false,
        }
    }

    /// Whether a further try to write what is missing is to be made later; it is expected then.
    pub(super) fn expects_retry(&mut self) -> bool {
        self.is_missing() && !std::mem::replace(&mut self.retry_due, true)
    }

    /// Tries once more to write what is missing: there may be room again.
    pub(super) fn retry(&mut self) {
        self.retry_due = false;
        self.write_missing();
    }

    /// Writes what is missing, where there is room.
    pub(super) fn write_missing(&mut self) {
        if self.is_missing() {
            match self.output {
                MetadataOutput::Nowhere => self.open_file().unwrap_or_default(),
                _ => self.write_local(),
            }
        }
    }

    /// Where a rotation takes it: to the trace chunk of its channel, or to none when it is there already.
    ///
    /// # Errors
    /// Its channel has no trace chunk.
    pub(super) fn rotation_target(&self) -> Result<Option<Arc<Chunk>>, Code> {
        let next = self.next_chunk.clone().ok_or(Code::ROTATION_FAIL)?;
        let stays = self.chunk.as_ref().is_some_and(|chunk| Arc::ptr_eq(chunk, &next));
        Ok((!stays).then_some(next))
    }

    /// Goes to a trace chunk that is here, where all text is written again.
    pub(super) fn rotate(&mut self, to: Option<Arc<Chunk>>) {
        self.output = MetadataOutput::Nowhere;
        self.chunk = to;
        // Where there is no room for it now it is written later, as packets are.
        let _ = self.open_file();
    }

    /// Is at a trace chunk of its relay daemon, where all text is sent again, or at none.
    pub(super) fn rotated_remote(&mut self, to: Option<Arc<Chunk>>) {
        if to.is_some() {
            self.text.none_written();
        }
        self.chunk = to;
    }

    /// Its relay daemon is lost: it goes nowhere from now on.
    pub(super) fn lose_output(&mut self) {
        self.output = MetadataOutput::Nowhere;
        self.chunk = None;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use lttngd_model::{ChannelKey, ChunkId, NetIndex, RelayStreamHandle};
    use lttngd_runas::Owner;
    use lttngd_tracefile::TraceChunk;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::{chunk::ChunkPlace, worker::example::example_writing};

    const KEY: ChannelKey = ChannelKey(2);

    fn chunk(id: u64, place: ChunkPlace) -> Arc<Chunk> {
        Chunk::new(SessionId(1), ChunkId(id), place, unbounded_channel().0)
    }

    fn local(id: u64, directory: &Path) -> Arc<Chunk> {
        std::fs::create_dir_all(directory.join("uid/0/64-bit")).unwrap();
        let directory = std::fs::File::open(directory).unwrap();
        chunk(id, ChunkPlace::Local(TraceChunk::new(directory.into(), Owner::process()).unwrap()))
    }

    fn metadata(chunk: Option<Arc<Chunk>>, monitored: bool) -> Metadata {
        let writing = example_writing("metadata", None);
        let new = NewMetadata {
            key: KEY,
            writing,
            chunk,
            uuid: [0; 16],
            monitored,
            refresh_interval_us: 0,
        };
        Metadata::new(new)
    }

    #[test]
    fn metadata_describes_the_streams_of_its_directory_and_relay_daemon_alone() {
        let metadata = metadata(None, true);
        assert!(metadata.is_of_trace(&example_writing("channel0", None)));
        assert!(!metadata.is_of_trace(&example_writing("channel0", Some(NetIndex(2)))));
        let other =
            OutputConfig { path: "uid/7/64-bit".to_owned(), ..example_writing("channel0", None) };
        assert!(!metadata.is_of_trace(&other));
    }

    #[test]
    fn metadata_of_snapshots_is_kept_and_not_written() {
        let mut metadata = metadata(Some(chunk(0, ChunkPlace::Remote)), false);
        assert!(metadata.chunk.is_none());
        assert_eq!(metadata.take(0, 0, b"text"), Ok(false));
        assert_eq!(metadata.text.all(), b"text");
    }

    #[test]
    fn text_that_begins_anew_empties_what_is_there() {
        let mut metadata = metadata(None, true);
        metadata.take(0, 0, b"old").unwrap();
        metadata.output =
            MetadataOutput::Remote(RemoteStream::new(NetIndex(2), RelayStreamHandle(5), false));
        metadata.take(0, 1, b"new").unwrap();
        assert!(metadata.reset_due);
    }

    #[test]
    fn text_that_begins_anew_before_there_is_an_output_empties_nothing() {
        let mut metadata = metadata(None, true);
        metadata.take(0, 0, b"old").unwrap();
        metadata.take(0, 1, b"new").unwrap();
        assert!(!metadata.reset_due);
    }

    #[test]
    fn text_with_a_hole_is_an_error_of_metadata() {
        assert_eq!(metadata(None, true).take(1, 0, b"x"), Err(Code::ERROR_METADATA));
        assert_eq!(metadata(None, true).take(u64::MAX, 0, b"x"), Err(Code::ERROR_METADATA));
    }

    #[test]
    fn text_without_a_trace_chunk_is_not_missing() {
        assert!(!metadata(None, true).expects_retry());
    }

    #[test]
    fn a_file_that_finds_no_room_is_made_when_there_is_text_and_room() {
        let directory = tempfile::tempdir().unwrap();
        let chunk = local(0, directory.path());
        std::fs::remove_dir_all(directory.path().join("uid")).unwrap();
        let mut metadata = metadata(Some(chunk), true);
        assert_eq!(metadata.open_file(), Ok(()));
        metadata.take(0, 0, b"text").unwrap();
        metadata.write_missing();
        assert!(metadata.expects_retry(), "there is no room yet");
        std::fs::create_dir_all(directory.path().join("uid/0/64-bit")).unwrap();
        metadata.write_missing();
        assert!(
            std::fs::metadata(directory.path().join("uid/0/64-bit/metadata")).unwrap().len() > 0
        );
        metadata.retry();
        assert!(!metadata.expects_retry(), "it is there");
    }

    #[test]
    fn a_file_that_finds_room_and_finds_none_by_turns_is_told_seldom() {
        let directory = tempfile::tempdir().unwrap();
        let chunk = local(0, directory.path());
        let place = directory.path().join("uid");
        let mut metadata = metadata(Some(Arc::clone(&chunk)), true);
        metadata.take(0, 0, b"text").unwrap();
        for _ in 0..20 {
            std::fs::remove_dir_all(&place).unwrap();
            metadata.rotate(Some(Arc::clone(&chunk)));
            assert!(metadata.is_missing());
            std::fs::create_dir_all(place.join("0/64-bit")).unwrap();
            metadata.write_missing();
            assert!(!metadata.is_missing());
        }
        assert_eq!(metadata.complaints.fails(Instant::now()), None, "it was told often enough");
    }

    #[test]
    fn a_file_that_can_never_be_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let mut metadata = metadata(Some(local(0, directory.path())), true);
        metadata.writing.path = "\0".to_owned();
        assert_eq!(metadata.open_file(), Err(Code::ERROR_METADATA));
    }

    #[test]
    fn text_that_has_no_file_is_tried_again_once_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let mut metadata = metadata(Some(local(0, directory.path())), true);
        assert!(metadata.expects_retry());
        assert!(!metadata.expects_retry(), "a try is due already");
        metadata.take(0, 0, b"text").unwrap();
        metadata.retry();
        assert!(matches!(metadata.output, MetadataOutput::Local(_)));
        assert!(!metadata.expects_retry(), "it is there");
    }

    #[test]
    fn text_for_a_relay_daemon_has_no_file_to_be_missing_from() {
        let mut metadata = metadata(Some(chunk(0, ChunkPlace::Remote)), true);
        assert!(!metadata.expects_retry());
        metadata.open_file().unwrap();
        assert!(matches!(metadata.output, MetadataOutput::Nowhere));
    }

    #[test]
    fn metadata_rotates_to_the_trace_chunk_of_its_channel() {
        let (old, new) = (chunk(0, ChunkPlace::Remote), chunk(1, ChunkPlace::Remote));
        let mut metadata = metadata(Some(old), true);
        metadata.next_chunk = Some(Arc::clone(&new));
        assert_eq!(metadata.rotation_target().unwrap().unwrap().id, new.id);
    }

    #[test]
    fn metadata_that_is_in_the_trace_chunk_of_its_channel_rotates_to_none() {
        let metadata = metadata(Some(chunk(0, ChunkPlace::Remote)), true);
        assert!(metadata.rotation_target().unwrap().is_none());
    }

    #[test]
    fn metadata_without_a_trace_chunk_to_go_to_does_not_rotate() {
        let refused = metadata(None, true).rotation_target();
        assert_eq!(refused.err(), Some(Code::ROTATION_FAIL));
    }

    #[test]
    fn all_text_is_in_each_trace_chunk() {
        let directories = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let mut metadata = metadata(Some(local(0, directories[0].path())), true);
        metadata.open_file().unwrap();
        metadata.take(0, 0, b"all of it").unwrap();
        metadata.write_local();
        metadata.rotate(Some(local(1, directories[1].path())));
        for directory in &directories {
            let path = directory.path().join(&metadata.writing.path).join("metadata");
            let bytes = std::fs::read(path).unwrap();
            assert!(bytes.windows(9).any(|part| part == b"all of it"));
        }
    }

    #[test]
    fn text_is_sent_again_where_a_relay_daemon_goes_to_a_trace_chunk_and_not_where_to_none() {
        let mut metadata = metadata(None, true);
        metadata.take(0, 0, b"text").unwrap();
        metadata.text.all_written();
        metadata.rotated_remote(None);
        assert_eq!(metadata.text.unwritten(), b"");
        metadata.rotated_remote(Some(chunk(1, ChunkPlace::Remote)));
        assert_eq!(metadata.text.unwritten(), b"text");
    }

    #[test]
    fn metadata_of_a_lost_relay_daemon_lets_its_trace_chunk_go() {
        let mut metadata = metadata(Some(chunk(0, ChunkPlace::Remote)), true);
        metadata.output =
            MetadataOutput::Remote(RemoteStream::new(NetIndex(2), RelayStreamHandle(5), false));
        metadata.lose_output();
        assert!(metadata.chunk.is_none() && metadata.output.remote().is_none());
    }
}
