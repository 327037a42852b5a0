//! What nobody behind a command waits for when who asked for it has gone: it goes on beside the commands then.

use std::{
    cell::{Cell, RefCell},
    future::{Future, pending, ready},
    rc::Rc,
};

use actix::Context;
use futures::FutureExt;
use lttngd_runtime::Asker;
use tokio::sync::oneshot;

use crate::{Session, actor::Inner};

/// How far a start is with what decides whether it succeeds. What applications do then decides nothing.
#[derive(Debug, Default)]
pub(crate) struct Footing {
    kernel: Cell<bool>,
    buffers: Cell<bool>,
    stands: RefCell<Option<oneshot::Sender<()>>>,
}

impl Footing {
    /// One that tells when the kernel's tracer does what the session wants, and some applications have buffers.
    pub(crate) fn told() -> (Self, impl Future<Output = ()>) {
        let (stands, told) = oneshot::channel();
        let footing = Self { stands: RefCell::new(Some(stands)), ..Self::default() };
        (footing, async move {
            if told.await.is_err() {
                pending().await
            }
        })
    }

    /// The kernel's tracer does what the session wants, if anything.
    pub(crate) fn kernel_follows(&self) {
        self.kernel.set(true);
        self.look();
    }

    /// Some applications have buffers.
    pub(crate) fn has_buffers(&self) {
        self.buffers.set(true);
        self.look();
    }

    fn look(&self) {
        if self.kernel.get()
            && self.buffers.get()
            && let Some(stands) = self.stands.take()
        {
            // Nobody may want to know.
            let _ = stands.send(());
        }
    }
}

impl Session {
    /// The command that runs now is asked by this one.
    pub(crate) fn is_asked_by(&mut self, asker: Asker, context: &mut Context<Self>) {
        let known = asker.is_known().then(|| (asker, Rc::new(self.works.expect(context))));
        self.inner.asked.replace(known);
    }
}

impl Inner {
    /// Does the last of what the command that runs has to do, or what changes nothing of the rest: while who asked waits, the
    /// command does too. When he has gone, it is done beside those that follow.
    pub(crate) async fn while_asked<T: 'static>(
        &self,
        work: impl Future<Output = T> + 'static,
    ) -> Option<T> {
        self.while_asked_or(ready(()), work).await
    }

    /// The same for a command that waits for `needed` in any case.
    async fn while_asked_or<T: 'static>(
        &self,
        needed: impl Future<Output = ()>,
        work: impl Future<Output = T> + 'static,
    ) -> Option<T> {
        let asked = self.asked.borrow().clone();
        let Some((asker, beside)) = asked else { return Some(work.await) };
        let mut work = work.boxed_local();
        let left = async {
            asker.gone().await;
            needed.await;
        };
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = left => {}
        }
        beside.begin(self.within(async move { drop(work.await) }));
        None
    }

    /// The same for what begins with bringing applications to what the session wants: the newest does all that is left of
    /// one before, which ends.
    pub(crate) async fn newest_while_asked<T: 'static>(
        &self,
        needed: impl Future<Output = ()>,
        work: impl Future<Output = T> + 'static,
    ) -> Option<T> {
        let (until_then, newest) = Asker::new();
        drop(self.left.replace(Some(until_then)));
        let work = async move { newest.while_waits(work).await };
        let done = self.while_asked_or(needed, work).await.flatten();
        if done.is_some() {
            self.left.take();
        }
        done
    }

    /// Brings applications to what the session wants, for a command that needs no more than that they are asked.
    pub(crate) async fn synchronise_while_asked(self: &Rc<Self>) {
        let this = Rc::clone(self);
        let synchronised = async move { this.synchronise_all(&Footing::default()).await };
        let _ = self.newest_while_asked(ready(()), synchronised).await;
    }

    /// Ends what goes on of commands before, and says whether anything may have been left of them.
    pub(crate) fn leave_off(&self) -> bool {
        self.left.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_stands_when_kernel_and_buffers_do() {
        let (footing, stands) = Footing::told();
        let mut stands = Box::pin(stands);
        assert!(stands.as_mut().now_or_never().is_none());
        footing.has_buffers();
        assert!(stands.as_mut().now_or_never().is_none(), "the kernel's may fail still");
        footing.kernel_follows();
        assert!(stands.now_or_never().is_some());
        let (footing, stands) = Footing::told();
        drop(footing);
        assert!(stands.now_or_never().is_none(), "one that came to nothing does not");
    }
}
