//! Brings an application to the event notifiers that are wanted.

use std::{cell::RefCell, io, os::fd::OwnedFd, rc::Rc, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use lttngd_runtime::{Hold, Purpose};
use rustix::pipe::{PipeFlags, pipe_with};
use thiserror::Error;

use super::{
    NotifierWish,
    errors::ErrorCounters,
    pipe::{NotifierPipe, Placed, ReadEnd, Reader},
    plan::Notifiers,
};
use crate::{
    AppInfo,
    error::Broken,
    link::{Link, ON_THEIR_WAY_MAX},
    permits::Permit,
    socket::CommandSocket,
};

/// Most notifiers that are made before what is wanted is looked at again.
const ROUND_MAX: usize = 64;

/// What an application has of event notifiers.
pub(crate) struct NotifierGroup {
    info: Arc<AppInfo>,
    /// That of its command socket.
    permit: Rc<Permit>,
    /// Taken while something is done with it.
    state: RefCell<State>,
}

#[derive(Default)]
enum State {
    /// No group was wanted yet, or there were no means for one.
    #[default]
    None,
    /// The application has a group, until it ends.
    There(Group),
    /// The application refused to make one.
    Refused,
}

struct Group {
    handle: u32,
    notifiers: Notifiers,
    /// Those that it counts in.
    _counters: Option<Arc<ErrorCounters>>,
    /// Where it tells. It is read by an actor of its own.
    _pipe: ReadEnd,
}

/// Why a pipe could not be made at our end.
#[derive(Debug, Error)]
enum NoPipe {
    #[error(transparent)]
    Descriptors(#[from] lttngd_runtime::NoDescriptors),
    #[error(transparent)]
    System(#[from] io::Error),
}

impl NotifierGroup {
    /// Nothing yet.
    pub(crate) fn new(info: Arc<AppInfo>, permit: Rc<Permit>) -> Self {
        Self { info, permit, state: RefCell::default() }
    }

    /// Brings the application to the newest wish, which is looked up again and again: what changed meanwhile
    /// counts at once.
    pub(crate) async fn synchronise(
        &self,
        socket: &CommandSocket,
        newest: impl Fn() -> Option<Rc<NotifierWish>>,
    ) -> Result<(), Broken> {
        let link = Link(socket);
        let mut state = self.state.take();
        if let (State::None, Some(want)) = (&state, newest())
            && !want.set.is_empty()
        {
            state = self.create_group(&link, &want).await?;
        }
        if let State::There(group) = &mut state {
            self.bring(&link, group, newest).await?;
        }
        self.state.replace(state);
        Ok(())
    }

    async fn create_group(&self, link: &Link<'_>, want: &NotifierWish) -> Result<State, Broken> {
        let (write, read, pipe) = match self.pipe(want) {
            Ok(made) => made,
            Err(error) => {
                if let Some(left_out) = link.0.complaint("no event notifiers") {
                    tracing::warn!(%error, left_out, "an application gets no event notifiers");
                }
                return Ok(State::None);
            }
        };
        let handle = match link.create_notifier_group(write).await? {
            Ok(handle) => handle,
            Err(refusal) => {
                if let Some(left_out) = link.0.complaint("no event notifiers") {
                    tracing::warn!(%refusal, left_out, "an application takes no event notifiers");
                }
                return Ok(State::Refused);
            }
        };
        pipe.start_at(want.arbiter.as_ref());
        if let Some(counters) = &want.counters
            && let Err(refusal) = link.attach_error_counters(handle, counters).await?
            && let Some(left_out) = link.0.complaint("no error counters")
        {
            tracing::warn!(%refusal, left_out, "an application does not count the events that it cannot tell");
        }
        let notifiers = Notifiers::default();
        let counters = want.counters.clone();
        Ok(State::There(Group { handle, notifiers, _counters: counters, _pipe: read }))
    }

    /// The end of a pipe that the application is to have, the other one, and the actor of that.
    fn pipe(&self, want: &NotifierWish) -> Result<(Arc<OwnedFd>, ReadEnd, NotifierPipe), NoPipe> {
        let held = want.descriptors.take(Purpose::Registrations, 1)?;
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (read, write) = pipe_with(flags).map_err(io::Error::from)?;
        let read = Placed::new(read, held);
        let (place, given_back) = Hold::new();
        let permit = Rc::clone(&self.permit);
        // The pipe may live where no permit does.
        actix::spawn(async move {
            given_back.await;
            drop(permit);
        });
        let reader = Reader::new(Arc::clone(&self.info), want.current.clone(), want.pause.clone());
        let pipe = NotifierPipe::new(reader, Arc::clone(&read), place);
        Ok((Arc::new(write), read, pipe))
    }

    async fn bring(
        &self,
        link: &Link<'_>,
        group: &mut Group,
        newest: impl Fn() -> Option<Rc<NotifierWish>>,
    ) -> Result<(), Broken> {
        loop {
            let set = newest().map(|want| Arc::clone(&want.set)).unwrap_or_default();
            let changes = group.notifiers.changes(&set, ROUND_MAX);
            if changes.are_none() {
                return Ok(());
            }
            link.end_notifiers(&changes.ended).await?;
            let handle = group.handle;
            let made = stream::iter(changes.missing)
                .map(async |rule| {
                    let made = link.create_notifier(handle, &rule).await?;
                    Ok::<_, Broken>((rule.token, made))
                })
                .buffered(ON_THEIR_WAY_MAX);
            let made: Vec<_> = made.try_collect().await?;
            for (token, made) in made {
                match made {
                    Ok(handle) => group.notifiers.made(token, handle),
                    Err(refusal) => {
                        group.notifiers.refused(token);
                        if let Some(left_out) = link.0.complaint("event notifier") {
                            tracing::warn!(%token, %refusal, left_out, "an application does not take an event notifier");
                        }
                    }
                }
            }
        }
    }
}
