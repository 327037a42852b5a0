//! A session before data threads that are played: no epoll, no thread, no socket.
#![allow(clippy::unwrap_used)]

mod threads;

use std::{cell::RefCell, os::unix::net::UnixStream, rc::Rc, sync::mpsc::Receiver};

use actix::{Addr, System};
use lttngd_model::NetIndex;
use lttngd_runtime::{Descriptors, Peer, Purpose, Shares, UserDescriptors, fail_point::fail_at};
use lttngd_wire::consumer::{ConsumerError as Code, MetadataRequest, TraceChunkPresence};
use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::{
    book::Life,
    reply::ChannelObject,
    request::{
        CloseMetadata, CloseTraceChunk, CreateTraceChunk, DestroyChannel, FindTraceChunk,
        FlushChannel, GetChannel, GetDataPending, GetLostPackets, NewChunkPlace, SetupMetadata,
    },
    session::state::Asked,
    worker::{
        ChannelEnd, Counts, NewChannel, NewMetadata, Order, OutputConfig, Timers, UST_DIRECTORY,
        example_ring,
    },
};

const ID: SessionId = SessionId(1);
const KEY: ChannelKey = ChannelKey(7);
const RELAY: NetIndex = NetIndex(3);

/// A data thread that the test plays.
pub(super) fn worker() -> (WorkerHandle, Receiver<Order>) {
    WorkerHandle::played()
}

fn writing(key: ChannelKey) -> OutputConfig {
    OutputConfig {
        session: ID,
        name: "channel".to_owned(),
        path: "ust/uid/0/64-bit".to_owned(),
        domain: UST_DIRECTORY,
        relay: None,
        tracefile_size_bytes: 0,
        tracefile_count: 0,
        metadata_request: MetadataRequest {
            session_id: ID,
            session_id_per_pid: 0,
            bits_per_long: usize::BITS,
            uid: 0,
            key,
        },
    }
}

/// A metadata channel that is made.
pub(super) fn metadata_channel(key: ChannelKey, monitored: bool) -> Asked {
    let writing = writing(key);
    Asked::Metadata(Box::new(NewMetadata {
        key,
        writing,
        chunk: None,
        uuid: [0; 16],
        monitored,
        refresh_interval_us: 0,
    }))
}

/// A data channel without streams that is made.
pub(super) fn data_channel(key: ChannelKey, monitored: bool) -> Asked {
    let ring = example_ring(2, !monitored).unwrap();
    let descriptors = Descriptors::new(Shares::new(1024, 0));
    let held = || descriptors.take(Purpose::Channels, 1).unwrap();
    let object = ChannelObject {
        image: vec![1, 2],
        wakeup: std::fs::File::open("/dev/null").unwrap().into(),
        streams: Vec::new(),
        _held: held(),
    };
    let channel = NewChannel {
        key,
        writing: writing(key),
        chunk: None,
        end: ChannelEnd::Ring(Box::new(ring)),
        streams: Vec::new(),
        shm: None,
        monitored,
        is_live: false,
        timers: Timers { switch_us: 0, read_us: 0, live_us: 0 },
        held: held(),
    };
    let monitor = Monitor { period_us: 1000, streams: Vec::new() };
    Asked::Data { channel: Box::new(channel), object: Box::new(object), monitor }
}

/// What a session's owner was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    ChannelRuns(ChannelKey, u32),
    ChannelEnded(ChannelKey),
    Empty { has_snapshots: bool },
    Gone,
}

#[derive(Default)]
struct Listener(RefCell<Vec<Told>>);

impl Owner for Listener {
    fn channel_runs(&self, key: ChannelKey, monitor: Monitor) {
        self.0.borrow_mut().push(Told::ChannelRuns(key, monitor.period_us));
    }

    fn streams_came(&self, key: ChannelKey, _: Vec<SampledStream>) {
        panic!("no streams of {key} come later");
    }

    fn channel_gone(&self, key: ChannelKey) {
        self.0.borrow_mut().push(Told::ChannelEnded(key));
    }

    fn session_empty(&self, _: SessionId, has_snapshots: bool) {
        self.0.borrow_mut().push(Told::Empty { has_snapshots });
    }

    fn session_gone(&self, _: SessionId, _: Life) {
        self.0.borrow_mut().push(Told::Gone);
    }
}

