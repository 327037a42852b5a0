//! The command socket as commands and replies.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use lttngd_buffers::ChannelObject;
use lttngd_model::{Context, NameList, ust::EventRule};
use lttngd_users::ListingRoom;
use lttngd_wire::ust::command::{
    Command, FieldEntry, ROOT_HANDLE, Reply, UstContext, UstError, app_context, exclusions,
    field_entry_len,
};

use crate::{
    TracepointField,
    error::{AppError, Broken},
    listing_turns::ListingTurns,
    socket::{Answer, AskedBytes, AskedValue, Attached, CommandSocket},
};

/// Most entries that are taken from one listing.
const LISTING_MAX: usize = 1 << 16;

/// Most requests of one job that are on their way together. What an application has not read fills
/// its socket; more would only wait there.
pub(crate) const ON_THEIR_WAY_MAX: usize = 8;

/// In which time as many entries of a listing as are asked for together are answered by an application that is quick.
const QUICK: Duration = Duration::from_millis(20);

/// How many entries of a listing are asked for together: more, the quicker they are answered. Whatever else the application is
/// asked waits behind them. No input or output, no clock.
#[derive(Debug)]
struct Together(usize);

impl Together {
    /// Those that were asked for at a time are answered.
    fn answered(&mut self, asked: Instant, now: Instant) {
        let is_quick = now - asked < QUICK;
        self.0 = if is_quick { (2 * self.0).min(ON_THEIR_WAY_MAX) } else { 1 };
    }
}

/// What an application listed, or why that could not be had.
type Listed<T> = Result<Result<NameList<T>, AppError>, Broken>;

/// The command socket.
#[derive(Clone, Copy)]
pub(crate) struct Link<'a>(pub(crate) &'a CommandSocket);

/// The STREAMs of a channel that an application has made.
pub(crate) struct Streams<'a> {
    link: Link<'a>,
    channel: u32,
    object: Arc<ChannelObject>,
    /// How many have been asked for.
    begun: usize,
    asked: VecDeque<AskedValue<'a>>,
    refusal: Option<UstError>,
}

