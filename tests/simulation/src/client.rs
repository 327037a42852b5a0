//! Clients: each has a session at a time, gives it commands, and compares it with its model after each.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use lttngd_handle::Handle;
use lttngd_model::{
    AddressFamily, BufferScheme, Context, ContextKind, DescriptorOutput, ErrorCode,
    EventDescription, NetworkUri, SessionDescriptor, SessionKind, StreamKind, Uri,
};
use lttngd_peer::{channel_listing, event_description};
use lttngd_session::{RecordSnapshot, RotationSchedule};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    chance::Chance,
    model::{Act, Channel, Kind, Listed, Model, Verdict},
    relay::CONTROL_PORT,
    world::World,
};

const CHANNELS: [&str; 3] = ["one", "two", "three"];
const EVENTS: [&str; 4] = ["p:a", "p:b", "p:c", "q:*"];
/// Longest time that a command takes, whatever peers do: a relay daemon has ten minutes to write what is left.
const ANSWER_MAX: Duration = Duration::from_secs(1500);
/// Longest time that one takes which needs no peer.
const BYSTANDER_MAX: Duration = Duration::from_secs(1);

/// Has all clients give their commands. Leaves their last sessions, with their models, in the world.
pub(crate) async fn all(world: &Rc<World>) {
    let clients: Vec<_> = (0..world.life.clients)
        .map(|number| {
            let client = Client::new(number, world);
            tokio::task::spawn_local(client.act())
        })
        .collect();
    let bystander = tokio::task::spawn_local(bystander(Rc::clone(world)));
    for client in clients {
        let model = client.await.unwrap_or_default();
        world.models.borrow_mut().extend(model);
    }
    bystander.abort();
}

/// Makes and unmakes sessions and lists them, for which it needs no peer.
async fn bystander(world: Rc<World>) {
    let chance = Chance::new(world.life.seed, "bystander");
    for number in 0.. {
        sleep(chance.time(Duration::ZERO..Duration::from_secs(4))).await;
        let begun = Instant::now();
        let name = format!("bystander-{number}");
        let handle = &world.handle;
        let output = DescriptorOutput::Local(Some(Uri::Path(world.directory.path().join(&name))));
        let session =
            SessionDescriptor { kind: SessionKind::Regular, name: Some(name.clone()), output };
        let done = async {
            handle.create_session(None, session).await?;
            let listed = handle.list_sessions().await?;
            if !listed.iter().any(|it| it.name == name) {
                world.story.wrong("bystander", "is not listed");
            }
            handle.destroy_session(&name).await.map(drop)
        };
        if let Err(error) = done.await {
            world.story.wrong("bystander", format_args!("is refused: {error:?}"));
        }
        if begun.elapsed() > BYSTANDER_MAX {
            let waited = begun.elapsed();
            world.story.wrong("bystander", format_args!("waits for others: {waited:?}"));
        }
    }
}

struct Client {
    who: String,
    world: Rc<World>,
    chance: Chance,
    sessions: usize,
}

impl Client {
    fn new(number: usize, world: &Rc<World>) -> Self {
        let who = format!("client {number}");
        let chance = Chance::new(world.life.seed, &who);
        Self { who, world: Rc::clone(world), chance, sessions: 0 }
    }

    fn handle(&self) -> &Handle {
        &self.world.handle
    }

    async fn act(mut self) -> Option<Model> {
        let mut current = None;
        for _ in 0..self.world.life.commands {
            if self.world.story.is_wrong() {
                break;
            }
            let think = self.chance.one_of(&[0, 1, 40, 900, 6000]);
            sleep(self.chance.time(Duration::ZERO..Duration::from_millis(*think + 1))).await;
            current = match current.take() {
                None => self.create().await,
                Some(model) => {
                    let act = self.choose(&model);
                    self.give(model, act).await
                }
            };
        }
        current
    }

