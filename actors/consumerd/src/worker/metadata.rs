//! Metadata channels: the text so far, and how far it is written.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lttngd_model::{ChannelKey, SessionId};
use lttngd_tracefile::MetadataFile;
use lttngd_wire::consumer::ConsumerError as Code;

use super::{
    Due, Worker,
    new::{MetadataText, NewMetadata, Writing},
    order::Answer,
    relay::{Live, RemoteStream},
};
use crate::{chunk::Chunk, event::Event};

/// Period at which newer text is asked for where the session daemon names none, as long as some comes;
/// without it, a trace could not be read whose session daemon dies before it tells by itself. The longest
/// period while nothing comes.
const ASK_PERIOD: Duration = Duration::from_secs(1);
const ASK_PERIOD_MAX: Duration = Duration::from_secs(64);
/// After what time it is tried again to write what could not be written.
const RETRY_PERIOD: Duration = Duration::from_secs(1);

/// A metadata channel.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) writing: Writing,
    pub(super) uuid: [u8; 16],
    monitored: bool,
    refresh: Option<Duration>,
    /// When no period is set, the one that is due, and the length of the text when it began.
    ask_period: Duration,
    text_len_before: usize,
    text: Vec<u8>,
    version: u64,
    /// Bytes of the text that are written.
    pub(super) written: usize,
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
    pub(super) live: Live,
    complained: bool,
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

impl Metadata {
    pub(super) fn session(&self) -> SessionId {
        self.writing.session
    }

    /// All text.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Text that is not written yet.
    pub(super) fn unwritten(&self) -> &[u8] {
        &self.text[self.written..]
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Whether it describes the streams that are written so.
    pub(super) fn is_of_trace(&self, data: &Writing) -> bool {
        self.writing.session == data.session
            && self.writing.path == data.path
            && self.writing.relay == data.relay
    }

    /// After what time newer text is to be asked for. Text of snapshots is when they are recorded.
    fn next_period(&mut self) -> Option<Duration> {
        if self.refresh.is_some() || !self.monitored {
            return self.refresh;
        }
        let is_quiet =
            std::mem::replace(&mut self.text_len_before, self.text.len()) == self.text.len();
        let first = self.text.is_empty();
        self.ask_period =
            if is_quiet && !first { (2 * self.ask_period).min(ASK_PERIOD_MAX) } else { ASK_PERIOD };
        Some(self.ask_period)
    }

    /// Takes text over what is known. `true` when the text begins anew.
    fn take(&mut self, offset: usize, version: u64, text: &[u8]) -> Result<bool, Code> {
        let anew = version != self.version;
        let known = if anew { 0 } else { self.text.len() };
        if offset > known {
            tracing::error!(key = %self.writing.metadata_request.key, offset, known,
                "metadata with a hole was refused");
            return Err(Code::ERROR_METADATA);
        }
        if anew {
            self.text.clear();
            self.version = version;
            self.written = 0;
        }
        // What is written already stays as it is.
        let news = text.get(known - offset..).unwrap_or_default();
        self.text.extend_from_slice(news);
        Ok(anew)
    }

    /// Writes what is not written yet to its file.
    fn write_local(&mut self) {
        let MetadataOutput::Local(file) = &mut self.output else { return };
        let reset = if self.reset_due { file.reset() } else { Ok(()) };
        let news = &self.text[self.written..];
        let outcome = reset.and_then(|()| if news.is_empty() { Ok(()) } else { file.append(news) });
        match outcome {
            Ok(()) => {
                self.reset_due = false;
                self.written = self.text.len();
                self.complained = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::error!(session = %self.writing.session, %error, "metadata is missing");
                }
            }
        }
    }

    fn open_file(&mut self, tells: bool) -> Result<(), Code> {
        let Some(chunk) = &self.chunk else { return Ok(()) };
        let Some(files) = chunk.local() else { return Ok(()) };
        let file = MetadataFile::create(files, &self.writing.path, self.uuid).map_err(|error| {
            if tells {
                tracing::error!(session = %self.writing.session, %error, "metadata has no file");
            }
            Code::ERROR_METADATA
        })?;
        self.output = MetadataOutput::Local(file);
        self.written = 0;
        self.reset_due = false;
        self.write_local();
        Ok(())
    }