/// Goes on with the value of an answer, or returns the refusal.
macro_rules! granted {
    ($answer:expr) => {
        match $answer {
            Ok(value) => value,
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
}

impl<'a> Link<'a> {
    async fn request(
        &self,
        handle: u32,
        command: &Command,
        payload: &[u8],
        attached: Option<Attached>,
    ) -> Answer<u32> {
        self.0.value(handle, command, (payload, attached)).await
    }

    /// A command without payload: the value of its reply.
    pub(crate) async fn command(&self, handle: u32, command: &Command) -> Answer<u32> {
        self.request(handle, command, &[], None).await
    }

    pub(crate) async fn tracer_version(&self) -> Answer<(u32, u32, u32)> {
        let reply = self.0.reply(ROOT_HANDLE, &Command::TracerVersion).await?;
        Ok(reply.map(|reply| reply.tracer_version()))
    }

    /// A command without payload whose answer is looked at later.
    pub(crate) fn begin(&self, handle: u32, command: &Command) -> AskedValue<'a> {
        self.0.begin_value(handle, command, (&[], None))
    }

    /// CHANNEL: the channel's handle.
    pub(crate) async fn create_channel(
        &self,
        session: u32,
        object: &Arc<ChannelObject>,
    ) -> Answer<u32> {
        let owner_id = self.0.owner_id();
        let command = Command::Channel { len: object.image.len() as u64, owner_id };
        let attached = Attached::Channel(Arc::clone(object));
        self.request(session, &command, &object.image, Some(attached)).await
    }

    /// Begins with the STREAMs of a channel.
    pub(crate) fn create_streams(&self, channel: u32, object: Arc<ChannelObject>) -> Streams<'a> {
        let mut streams = Streams {
            link: *self,
            channel,
            object,
            begun: 0,
            asked: VecDeque::new(),
            refusal: None,
        };
        streams.begin();
        streams
    }

    pub(crate) async fn add_context(&self, channel: u32, context: &Context) -> Answer<()> {
        let Some(wire) = UstContext::from_model(context) else { return Ok(Err(UstError::Invalid)) };
        let payload = match context {
            Context::App(app) => app_context(app, self.0.abi()),
            _ => Vec::new(),
        };
        Ok(self.request(channel, &Command::Context(wire), &payload, None).await?.map(drop))
    }

    /// EVENT: the handle of the event, which is disabled, is looked at later.
    pub(crate) fn begin_event(&self, channel: u32, rule: &EventRule) -> AskedValue<'a> {
        let command = Command::Event { name: rule.name.clone(), loglevel: rule.loglevel, token: 0 };
        self.begin(channel, &command)
    }

    /// The answer to EVENT, and then the event's filter and exclusions: its handle.
    pub(crate) async fn complete_event(
        &self,
        asked: AskedValue<'a>,
        rule: &EventRule,
    ) -> Answer<u32> {
        let event = granted!(asked.answer().await?);
        if let Err(refusal) = self.qualify_event(event, rule).await? {
            let _ = self.command(event, &Command::Release).await?;
            return Ok(Err(refusal));
        }
        Ok(Ok(event))
    }

    async fn qualify_event(&self, event: u32, rule: &EventRule) -> Answer<()> {
        if let Some(filter) = &rule.filter {
            let command = Command::filter(&filter.bytecode);
            granted!(self.request(event, &command, &filter.bytecode.data, None).await?);
        }
        if !rule.exclusions.is_empty() {
            let count = u32::try_from(rule.exclusions.len()).unwrap_or(u32::MAX);
            let payload = exclusions(&rule.exclusions);
            granted!(self.request(event, &Command::Exclusion { count }, &payload, None).await?);
        }
        Ok(Ok(()))
    }

    /// RELEASE of each handle. A refusal is logged: what an application keeps does no harm.
    pub(crate) async fn release(&self, handles: &[u32]) -> Result<(), Broken> {
        let mut rest = handles.iter();
        let mut asked = VecDeque::new();
        loop {
            let more = rest.by_ref().take(ON_THEIR_WAY_MAX - asked.len());
            asked.extend(more.map(|&handle| (handle, self.begin(handle, &Command::Release))));
            let Some((handle, released)) = asked.pop_front() else { return Ok(()) };
            if let Err(refusal) = released.answer().await?
                && let Some(left_out) = self.0.complaint("object that stays")
            {
                tracing::warn!(handle, %refusal, left_out, "an object stays in the application");
            }
        }
    }

    /// The tracepoints, as far as there is room for them and as long as they are wanted.
    pub(crate) async fn tracepoints(
        &self,
        room: (ListingRoom, ListingTurns),
        is_wanted: impl Fn() -> bool,
    ) -> Listed<i32> {
        let ask = |list| self.0.begin_reply(list, &Command::TracepointListGet);
        let abi = self.0.abi();
        let take = |reply: &[u8], listed: &mut NameList<i32>| {
            let (name, loglevel) = Reply::decode(reply, abi)?.tracepoint();
            listed.push(&name, loglevel);
            Ok(())
        };
        self.listed(&Command::TracepointList, room, is_wanted, (ask, take)).await
    }

    /// The same of their fields.
    pub(crate) async fn tracepoint_fields(
        &self,
        room: (ListingRoom, ListingTurns),
        is_wanted: impl Fn() -> bool,
    ) -> Listed<TracepointField> {
        let command = Command::TracepointFieldListGet;
        let abi = self.0.abi();
        let ask = |list| self.0.begin_entry(list, &command, field_entry_len(abi));
        let take = |entry: &[u8], listed: &mut NameList<TracepointField>| {
            let (name, field) = TracepointField::of(FieldEntry::decode(entry, abi)?);
            listed.push(&name, field);
            Ok(())
        };
        self.listed(&Command::TracepointFieldList, room, is_wanted, (ask, take)).await
    }

    /// What is taken from the answers to what is asked, until there is none or no room, or it is not wanted any more. What
    /// lies behind the end of a list is asked in vain, and does no harm.
    async fn listed<T>(
        &self,
        begin: &Command,
        (mut room, turns): (ListingRoom, ListingTurns),
        is_wanted: impl Fn() -> bool,
        (ask, take): (
            impl Fn(u32) -> AskedBytes<'a>,
            impl Fn(&[u8], &mut NameList<T>) -> Result<(), Broken>,
        ),
    ) -> Listed<T> {
        let mut turn = self.0.turn(&turns).await;
        let list = match self.command(ROOT_HANDLE, begin).await? {
            Ok(list) => list,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let (mut listed, mut outcome) = (NameList::default(), Ok(()));
        let (mut asked, mut together) = (VecDeque::new(), Together(1));
        let mut asked_at = Instant::now();
        loop {
            if asked.is_empty() {
                if outcome.is_err() || !is_wanted() || listed.len() >= LISTING_MAX {
                    break;
                }
                asked_at = Instant::now();
                let count = together.0.min(LISTING_MAX - listed.len());
                asked.extend((0..count).map(|_| ask(list)));
            }
            let Some(next) = asked.pop_front() else { break };
            match next.answer().await {
                Ok(entry) => {
                    let before = listed.names_len();
                    take(&entry, &mut listed)?;
                    let name_len = listed.names_len() - before;
                    outcome = outcome.and(room.take(name_len + NameList::<T>::ENTRY_LEN));
                }
                Err(UstError::NoEntry) => break,
                Err(refusal) => return Ok(Err(refusal.into())),
            }
            if asked.is_empty() && outcome.is_ok() {
                together.answered(asked_at, Instant::now());
                drop(turn);
                turn = self.0.turn(&turns).await;
            }
        }
        // Those that lie behind the end are not waited for.
        drop((asked, turn));
        let released = self.command(list, &Command::Release).await?;
        Ok(outcome.map_err(AppError::from).and(released.map_err(AppError::from)).map(|_| listed))
    }
}

