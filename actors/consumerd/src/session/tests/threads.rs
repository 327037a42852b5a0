//! Which data threads a session gives orders to.

use super::*;

const SNAPSHOTS: ChannelKey = ChannelKey(8);

/// A channel in each of both data threads.
fn in_both() -> Vec<(ChannelKey, Asked)> {
    vec![(KEY, data_channel(KEY, true)), (SNAPSHOTS, data_channel(SNAPSHOTS, false))]
}

#[test]
fn data_is_pending_when_it_is_in_one_of_the_data_threads() {
    run(async || {
        let world = World::with(in_both());
        let (pending, orders) = world.ask(GetDataPending, well).await;
        assert_eq!((pending, orders), (Ok(false), vec!["pending", "pending"]));
        let pends = |order| match order {
            Order::TellDataPending(_, reply) => (reply.answer(true), Some("pending")).1,
            other => well(other),
        };
        let (pending, orders) = world.ask(GetDataPending, pends).await;
        assert_eq!((pending, orders), (Ok(true), vec!["pending"]), "the second is not asked");
    });
}

#[test]
fn a_trace_chunk_is_entered_by_both_data_threads_and_closed_at_its_relay_daemon() {
    run(async || {
        let world = World::with(in_both());
        let (created, orders) = world.ask(create_chunk(1), well).await;
        assert_eq!((created, orders), (Ok(()), vec!["make at relay", "enter", "enter"]));
        let (again, orders) = world.ask(create_chunk(1), well).await;
        assert_eq!(again, Err(Code::CREATE_TRACE_CHUNK_FAILED.into()));
        assert_eq!(orders, Vec::<&str>::new(), "the relay daemon is not asked");
        assert_eq!(world.told(), []);
        let (closed, orders) = world.ask(close_chunk(1, Some(RELAY)), well).await;
        assert_eq!(closed.unwrap().0, "host/session");
        assert_eq!(orders, ["leave", "leave", "close at relay"]);
        assert_eq!(world.told(), []);
        for key in [KEY, SNAPSHOTS] {
            world.session.send(ChannelEnded(key)).await.unwrap();
        }
        assert_eq!(world.told(), [Told::Empty { has_snapshots: true }]);
    });
}

#[test]
fn a_data_thread_without_channels_of_a_session_is_not_woken_for_it() {
    run(async || {
        let world = World::with(Vec::new());
        let (created, orders) = world.ask(create_chunk(1), well).await;
        assert_eq!((created, orders), (Ok(()), vec!["make at relay"]));
        let (pending, orders) = world.ask(GetDataPending, well).await;
        assert_eq!((pending, orders), (Ok(false), vec![]));
        let (closed, orders) = world.ask(close_chunk(1, Some(RELAY)), well).await;
        assert_eq!((closed.unwrap().0, orders), ("host/session".into(), vec!["close at relay"]));
        assert_eq!(world.told(), [Told::Empty { has_snapshots: false }]);
    });
}

#[test]
fn a_channel_that_begins_after_its_trace_chunk_was_entered_is_given_it() {
    run(async || {
        let world = World::with(vec![(KEY, data_channel(KEY, true))]);
        let made = world.ask(create_chunk(1), well).await;
        assert_eq!(made, (Ok(()), vec!["make at relay", "enter"]));
        let begins = |order| match order {
            Order::AddChannel(new, answer) => {
                assert_eq!(new.chunk.as_ref().map(|chunk| chunk.id), Some(ChunkId(1)));
                (answer.answer(Ok(())), Some("add")).1
            }
            other => well(other),
        };
        let (fetched, orders) = world.ask(GetChannel { key: KEY }, begins).await;
        assert_eq!((fetched.unwrap().image, orders), (vec![1, 2], vec!["add"]));
    });
}

#[test]
fn what_a_relay_daemon_owes_of_channels_that_are_over_is_pending() {
    run(async || {
        let world = World::with(Vec::new());
        world.had_relays.set(true);
        let owes = |order| match order {
            Order::TellDataPending(_, reply) => (reply.answer(true), Some("pending")).1,
            other => well(other),
        };
        assert_eq!(world.ask(GetDataPending, owes).await, (Ok(true), vec!["pending"]));
    });
}
