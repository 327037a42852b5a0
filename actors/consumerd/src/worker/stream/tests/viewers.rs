//! What viewers of a live stream are told when its timer comes.

use lttngd_ringbuffer::Corruption;

use super::*;
use crate::worker::live::{Tick, tick};

#[test]
fn viewers_are_told_no_time_at_which_events_may_still_be_recorded_that_they_see_later() {
    let mut world = World::remote(true);
    world.does.change(|it| (it.now, it.flush_time) = (1000, 50));
    let told = tick(&mut *world.stream.source, &world.clock);
    assert_eq!(
        told,
        Ok(Tick::Quiet { until: 1000 }),
        "what is recorded from the flush on is newer"
    );
    assert_eq!(world.does.see(|it| (it.now, it.flushes.clone())), (1050, vec![FlushMode::Active]));
}

#[test]
fn viewers_are_told_no_time_while_there_is_a_packet_that_they_have_not_seen() {
    let mut world = World::remote(true);
    world.does.produce(1);
    let told = tick(&mut *world.stream.source, &world.clock);
    assert_eq!(told, Ok(Tick::Packet));
    assert_eq!(world.serve(), TurnEnd::Undescribed, "its metadata goes before it");
}

#[test]
fn viewers_of_a_stream_that_is_lost_are_told_nothing() {
    let mut world = World::remote(true);
    world.does.change(|it| it.lost = true);
    let told = tick(&mut *world.stream.source, &world.clock);
    assert_eq!(told, Err(Corruption::Truncated.into()));
    assert_eq!(world.does.see(|it| it.flushes.len()), 0);
}