/// A session with what surrounds it.
struct World {
    session: Addr<Session>,
    owner: Rc<Listener>,
    local: Receiver<Order>,
    remote: Receiver<Order>,
    had_relays: Rc<Cell<bool>>,
    _daemon: UnixStream,
}

impl World {
    /// With these channels made: those of which snapshots are recorded by the thread that is for them.
    fn with(channels: Vec<(ChannelKey, Asked)>) -> Self {
        let ((local, local_orders), (remote, remote_orders)) = (worker(), worker());
        let owner: Rc<Listener> = Rc::default();
        let weak: Weak<Listener> = Rc::downgrade(&owner);
        let (metadata, daemon) = UnixStream::pair().unwrap();
        let had_relays = Rc::<Cell<bool>>::default();
        let context = Context {
            local: local.clone(),
            remote: remote.clone(),
            events: unbounded_channel().0,
            clock: PacketClock::default(),
            runas: Runas::new(None),
            source: Source::start(Peer::new(metadata.into()).unwrap()),
            channels: Rc::new(UserDescriptors::new(Descriptors::new(Shares::new(1024, 0)), 0)),
            makers: Makers::default().start(),
            had_relays: Rc::clone(&had_relays),
            owner: weak,
        };
        let session = Session::new(ID, Life::default(), context);
        for (key, asked) in channels {
            let worker = if asked.is_monitored() { &local } else { &remote };
            session.inner.state.borrow_mut().add_channel(key, worker.clone(), asked);
        }
        let session = session.start();
        Self {
            session,
            owner,
            local: local_orders,
            remote: remote_orders,
            had_relays,
            _daemon: daemon,
        }
    }

    /// Has a command carried out, while the data threads answer as `play` does.
    async fn ask<C: Command>(
        &self,
        command: C,
        play: impl Fn(Order) -> Option<&'static str>,
    ) -> (Result<C::Done, Refusal>, Vec<&'static str>) {
        let mut asked = std::pin::pin!(self.session.send(command));
        let mut names = Vec::new();
        loop {
            tokio::select! {
                biased;
                outcome = &mut asked => {
                    return (outcome.unwrap_or(Err(Refusal::Failed)), names);
                }
                () = tokio::task::yield_now() => {}
            }
            for orders in [&self.local, &self.remote] {
                names.extend(orders.try_iter().filter_map(&play));
            }
        }
    }

    fn told(&self) -> Vec<Told> {
        self.owner.0.take()
    }
}

/// Data threads that do as they are told.
fn well(order: Order) -> Option<&'static str> {
    Some(match order {
        Order::AddChannel(_, answer) => (answer.answer(Ok(())), "add").1,
        Order::AddMetadata(_, answer) => (answer.answer(Ok(())), "add metadata").1,
        Order::CloseMetadata(_, answer) => (answer.answer(Ok(())), "close metadata").1,
        Order::FlushChannel(_, answer) => (answer.answer(Ok(())), "flush").1,
        Order::TellCounts(_, reply) => {
            reply.answer(Counts { discarded_events: 1, lost_packets: 2 });
            "count"
        }
        Order::TellDataPending(_, reply) => (reply.answer(false), "pending").1,
        Order::SetChunk(_, _, reply) => (reply.answer(()), "enter").1,
        Order::LeaveChunk { reply, .. } => (reply.answer(()), "leave").1,
        Order::CreateRemoteChunk(_, answer) => (answer.answer(Ok(())), "make at relay").1,
        Order::CloseRemoteChunk(_, answer) => {
            answer.answer(Ok("host/session".to_owned()));
            "close at relay"
        }
        Order::RemoteChunkExists(_, _, answer) => (answer.answer(Ok(true)), "find at relay").1,
        other => panic!("{other:?}"),
    })
}

/// Data threads that fail at all that can fail.
fn badly(order: Order) -> Option<&'static str> {
    match order {
        Order::AddChannel(_, answer)
        | Order::AddMetadata(_, answer)
        | Order::CreateRemoteChunk(_, answer) => answer.answer(Err(Code::CHANNEL_FAIL)),
        Order::CloseRemoteChunk(_, answer) => answer.answer(Err(Code::RELAYD_FAIL)),
        Order::RemoteChunkExists(_, _, answer) => answer.answer(Err(Code::RELAYD_FAIL)),
        other => return well(other),
    }
    None
}