impl Streams<'_> {
    /// Asks for as many as may be on their way beside one thing more.
    fn begin(&mut self) {
        let streams = &self.object.streams;
        while self.asked.len() < ON_THEIR_WAY_MAX - 1
            && let Some(stream) = streams.get(self.begun)
        {
            let command = Command::Stream { len: stream.len, stream_nr: stream.number };
            let attached = Attached::Stream(Arc::clone(&self.object), self.begun);
            let with = (&[][..], Some(attached));
            self.asked.push_back(self.link.0.begin_value(self.channel, &command, with));
            self.begun += 1;
        }
    }

    /// The channel's handle.
    pub(crate) fn channel(&self) -> u32 {
        self.channel
    }

    /// Waits until the last one is on its way. What is asked then goes with it.
    pub(crate) async fn all_begun(&mut self) -> Result<(), Broken> {
        while self.begun < self.object.streams.len() {
            self.next().await?;
        }
        Ok(())
    }

    /// Waits for all answers: the first refusal, if one is refused.
    pub(crate) async fn made(mut self) -> Answer<()> {
        while !self.asked.is_empty() {
            self.next().await?;
        }
        Ok(self.refusal.map_or(Ok(()), Err))
    }

    async fn next(&mut self) -> Result<(), Broken> {
        if let Some(asked) = self.asked.pop_front()
            && let Err(refusal) = asked.answer().await?
        {
            self.refusal.get_or_insert(refusal);
        }
        self.begin();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_entries_are_asked_for_together_of_an_application_that_is_quick() {
        let (mut together, asked) = (Together(1), Instant::now());
        let mut answered = |ms| {
            together.answered(asked, asked + Duration::from_millis(ms));
            together.0
        };
        assert_eq!([0, 1, 2, 19].map(&mut answered), [2, 4, 8, 8]);
        assert_eq!(answered(20), 1, "one that was late is asked for one");
        assert_eq!(answered(1), 2);
    }
}
