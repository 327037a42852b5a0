//! The chunk gate: a buffer set is either in a change of trace chunk or begins in the new chunk.
//!
//! Applications pass the gate to get buffers, any number side by side. A change of trace chunk waits until
//! those that are inside are through, and is alone then; who comes meanwhile waits behind it.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use thiserror::Error;
use tokio::sync::oneshot;

/// Most that wait at the gate of a session.
pub(crate) const GATE_MAX: usize = 1 << 17;

/// Too many wait already.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("too many wait for a change of trace chunk to be over")]
pub(crate) struct GateFull;

/// The gate.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChunkGate(Rc<RefCell<Line>>);

/// Who is inside, and who waits in the order in which they came. No input or output.
#[derive(Debug, Default)]
struct Line {
    /// Applications that are being given buffers.
    inside: usize,
    /// Whether a change of trace chunk is under way.
    changing: bool,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
enum Waiting {
    App(oneshot::Sender<Inside>),
    Change(oneshot::Sender<Alone>),
}

/// The right to get buffers, until it is dropped.
#[derive(Debug)]
pub(crate) struct Inside(ChunkGate);

/// The right to change the trace chunk, until it is dropped.
#[derive(Debug)]
pub(crate) struct Alone(ChunkGate);

impl Line {
    /// Takes the first of those that wait whose turn it is. Who does not wait any more is left out.
    fn next(&mut self) -> Option<Waiting> {
        loop {
            let admitted = match self.waiting.front()? {
                Waiting::App(call) if call.is_closed() => false,
                Waiting::Change(call) if call.is_closed() => false,
                Waiting::App(_) if !self.changing => {
                    self.inside += 1;
                    true
                }
                Waiting::Change(_) if !self.changing && self.inside == 0 => {
                    self.changing = true;
                    true
                }
                Waiting::App(_) | Waiting::Change(_) => return None,
            };
            let first = self.waiting.pop_front();
            if admitted {
                return first;
            }
        }
    }

    fn wait(&mut self, waiting: Waiting) -> Result<(), GateFull> {
        if self.waiting.len() >= GATE_MAX {
            return Err(GateFull);
        }
        self.waiting.push_back(waiting);
        Ok(())
    }
}

impl ChunkGate {
    /// Waits until the changes of trace chunk that are under way or came before are over.
    ///
    /// # Errors
    /// [`GateFull`] at once.
    pub(crate) async fn pass(&self) -> Result<Inside, GateFull> {
        let (call, called) = oneshot::channel();
        self.0.borrow_mut().wait(Waiting::App(call))?;
        self.call_next();
        called.await.map_err(|_| GateFull)
    }

    /// Waits until nobody is inside.
    ///
    /// # Errors
    /// [`GateFull`] at once.
    pub(crate) async fn close(&self) -> Result<Alone, GateFull> {
        let (call, called) = oneshot::channel();
        self.0.borrow_mut().wait(Waiting::Change(call))?;
        self.call_next();
        called.await.map_err(|_| GateFull)
    }

    fn call_next(&self) {
        loop {
            let next = self.0.borrow_mut().next();
            // Whoever went since loses the right with it.
            match next {
                Some(Waiting::App(call)) => drop(call.send(Inside(self.clone()))),
                Some(Waiting::Change(call)) => drop(call.send(Alone(self.clone()))),
                None => return,
            }
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.borrow_mut().inside -= 1;
        self.0.call_next();
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.0.borrow_mut().changing = false;
        self.0.call_next();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_change_waits_for_those_inside_and_those_who_come_wait_for_it() {
        let gate = ChunkGate::default();
        let first = gate.pass().now_or_never().unwrap().unwrap();
        let second = gate.pass().now_or_never().unwrap().unwrap();
        let mut change = Box::pin(gate.close());
        assert!(change.as_mut().now_or_never().is_none(), "two are inside");
        let mut late = Box::pin(gate.pass());
        assert!(late.as_mut().now_or_never().is_none(), "it came after the change");
        drop(first);
        assert!(change.as_mut().now_or_never().is_none(), "one is inside");
        drop(second);
        let alone = change.now_or_never().unwrap().unwrap();
        assert!(late.as_mut().now_or_never().is_none(), "the change is under way");
        drop(alone);
        late.now_or_never().unwrap().unwrap();
    }

    #[test]
    fn who_does_not_wait_any_more_holds_up_nobody() {
        let gate = ChunkGate::default();
        let inside = gate.pass().now_or_never().unwrap().unwrap();
        let mut given_up = Box::pin(gate.close());
        assert!(given_up.as_mut().now_or_never().is_none());
        let mut late = Box::pin(gate.pass());
        assert!(late.as_mut().now_or_never().is_none());
        drop(given_up);
        drop(inside);
        let called = late.now_or_never().unwrap().unwrap();
        // One that was called and does not come gives the right back.
        let mut change = Box::pin(gate.close());
        assert!(change.as_mut().now_or_never().is_none());
        drop(called);
        drop(change);
        gate.pass().now_or_never().unwrap().unwrap();
    }

    #[test]
    fn the_line_has_an_end() {
        let gate = ChunkGate::default();
        let alone = gate.close().now_or_never().unwrap().unwrap();
        let mut waiting: Vec<_> = (0..GATE_MAX).map(|_| Box::pin(gate.pass())).collect();
        assert!(waiting.iter_mut().all(|waits| waits.as_mut().now_or_never().is_none()));
        assert_eq!(gate.pass().now_or_never().unwrap().unwrap_err(), GateFull);
        drop(alone);
        assert!(waiting.into_iter().all(|waits| waits.now_or_never().unwrap().is_ok()));
    }
}