/// Data threads that are gone: nothing that waits for them is answered.
fn gone(order: Order) -> Option<&'static str> {
    drop(order);
    None
}

fn create_chunk(id: u64) -> CreateTraceChunk {
    CreateTraceChunk {
        id: ChunkId(id),
        name: String::new(),
        created_at_s: 1,
        place: NewChunkPlace::Remote(RELAY),
    }
}

fn close_chunk(id: u64, relay: Option<NetIndex>) -> CloseTraceChunk {
    CloseTraceChunk { id: ChunkId(id), relay, closed_at_s: 2, command: None }
}

pub(super) fn run(test: impl AsyncFnOnce()) {
    System::new().block_on(test());
}

#[test]
fn a_command_for_a_channel_that_is_not_there_reaches_no_data_thread() {
    run(async || {
        let world = World::with(Vec::new());
        let (flushed, orders) = world.ask(FlushChannel { key: KEY }, well).await;
        assert_eq!((flushed, orders), (Err(Refusal::UnknownChannel), vec![]));
        let (lost, _) = world.ask(GetLostPackets { key: KEY }, well).await;
        assert_eq!(lost, Err(Refusal::UnknownChannel));
    });
}

#[test]
fn a_channel_whose_streams_have_no_output_is_gone() {
    run(async || {
        let world = World::with(vec![(KEY, data_channel(KEY, true))]);
        let (fetched, _) = world.ask(GetChannel { key: KEY }, badly).await;
        assert_eq!(fetched.err(), Some(Code::CHANNEL_FAIL.into()));
        assert_eq!(world.told(), [Told::ChannelEnded(KEY), Told::Empty { has_snapshots: false }]);
        let (again, _) = world.ask(GetChannel { key: KEY }, well).await;
        assert_eq!(again.err(), Some(Refusal::UnknownChannel));
    });
}

#[test]
fn a_channel_that_is_fetched_runs_in_its_data_thread() {
    run(async || {
        let world = World::with(vec![(KEY, data_channel(KEY, true))]);
        let (fetched, orders) = world.ask(GetChannel { key: KEY }, well).await;
        assert_eq!((fetched.unwrap().image, orders), (vec![1, 2], vec!["add"]));
        let (lost, _) = world.ask(GetLostPackets { key: KEY }, well).await;
        assert_eq!(lost, Ok(2));
        assert_eq!(world.told(), [Told::ChannelRuns(KEY, 1000)], "it may be sampled");
    });
}

#[test]
fn metadata_without_an_output_is_gone() {
    run(async || {
        let world = World::with(vec![(KEY, metadata_channel(KEY, false))]);
        let (set_up, _) = world.ask(SetupMetadata { key: KEY }, badly).await;
        assert_eq!(set_up.err(), Some(Code::CHANNEL_FAIL.into()));
        assert_eq!(world.told(), [Told::ChannelEnded(KEY), Told::Empty { has_snapshots: true }]);
    });
}

#[test]
fn a_channel_that_is_destroyed_frees_its_key() {
    run(async || {
        let world = World::with(vec![(KEY, data_channel(KEY, true))]);
        let (destroyed, orders) = world.ask(DestroyChannel { key: KEY }, well).await;
        assert_eq!((destroyed, orders), (Ok(()), vec![]));
        assert_eq!(world.told()[0], Told::ChannelEnded(KEY));
    });
}

#[test]
fn commands_without_their_data_thread_are_refused_as_at_the_end() {
    run(async || {
        let world = World::with(vec![(KEY, data_channel(KEY, true))]);
        let (flushed, _) = world.ask(FlushChannel { key: KEY }, gone).await;
        assert_eq!(flushed, Err(Refusal::Ending));
        let (closed, _) = world.ask(CloseMetadata { key: KEY }, gone).await;
        assert_eq!(closed, Err(Refusal::Ending));
        let (pending, _) = world.ask(GetDataPending, gone).await;
        assert_eq!(pending, Ok(false), "nothing is left to be written");
    });
}