    async fn create(&mut self) -> Option<Model> {
        let name = format!("{}-{}", self.who.replace(' ', ""), self.sessions);
        self.sessions += 1;
        let kind = *self.chance.one_of(&[Kind::Local, Kind::Local, Kind::Snapshot, Kind::Relay]);
        let place = |stream, port| {
            Uri::Network(NetworkUri {
                family: AddressFamily::V4,
                address: "192.0.2.1".to_owned(),
                port,
                stream,
                subdir: String::new(),
            })
        };
        let output = match kind {
            Kind::Local | Kind::Snapshot => {
                let directory = self.world.directory.path().join(&name);
                DescriptorOutput::Local(Some(Uri::Path(directory)))
            }
            Kind::Relay => DescriptorOutput::Network(Some(Box::new((
                place(StreamKind::Control, CONTROL_PORT),
                place(StreamKind::Data, CONTROL_PORT + 1),
            )))),
        };
        let session = SessionDescriptor {
            kind: if kind == Kind::Snapshot { SessionKind::Snapshot } else { SessionKind::Regular },
            name: Some(name.clone()),
            output,
        };
        let made = self.handle().create_session(None, session).await;
        self.world
            .story
            .tell(&self.who, format_args!("create {name} {kind:?}: {:?}", made.as_ref().map(drop)));
        if let Err(error) = made {
            self.world.story.wrong(&self.who, format_args!("{name} is refused: {error:?}"));
            return None;
        }
        let id = self.world.listings.id(&name).unwrap();
        if !self.world.ids.borrow_mut().insert(id) {
            self.world.story.wrong(&self.who, format_args!("id {id} was given twice"));
        }
        Some(Model::new(name, id, kind))
    }

    fn choose(&self, model: &Model) -> Act {
        let channel = *self.chance.one_of(&CHANNELS);
        let event = *self.chance.one_of(&EVENTS);
        let schemes = [BufferScheme::PerUid, BufferScheme::PerUid, BufferScheme::PerPid];
        let scheme = *self.chance.one_of(&schemes);
        let seconds = 1 + self.chance.below(3) as u64;
        let has_channels = !model.listed.channels.is_empty();
        match self.chance.below(if has_channels { 40 } else { 12 }) {
            0..4 => Act::EnableChannel { channel, scheme },
            4..10 => Act::EnableEvent { channel, event },
            10 => Act::AddContext { channel },
            11 => Act::DataPending,
            12 => Act::DisableChannel { channel },
            13 => Act::DisableEvent { channel, event },
            14..20 => Act::Start,
            20..24 => Act::Stop,
            24..28 => Act::Rotate,
            28..30 => Act::Clear,
            30..33 => Act::RecordSnapshot,
            33 => Act::RegenerateMetadata,
            34 => Act::SetPeriod { seconds },
            35 => Act::RemovePeriod { seconds },
            36 => Act::DataPending,
            _ => Act::Destroy,
        }
    }

    async fn ask(&self, name: &str, act: &Act) -> Result<(), ErrorCode> {
        let handle = self.handle();
        match act {
            Act::EnableChannel { channel, scheme } => {
                handle.enable_channel(name, *scheme, channel_listing(channel)).await
            }
            Act::DisableChannel { channel } => handle.disable_channel(name, channel).await,
            Act::EnableEvent { channel, event } => {
                handle.enable_event(name, channel, event_description(event)).await
            }
            Act::DisableEvent { channel, event } => {
                // What is disabled has a name and nothing else.
                let event = EventDescription { loglevel: 0, ..event_description(event) };
                handle.disable_event(name, channel, event).await
            }
            Act::AddContext { channel } => {
                handle.add_context(name, channel, Context::Plain(ContextKind::Vpid)).await
            }
            Act::Start => handle.start(name).await,
            Act::Stop => handle.stop(name).await,
            Act::Rotate => handle.rotate(name).await.map(drop),
            Act::Clear => handle.clear(name).await,
            Act::RecordSnapshot => {
                let snapshot = RecordSnapshot {
                    name: String::new(),
                    control_url: String::new(),
                    data_url: String::new(),
                    max_size_bytes: 0,
                };
                handle.record_snapshot(name, snapshot).await
            }
            Act::RegenerateMetadata => handle.regenerate_metadata(name).await,
            Act::DataPending => handle.data_pending(name).await.map(drop),
            Act::SetPeriod { seconds } => {
                let schedule = RotationSchedule::Periodic { period_us: seconds * 1_000_000 };
                handle.add_rotation_schedule(name, schedule).await
            }
            Act::RemovePeriod { seconds } => {
                let schedule = RotationSchedule::Periodic { period_us: seconds * 1_000_000 };
                handle.remove_rotation_schedule(name, schedule).await
            }
            Act::Destroy => handle.destroy_session(name).await.map(drop),
        }
    }

