//! Rotations of a session's own accord.

use lttngd_model::{BufferScheme, ErrorCode};
use lttngd_peer::{AppScript, ConsumerScript, eventually};
use lttngd_wire::consumer::{Message, MonitorSample};

use super::world::World;
use crate::{
    Destroy, GetRotationInfo, ListRotationSchedules, RotationSchedule, RotationSchedules,
    RotationState, SetRotationSchedule, Start, Stop, schedule::ROTATION_PERIOD_MIN,
};

const PERIOD: RotationSchedule = RotationSchedule::Periodic { period_us: 20_000 };
const SIZE: RotationSchedule = RotationSchedule::SizeThreshold { bytes: 1000 };
const CREATE_TRACE_CHUNK: u32 = 23;

async fn set(world: &World, add: bool, schedule: RotationSchedule) -> Result<(), ErrorCode> {
    world.ask(SetRotationSchedule { add, schedule }).await
}

fn chunks(world: &World) -> usize {
    world.fake.count(CREATE_TRACE_CHUNK)
}

#[actix::test]
async fn a_session_is_rotated_periodically_while_it_is_active() {
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    set(&world, true, PERIOD).await.unwrap();
    assert_eq!(set(&world, true, PERIOD).await, Err(ErrorCode::RotationScheduleSet));
    let listed = RotationSchedules { period_us: Some(20_000), size_bytes: None };
    assert_eq!(world.ask(ListRotationSchedules).await, Ok(listed));
    assert_eq!(chunks(&world), 0, "it is not active");
    world.ask(Start).await.unwrap();
    eventually("it is rotated twice", || chunks(&world) >= 3).await;
    world.ask(Stop).await.unwrap();
    let stopped = chunks(&world);
    tokio::time::sleep(3 * ROTATION_PERIOD_MIN).await;
    assert_eq!(chunks(&world), stopped, "it is stopped");
    world.ask(Start).await.unwrap();
    eventually("it is rotated again", || chunks(&world) >= stopped + 2).await;
    set(&world, false, PERIOD).await.unwrap();
    let removed = chunks(&world);
    tokio::time::sleep(3 * ROTATION_PERIOD_MIN).await;
    assert_eq!(chunks(&world), removed, "the schedule is gone");
    // A schedule for an active session begins at once.
    set(&world, true, PERIOD).await.unwrap();
    eventually("it is rotated after all", || chunks(&world) > removed).await;
    world.ask(Destroy).await.unwrap();
    world.end().await;
}

#[actix::test]
async fn a_session_is_rotated_when_enough_was_written() {
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    set(&world, true, SIZE).await.unwrap();
    world.ask(Start).await.unwrap();
    let app = world.app(AppScript::default()).await;
    let is_data = |message: &Message| match message {
        Message::GetChannel { key } => Some(*key),
        _ => None,
    };
    let key = world.fake.messages().iter().find_map(is_data).unwrap();
    let write = |total_consumed| {
        let total_packets = None;
        let sample = MonitorSample { key, lowest: 0, highest: 0, total_consumed, total_packets };
        world.fake.write_monitor_pipe(&sample.encode());
    };
    write(999);
    write(1000);
    eventually("it is rotated", || chunks(&world) == 2).await;
    let info = || world.ask(GetRotationInfo { rotation_id: 0 });
    lttngd_peer::eventually_so("the rotation is over", async || {
        info().await.unwrap().state == RotationState::Completed
    })
    .await;
    write(1999);
    write(2000);
    eventually("it is rotated again", || chunks(&world) == 3).await;
    world.ask(Stop).await.unwrap();
    world.ask(Destroy).await.unwrap();
    drop(app);
    world.end().await;
}
