//! What was asked on the command socket, in the order in which it was, and what was answered. No input or
//! output.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use lttngd_wire::ust::{
    Abi,
    command::{ReplyHead, UstError, reply_len},
};

use crate::error::Broken;

/// What is wanted of a reply.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wants {
    /// Nothing but that it grants: it only says that what follows the request is taken, which is on its way
    /// already.
    Grant,
    /// Its value alone.
    Value,
    /// All of it.
    Reply,
    /// So many bytes that follow it if it grants the request.
    Entry(usize),
}

/// What was granted.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Granted {
    pub(super) value: u32,
    /// What is wanted of the reply besides.
    pub(super) bytes: Vec<u8>,
}

/// The requests that were not answered, or whose answer was not taken.
#[derive(Debug, Default)]
pub(super) struct Line {
    asked: VecDeque<Asked>,
    /// The number of the first of them: how many there were before.
    first: u64,
    /// How many of them are answered. They are answered in their order.
    answered: usize,
    /// The jobs that were answered, a bit for each.
    jobs: u32,
}

#[derive(Debug)]
struct Asked {
    /// Handle and number of the request.
    request: (u32, u32),
    wants: Wants,
    job: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Who is woken when it is answered, where that is not who looks at the jobs.
    Waits(Option<Waker>),
    Answered(Result<Granted, UstError>),
    /// Nobody waits, or whoever did has the answer.
    Over,
}

impl Line {
    /// Something is asked, for a job: its number.
    pub(super) fn push(&mut self, request: (u32, u32), wants: Wants, job: u32) -> u64 {
        self.asked.push_back(Asked { request, wants, job, state: State::Waits(None) });
        self.first + (self.asked.len() as u64 - 1)
    }

    fn at(&mut self, at: u64) -> Option<&mut Asked> {
        let at = usize::try_from(at.checked_sub(self.first)?).ok()?;
        self.asked.get_mut(at)
    }

    /// The same for a reply that comes before the one to the request.
    pub(super) fn push_early(&mut self, handle: u32, number: u32, job: u32) {
        let request = (handle, number);
        self.asked.push_back(Asked { request, wants: Wants::Grant, job, state: State::Over });
    }

    /// Takes the answer to a request, if it is there.
    pub(super) fn poll(
        &mut self,
        at: u64,
        context: &mut Context<'_>,
    ) -> Poll<Result<Granted, UstError>> {
        let Some(Asked { state, .. }) = self.at(at) else { return Poll::Pending };
        match std::mem::replace(state, State::Over) {
            State::Answered(answer) => {
                self.forget();
                Poll::Ready(answer)
            }
            State::Waits(_) => {
                let waker = context.waker();
                *state = State::Waits((!waker.will_wake(Waker::noop())).then(|| waker.clone()));
                Poll::Pending
            }
            State::Over => Poll::Pending,
        }
    }

    /// Nobody waits for the answer to a request.
    pub(super) fn abandon(&mut self, at: u64) {
        if let Some(asked) = self.at(at) {
            asked.state = State::Over;
            self.forget();
        }
    }

    /// Forgets those of which nothing is to come any more.
    fn forget(&mut self) {
        while self.answered > 0
            && matches!(self.asked.front(), Some(Asked { state: State::Over, .. }))
        {
            self.asked.pop_front();
            self.first += 1;
            self.answered -= 1;
        }
    }

    /// Whether all that was asked is answered.
    pub(super) fn is_answered(&self) -> bool {
        self.answered == self.asked.len()
    }

    /// Whether nothing is asked. It holds no memory then.
    pub(super) fn is_at_rest(&mut self) -> bool {
        if self.asked.is_empty() && self.asked.capacity() > 0 {
            self.asked = VecDeque::new();
        }
        self.asked.is_empty()
    }

    /// The jobs that were answered since this was asked last, a bit for each.
    pub(super) fn take_answered(&mut self) -> u32 {
        std::mem::take(&mut self.jobs)
    }

