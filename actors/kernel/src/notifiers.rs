//! The actor of the event notifiers: events of the kernel that match a rule are told when they happen.

mod group;
mod reading;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, ResponseFuture,
    WrapFuture,
};
use lttngd_model::{ErrorCode, TracerToken, kernel::KernelNotifier};
use lttngd_runtime::{Backoff, FailureNotice, Outlet, Pause, Queue, tell};

use self::{group::Group, reading::Reading};
use crate::{
    AddNotifier, CloseNotifiers, CountErrors, Device, EnsureReady, KernelEventsNotified,
    RemoveNotifier, Tracer, device::Calls, error::Refused,
};

/// Most requests that are taken in the order in which they are sent: a notifier is not to be taken back before it
/// was added.
const REQUESTS_MAX: usize = 1 << 12;
/// First and longest pause before another group takes the place of one whose notifications are not read any more.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(10));

/// What the actor of the event notifiers is told when it is made.
#[derive(Clone, Debug)]
pub struct NotifiersConfig {
    /// The tracer.
    pub tracer: Addr<Tracer>,
    /// How many notifiers can have a counter of errors, at least 1.
    pub error_counters: u16,
    /// As long as it is on nothing of what the tracer tells is read, as tests want it.
    pub pause: Pause,
}

/// The actor of the event notifiers. The tracer has none of them before the first is wanted.
pub struct Notifiers {
    config: NotifiersConfig,
    /// Of all that is done with the group.
    queue: Queue<Self>,
    /// It is not here while something is done with it.
    there: Option<There>,
    /// Those that there are.
    wanted: BTreeMap<TracerToken, Arc<KernelNotifier>>,
    /// Who is told of events, from the first notifier on.
    notified: Option<Outlet<KernelEventsNotified>>,
    pauses: Backoff,
    /// Whether the daemon ends.
    closed: bool,
    _failure: Option<FailureNotice>,
}

/// The tracer has a group, whose notifications are read.
struct There {
    device: Device,
    group: Group,
    reading: Reading,
}

impl There {
    /// Lets go of the group, and waits until the tracer has.
    async fn end(self) {
        let Self { device, group, reading } = self;
        reading.end().await;
        device.run(move |_| drop(group)).await;
    }
}

/// What a group is made with.
struct Making {
    config: NotifiersConfig,
    wanted: Vec<Arc<KernelNotifier>>,
    notified: Outlet<KernelEventsNotified>,
    /// Tells when what the group says is not read any more.
    unread: FailureNotice,
}

impl Making {
    async fn make(self) -> Result<There, ErrorCode> {
        // It fails only when that actor failed.
        let ready = self.config.tracer.send(EnsureReady).await.map_err(|_| ErrorCode::KernNa)?;
        let device = ready.map_err(|error| error.code())?;
        if !device.has_notifiers() {
            return Err(ErrorCode::NotSupported);
        }
        let (wanted, error_counters) = (self.wanted, self.config.error_counters.into());
        let of = device.clone();
        let group = device.run(move |calls| {
            let mut group = Group::create(&of, calls, error_counters)?;
            group.restore(calls, &wanted);
            Ok::<_, ErrorCode>(group)
        });
        let group = group.await?;
        let told = (self.notified, self.config.pause);
        let reading = Reading::begin(group.notifications(), told, self.unread);
        Ok(There { device, group, reading })
    }
}

impl Notifiers {
    /// Of which the tracer has none.
    #[must_use]
    pub fn new(config: NotifiersConfig) -> Self {
        Self {
            config,
            queue: Queue::new(REQUESTS_MAX),
            there: None,
            wanted: BTreeMap::new(),
            notified: None,
            pauses: Backoff::new(PAUSES.0, PAUSES.1),
            closed: false,
            _failure: None,
        }
    }

    /// The same, whose owner is told when it fails. Nothing is left of it then.
    #[must_use]
    pub fn with_failure_notice(mut self, notice: FailureNotice) -> Self {
        self._failure = Some(notice);
        self
    }

    /// Does something with the group when what came before is done; `None` without a group, which is made when one
    /// `is_needed` or there are notifiers. `settle` is for what was done.
    fn in_turn<T: Send + 'static>(
        &mut self,
        context: &mut Context<Self>,
        name: &'static str,
        is_needed: bool,
        work: impl FnOnce(&Calls<'_>, &mut Group) -> Result<T, ErrorCode> + Send + 'static,
        settle: impl FnOnce(&mut Self) + 'static,
    ) -> ResponseFuture<Result<Option<T>, ErrorCode>> {
        let begin = move |notifiers: &mut Self, context: &mut Context<Self>| {
            let there = notifiers.there.take();
            let making = notifiers.making(is_needed, context);
            let done = async move {
                let there = match (living(there).await, making) {
                    (Some(there), _) => there,
                    (None, Some(making)) => match making.make().await {
                        Ok(there) => there,
                        Err(code) => return (None, Err(code)),
                    },
                    (None, None) => return (None, Ok(None)),
                };
                let There { device, mut group, reading } = there;
                let (group, outcome) = device
                    .run(move |calls| {
                        let outcome = work(calls, &mut group);
                        (group, outcome)
                    })
                    .await;
                let is_over = group.is_over();
                let there = There { device, group, reading };
                let there = match is_over {
                    true => {
                        there.end().await;
                        None
                    }
                    false => Some(there),
                };
                (there, outcome.map(Some))
            };
            done.into_actor(notifiers).map(|(there, outcome), notifiers: &mut Self, _| {
                notifiers.there = there;
                if outcome.is_ok() {
                    settle(notifiers);
                }
                outcome.map_err(Refused)
            })
        };
        let done =
            Queue::run_on_actor(|notifiers| &mut notifiers.queue, self, context, name, begin);
        Box::pin(async move { done.await.map_err(|Refused(code)| code) })
    }

