//! Data that a test holds, which builds with debug assertions can.
#![cfg(debug_assertions)]

use std::fs;

use lttngd_runtime::Pause;

use super::*;

#[test]
fn data_that_is_held_stays_in_its_buffer_and_is_pending_until_it_may_go_on() {
    let mut world = World::new();
    let chunk = world.chunk(0);
    let _application = world.add_channel(&chunk);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    world.worker.setup.pause = Pause::by_pipe(path.clone()).unwrap();
    fs::write(&path, b"1").unwrap();
    world.worker.streams[0].flush(FlushMode::Full, &PacketClock::default());
    world.worker.make_ready(0);
    world.turn();
    let mut pending = world.ask_data_pending();
    assert_eq!((world.packets(), pending.try_recv()), (0, Ok(true)));
    assert!(world.worker.wait_at_most().is_some_and(|wait| !wait.is_zero()), "it does not spin");
    fs::write(&path, b"\0").unwrap();
    assert_eq!(world.worker.wait_at_most(), Some(Duration::ZERO));
    world.turn();
    assert_eq!(world.packets(), 1);
}