#[test]
fn a_trace_chunk_that_its_relay_daemon_does_not_make_is_not_known() {
    run(async || {
        let world = World::with(Vec::new());
        let (created, _) = world.ask(create_chunk(1), badly).await;
        assert_eq!(created, Err(Code::CREATE_TRACE_CHUNK_FAILED.into()));
        let (created, _) = world.ask(create_chunk(1), well).await;
        assert_eq!(created, Ok(()), "it may be made later");
    });
}

#[test]
fn a_trace_chunk_that_its_relay_daemon_does_not_close_is_gone_all_the_same() {
    run(async || {
        let world = World::with(Vec::new());
        world.ask(create_chunk(1), well).await.0.unwrap();
        let (closed, _) = world.ask(close_chunk(1, Some(RELAY)), badly).await;
        assert_eq!(closed, Err(Code::RELAYD_FAIL.into()));
        let (closed, _) = world.ask(close_chunk(1, Some(RELAY)), well).await;
        assert_eq!(closed, Err(Code::UNKNOWN_TRACE_CHUNK.into()));
    });
}

#[test]
fn a_trace_chunk_is_here_at_its_relay_daemon_or_nowhere() {
    run(async || {
        let world = World::with(Vec::new());
        let find = |relay| FindTraceChunk { id: ChunkId(1), relay };
        let (found, _) = world.ask(find(None), well).await;
        assert_eq!(found, Ok(TraceChunkPresence::Unknown));
        let (found, _) = world.ask(find(Some(RELAY)), well).await;
        assert_eq!(found, Ok(TraceChunkPresence::Remote));
        let (found, _) = world.ask(find(Some(RELAY)), badly).await;
        assert_eq!(found, Err(Code::RELAYD_FAIL.into()));
        let (found, _) = world.ask(find(Some(RELAY)), gone).await;
        assert_eq!(found, Err(Code::RELAYD_FAIL.into()));
        world.ask(create_chunk(1), well).await.0.unwrap();
        let (found, orders) = world.ask(find(Some(RELAY)), well).await;
        assert_eq!((found, orders), (Ok(TraceChunkPresence::Local), vec![]));
    });
}

#[test]
fn a_command_waits_for_the_one_before() {
    run(async || {
        let world = World::with(vec![(KEY, data_channel(KEY, true))]);
        let first = world.session.send(FlushChannel { key: KEY });
        let second = world.session.send(CloseMetadata { key: KEY });
        let orders = async {
            let next = async || loop {
                match world.local.try_recv() {
                    Ok(order) => return order,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            let Order::FlushChannel(_, answer) = next().await else { panic!("no flush") };
            for _ in 0..16 {
                tokio::task::yield_now().await;
            }
            assert!(world.local.try_recv().is_err(), "the second has begun");
            answer.answer(Ok(()));
            well(next().await)
        };
        let (first, second, last) = tokio::join!(first, second, orders);
        assert_eq!((first.unwrap(), second.unwrap()), (Ok(()), Ok(())));
        assert_eq!(last, Some("close metadata"));
    });
}

#[test]
fn a_command_that_panics_ends_its_session_and_its_owner_and_all_who_wait_hear_it() {
    run(async || {
        let world = World::with(vec![(KEY, data_channel(KEY, true))]);
        fail_at("Session FLUSH_CHANNEL");
        let flushed = world.session.send(FlushChannel { key: KEY });
        let (waits, orders) = world.ask(CloseMetadata { key: KEY }, well).await;
        assert_eq!((waits, orders), (Err(Refusal::Failed), vec!["flush"]));
        assert_eq!(flushed.await.unwrap_or(Err(Refusal::Failed)), Err(Refusal::Failed));
        assert_eq!(world.told(), [Told::Gone]);
        let (again, _) = world.ask(FlushChannel { key: KEY }, well).await;
        assert_eq!(again, Err(Refusal::Failed));
    });
}

#[test]
fn a_session_is_empty_when_its_last_channel_and_chunk_are_over() {
    run(async || {
        let world = World::with(vec![(KEY, data_channel(KEY, true))]);
        world.ask(create_chunk(1), well).await.0.unwrap();
        world.session.send(ChannelEnded(KEY)).await.unwrap();
        assert_eq!(world.told(), []);
        world.ask(close_chunk(1, Some(RELAY)), well).await.0.unwrap();
        assert_eq!(world.told(), [Told::Empty { has_snapshots: false }]);
    });
}
