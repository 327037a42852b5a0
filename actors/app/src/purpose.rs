//! What an application is wanted for, and what is wanted of it: of each purpose the newest wish counts alone.

use std::rc::Rc;

use lttngd_model::SessionId;

use crate::{SessionWish, notifier::NotifierWish};

/// What an application is wanted for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Purpose {
    /// To record for a session.
    Session(SessionId),
    /// To tell of events.
    Notifiers,
}

/// What is wanted of it.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// By a session.
    Session(Rc<SessionWish>),
    /// By all event notifiers.
    Notifiers(Rc<NotifierWish>),
}

impl Wish {
    /// What a session wants.
    pub(crate) fn of_session(self) -> Option<Rc<SessionWish>> {
        match self {
            Self::Session(want) => Some(want),
            Self::Notifiers(_) => None,
        }
    }

    /// What event notifiers want.
    pub(crate) fn of_notifiers(self) -> Option<Rc<NotifierWish>> {
        match self {
            Self::Notifiers(want) => Some(want),
            Self::Session(_) => None,
        }
    }
}

impl From<SessionId> for Purpose {
    fn from(session: SessionId) -> Self {
        Self::Session(session)
    }
}

impl From<SessionWish> for Wish {
    fn from(want: SessionWish) -> Self {
        Self::Session(Rc::new(want))
    }
}

impl From<NotifierWish> for Wish {
    fn from(want: NotifierWish) -> Self {
        Self::Notifiers(Rc::new(want))
    }
}
