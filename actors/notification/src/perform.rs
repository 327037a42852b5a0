//! Doing what an action says.

use actix::{Addr, Handler, MailboxError};
use lttngd_model::{
    Credentials, ErrorCode,
    trigger::{Action, SnapshotAction, SnapshotTarget},
};
use lttngd_session::{FoundSession, RecordSnapshot, Rotate, Session, SessionRequest, Start, Stop};

/// What became of an action.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It was done, or there was nothing to do.
    Done,
    /// It was left alone: the owner of the trigger may not do it, or the session went meanwhile.
    Skipped,
    /// It failed.
    Failed(ErrorCode),
}

/// Does an action to the session that was found when the condition became true.
pub(crate) async fn perform(
    action: &Action,
    owner_uid: u32,
    found: Option<FoundSession>,
) -> Outcome {
    let Some(found) = found else { return Outcome::Failed(ErrorCode::SessNotFound) };
    if !may(owner_uid, found.owner) {
        return Outcome::Skipped;
    }
    let session = &found.session;
    match action {
        Action::Start { .. } => outcome(action, ask(session, Start).await),
        Action::Stop { .. } => outcome(action, ask(session, Stop).await),
        Action::Rotate { .. } => outcome(action, ask(session, Rotate).await.map(drop)),
        Action::Snapshot(snapshot) => outcome(action, ask(session, record(snapshot)).await),
        Action::Notify(_) | Action::List(_) => Outcome::Done,
    }
}

/// Whether a user's triggers may have something done to a session.
fn may(owner_uid: u32, session_owner: Credentials) -> bool {
    owner_uid == session_owner.uid || owner_uid == 0
}

async fn ask<M>(session: &Addr<Session>, request: M) -> Result<M::Reply, ErrorCode>
where
    M: SessionRequest,
    Session: Handler<M>,
{
    let reply: Result<_, MailboxError> = session.send(request).await;
    reply.unwrap_or(Err(ErrorCode::SessNotFound))
}

fn record(snapshot: &SnapshotAction) -> RecordSnapshot {
    let target = snapshot
        .output
        .clone()
        .unwrap_or(SnapshotTarget { max_size_bytes: u64::MAX, ..SnapshotTarget::default() });
    RecordSnapshot {
        name: target.name,
        control_url: target.control_url,
        data_url: target.data_url,
        max_size_bytes: target.max_size_bytes,
    }
}

/// What a reply is for an action. A session that goes while it is to be started is left alone.
fn outcome(action: &Action, reply: Result<(), ErrorCode>) -> Outcome {
    let Err(code) = reply else { return Outcome::Done };
    match (action, code) {
        (Action::Start { .. }, ErrorCode::TraceAlreadyStarted)
        | (Action::Stop { .. }, ErrorCode::TraceAlreadyStopped)
        | (
            Action::Rotate { .. },
            ErrorCode::RotationMultipleAfterStop | ErrorCode::RotationAfterStopClear,
        ) => Outcome::Done,
        (Action::Start { .. }, ErrorCode::SessNotFound) => Outcome::Skipped,
        _ => Outcome::Failed(code),
    }
}

#[cfg(test)]
mod tests {
    use lttngd_model::trigger::RatePolicy;

    use super::*;

    #[test]
    fn what_counts_as_a_failure() {
        let (session, rate) = ("s".to_owned(), RatePolicy::default());
        let start = Action::Start { session: session.clone(), rate };
        let stop = Action::Stop { session: session.clone(), rate };
        let rotate = Action::Rotate { session: session.clone(), rate };
        let snapshot = Action::Snapshot(SnapshotAction { session, output: None, rate });
        use ErrorCode as E;
        let failed = Outcome::Failed;
        for (action, code, expected) in [
            (&start, E::TraceAlreadyStarted, Outcome::Done),
            (&start, E::TraceAlreadyStopped, failed(E::TraceAlreadyStopped)),
            (&start, E::NoChannel, failed(E::NoChannel)),
            (&start, E::SessNotFound, Outcome::Skipped),
            (&stop, E::TraceAlreadyStopped, Outcome::Done),
            (&stop, E::SessNotFound, failed(E::SessNotFound)),
            (&rotate, E::RotationPending, failed(E::RotationPending)),
            (&rotate, E::RotationMultipleAfterStop, Outcome::Done),
            (&rotate, E::RotationAfterStopClear, Outcome::Done),
            (&snapshot, E::SnapshotFail, failed(E::SnapshotFail)),
        ] {
            assert_eq!(outcome(action, Err(code)), expected, "{action:?} {code:?}");
        }
        assert_eq!(outcome(&rotate, Ok(())), Outcome::Done);
        let owner = Credentials { uid: 7, gid: 7 };
        assert!(may(7, owner) && may(0, owner) && !may(8, owner));
    }

    #[test]
    fn a_snapshot_goes_where_the_action_says() {
        let target = SnapshotTarget {
            name: "n".to_owned(),
            control_url: "/d".to_owned(),
            max_size_bytes: 9,
            ..SnapshotTarget::default()
        };
        let (session, rate) = ("s".to_owned(), RatePolicy::default());
        let own = SnapshotAction { session, output: Some(target), rate };
        let recorded = record(&own);
        let (name, url) = (recorded.name.as_str(), recorded.control_url.as_str());
        assert_eq!((name, url, recorded.max_size_bytes), ("n", "/d", 9));
        let recorded = record(&SnapshotAction { output: None, ..own });
        let (name, url) = (recorded.name.as_str(), recorded.control_url.as_str());
        assert_eq!((name, url, recorded.max_size_bytes), ("", "", u64::MAX));
    }
}
