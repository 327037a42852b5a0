//! What is to be done on an application's command socket.

use lttngd_model::{NameList, SessionId};
use lttngd_runtime::{Agenda, Claim};
use tokio::sync::oneshot;

use crate::{
    AppError, TracepointField,
    purpose::{Purpose, Wish},
};

type Reply<T> = oneshot::Sender<Result<T, AppError>>;

/// What is to be done with an application.
pub(crate) type AppAgenda = Agenda<Purpose, Wish, Job, AppError>;

/// What the command socket is used for besides wishes.
pub(crate) enum Job {
    /// Once in the queue for each session, with all who wait for it.
    Statedump(SessionId, Vec<Reply<()>>),
    RegisterDone(Reply<()>),
    Tracepoints(Reply<NameList<i32>>),
    TracepointFields(Reply<NameList<TracepointField>>),
}

impl lttngd_runtime::Job<Purpose> for Job {
    fn claim(&self) -> Claim<Purpose> {
        match self {
            Self::Statedump(session, _) => Claim::Purpose((*session).into()),
            Self::RegisterDone(_) => Claim::Everything,
            // With tens of thousands of round trips: neither its sessions nor its `main` are to wait for them.
            Self::Tracepoints(_) | Self::TracepointFields(_) => Claim::Beside,
        }
    }

    fn is_question(&self) -> bool {
        matches!(self, Self::Tracepoints(_) | Self::TracepointFields(_))
    }

    fn merge(&mut self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Statedump(session, waiting), Self::Statedump(of, more)) if *session == of => {
                waiting.retain(|reply| !reply.is_closed());
                waiting.extend(more);
                None
            }
            (_, other) => Some(other),
        }
    }
}
