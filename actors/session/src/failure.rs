//! What becomes of a session whose actor failed: a command or a handler of it panicked.
//!
//! Its state may be torn. So its owner, who is told, starts another actor with what is left, which lets go
//! of applications, agents, trace chunks, relay daemon and buffers, and does nothing else any more: it can
//! be listed and destroyed, and every other command answers [`FAILED`](crate::FAILED).

use std::{cell::RefCell, fmt, rc::Rc};

use actix::Message;
use futures::future::join_all;
use lttngd_buffers::{Close, Flush, PushMetadata};
use lttngd_model::SessionId;
use lttngd_runtime::{FailureNotice, Queue, Works};

use crate::{
    COMMANDS_MAX, Session, SessionConfig, UnderWay, actor::Inner, apps::patience_of_others,
    gate::ChunkGate, order::goes_past, state::State, unfinished::Work,
};

/// The actor of a session failed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SessionFailed {
    /// Which session.
    pub id: SessionId,
    /// What is left of it.
    pub remains: Remains,
}

/// What is left of a session whose actor failed.
pub struct Remains {
    config: SessionConfig,
    state: Box<State>,
}

impl fmt::Debug for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remains").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Remains {
    /// A session that lets go of what is left when it is started.
    #[must_use]
    pub fn into_session(self) -> Session {
        let Self { config, mut state } = self;
        if state.life.failed {
            // Letting go failed as well: it is not tried again.
            let domains = std::mem::take(&mut state.domains);
            let consumers = state.consumers;
            *state = State { domains, life: state.life, consumers, ..State::of(&config) };
        }
        state.life.failed = true;
        state.life.active = false;
        state.paused = false;
        state.rotation_timer = None;
        // It may have been told of it before what was left was torn.
        state.is_observed = true;
        Session::with_state(config, *state)
    }
}

impl Session {
    /// A session in this state.
    pub(crate) fn with_state(config: SessionConfig, state: State) -> Self {
        let span = tracing::error_span!(parent: None, "session", name = config.name);
        let inner = Rc::new(Inner {
            config,
            span,
            state: RefCell::new(state),
            chunk_gate: ChunkGate::default(),
            finishing: Rc::default(),
            archiving: Rc::default(),
            stopping: Rc::default(),
            rule_share: RefCell::default(),
            making: patience_of_others(),
            under_way: UnderWay::default(),
            asked: RefCell::default(),
            left: RefCell::default(),
        });
        let failed = Rc::clone(&inner);
        Self {
            failure: FailureNotice::of(move || failed.tell_failure()),
            queue: Queue::letting_past(COMMANDS_MAX, goes_past),
            works: Works::default(),
            inner,
        }
    }
}

impl Inner {
    /// Gives the owner what is left.
    fn tell_failure(&self) {
        // No borrow outlives what was under way, and nothing is any more.
        let Ok(mut state) = self.state.try_borrow_mut() else { return };
        let state = Box::new(std::mem::replace(&mut *state, State::of(&self.config)));
        let remains = Remains { config: self.config.clone(), state };
        self.config.failed.tell(SessionFailed { id: self.config.id, remains });
    }

    /// Lets go of everything, whatever fails on the way. Data is pending until `_work` is done.
    pub(crate) async fn let_go(self: Rc<Self>, _work: Work) {
        self.show_changed();
        self.forget_everywhere().await;
        if !self.state().is_lost() {
            // It is in the log.
            let _ = self.synchronise_kernel().await;
            // Applications that have forgotten the session do not record any more. What follows fails for
            // what was half made, and says so; the rest is whole.
            let _ = self.on_all_sets(Flush).await;
            let _ = self.on_all_sets(PushMetadata).await;
            let published = self.state().published.clone();
            let closed =
                published.into_iter().map(|(chunk, of)| self.close_chunk(chunk, None, of.relayd));
            join_all(closed).await;
            self.disconnect_relayd().await;
            let _ = self.on_all_sets(Close).await;
        }
        self.state_mut().sets.clear();
        self.end_at_consumers().await;
        tracing::info!("what was left of a failed session was let go");
    }
}