    /// Whether text should be in a file and is not.
    fn is_missing(&self) -> bool {
        match self.output {
            MetadataOutput::Nowhere => self.chunk.as_ref().is_some_and(|c| c.local().is_some()),
            MetadataOutput::Local(_) => self.reset_due || !self.unwritten().is_empty(),
            MetadataOutput::Remote(_) => false,
        }
    }
}

impl Worker {
    /// Takes a metadata channel over.
    pub(crate) fn add_metadata(&mut self, new: NewMetadata, reply: Answer) {
        let NewMetadata { key, writing, chunk, uuid, monitored, refresh_interval_us } = new;
        let relay = writing.relay.filter(|_| monitored);
        let refresh =
            (refresh_interval_us > 0).then(|| Duration::from_micros(refresh_interval_us.into()));
        let mut metadata = Metadata {
            uuid,
            monitored,
            refresh,
            ask_period: ASK_PERIOD,
            text_len_before: 0,
            text: Vec::new(),
            version: 0,
            written: 0,
            output: MetadataOutput::Nowhere,
            next_chunk: chunk.clone(),
            chunk: chunk.filter(|_| monitored),
            reset_due: false,
            live: Live::default(),
            retry_due: false,
            complained: false,
            writing,
        };
        let outcome = if relay.is_none() { metadata.open_file(true) } else { Ok(()) };
        if outcome.is_ok() {
            self.metadata.insert(key, metadata);
            self.schedule_refresh(key, Instant::now());
        }
        match (outcome, relay) {
            (Ok(()), Some(relay)) => self.add_remote_metadata(key, relay, reply),
            (outcome, _) => {
                reply.answer(outcome);
            }
        }
    }

    fn schedule_refresh(&mut self, key: ChannelKey, now: Instant) {
        if let Some(period) = self.metadata.get_mut(&key).and_then(Metadata::next_period) {
            let at = self.timers.next_in(now, period);
            self.timers.schedule(at, Due::Metadata(key));
        }
    }

    /// It is time to ask for newer text.
    pub(super) fn metadata_timer(&mut self, key: ChannelKey, now: Instant) {
        self.want_metadata(key);
        self.schedule_refresh(key, now);
    }

    /// Has newer text asked for.
    pub(super) fn want_metadata(&mut self, key: ChannelKey) {
        if let Some(metadata) = self.metadata.get(&key) {
            // Nobody listens when the consumer ends.
            let _ =
                self.setup.events.send(Event::MetadataWanted { session: metadata.session(), key });
        }
    }

    /// Takes text, and writes it.
    pub(super) fn push_metadata(&mut self, text: MetadataText) -> Result<(), Code> {
        let MetadataText { key, offset, version, text } = text;
        let metadata = self.metadata.get_mut(&key).ok_or(Code::CHANNEL_FAIL)?;
        let offset = usize::try_from(offset).map_err(|_| Code::ERROR_METADATA)?;
        let anew = metadata.take(offset, version, &text)?;
        if metadata.monitored {
            metadata.reset_due |= anew && !matches!(metadata.output, MetadataOutput::Nowhere);
            metadata.write_local();
            if let MetadataOutput::Remote(_) = metadata.output {
                self.send_metadata(key);
            }
            self.schedule_retry(key, Instant::now());
        }
        Ok(())
    }

    fn schedule_retry(&mut self, key: ChannelKey, now: Instant) {
        let Some(metadata) = self.metadata.get_mut(&key) else { return };
        if metadata.is_missing() && !std::mem::replace(&mut metadata.retry_due, true) {
            self.timers.schedule(now + RETRY_PERIOD, Due::Unwritten(key));
        }
    }

    /// Tries once more to write what is missing: there may be room again.
    pub(super) fn write_again(&mut self, key: ChannelKey, now: Instant) {
        let Some(metadata) = self.metadata.get_mut(&key) else { return };
        metadata.retry_due = false;
        if metadata.is_missing() {
            match metadata.output {
                // It was told when it first failed.
                MetadataOutput::Nowhere => metadata.open_file(false).unwrap_or_default(),
                _ => metadata.write_local(),
            }
        }
        self.schedule_retry(key, now);
    }

    /// Ends a metadata channel.
    pub(crate) fn close_metadata(&mut self, key: ChannelKey) -> Result<(), Code> {
        self.write_again(key, Instant::now());
        let metadata = self.metadata.remove(&key).ok_or(Code::UST_CHAN_NOT_FOUND)?;
        if let MetadataOutput::Remote(remote) = &metadata.output {
            self.close_remote(remote);
        }
        let session = metadata.session();
        self.release_waiting(metadata.live);
        // Nobody listens when the consumer ends.
        let _ = self.setup.events.send(Event::ChannelEnded { session, key });
        Ok(())
    }