    /// What a group would be made with, if there is to be one.
    fn making(&self, is_needed: bool, context: &mut Context<Self>) -> Option<Making> {
        let is_needed = is_needed || !self.wanted.is_empty();
        let notified = self.notified.clone().filter(|_| is_needed && !self.closed)?;
        let wanted = self.wanted.values().cloned().collect();
        let this = context.address().downgrade();
        let unread = FailureNotice::of(move || {
            if let Some(this) = this.upgrade() {
                tell(&this, Unread);
            }
        });
        Some(Making { config: self.config.clone(), wanted, notified, unread })
    }

    /// Has another group take the place of one whose notifications are not read, after a pause: what keeps them
    /// from being read may last.
    fn read_again(&mut self, context: &mut Context<Self>) {
        context.run_later(self.pauses.step(), |notifiers, context| {
            let again = notifiers.in_turn(context, "read again", false, |_, _| Ok(()), |_| ());
            let settled =
                again.into_actor(notifiers).map(|outcome, notifiers: &mut Self, context| {
                    if let Err(code) = outcome {
                        tracing::error!(%code, "events of the kernel are not told");
                        notifiers.read_again(context);
                    }
                });
            context.spawn(settled);
        });
    }
}

/// What the tracer tells is not read any more, as was meant or not.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct Unread;

impl Handler<Unread> for Notifiers {
    type Result = ();

    fn handle(&mut self, _: Unread, context: &mut Self::Context) {
        let is_read = self.there.as_ref().is_some_and(|there| !there.reading.is_over());
        if is_read || self.closed || self.wanted.is_empty() {
            return;
        }
        self.read_again(context);
    }
}

/// The group, unless what it tells cannot be read, or the tracer that has it is lost: then there is to be another
/// one.
async fn living(there: Option<There>) -> Option<There> {
    let there = there?;
    if !there.reading.is_over() && there.device.is_there().await {
        return Some(there);
    }
    there.end().await;
    None
}

impl Actor for Notifiers {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(REQUESTS_MAX);
    }
}

impl Drop for Notifiers {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("events of the kernel are told no more after a failure");
        }
    }
}

impl Handler<AddNotifier> for Notifiers {
    type Result = ResponseFuture<Result<(), ErrorCode>>;

    fn handle(&mut self, request: AddNotifier, context: &mut Self::Context) -> Self::Result {
        let AddNotifier { notifier, notified } = request;
        self.notified = Some(notified);
        let wanted = Arc::clone(&notifier);
        let add = move |calls: &Calls<'_>, group: &mut Group| group.add(calls, &notifier);
        let settle = move |notifiers: &mut Self| {
            notifiers.wanted.insert(wanted.token, wanted);
        };
        let added = self.in_turn(context, "add notifier", true, add, settle);
        Box::pin(async move { added.await?.ok_or(ErrorCode::KernNa) })
    }
}

impl Handler<RemoveNotifier> for Notifiers {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, request: RemoveNotifier, context: &mut Self::Context) -> Self::Result {
        let RemoveNotifier { token, error_counter_index } = request;
        let remove = move |calls: &Calls<'_>, group: &mut Group| {
            group.remove(calls, token, error_counter_index);
            Ok(())
        };
        let settle = move |notifiers: &mut Self| {
            notifiers.wanted.remove(&token);
        };
        let removed = self.in_turn(context, "remove notifier", false, remove, settle);
        Box::pin(async move {
            // It fails only when the actor does.
            let _ = removed.await;
        })
    }
}

impl Handler<CountErrors> for Notifiers {
    type Result = ResponseFuture<Result<u64, ErrorCode>>;

    fn handle(&mut self, request: CountErrors, context: &mut Self::Context) -> Self::Result {
        let count = move |calls: &Calls<'_>, group: &mut Group| group.errors(calls, request.index);
        let counted = self.in_turn(context, "count errors", false, count, |_| ());
        Box::pin(async move { Ok(counted.await?.unwrap_or_default()) })
    }
}

impl Handler<CloseNotifiers> for Notifiers {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: CloseNotifiers, context: &mut Self::Context) -> Self::Result {
        self.closed = true;
        let work = |notifiers: &mut Self, _: &mut Context<Self>| {
            notifiers.wanted.clear();
            let there = notifiers.there.take();
            async move {
                if let Some(there) = there {
                    there.end().await;
                }
                Ok::<_, Refused>(())
            }
        };
        let closed =
            Queue::run_always(|notifiers| &mut notifiers.queue, self, context, "close", work);
        Box::pin(async move {
            // It fails only when the actor does.
            let _ = closed.await;
        })
    }
}
