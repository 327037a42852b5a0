//! Sessions that stream to relay daemons, which may be silent or change.

use lttngd_model::{AddressFamily, BufferScheme, Domain, ErrorCode, NetworkUri, StreamKind, Uri};
use lttngd_peer::{AppScript, ConsumerAct, ConsumerScript, FakeRelayd, Gate};
use lttngd_runtime::Asker;
use lttngd_wire::consumer::{ConsumerError as Code, Message};

use super::world::World;
use crate::{Asked, Destroy, ListChannels, Needs, PrepareDomain, SetConsumerUri, Start};

const ADD_RELAYD_SOCKET: u32 = 4;
const DESTROY_RELAYD: u32 = 5;

/// A session with a channel, and where it writes is to be told.
async fn world(script: ConsumerScript) -> World {
    World::new(script, BufferScheme::PerUid).await
}

/// The session streams to this relay daemon.
pub(super) fn stream_to(relayd: &FakeRelayd) -> SetConsumerUri {
    let url = relayd.url();
    let mut ports = url.rsplit(':').map(|port| port.parse().unwrap());
    let [data, control] = [(); 2].map(|()| ports.next().unwrap());
    let uri = |stream, port| {
        Uri::Network(NetworkUri {
            family: AddressFamily::V4,
            address: "127.0.0.1".to_owned(),
            port,
            stream,
            subdir: String::new(),
        })
    };
    let uris = vec![uri(StreamKind::Control, control), uri(StreamKind::Data, data)];
    SetConsumerUri { domain: None, uris }
}

const PREPARE: Asked<PrepareDomain> = Asked {
    request: PrepareDomain { domain: Domain::Ust },
    needs: Needs::Ready(Domain::Ust),
    served: Ok(()),
    asker: Asker::nobody(),
};

/// What the consumer was told of relay daemons.
fn told(world: &World) -> Vec<(u32, u64)> {
    let told = world.fake.messages().into_iter().filter_map(|message| match message {
        Message::AddRelaydSocket(socket) => Some((ADD_RELAYD_SOCKET, socket.net_index.0)),
        Message::DestroyRelayd { net_index } => Some((DESTROY_RELAYD, net_index.0)),
        _ => None,
    });
    told.collect()
}

#[actix::test]
async fn commands_that_come_meanwhile_wait_for_one_connection() {
    let world = world(ConsumerScript::default()).await;
    let gate = Gate::default();
    let relayd = FakeRelayd::behind(gate.clone());
    world.ask(stream_to(&relayd)).await.unwrap();
    let waiting = [(); 3].map(|()| world.begin(PREPARE));
    // What needs no connection goes on.
    world.ask(ListChannels { domain: Domain::Ust }).await.unwrap();
    assert!(waiting.iter().all(|command| !command.is_finished()));
    gate.open();
    for command in waiting {
        command.await.unwrap().unwrap();
    }
    assert_eq!(relayd.sessions().len(), 1);
    let fake = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    world.ask(Destroy).await.unwrap();
    assert_eq!(told(&world), [(ADD_RELAYD_SOCKET, 2), (ADD_RELAYD_SOCKET, 2), (DESTROY_RELAYD, 2)]);
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn each_command_tries_it_anew_after_a_failure() {
    let mut refusals = 2;
    let script = ConsumerScript::new(move |message| match message.number() {
        ADD_RELAYD_SOCKET if refusals > 0 => {
            refusals -= 1;
            ConsumerAct::Refuse(Code::RELAYD_FAIL)
        }
        _ => ConsumerAct::Answer,
    });
    let world = world(script).await;
    let gate = Gate::default();
    let relayd = FakeRelayd::behind(gate.clone());
    world.ask(stream_to(&relayd)).await.unwrap();
    let waiting = [(); 3].map(|()| world.begin(PREPARE));
    gate.open();
    let mut outcomes = Vec::new();
    for command in waiting {
        outcomes.push(command.await.unwrap());
    }
    let refused = Err(ErrorCode::EnableConsumerFail);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == refused).count(), 2, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert_eq!(
        told(&world),
        [
            (ADD_RELAYD_SOCKET, 2),
            (DESTROY_RELAYD, 2),
            (ADD_RELAYD_SOCKET, 3),
            (DESTROY_RELAYD, 3),
            (ADD_RELAYD_SOCKET, 4),
            (ADD_RELAYD_SOCKET, 4),
        ]
    );
    world.ask(Destroy).await.unwrap();
    world.end().await;
}

#[actix::test]
async fn a_session_ends_while_its_relay_daemon_is_silent() {
    let world = world(ConsumerScript::default()).await;
    let gate = Gate::default();
    let relayd = FakeRelayd::behind(gate.clone());
    world.ask(stream_to(&relayd)).await.unwrap();
    let waiting = [(); 2].map(|()| world.begin(PREPARE));
    world.ask(Destroy).await.unwrap();
    for command in waiting {
        assert_eq!(command.await.unwrap(), Err(ErrorCode::SessNotFound));
    }
    assert!(told(&world).iter().all(|(number, _)| *number == DESTROY_RELAYD), "{:?}", told(&world));
    gate.open();
    world.end().await;
}

#[actix::test]
async fn another_output_does_not_wait_for_the_relay_daemon_that_is_silent() {
    let world = world(ConsumerScript::default()).await;
    let gate = Gate::default();
    let (silent, other) = (FakeRelayd::behind(gate.clone()), FakeRelayd::new());
    world.ask(stream_to(&silent)).await.unwrap();
    let waiting = world.begin(PREPARE);
    // The command is at the connection.
    world.ask(ListChannels { domain: Domain::Ust }).await.unwrap();
    let mut elsewhere = stream_to(&other);
    // Without it the places would be taken.
    elsewhere.uris.insert(0, Uri::Path("/".into()));
    world.ask(elsewhere).await.unwrap();
    assert_eq!(waiting.await.unwrap(), Err(ErrorCode::RelaydConnectFail));
    world.prepare_domain().await.unwrap();
    assert_eq!((silent.sessions().len(), other.sessions().len()), (0, 1));
    world.ask(Destroy).await.unwrap();
    gate.open();
    world.end().await;
}

#[actix::test]
async fn a_consumer_that_died_before_anything_was_recorded_is_connected_again() {
    let world = world(ConsumerScript::default()).await;
    let relayd = FakeRelayd::new();
    world.ask(stream_to(&relayd)).await.unwrap();
    world.prepare_domain().await.unwrap();
    world.lose_consumer().await;
    world.prepare_domain().await.unwrap();
    assert_eq!(relayd.sessions().len(), 2);
    world.ask(Destroy).await.unwrap();
    let added = told(&world).into_iter().filter(|(number, _)| *number == ADD_RELAYD_SOCKET);
    assert_eq!(added.map(|(_, index)| index).collect::<Vec<_>>(), [2, 2, 3, 3]);
    assert_eq!(told(&world).last(), Some(&(DESTROY_RELAYD, 3)));
    world.end().await;
}