    /// Moves metadata to the trace chunk of its channel, where all of it is written again; to none
    /// when it is there already.
    pub(super) fn rotate_metadata(&mut self, key: ChannelKey, reply: Answer) {
        // What is not there when it leaves will never be.
        self.write_again(key, Instant::now());
        let outcome = match self.metadata.get_mut(&key) {
            None => Err(Code::CHAN_NOT_FOUND),
            Some(metadata) => match metadata.next_chunk.clone() {
                None => Err(Code::ROTATION_FAIL),
                Some(next) => {
                    let stays =
                        metadata.chunk.as_ref().is_some_and(|chunk| Arc::ptr_eq(chunk, &next));
                    let to = (!stays).then_some(next);
                    if let MetadataOutput::Remote(_) = &metadata.output {
                        return self.rotate_remote_metadata(key, to, reply);
                    }
                    metadata.output = MetadataOutput::Nowhere;
                    metadata.chunk = to;
                    // Where there is no room for it now it is written later, as packets are.
                    let _ = metadata.open_file(true);
                    Ok(())
                }
            },
        };
        self.schedule_retry(key, Instant::now());
        reply.answer(outcome);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_wire::consumer::MetadataRequest;

    use super::*;

    fn metadata() -> Metadata {
        let session = SessionId(1);
        let key = ChannelKey(2);
        Metadata {
            writing: Writing {
                session,
                name: "metadata".to_owned(),
                path: String::new(),
                relay: None,
                tracefile_size_bytes: 0,
                tracefile_count: 0,
                metadata_request: MetadataRequest {
                    session_id: session,
                    session_id_per_pid: 0,
                    bits_per_long: 64,
                    uid: 0,
                    key,
                },
            },
            uuid: [0; 16],
            monitored: true,
            refresh: None,
            ask_period: ASK_PERIOD,
            text_len_before: 0,
            text: Vec::new(),
            version: 0,
            written: 0,
            output: MetadataOutput::Nowhere,
            chunk: None,
            next_chunk: None,
            reset_due: false,
            live: Live::default(),
            retry_due: false,
            complained: false,
        }
    }

    #[test]
    fn text_may_overlap_what_is_known_and_leaves_no_hole() {
        let mut metadata = metadata();
        assert_eq!(metadata.take(0, 0, b"abc"), Ok(false));
        assert_eq!(metadata.take(1, 0, b"bcde"), Ok(false));
        assert_eq!(metadata.take(0, 0, b"ab"), Ok(false));
        assert_eq!(metadata.text(), b"abcde");
        assert_eq!(metadata.take(6, 0, b"x"), Err(Code::ERROR_METADATA));
        assert_eq!(metadata.text(), b"abcde");
    }

    #[test]
    fn text_is_asked_for_less_often_when_none_comes() {
        let mut metadata = metadata();
        let seconds = |metadata: &mut Metadata| metadata.next_period().unwrap().as_secs();
        // None at all is suspicious.
        assert_eq!([seconds(&mut metadata), seconds(&mut metadata)], [1, 1]);
        metadata.take(0, 0, b"a").unwrap();
        assert_eq!([(); 3].map(|()| seconds(&mut metadata)), [1, 2, 4]);
        metadata.take(1, 0, b"b").unwrap();
        assert_eq!([(); 9].map(|()| seconds(&mut metadata)), [1, 2, 4, 8, 16, 32, 64, 64, 64]);
        metadata.monitored = false;
        assert_eq!(metadata.next_period(), None);
        metadata.refresh = Some(ASK_PERIOD);
        assert_eq!(metadata.next_period(), Some(ASK_PERIOD));
    }

    #[test]
    fn another_version_begins_anew() {
        let mut metadata = metadata();
        metadata.take(0, 0, b"old").unwrap();
        metadata.written = 3;
        assert_eq!(metadata.take(1, 1, b"x"), Err(Code::ERROR_METADATA));
        assert_eq!(metadata.text(), b"old");
        assert_eq!(metadata.take(0, 1, b"n"), Ok(true));
        assert_eq!((metadata.text(), metadata.unwritten()), (&b"n"[..], &b"n"[..]));
    }
}
