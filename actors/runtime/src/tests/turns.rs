//! The line of commands.

use std::{cell::RefCell, rc::Rc};

use crate::{Turns, TurnsFull};

#[tokio::test(flavor = "current_thread")]
async fn commands_run_one_at_a_time_in_order() {
    let turns = Turns::new(8);
    let order = Rc::new(RefCell::new(Vec::new()));
    let local = tokio::task::LocalSet::new();
    for i in 0..4 {
        let (turns, order) = (turns.clone(), Rc::clone(&order));
        local.spawn_local(async move {
            let _turn = turns.take().await.unwrap();
            order.borrow_mut().push((i, "in"));
            tokio::task::yield_now().await;
            order.borrow_mut().push((i, "out"));
        });
    }
    local.await;
    let expected: Vec<_> = (0..4).flat_map(|i| [(i, "in"), (i, "out")]).collect();
    assert_eq!(*order.borrow(), expected);
}

#[tokio::test(flavor = "current_thread")]
async fn a_full_line_refuses_and_an_abandoned_place_is_free_again() {
    let turns = Turns::new(1);
    let held = turns.take().await.unwrap();
    let mut waiting = Box::pin(turns.take());
    assert!(futures::poll!(&mut waiting).is_pending());
    assert_eq!(turns.take().await.unwrap_err(), TurnsFull);
    drop(waiting);
    let mut again = Box::pin(turns.take());
    assert!(futures::poll!(&mut again).is_pending());
    drop(held);
    assert!(again.await.is_ok());
}
