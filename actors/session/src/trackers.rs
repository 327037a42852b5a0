//! The commands on process attribute trackers.

use std::rc::Rc;

use actix::Context;
use lttngd_model::{
    Domain, ErrorCode, ProcessAttribute, Tracer, TrackerValue, TrackingPolicy,
    kernel::KernelDomain as KernelRules, ust::UstDomain,
};
use lttngd_runtime::outside::blocking;
use nix::{
    errno::Errno,
    unistd::{Group, User},
};

use crate::{
    AddTrackerValue, GetInclusionSet, GetTrackingPolicy, RemoveTrackerValue, Session,
    SetTrackingPolicy,
    actor::{InTurn, Inner},
    reply::{Beginning, Preparation},
};

impl Inner {
    pub(crate) fn tracking_policy(
        &self,
        request: GetTrackingPolicy,
    ) -> Result<TrackingPolicy, ErrorCode> {
        let (domains, missing) = (&self.state().domains, ErrorCode::UnsupportedDomain);
        match tracked(request.domain)? {
            Tracer::Ust => domains.ust.as_ref().ok_or(missing)?.tracking_policy(request.attribute),
            Tracer::Kernel => {
                let kernel = domains.kernel.as_ref().ok_or(missing)?;
                Ok(kernel.rules.trackers.policy(request.attribute))
            }
        }
    }

    pub(crate) fn inclusion_set(
        &self,
        request: GetInclusionSet,
    ) -> Result<Vec<TrackerValue>, ErrorCode> {
        let (domains, missing) = (&self.state().domains, ErrorCode::UnsupportedDomain);
        match tracked(request.domain)? {
            Tracer::Ust => domains.ust.as_ref().ok_or(missing)?.inclusion_set(request.attribute),
            Tracer::Kernel => {
                let kernel = domains.kernel.as_ref().ok_or(missing)?;
                kernel.rules.trackers.inclusion_set(request.attribute)
            }
        }
    }

    pub(crate) async fn set_tracking_policy(
        self: Rc<Self>,
        request: SetTrackingPolicy,
    ) -> Result<(), ErrorCode> {
        let SetTrackingPolicy { domain, attribute, policy } = request;
        if tracked(domain)? == Tracer::Kernel {
            let plan = |kernel: &mut KernelRules, _| {
                Ok(kernel.plan_set_tracking_policy(attribute, policy))
            };
            return self.change_kernel(ErrorCode::UnsupportedDomain, plan).await;
        }
        self.change(domain, ErrorCode::UnsupportedDomain, |ust| {
            ust.set_tracking_policy(attribute, policy)
        })
        .await
    }

    /// Adds a value to a tracker of the kernel's, or takes it out.
    async fn set_tracked_in_kernel(
        &self,
        attribute: ProcessAttribute,
        (value, id): (TrackerValue, u32),
        tracked: bool,
    ) -> Result<(), ErrorCode> {
        let plan =
            |kernel: &mut KernelRules, _| kernel.plan_set_tracked(attribute, value, id, tracked);
        self.change_kernel(ErrorCode::UnsupportedDomain, plan).await
    }
}

impl Session {
    pub(crate) fn add_tracker_value(
        &mut self,
        request: AddTrackerValue,
        context: &mut Context<Self>,
        Beginning { before, asker }: Beginning,
    ) -> InTurn<()> {
        let AddTrackerValue { domain, attribute, value } = request;
        let command = async move |inner: Rc<Inner>, (value, id)| {
            if domain == Domain::Kernel {
                return inner.set_tracked_in_kernel(attribute, (value, id), true).await;
            }
            let track = |ust: &mut UstDomain| ust.track(attribute, value, id);
            inner.change(domain, ErrorCode::UnsupportedDomain, track).await
        };
        self.in_turn_after(
            context,
            look_up(domain, value, before),
            ("add_tracker_value", asker),
            command,
        )
    }

    pub(crate) fn remove_tracker_value(
        &mut self,
        request: RemoveTrackerValue,
        context: &mut Context<Self>,
        Beginning { before, asker }: Beginning,
    ) -> InTurn<()> {
        let RemoveTrackerValue { domain, attribute, value } = request;
        // A name that nobody has any more cannot be taken out, as the stock daemon has it.
        let command = async move |inner: Rc<Inner>, (value, id)| {
            if domain == Domain::Kernel {
                return inner.set_tracked_in_kernel(attribute, (value, id), false).await;
            }
            let untrack = |ust: &mut UstDomain| ust.untrack(attribute, &value);
            inner.change(domain, ErrorCode::UnsupportedDomain, untrack).await
        };
        self.in_turn_after(
            context,
            look_up(domain, value, before),
            ("remove_tracker_value", asker),
            command,
        )
    }
}

/// Whose processes are tracked: agents' are those of user space, and have no trackers of their own.
fn tracked(domain: Domain) -> Result<Tracer, ErrorCode> {
    let tracer = domain.tracer().filter(|_| !domain.is_agent());
    tracer.ok_or(ErrorCode::UnsupportedDomain)
}

/// The number that a value means. Names may have to be asked of a server, which takes its time.
async fn look_up(
    domain: Domain,
    value: TrackerValue,
    before: Option<Preparation>,
) -> Result<(TrackerValue, u32), ErrorCode> {
    if let Some(before) = before {
        before.await?;
    }
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
    match blocking(look_up).await.map_err(|_| ErrorCode::Fatal)? {
        Ok(Some(entry)) => Ok(entry),
        // The errors by which name services say that they do not know, see getpwnam(3).
        Ok(None) | Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => Err(missing),
        Err(error) => {
            tracing::warn!(%error, "a user or group name cannot be looked up");
            Err(ErrorCode::Nomem)
        }
    }
}
