//! What applications tell.

use lttngd_peer::{AppScript, eventually, eventually_so, open_descriptors};

use super::*;
use crate::{ClearNotifierErrors, CountNotifierErrors};

#[actix::test]
async fn events_are_told_in_their_order_with_what_was_captured() {
    let stage = Stage::new().await;
    stage.set([capturing(1, 2), rule(2)]).await.unwrap();
    let (fake, id) = stage.app(AppScript::default()).await;
    let notifiers = fake.notifiers();
    notifiers.tell(1, b"\x92\x05\xa1a").unwrap();
    notifiers.tell(2, b"").unwrap();
    notifiers.tell(1, b"\x92\xc0\xc0").unwrap();
    eventually("all are told", || stage.notified.all().len() == 3).await;
    let expected = [
        (id, 1, b"\x92\x05\xa1a".to_vec()),
        (id, 2, Vec::new()),
        (id, 1, b"\x92\xc0\xc0".to_vec()),
    ];
    assert_eq!(stage.notified.all(), expected);
    stage.goes(fake, id).await;
    stage.end().await;
}

#[actix::test]
async fn nothing_is_told_of_a_notifier_that_was_ended() {
    let stage = Stage::new().await;
    stage.set([rule(1), rule(2)]).await.unwrap();
    let (fake, id) = stage.app(AppScript::default()).await;
    stage.set([rule(2)]).await.unwrap();
    let notifiers = fake.notifiers();
    for token in [1, 77, 2] {
        notifiers.tell(token, b"").unwrap();
    }
    eventually("the other one is told", || stage.notified.tokens() == [2]).await;
    stage.goes(fake, id).await;
    stage.end().await;
}

#[actix::test]
async fn who_has_no_room_lets_the_pipe_fill_and_nothing_of_it_is_lost() {
    let stage = Stage::new().await;
    stage.set([rule(1)]).await.unwrap();
    let (fake, id) = stage.app(AppScript::default()).await;
    let notifiers = fake.notifiers();
    *stage.notified.holds.lock().unwrap() = Some(Vec::new());
    let mut written = 0;
    // What is read before the first is held back, and then the pipe.
    eventually("the pipe is full and stays so", || {
        let before = written;
        while notifiers.tell(1, b"").is_ok() {
            written += 1;
        }
        written == before && !stage.notified.all().is_empty()
    })
    .await;
    assert!(stage.notified.all().len() < written, "all of it was read");
    *stage.notified.holds.lock().unwrap() = None;
    eventually("all is told", || stage.notified.all().len() == written).await;
    stage.goes(fake, id).await;
    stage.end().await;
}

#[actix::test]
async fn what_an_application_told_before_it_died_is_told_and_nothing_stays_of_it() {
    let stage = Stage::new().await;
    stage.set([rule(1)]).await.unwrap();
    let (first, first_id) = stage.app(AppScript::default()).await;
    stage.goes(first, first_id).await;
    let before = lttngd_peer::at_rest(open_descriptors).await;
    let (fake, id) = stage.app(AppScript::default()).await;
    let notifiers = fake.notifiers();
    notifiers.tell(1, b"").unwrap();
    stage.goes(fake, id).await;
    // Its pipe is open longer than its sockets, and nobody who writes into it is killed.
    eventually("it is gone", || stage.world.told.unregistered().contains(&id)).await;
    notifiers.tell(1, b"").unwrap();
    eventually("both are told", || stage.notified.tokens() == [1, 1]).await;
    drop(notifiers);
    eventually("the pipe is closed", || open_descriptors() <= before).await;
    stage.end().await;
}

#[actix::test]
async fn the_errors_of_all_applications_and_cpus_are_counted_together() {
    let stage = Stage::with(World::new(None).await, settings(Descriptors::unlimited()));
    let value = async |index| stage.apps.send(CountNotifierErrors { index }).await.unwrap();
    assert_eq!(value(3).await, 0);
    stage.set([rule(1)]).await.unwrap();
    let (first, first_id) = stage.app(AppScript::default()).await;
    let (second, second_id) = stage.app(AppScript::default()).await;
    let last_cpu = first.notifiers().cpus() - 1;
    first.notifiers().count(0, 3, 4);
    second.notifiers().count(last_cpu, 15, 7);
    // Both are of one user, and share the memory.
    assert_eq!((value(3).await, value(15).await), (4, 7));
    second.notifiers().count(0, 3, 5);
    assert_eq!((value(3).await, value(16).await), (5, 0));
    stage.goes(first, first_id).await;
    stage.goes(second, second_id).await;
    assert_eq!(value(15).await, 7, "they outlive who counted");
    stage.apps.send(ClearNotifierErrors { index: 3 }).await.unwrap();
    assert_eq!((value(3).await, value(15).await), (0, 7));
    stage.set([]).await.unwrap();
    eventually_so("nobody counts any more", async || {
        stage.set([]).await.unwrap();
        value(15).await == 0
    })
    .await;
    stage.end().await;
}
