//! What a buffer set has, as a plain value. No input or output.

use std::{fs::File, sync::Arc};

use lttngd_consumer::MetadataText;
use lttngd_metadata::ustregistry::{KnownIds, RegistryError};
use lttngd_model::ChannelKey;
use tokio::sync::oneshot;

use crate::{
    BufferObjects, BuffersError, ChannelRequest, ChannelSize, SetOutput, held::Registry,
    progress::MetadataProgress, set::SetChannel,
};

/// Most ids that are told to those who come. It takes as long as there are ids.
const TOLD_MAX: usize = 1 << 12;
/// How many more there must be than were told last, of those: one in so many.
const TOLD_PART: usize = 4;

/// What a buffer set has.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) registry: Registry,
    /// Where the consumer writes what was made last.
    pub(crate) output: SetOutput,
    channels: Vec<SetChannel>,
    /// What applications get of the channels, made once for each change.
    objects: Arc<BufferObjects>,
    /// The metadata channel.
    pub(crate) metadata: Option<ChannelKey>,
    /// That, or the one that is being made: how far it has the text.
    described: Option<ChannelKey>,
    progress: MetadataProgress,
    pub(crate) text_file: TextFile,
    /// How many ids were told.
    told: usize,
    closed: bool,
}

impl State {
    pub(crate) fn new(registry: Registry) -> Self {
        Self {
            registry,
            output: SetOutput::None,
            channels: Vec::new(),
            objects: Arc::default(),
            metadata: None,
            described: None,
            progress: MetadataProgress::default(),
            text_file: TextFile::default(),
            told: 0,
            closed: false,
        }
    }

    /// Gives an id, and which are known if that is to be told: somebody has asked for one that was given
    /// already, and those that were told last lack many.
    pub(crate) fn give<T>(
        &mut self,
        give: impl FnOnce(&mut Registry) -> Result<T, RegistryError>,
    ) -> (Result<T, RegistryError>, Option<Arc<KnownIds>>) {
        let before = self.registry.count();
        let given = give(&mut self.registry);
        let count = self.registry.count();
        let is_known = given.is_ok() && count == before;
        let lacks_many = count > self.told && (count - self.told) * TOLD_PART >= self.told;
        if !is_known || !lacks_many || count > TOLD_MAX {
            return (given, None);
        }
        self.told = count;
        (given, Some(Arc::new(self.registry.known())))
    }

    /// Where what is made now is written: where its session writes, or wrote last while it writes nowhere.
    pub(crate) fn go_on_to(&mut self, output: SetOutput) -> SetOutput {
        if output.chunk().is_some() {
            self.output = output;
        }
        self.output.clone()
    }

    /// The channels.
    pub(crate) fn channels(&self) -> &[SetChannel] {
        &self.channels
    }

    pub(crate) fn keys(&self) -> Vec<ChannelKey> {
        self.channels.iter().map(|channel| channel.prepared.object.key).collect()
    }

    pub(crate) fn sizes(&self) -> Vec<ChannelSize> {
        self.channels.iter().map(|channel| channel.size).collect()
    }

    pub(crate) fn objects(&self) -> Arc<BufferObjects> {
        Arc::clone(&self.objects)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// # Errors
    /// [`BuffersError::Closed`].
    pub(crate) fn check_open(&self) -> Result<(), BuffersError> {
        if self.closed { Err(BuffersError::Closed) } else { Ok(()) }
    }

    /// Those of the wanted channels that are not there.
    pub(crate) fn missing(&self, mut wanted: Vec<ChannelRequest>) -> Vec<ChannelRequest> {
        wanted.retain(|channel| self.objects.channel(channel.index).is_none());
        wanted
    }

    /// A channel is made.
    pub(crate) fn add(&mut self, channel: SetChannel) {
        self.channels.push(channel);
        self.change_objects();
    }

    fn change_objects(&mut self) {
        let channels = self.channels.iter().map(|channel| channel.prepared.clone()).collect();
        self.objects = Arc::new(BufferObjects { channels });
    }

    /// A metadata channel is to be made, which has nothing of the text, whatever another one had.
    pub(crate) fn describe_with(&mut self, key: ChannelKey) {
        self.described = Some(key);
        self.progress = MetadataProgress::default();
    }

    /// Whether it is this metadata channel that is to have the text.
    pub(crate) fn describes_with(&self, key: ChannelKey) -> bool {
        self.described == Some(key)
    }

    /// The part of the text that the consumer lacks.
    pub(crate) fn missing_text(&self) -> MetadataText {
        self.progress.missing(&self.registry)
    }

    /// The consumer has the text of `version` up to `end`.
    pub(crate) fn accept(&mut self, version: u64, end: u64) {
        self.progress.accept(version, end);
    }

    /// Nothing is made from now on. The metadata channel, which is to be ended.
    pub(crate) fn close(&mut self) -> Option<ChannelKey> {
        self.closed = true;
        self.metadata.take()
    }

    /// Lets go of the channels: which they were.
    pub(crate) fn let_go(&mut self) -> Vec<ChannelKey> {
        let keys = self.keys();
        self.channels.clear();
        self.change_objects();
        keys
    }

    /// The next part of the text that is to be written to the file.
    pub(crate) fn begin_write(&mut self) -> Option<Write> {
        self.text_file.begin(&self.registry)
    }
}

/// The file of the text beside buffers that are in files: how much of the text it has, and who waits until
/// it has more. One part is written at a time.
#[derive(Debug, Default)]
pub(crate) struct TextFile {
    file: Option<Arc<File>>,
    written: MetadataProgress,
    is_under_way: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

/// A part of the text that is being written. Those who wait for it hear of its end when it is dropped.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) file: Arc<File>,
    pub(crate) text: MetadataText,
    _waiting: Vec<oneshot::Sender<()>>,
}

impl TextFile {
    /// Whether there is one.
    pub(crate) fn is_there(&self) -> bool {
        self.file.is_some()
    }

