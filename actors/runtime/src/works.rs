//! Works of an actor that go on side by side in its own context, while its mailbox goes on as well.
//!
//! A panic of a work ends the actor, as that of a handler does. Of many works only those are looked at that
//! were woken, while futures that are spawned in an actor's context one by one are looked at all together
//! each time that one of them is woken.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Context as Poller, Poll, Waker},
};

use actix::{
    Actor, AsyncContext, Context, Message,
    dev::{MessageResponse, OneshotSender},
    fut::wrap_future,
};
use futures::{
    StreamExt,
    future::{FutureExt, LocalBoxFuture},
    stream::FuturesUnordered,
};

use crate::answer;

/// The works of an actor, as a part of it.
#[derive(Clone, Default)]
pub struct Works {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Works that were begun and not looked at yet.
    begun: RefCell<Vec<LocalBoxFuture<'static, ()>>>,
    /// Whether the actor looks at the works.
    is_driven: Cell<bool>,
    /// Who may begin works without the actor's context.
    expected: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

/// The right to begin works where the actor's context is not at hand.
pub struct MayBegin(Rc<Shared>);

/// The reply of a handler: what a work gives in the end.
pub struct Beside<T> {
    works: Works,
    work: LocalBoxFuture<'static, T>,
}

impl Works {
    /// Begins a work.
    pub fn begin<A>(&self, context: &mut Context<A>, work: impl Future<Output = ()> + 'static)
    where
        A: Actor<Context = Context<A>>,
    {
        self.shared.push(work.boxed_local());
        self.drive(context);
    }

    /// Lets a command of the actor begin works later.
    pub fn expect<A>(&self, context: &mut Context<A>) -> MayBegin
    where
        A: Actor<Context = Context<A>>,
    {
        let shared = Rc::clone(&self.shared);
        shared.expected.set(shared.expected.get() + 1);
        self.drive(context);
        MayBegin(shared)
    }

    /// Answers a message with what a work gives.
    pub fn answer<T>(&self, work: impl Future<Output = T> + 'static) -> Beside<T> {
        Beside { works: self.clone(), work: work.boxed_local() }
    }

    fn drive<A>(&self, context: &mut Context<A>)
    where
        A: Actor<Context = Context<A>>,
    {
        if self.shared.is_driven.replace(true) {
            return;
        }
        let (shared, mut works) = (Rc::clone(&self.shared), FuturesUnordered::new());
        let driver = poll_fn(move |poller| shared.poll(&mut works, poller));
        context.spawn(wrap_future::<_, A>(driver));
    }
}

impl Shared {
    fn push(&self, work: LocalBoxFuture<'static, ()>) {
        self.begun.borrow_mut().push(work);
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Looks at the works that were woken or begun. Over when there is none, and none is expected.
    fn poll(
        &self,
        works: &mut FuturesUnordered<LocalBoxFuture<'static, ()>>,
        poller: &mut Poller<'_>,
    ) -> Poll<()> {
        loop {
            works.extend(self.begun.take());
            let looked_at = works.poll_next_unpin(poller);
            if !self.begun.borrow().is_empty() || matches!(looked_at, Poll::Ready(Some(()))) {
                continue;
            }
            if looked_at.is_ready() && self.expected.get() == 0 {
                self.is_driven.set(false);
                return Poll::Ready(());
            }
            self.waker.replace(Some(poller.waker().clone()));
            return Poll::Pending;
        }
    }
}

impl<T> Beside<T> {
    /// The work itself, to be a part of another.
    #[must_use]
    pub fn into_work(self) -> LocalBoxFuture<'static, T> {
        self.work
    }
}

impl MayBegin {
    /// Begins a work.
    pub fn begin(&self, work: impl Future<Output = ()> + 'static) {
        self.0.push(work.boxed_local());
    }
}

impl Drop for MayBegin {
    fn drop(&mut self) {
        self.0.expected.set(self.0.expected.get() - 1);
        let waker = self.0.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<A, M> MessageResponse<A, M> for Beside<M::Result>
where
    A: Actor<Context = Context<A>>,
    M: Message,
{
    fn handle(self, context: &mut Context<A>, reply: Option<OneshotSender<M::Result>>) {
        let Self { works, work } = self;
        works.begin(context, async move {
            let outcome = work.await;
            if let Some(reply) = reply {
                answer(reply, outcome);
            }
        });
    }
}
