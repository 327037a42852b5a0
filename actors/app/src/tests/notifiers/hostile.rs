//! Applications that write what nobody can use, or without end.

use lttngd_wire::ust::Abi;
use std::{
    io::ErrorKind,
    sync::atomic::{AtomicBool, Ordering},
};

use lttngd_peer::{AppScript, eventually};

use super::*;

#[actix::test]
async fn captures_that_nobody_can_read_are_left_out_and_the_others_told() {
    let stage = Stage::new().await;
    stage.set([capturing(1, 1), rule(2)]).await.unwrap();
    let (fake, id) = stage.app(AppScript::default()).await;
    let notifiers = fake.notifiers();
    for captures in [&b""[..], b"\x91", b"\x92\x01\x01", b"\xc1", b"\x91\x01\x01", &[0x91; 4000]] {
        notifiers.tell(1, captures).unwrap();
    }
    notifiers.tell(2, b"\x91\x01").unwrap();
    notifiers.tell(1, b"\x91\x07").unwrap();
    eventually("the good one is told", || stage.notified.tokens() == [1]).await;
    assert_eq!(stage.notified.all(), [(id, 1, b"\x91\x07".to_vec())]);
    stage.goes(fake, id).await;
    stage.end().await;
}

#[actix::test]
async fn notifications_in_pieces_are_put_together() {
    let stage = Stage::new().await;
    stage.set([capturing(1, 1)]).await.unwrap();
    let (fake, id) = stage.app(AppScript::default()).await;
    let text = [b"\x91\xd9\xc8".to_vec(), vec![b'a'; 200]].concat();
    let bytes = lttngd_wire::ust::notification::EventNotification {
        token: TracerToken(1),
        captures: &text,
    }
    .encode(Abi::V9);
    for (told, cut) in [1, 8, 9, 41, 42, 43, bytes.len() - 1].into_iter().enumerate() {
        fake.notifiers().write(&bytes[..cut]).unwrap();
        // The first piece is read alone.
        eventually("it is read", || fake.notifiers().unread() == 0).await;
        fake.notifiers().write(&bytes[cut..]).unwrap();
        eventually("it is told", || stage.notified.all().len() == told + 1).await;
    }
    assert!(stage.notified.all().iter().all(|(_, _, captures)| *captures == text));
    stage.goes(fake, id).await;
    stage.end().await;
}

#[actix::test]
async fn a_pipe_that_is_out_of_step_is_read_no_more_and_its_writer_is_not_killed() {
    let stage = Stage::new().await;
    stage.set([rule(1)]).await.unwrap();
    let (wrong, wrong_id) = stage.app(AppScript::default()).await;
    let (right, right_id) = stage.app(AppScript::default()).await;
    wrong.notifiers().tell(1, b"").unwrap();
    // A notification that is larger than any.
    wrong.notifiers().write(&[0xff; 100]).unwrap();
    eventually("the first is told", || stage.notified.tokens() == [1]).await;
    let refused = loop {
        if let Err(error) = wrong.notifiers().tell(1, b"") {
            break error;
        }
    };
    assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    right.notifiers().tell(1, b"").unwrap();
    eventually("another is heard", || stage.notified.tokens() == [1, 1]).await;
    assert_eq!(stage.notified.all()[1].0, right_id);
    // It is still asked for what it is to have.
    stage.set([rule(1), rule(2)]).await.unwrap();
    assert_eq!(created(&wrong), ["p:e1", "p:e2"]);
    stage.goes(wrong, wrong_id).await;
    stage.goes(right, right_id).await;
    stage.end().await;
}

#[actix::test]
async fn one_that_tells_without_end_does_not_keep_others_from_being_heard() {
    let stage = Stage::new().await;
    stage.set([rule(1), rule(2)]).await.unwrap();
    let (loud, loud_id) = stage.app(AppScript::default()).await;
    let (quiet, quiet_id) = stage.app(AppScript::default()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let floods = {
        let (stop, notifiers) = (Arc::clone(&stop), loud.notifiers());
        std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                let _ = notifiers.tell(1, b"");
            }
        })
    };
    eventually("the flood has begun", || stage.notified.tokens().len() > 10_000).await;
    for heard in 1..=20 {
        quiet.notifiers().tell(2, b"").unwrap();
        eventually("the other is heard", || {
            stage.notified.tokens().into_iter().filter(|token| *token == 2).count() == heard
        })
        .await;
    }
    // What else is asked meanwhile is done.
    stage.set([rule(1), rule(2), rule(3)]).await.unwrap();
    stop.store(true, Ordering::SeqCst);
    floods.join().unwrap();
    stage.goes(loud, loud_id).await;
    stage.goes(quiet, quiet_id).await;
    stage.end().await;
}

#[cfg(debug_assertions)]
#[actix::test]
async fn a_failure_while_one_is_read_kills_neither_it_nor_what_others_tell() {
    let stage = Stage::new().await;
    stage.set([rule(1)]).await.unwrap();
    let (fails, fails_id) = stage.app(AppScript::default()).await;
    let (other, other_id) = stage.app(AppScript::default()).await;
    lttngd_runtime::fail_point::fail_here("NotifierPipe read");
    fails.notifiers().tell(1, b"").unwrap();
    eventually("it fails", lttngd_runtime::fail_point::has_failed).await;
    let refused = loop {
        if let Err(error) = fails.notifiers().tell(1, b"") {
            break error;
        }
    };
    assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    other.notifiers().tell(1, b"").unwrap();
    eventually("the other is heard", || stage.notified.tokens() == [1]).await;
    stage.set([rule(1), rule(2)]).await.unwrap();
    assert_eq!(created(&fails), ["p:e1", "p:e2"]);
    stage.goes(fails, fails_id).await;
    stage.goes(other, other_id).await;
    stage.end().await;
}
