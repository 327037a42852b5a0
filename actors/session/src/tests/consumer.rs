//! Consumer daemons that refuse, hang or die.

use std::time::Duration;

use lttngd_model::{BufferScheme, Domain, ErrorCode};
use lttngd_peer::{AppScript, ConsumerAct, ConsumerScript};
use lttngd_wire::consumer::ConsumerError as Code;

use super::world::World;
use crate::{DataPending, Destroy, ListChannels, Start, Stop};

const DATA_PENDING: u32 = 6;

#[actix::test]
async fn what_clients_are_told_when_the_consumer_refuses() {
    use ErrorCode as E;
    // The command, and what start, stop and destroy say.
    let cases = [
        (23, Err(E::CreateTraceChunkFailConsumer), None, Ok(())),
        (13, Ok(()), Some(Err(E::UstStopFail)), Ok(())),
        (10, Ok(()), Some(Err(E::UstStopFail)), Err(E::RotationFailConsumer)),
        (21, Ok(()), Some(Ok(())), Err(E::RotationFailConsumer)),
        (24, Ok(()), Some(Ok(())), Err(E::CloseTraceChunkFailConsumer)),
        (11, Ok(()), Some(Ok(())), Err(E::Unk)),
    ];
    for (number, start, stop, destroy) in cases {
        let script = ConsumerScript::at(number, ConsumerAct::Refuse(Code::FATAL));
        let world = World::new(script, BufferScheme::PerUid).await;
        let fake = world.app(AppScript::default()).await;
        assert_eq!(world.ask(Start).await, start, "{number}");
        if let Some(stop) = stop {
            assert_eq!(world.ask(Stop).await, stop, "{number}");
        }
        assert_eq!(world.ask(Destroy).await.map(drop), destroy, "{number}");
        assert_eq!(world.ask(Stop).await, Err(E::SessNotFound), "gone all the same");
        assert_eq!(fake.objects(), 0);
        drop(fake);
        world.end().await;
    }
}

#[actix::test]
async fn a_session_whose_packets_are_not_opened_is_not_started() {
    let mut refusals = 1;
    let script = ConsumerScript::new(move |message| match message.number() {
        27 if refusals > 0 => {
            refusals -= 1;
            ConsumerAct::Refuse(Code::FATAL)
        }
        _ => ConsumerAct::Answer,
    });
    let world = World::new(script, BufferScheme::PerUid).await;
    let fake = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    world.ask(Stop).await.unwrap();
    assert_eq!(world.ask(Start).await, Err(ErrorCode::UstStartFail));
    assert!(!world.shown_active());
    assert_eq!(world.ask(Stop).await, Err(ErrorCode::TraceAlreadyStopped));
    world.ask(Start).await.unwrap();
    assert!(world.shown_active());
    world.ask(Destroy).await.unwrap();
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn a_start_whose_chunk_was_refused_can_be_made_again() {
    let mut refusals = 1;
    let script = ConsumerScript::new(move |message| match message.number() {
        23 if refusals > 0 => {
            refusals -= 1;
            ConsumerAct::Refuse(Code::CREATE_TRACE_CHUNK_FAILED)
        }
        _ => ConsumerAct::Answer,
    });
    let world = World::new(script, BufferScheme::PerUid).await;
    assert_eq!(world.ask(Start).await, Err(ErrorCode::CreateTraceChunkFailConsumer));
    assert_eq!(world.ask(Stop).await, Err(ErrorCode::TraceAlreadyStopped));
    world.ask(Start).await.unwrap();
    world.ask(Destroy).await.unwrap();
    world.end().await;
}

#[actix::test]
async fn a_session_that_failed_in_its_consumer_daemon_has_no_data_to_wait_for() {
    let script = ConsumerScript::at(DATA_PENDING, ConsumerAct::Refuse(Code::FATAL));
    let world = World::new(script, BufferScheme::PerUid).await;
    let fake = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    world.ask(Stop).await.unwrap();
    assert_eq!(world.ask(DataPending).await, Ok(false), "what it had is written unasked");
    world.ask(Destroy).await.unwrap();
    drop(fake);
    world.end().await;
    // Of another refusal nobody knows what it means.
    let script = ConsumerScript::at(DATA_PENDING, ConsumerAct::Refuse(Code::ENOMEM));
    let world = World::new(script, BufferScheme::PerUid).await;
    let fake = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    world.ask(Stop).await.unwrap();
    assert_eq!(world.ask(DataPending).await, Err(ErrorCode::Unk));
    world.ask(Destroy).await.unwrap();
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn a_consumer_that_dies_at_any_command_leaves_a_session_that_can_be_listed_and_destroyed() {
    for number in [23, 7, 8, 12, 13, 10, 6, 17, 21, 24, 25, 11] {
        let world =
            World::new(ConsumerScript::at(number, ConsumerAct::Die), BufferScheme::PerUid).await;
        let fake = world.app(AppScript::default()).await;
        // Whatever they answer, they do answer.
        let _ = world.ask(Start).await;
        drop(world.ask(ListChannels { domain: Domain::Ust }).await);
        let _ = world.ask(Stop).await;
        let _ = world.ask(DataPending).await;
        let _ = world.ask(Destroy).await;
        assert_eq!(world.ask(Stop).await, Err(ErrorCode::SessNotFound), "{number}");
        assert_eq!(fake.objects(), 0, "{number}: applications are freed");
        drop(fake);
        world.end().await;
    }
}

#[actix::test]
async fn a_lost_session_does_not_touch_the_next_consumer() {
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    let fake = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    world.lose_consumer().await;
    world.start_consumer().await;
    let before = world.fake.numbers();
    let late = world.app(AppScript::default()).await;
    assert!(!late.has_got(0x40), "the session is lost to it");
    // What was recorded is not all there, and the session can be listed and destroyed all the same.
    assert_eq!(world.ask(Stop).await, Err(ErrorCode::NoUstconsumerd));
    assert_eq!(world.ask(Stop).await, Err(ErrorCode::TraceAlreadyStopped));
    assert_eq!(world.ask(Start).await, Err(ErrorCode::NoUstconsumerd));
    assert!(!world.ask(DataPending).await.unwrap());
    world.ask(ListChannels { domain: Domain::Ust }).await.unwrap();
    assert_eq!(world.ask(Destroy).await.map(drop), Err(ErrorCode::NoUstconsumerd));
    assert_eq!(world.ask(Stop).await, Err(ErrorCode::SessNotFound), "gone all the same");
    // Of a consumer that never heard of the channels only their counters are asked.
    let after: Vec<_> = world.fake.numbers()[before.len()..].to_vec();
    assert!(after.iter().all(|number| *number == 17), "{after:?}");
    assert_eq!(fake.objects(), 0);
    drop((fake, late));
    world.end().await;
}

#[actix::test]
async fn a_consumer_that_hangs_costs_its_deadline() {
    let soon = Duration::from_secs(1);
    let script = ConsumerScript::at(13, ConsumerAct::Silent);
    let world = World::with_deadlines(script, BufferScheme::PerUid, None, soon).await;
    let fake = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    assert_eq!(world.ask(Stop).await, Err(ErrorCode::UstStopFail));
    assert_eq!(world.ask(DataPending).await, Err(ErrorCode::Unk));
    assert!(world.ask(Destroy).await.is_err());
    assert_eq!(fake.objects(), 0);
    world.fake.kill();
    drop(fake);
    world.end().await;
}