    /// Gives a command, and looks what it has changed.
    async fn give(&self, mut model: Model, act: Act) -> Option<Model> {
        let story = &self.world.story;
        let name = model.name.clone();
        story.tell(&self.who, format_args!("{act:?} to {name}"));
        let begun = Instant::now();
        let Ok(answer) = timeout(ANSWER_MAX, self.ask(&name, &act)).await else {
            story.wrong(&self.who, format_args!("{act:?} to {name} is never answered"));
            return None;
        };
        story.tell(
            &self.who,
            format_args!("{act:?} to {name}: {answer:?} after {:?}", begun.elapsed()),
        );
        let verdict = model.foresee(&act);
        let has_faults = self.world.life.faults != crate::Faults::NONE;
        match (answer, verdict) {
            (Ok(()), Verdict::Refused) => {
                story.wrong(&self.who, format_args!("{act:?} is done: {model:?}"));
            }
            (Err(error), Verdict::Done) if !has_faults => {
                story.wrong(&self.who, format_args!("{act:?} is refused: {error:?}, {model:?}"));
            }
            (Err(error @ ErrorCode::Fatal), _) => {
                story.wrong(&self.who, format_args!("{act:?} to {name}: {error:?}"));
            }
            _ => {}
        }
        if act == Act::Destroy {
            self.world.ended.borrow_mut().insert(model.id, Instant::now());
            if self.world.listings.find(&name).is_some() {
                story.wrong(&self.who, format_args!("{name} is still listed"));
            }
            return None;
        }
        // A session is stopped also when not all that it recorded is in the trace, which is what is said then.
        let unclean = [Err(ErrorCode::NoUstconsumerd), Err(ErrorCode::UstStopFail)];
        let is_stopped = act == Act::Stop && unclean.contains(&answer);
        if answer.is_ok() || is_stopped {
            model.done(&act);
        }
        if act == Act::Start && answer.is_err() {
            model.start_failed();
        }
        self.compare(&model, &act, answer).await;
        Some(model)
    }

    async fn compare(&self, model: &Model, act: &Act, answer: Result<(), ErrorCode>) {
        let Model { name, listed: wanted, .. } = model;
        match listed(self.handle(), name).await {
            Ok(seen) if seen == *wanted => {}
            Ok(seen) => self.world.story.wrong(
                &self.who,
                format_args!("after {act:?}: {answer:?} {name} is {seen:?} and not {wanted:?}"),
            ),
            // What the consumer daemon tells of channels is a part of their list.
            Err(error @ ErrorCode::Unk) if self.world.life.faults.consumers => {
                let sessions = self.handle().list_sessions().await.unwrap_or_default();
                let seen = sessions.iter().find(|it| it.name == *name).map(|it| it.active);
                if seen == Some(wanted.active) {
                    let text = format_args!("channels of {name} are not listed: {error:?}");
                    return self.world.story.tell(&self.who, text);
                }
                self.world.story.wrong(
                    &self.who,
                    format_args!(
                        "after {act:?}: {answer:?} {name} is active: {seen:?}, and not {wanted:?}"
                    ),
                );
            }
            Err(error) => {
                self.world.story.wrong(&self.who, format_args!("{name} is not listed: {error:?}"));
            }
        }
    }
}

/// How a session is listed.
pub(crate) async fn listed(handle: &Handle, name: &str) -> Result<Listed, ErrorCode> {
    let sessions = handle.list_sessions().await?;
    let session = sessions.iter().find(|it| it.name == name).ok_or(ErrorCode::SessNotFound)?;
    let mut channels = BTreeMap::new();
    let all = match handle.list_channels(name).await {
        // Without a channel there is no domain whose channels can be listed.
        Err(ErrorCode::UstChanNotFound) => Vec::new(),
        all => all?,
    };
    for channel in all {
        let events = handle.list_events(name, &channel.name).await?;
        let events = events.into_iter().map(|event| (event.name, event.enabled == 1)).collect();
        channels.insert(channel.name, Channel { enabled: channel.enabled, events });
    }
    let period_us = handle.list_rotation_schedules(name).await?.period_us;
    Ok(Listed { active: session.active, channels, period_us })
}
