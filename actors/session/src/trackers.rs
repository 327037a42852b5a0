//! The commands on process attribute trackers.

use std::rc::Rc;

use actix::{Context, ResponseActFuture};
use lttngd_model::{Domain, ErrorCode, TrackerValue, TrackingPolicy, ust::UstDomain};
use nix::{
    errno::Errno,
    unistd::{Group, User},
};

use crate::{
    AddTrackerValue, GetInclusionSet, GetTrackingPolicy, RemoveTrackerValue, Session,
    SetTrackingPolicy, actor::Inner,
};

impl Inner {
    pub(crate) fn tracking_policy(
        &self,
        request: GetTrackingPolicy,
    ) -> Result<TrackingPolicy, ErrorCode> {
        tracked(request.domain)?;
        let state = self.state();
        state
            .domains
            .ust
            .as_ref()
            .ok_or(ErrorCode::UnsupportedDomain)?
            .tracking_policy(request.attribute)
    }

    pub(crate) fn inclusion_set(
        &self,
        request: GetInclusionSet,
    ) -> Result<Vec<TrackerValue>, ErrorCode> {
        tracked(request.domain)?;
        let state = self.state();
        state
            .domains
            .ust
            .as_ref()
            .ok_or(ErrorCode::UnsupportedDomain)?
            .inclusion_set(request.attribute)
    }

    pub(crate) async fn set_tracking_policy(
        self: Rc<Self>,
        request: SetTrackingPolicy,
    ) -> Result<(), ErrorCode> {
        let SetTrackingPolicy { domain, attribute, policy } = request;
        tracked(domain)?;
        self.change(domain, ErrorCode::UnsupportedDomain, |ust| {
            ust.set_tracking_policy(attribute, policy)
        })
        .await
    }
}

impl Session {
    pub(crate) fn add_tracker_value(
        &mut self,
        request: AddTrackerValue,
        _: &mut Context<Self>,
    ) -> ResponseActFuture<Self, Result<(), ErrorCode>> {
        let AddTrackerValue { domain, attribute, value } = request;
        let command = async move |inner: Rc<Inner>, (value, id)| {
            let track = |ust: &mut UstDomain| ust.track(attribute, value, id);
            inner.change(domain, ErrorCode::UnsupportedDomain, track).await
        };
        self.in_turn_after(look_up(domain, value), "add_tracker_value", command)
    }

    pub(crate) fn remove_tracker_value(
        &mut self,
        request: RemoveTrackerValue,
        _: &mut Context<Self>,
    ) -> ResponseActFuture<Self, Result<(), ErrorCode>> {
        let RemoveTrackerValue { domain, attribute, value } = request;
        // A name that nobody has any more cannot be taken out, as the stock daemon has it.
        let command = async move |inner: Rc<Inner>, (value, _)| {
            let untrack = |ust: &mut UstDomain| ust.untrack(attribute, &value);
            inner.change(domain, ErrorCode::UnsupportedDomain, untrack).await
        };
        self.in_turn_after(look_up(domain, value), "remove_tracker_value", command)
    }
}

/// Processes are tracked in the user-space domain alone.
fn tracked(domain: Domain) -> Result<(), ErrorCode> {
    if domain == Domain::Ust { Ok(()) } else { Err(ErrorCode::UnsupportedDomain) }
}

/// The number that a value means. Names may have to be asked of a server, which takes its time.
async fn look_up(domain: Domain, value: TrackerValue) -> Result<(TrackerValue, u32), ErrorCode> {
    tracked(domain)?;
    let id = match &value {
        TrackerValue::Pid(pid) => pid.cast_unsigned(),
        TrackerValue::Uid(id) | TrackerValue::Gid(id) => *id,
        TrackerValue::UserName(name) => {
            let name = name.clone();
            found(move || User::from_name(&name), ErrorCode::UserNotFound).await?.uid.as_raw()
        }
        TrackerValue::GroupName(name) => {
            let name = name.clone();
            found(move || Group::from_name(&name), ErrorCode::GroupNotFound).await?.gid.as_raw()
        }
    };
    Ok((value, id))
}

async fn found<T: Send + 'static>(
    look_up: impl FnOnce() -> nix::Result<Option<T>> + Send + 'static,
    missing: ErrorCode,
) -> Result<T, ErrorCode> {
    match tokio::task::spawn_blocking(look_up).await.map_err(|_| ErrorCode::Fatal)? {
        Ok(Some(entry)) => Ok(entry),
        // The errors by which name services say that they do not know, see getpwnam(3).
        Ok(None) | Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => Err(missing),
        Err(error) => {
            tracing::warn!(%error, "a user or group name cannot be looked up");
            Err(ErrorCode::Nomem)
        }
    }
}