    /// Takes the replies in the form of an ABI that have come whole, and what follows them; how many bytes these are.
    ///
    /// # Errors
    /// A reply to something else.
    pub(super) fn deliver(&mut self, received: &[u8], abi: Abi) -> Result<usize, Broken> {
        let mut rest = received;
        while let Some(next) = self.asked.get_mut(self.answered)
            && let Some((bytes, behind)) = rest.split_at_checked(reply_len(abi))
        {
            let granted = ReplyHead::decode(bytes, abi)?.check(next.request.0, next.request.1);
            match (next.wants, granted) {
                (_, Err(error @ UstError::Mismatch { .. })) => {
                    return Err(Broken::Protocol(error.to_string()));
                }
                (Wants::Grant, Err(error)) => {
                    let reason = format!("it does not take what follows a request: {error}");
                    return Err(Broken::Protocol(reason));
                }
                _ => {}
            }
            let len = match (next.wants, granted) {
                (Wants::Entry(len), Ok(_)) => len,
                _ => 0,
            };
            let Some((entry, behind)) = behind.split_at_checked(len) else { break };
            rest = behind;
            self.answered += 1;
            self.jobs |= 1 << next.job;
            if let State::Waits(waker) = &mut next.state {
                let waker = waker.take();
                let wanted = match next.wants {
                    Wants::Grant | Wants::Value => &[][..],
                    Wants::Reply => bytes,
                    Wants::Entry(_) => entry,
                };
                let granted = granted.map(|value| Granted { value, bytes: wanted.to_vec() });
                next.state = State::Answered(granted);
                waker.into_iter().for_each(Waker::wake);
            }
        }
        self.forget();
        Ok(received.len() - rest.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_wire::ust::command::{REPLY_LEN, Reply};

    use super::*;

    /// The answer, if it is there.
    fn take(line: &mut Line, at: u64) -> Option<Result<Granted, UstError>> {
        match line.poll(at, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }

    fn reply(handle: u32, value: u32) -> Vec<u8> {
        Reply::new(handle, 9, 0, value).encode(Abi::V9)
    }

    #[test]
    fn answers_are_taken_in_any_order_and_nothing_of_them_stays() {
        let mut line = Line::default();
        let asked: Vec<_> = (0..4).map(|i| line.push((i, 9), Wants::Value, i)).collect();
        let bytes: Vec<u8> = (0..3).flat_map(|i| reply(i, 10 + i)).collect();
        // The third has not come whole.
        let whole = 2 * REPLY_LEN;
        assert_eq!(line.deliver(&bytes[..whole + 5], Abi::V9).unwrap(), whole);
        assert_eq!(line.take_answered(), 0b11);
        assert_eq!(take(&mut line, asked[2]), None);
        assert_eq!(take(&mut line, asked[1]).unwrap().unwrap().value, 11);
        assert_eq!(take(&mut line, asked[0]).unwrap().unwrap().value, 10);
        assert_eq!(line.asked.len(), 2);
        assert_eq!(line.deliver(&bytes[whole..], Abi::V9).unwrap(), REPLY_LEN);
        assert_eq!((line.take_answered(), line.is_answered()), (0b100, false));
        // Whoever was answered and whoever was not give up.
        line.abandon(asked[3]);
        line.abandon(asked[2]);
        assert!(!line.is_answered(), "its reply is still to be read");
        assert_eq!(line.deliver(&reply(3, 13), Abi::V9).unwrap(), REPLY_LEN);
        assert!(line.is_at_rest() && line.is_answered());
        assert_eq!(take(&mut line, asked[0]), None);
        assert_eq!(line.push((0, 9), Wants::Value, 0), 4);
    }

    #[test]
    fn what_follows_a_reply_belongs_to_it_if_it_grants() {
        let mut line = Line::default();
        let entry = |line: &mut Line| line.push((1, 9), Wants::Entry(3), 0);
        let (first, second) = (entry(&mut line), entry(&mut line));
        let granted = [reply(1, 0), b"abc".to_vec()].concat();
        assert_eq!(line.deliver(&granted[..granted.len() - 1], Abi::V9).unwrap(), 0);
        let refused = Reply::new(1, 9, -1025, 0).encode(Abi::V9);
        let all = [granted, refused].concat();
        assert_eq!(line.deliver(&all, Abi::V9).unwrap(), all.len());
        assert_eq!(take(&mut line, first).unwrap().unwrap().bytes, b"abc");
        assert_eq!(take(&mut line, second).unwrap(), Err(UstError::NoEntry));
        assert!(line.is_at_rest());
    }

    #[test]
    fn a_reply_to_something_else_is_an_end() {
        let mut line = Line::default();
        line.push((1, 9), Wants::Reply, 0);
        assert!(matches!(line.deliver(&reply(2, 0), Abi::V9), Err(Broken::Protocol(_))));
    }
}