    /// It is there, with so much of the text.
    pub(crate) fn insert(&mut self, file: Arc<File>, written: MetadataProgress) {
        self.file = Some(file);
        self.written = written;
    }

    /// It is to be there no longer. Whether it was.
    pub(crate) fn remove(&mut self) -> bool {
        self.file.take().is_some()
    }

    /// Somebody waits until the file has the text of now, if there is a file. Whether writing must be begun.
    pub(crate) fn wait(&mut self, written: oneshot::Sender<()>) -> bool {
        if self.file.is_none() {
            return false;
        }
        self.waiting.push(written);
        !std::mem::replace(&mut self.is_under_way, true)
    }

    fn begin(&mut self, registry: &Registry) -> Option<Write> {
        let waiting = std::mem::take(&mut self.waiting);
        let text = self.written.missing(registry);
        match &self.file {
            Some(file) if !waiting.is_empty() && !text.bytes.is_empty() => {
                Some(Write { file: Arc::clone(file), text, _waiting: waiting })
            }
            _ => {
                self.is_under_way = false;
                None
            }
        }
    }

    /// The file has the text of `version` up to `end`.
    pub(crate) fn wrote(&mut self, version: u64, end: u64) {
        self.written.accept(version, end);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_metadata::ustregistry::EventRegistration;

    use super::*;
    use crate::tests::registry;

    fn with_file() -> TextFile {
        let mut text_file = TextFile::default();
        text_file.insert(Arc::new(File::open("/dev/null").unwrap()), MetadataProgress::default());
        text_file
    }

    fn wait(text_file: &mut TextFile) -> (bool, oneshot::Receiver<()>) {
        let (written, waits) = oneshot::channel();
        (text_file.wait(written), waits)
    }

    /// Whether who waits has heard.
    fn has_heard(waits: &mut oneshot::Receiver<()>) -> bool {
        !matches!(waits.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    fn end(write: &Write) -> (u64, u64) {
        (write.text.version, write.text.offset + write.text.bytes.len() as u64)
    }

    #[test]
    fn without_a_file_nobody_waits() {
        let mut text_file = TextFile::default();
        let (begins, mut waits) = wait(&mut text_file);
        assert!(!begins && has_heard(&mut waits));
        assert!(!text_file.is_there() && !text_file.remove());
    }

    #[test]
    fn one_part_is_written_at_a_time_and_who_came_meanwhile_waits_for_the_next() {
        let mut registry = registry();
        let mut text_file = with_file();
        let (begins, mut first) = wait(&mut text_file);
        assert!(begins);
        let write = text_file.begin(&registry).unwrap();
        assert_eq!(write.text.offset, 0);
        registry.add_channel();
        registry.describe_rest();
        let (again, mut second) = wait(&mut text_file);
        assert!(!again && !has_heard(&mut first));
        let (version, length) = end(&write);
        text_file.wrote(version, length);
        drop(write);
        assert!(has_heard(&mut first) && !has_heard(&mut second));
        let write = text_file.begin(&registry).unwrap();
        assert_eq!(write.text.offset, length);
        let (version, length) = end(&write);
        text_file.wrote(version, length);
        drop(write);
        assert!(has_heard(&mut second));
        assert!(text_file.begin(&registry).is_none());
        // Nothing is new.
        let (begins, mut third) = wait(&mut text_file);
        assert!(begins && text_file.begin(&registry).is_none() && has_heard(&mut third));
    }

    #[test]
    fn a_part_that_could_not_be_written_is_written_with_the_next() {
        let registry = registry();
        let mut text_file = with_file();
        let mut waits = wait(&mut text_file).1;
        drop(text_file.begin(&registry).unwrap());
        assert!(has_heard(&mut waits), "who waits goes on");
        assert!(text_file.begin(&registry).is_none());
        assert!(wait(&mut text_file).0);
        assert_eq!(text_file.begin(&registry).unwrap().text.offset, 0);
    }

    #[test]
    fn a_file_that_is_removed_is_not_written_to() {
        let registry = registry();
        let mut text_file = with_file();
        let mut waits = wait(&mut text_file).1;
        assert!(text_file.remove());
        assert!(text_file.begin(&registry).is_none() && has_heard(&mut waits));
    }

    #[test]
    fn ids_are_told_when_they_are_asked_for_again_and_there_are_many_more() {
        let mut state = State::new(registry());
        state.registry.add_channel();
        let event = |name: usize| EventRegistration {
            name: format!("p:{name}"),
            loglevel: 13,
            fields: Vec::new(),
            model_emf_uri: None,
        };
        let mut register = |name| state.give(|registry| registry.register_event(0, event(name)));
        for name in 0..8 {
            let (id, told) = register(name);
            assert!(told.is_none(), "nobody has asked for it before");
            assert_eq!(id, Ok(u32::try_from(name).unwrap()));
        }
        let told = register(0).1.unwrap();
        assert_eq!((told.event(0, &event(7)), told.event(0, &event(8))), (Some(7), None));
        assert!(register(1).1.is_none(), "they are told");
        register(8).0.unwrap();
        assert!(register(8).1.is_none(), "one more is not many");
        register(9).0.unwrap();
        assert_eq!(register(8).1.unwrap().event(0, &event(9)), Some(9));
        for name in 10..TOLD_MAX + 1 {
            register(name).0.unwrap();
        }
        assert!(register(0).1.is_none(), "these are too many");
    }
}
