//! Points in the middle of what parts of the daemon do, at which tests have them fail, to see what becomes
//! of the rest. A build without debug assertions, as every release is one, has none.
//!
//! A point is named by who fails and at what, as `Session start`. The next who comes there fails, once: in
//! whichever thread ([`fail_at`]), or in that of a test beside which others run ([`fail_here`]).

/// The environment variable with the point at which a process of a test fails first.
pub const FAIL_AT: &str = "LTTNGD_FAIL_AT";

#[cfg(debug_assertions)]
pub(crate) use armed::command;
#[cfg(debug_assertions)]
pub use armed::{fail_at, fail_here, has_failed, in_the_middle, reached};
#[cfg(not(debug_assertions))]
pub(crate) use unarmed::command;
#[cfg(not(debug_assertions))]
pub use unarmed::{in_the_middle, reached};

#[cfg(debug_assertions)]
mod armed {
    use std::{
        any::type_name,
        cell::RefCell,
        fmt::Display,
        future::poll_fn,
        pin::{Pin, pin},
        sync::{LazyLock, Mutex, MutexGuard, PoisonError},
        task::{Context, Poll},
    };

    use actix::{Actor, fut::ActorFuture};

    use super::FAIL_AT;

    static NEXT: LazyLock<Mutex<Option<String>>> =
        LazyLock::new(|| Mutex::new(std::env::var(FAIL_AT).ok()));

    thread_local! {
        static HERE: RefCell<Option<String>> = const { RefCell::new(None) };
    }

    fn next() -> MutexGuard<'static, Option<String>> {
        NEXT.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the next one fail that comes to `point`, in whichever thread.
    pub fn fail_at(point: impl Into<String>) {
        *next() = Some(point.into());
    }

    /// Has the next one fail that comes to `point` in this thread.
    pub fn fail_here(point: impl Into<String>) {
        HERE.set(Some(point.into()));
    }

    /// Whether nobody is to fail any more, as far as this thread knows.
    #[must_use]
    pub fn has_failed() -> bool {
        next().is_none() && HERE.with_borrow(Option::is_none)
    }

    /// Somebody is at `point`.
    ///
    /// # Panics
    /// When a test wants it.
    pub fn reached(point: impl Display) {
        if has_failed() {
            return;
        }
        let point = point.to_string();
        let here = HERE.with_borrow_mut(|here| here.take_if(|it| *it == point));
        if here.is_some() || next().take_if(|next| *next == point).is_some() {
            panic!("a test has this fail: {point}");
        }
    }

    /// Is at the point that `name` gives whenever `future` is looked at after it has had to wait.
    pub async fn in_the_middle<F: Future>(name: impl Fn() -> String, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut waited = false;
        poll_fn(|context| {
            if waited && !has_failed() {
                reached(name());
            }
            let polled = future.as_mut().poll(context);
            waited = polled.is_pending();
            polled
        })
        .await
    }

    /// A command of an actor, which is in the middle as [`in_the_middle`] says, at the point that is named by
    /// the actor's type and the command's name.
    pub(crate) fn command<A: Actor, F: ActorFuture<A>>(
        name: &'static str,
        work: F,
    ) -> impl ActorFuture<A, Output = F::Output> {
        Command { name, work: Box::pin(work), waited: false }
    }

    struct Command<F> {
        name: &'static str,
        work: Pin<Box<F>>,
        waited: bool,
    }

    impl<A: Actor, F: ActorFuture<A>> ActorFuture<A> for Command<F> {
        type Output = F::Output;

        fn poll(
            mut self: Pin<&mut Self>,
            actor: &mut A,
            context: &mut A::Context,
            task: &mut Context<'_>,
        ) -> Poll<F::Output> {
            if self.waited && !has_failed() {
                let whose = type_name::<A>().rsplit("::").next().unwrap_or_default();
                reached(format_args!("{whose} {}", self.name));
            }
            let polled = self.work.as_mut().poll(actor, context, task);
            self.waited = polled.is_pending();
            polled
        }
    }
}

#[cfg(not(debug_assertions))]
mod unarmed {
    /// Somebody is at `point`.
    pub fn reached(_: impl std::fmt::Display) {}

    /// Is `work`.
    pub(crate) fn command<F>(_: &'static str, work: F) -> F {
        work
    }

    /// Is `future`.
    pub fn in_the_middle<F: Future>(_: impl Fn() -> String, future: F) -> F {
        future
    }
}
