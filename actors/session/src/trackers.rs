//! The commands on process attribute trackers.

use std::rc::Rc;

use lttngd_model::{Domain, ErrorCode, TrackerValue, TrackingPolicy};
use nix::{
    errno::Errno,
    unistd::{Group, User},
};

use crate::{
    AddTrackerValue, GetInclusionSet, GetTrackingPolicy, RemoveTrackerValue, SetTrackingPolicy,
    actor::Inner,
};

impl Inner {
    pub(crate) async fn tracking_policy(
        self: Rc<Self>,
        request: GetTrackingPolicy,
    ) -> Result<TrackingPolicy, ErrorCode> {
        tracked(request.domain)?;
        let state = self.state();
        state
            .domain
            .as_ref()
            .ok_or(ErrorCode::UnsupportedDomain)?
            .tracking_policy(request.attribute)
    }

    pub(crate) async fn inclusion_set(
        self: Rc<Self>,
        request: GetInclusionSet,
    ) -> Result<Vec<TrackerValue>, ErrorCode> {
        tracked(request.domain)?;
        let state = self.state();
        state.domain.as_ref().ok_or(ErrorCode::UnsupportedDomain)?.inclusion_set(request.attribute)
    }

    pub(crate) async fn set_tracking_policy(
        self: Rc<Self>,
        request: SetTrackingPolicy,
    ) -> Result<(), ErrorCode> {
        let SetTrackingPolicy { domain, attribute, policy } = request;
        tracked(domain)?;
        self.change(ErrorCode::UnsupportedDomain, |ust| ust.set_tracking_policy(attribute, policy))
            .await
    }

    pub(crate) async fn add_tracker_value(
        self: Rc<Self>,
        request: AddTrackerValue,
    ) -> Result<(), ErrorCode> {
        let AddTrackerValue { domain, attribute, value } = request;
        tracked(domain)?;
        let (value, id) = look_up(value).await?;
        self.change(ErrorCode::UnsupportedDomain, |ust| ust.track(attribute, value, id)).await
    }

    pub(crate) async fn remove_tracker_value(
        self: Rc<Self>,
        request: RemoveTrackerValue,
    ) -> Result<(), ErrorCode> {
        let RemoveTrackerValue { domain, attribute, value } = request;
        tracked(domain)?;
        // A name that nobody has any more cannot be taken out, as the stock daemon has it.
        let (value, _) = look_up(value).await?;
        self.change(ErrorCode::UnsupportedDomain, |ust| ust.untrack(attribute, &value)).await
    }
}

/// Processes are tracked in the user-space domain alone.
fn tracked(domain: Domain) -> Result<(), ErrorCode> {
    if domain == Domain::Ust { Ok(()) } else { Err(ErrorCode::UnsupportedDomain) }
}

/// The number that a value means. Names may have to be asked of a server, which takes its time.
async fn look_up(value: TrackerValue) -> Result<(TrackerValue, u32), ErrorCode> {
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
