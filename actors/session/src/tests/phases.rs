//! Each command in each phase.

use std::{future::Future, pin::Pin};

use lttngd_model::{BufferScheme, Context, ContextKind, Domain, ErrorCode, Uri};
use lttngd_peer::{AppScript, ConsumerScript};

use super::world::{CHANNEL, World};
use crate::{
    AddContext, DataPending, Destroy, DisableChannel, ListChannels, SetConsumerUri, Start, Stop,
};

type Outcome = Result<(), ErrorCode>;
type Doing<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;
type Command = (&'static str, fn(&World) -> Doing<'_>);

const COMMANDS: [Command; 11] = [
    ("prepare domain", |world| Box::pin(world.prepare_domain())),
    ("enable channel", |world| Box::pin(world.enable_channel("new", BufferScheme::PerUid))),
    ("disable channel", |world| {
        let channel = CHANNEL.to_owned();
        Box::pin(world.ask(DisableChannel { domain: Domain::Ust, channel }))
    }),
    ("enable event", |world| Box::pin(world.enable_event("p:new"))),
    ("add context", |world| {
        let kind = ContextKind::Vpid;
        let context = Some(Context::Plain(kind));
        let channel = CHANNEL.to_owned();
        Box::pin(world.ask(AddContext {
            domain: Domain::Ust,
            channel,
            raw_type: kind as u32,
            context,
        }))
    }),
    ("start", |world| Box::pin(world.ask(Start))),
    ("stop", |world| Box::pin(world.ask(Stop))),
    ("data pending", |world| Box::pin(async { world.ask(DataPending).await.map(drop) })),
    ("set consumer uri", |world| {
        let uris = vec![Uri::Path(world.trace().join("other"))];
        Box::pin(world.ask(SetConsumerUri { domain: Some(Domain::Ust), uris }))
    }),
    ("list channels", |world| {
        Box::pin(async { world.ask(ListChannels { domain: Domain::Ust }).await.map(drop) })
    }),
    ("destroy", |world| Box::pin(async { world.ask(Destroy).await.map(drop) })),
];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Created,
    Active,
    Stopped,
    LostActive,
    LostStopped,
    Destroyed,
}

async fn reach(world: &World, phase: Phase) {
    if phase != Phase::Created {
        world.ask(Start).await.unwrap();
    }
    match phase {
        Phase::Created | Phase::Active => {}
        Phase::Stopped => world.ask(Stop).await.unwrap(),
        Phase::LostActive => world.lose_consumer().await,
        Phase::LostStopped => {
            world.ask(Stop).await.unwrap();
            world.lose_consumer().await;
        }
        Phase::Destroyed => drop(world.ask(Destroy).await.unwrap()),
    }
}

#[actix::test]
async fn each_command_in_each_phase() {
    use ErrorCode as E;
    use Phase as P;
    const OK: Outcome = Ok(());
    let gone = Err(E::SessNotFound);
    let started = Err(E::TraceAlreadyStarted);
    let lost = Err(E::NoUstconsumerd);
    let stopped = Err(E::TraceAlreadyStopped);
    // In the order of the commands.
    let expected = [
        (P::Created, [OK, OK, OK, OK, OK, OK, stopped, OK, OK, OK, OK]),
        (
            P::Active,
            [OK, started, OK, OK, started, started, OK, Err(E::SessionStarted), started, OK, OK],
        ),
        (P::Stopped, [OK, started, OK, OK, started, OK, stopped, OK, started, OK, OK]),
        (
            P::LostActive,
            [
                lost,
                started,
                OK,
                OK,
                started,
                started,
                lost,
                Err(E::SessionStarted),
                started,
                OK,
                lost,
            ],
        ),
        (P::LostStopped, [lost, started, OK, OK, started, lost, stopped, OK, started, OK, lost]),
        (P::Destroyed, [gone, gone, gone, gone, gone, gone, gone, gone, gone, OK, gone]),
    ];
    for (phase, outcomes) in expected {
        for ((name, command), expected) in COMMANDS.iter().zip(outcomes) {
            let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
            let fake = world.app(AppScript::default()).await;
            reach(&world, phase).await;
            assert_eq!(command(&world).await, expected, "{name} in {phase:?}");
            drop(fake);
            world.end().await;
        }
    }
}

#[actix::test]
async fn a_whole_life_in_the_order_of_the_stock_daemon() {
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    let fake = world.app(AppScript::default()).await;
    // Its version is asked, and its main begins.
    assert_eq!(fake.commands(), [0x41, 0x44], "an inactive session is none of its business");
    assert_eq!(world.fake.numbers(), [22, 20]);
    world.ask(Start).await.unwrap();
    // Chunk; channel and metadata.
    assert_eq!(world.fake.numbers()[2..], [23, 7, 8, 7, 12]);
    assert!(world.trace().join("ust/uid").is_dir());
    assert!(world.shown_active());
    world.ask(Stop).await.unwrap();
    assert_eq!(world.fake.numbers()[7..], [13, 10]);
    assert!(!world.ask(DataPending).await.unwrap());
    world.ask(Start).await.unwrap();
    // Streams go on, each with a packet that begins now.
    assert_eq!(world.fake.numbers()[9..], [6, 19, 27]);
    let before = world.fake.numbers().len();
    world.ask(Destroy).await.unwrap();
    // Stopped once more; data leave the chunk, metadata behind them; the chunk; the metadata.
    assert_eq!(world.fake.numbers()[before..], [13, 21, 21, 24, 25, 11]);
    assert_eq!(fake.objects(), 0);
    assert_eq!(fake.faults(), [""; 0]);
    assert!(!world.shown_active());
    drop(fake);
    world.end().await;
}
