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
    rule_share::value_len,
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
        let tracer = tracked(domain)?;
        let change = async {
            if tracer == Tracer::Kernel {
                let plan = |kernel: &mut KernelRules, _| {
                    Ok(kernel.plan_set_tracking_policy(attribute, policy))
                };
                return self.change_kernel(ErrorCode::UnsupportedDomain, plan).await;
            }
            self.change(domain, ErrorCode::UnsupportedDomain, |ust| {
                ust.set_tracking_policy(attribute, policy)
            })
            .await
        };
        self.within_tracked_share(0, change).await
    }

    /// Does what may change the sets of trackers, and adds values of so many bytes at most, for which the session's owner has
    /// room. What they have less afterwards is given back.
    async fn within_tracked_share(
        &self,
        more: u64,
        change: impl Future<Output = Result<(), ErrorCode>>,
    ) -> Result<(), ErrorCode> {
        let before = self.state().domains.tracked_len();
        self.rule_share.borrow_mut().take(self.config.owner.uid, more)?;
        let outcome = change.await;
        let less = (before + more).saturating_sub(self.state().domains.tracked_len());
        self.rule_share.borrow_mut().give_back(less);
        outcome
    }

    async fn set_tracked(
        self: Rc<Self>,
        (domain, attribute): (Domain, ProcessAttribute),
        (value, id): (TrackerValue, u32),
        tracked: bool,
    ) -> Result<(), ErrorCode> {
        let more = if tracked { value_len(&value) } else { 0 };
        let change = async {
            if domain == Domain::Kernel {
                return self.set_tracked_in_kernel(attribute, (value, id), tracked).await;
            }
            let change = |ust: &mut UstDomain| match tracked {
                true => ust.track(attribute, value, id),
                false => ust.untrack(attribute, &value),
            };
            self.change(domain, ErrorCode::UnsupportedDomain, change).await
        };
        self.within_tracked_share(more, change).await
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
        let command = async move |inner: Rc<Inner>, value| {
            inner.set_tracked((domain, attribute), value, true).await
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
        let command = async move |inner: Rc<Inner>, value| {
            inner.set_tracked((domain, attribute), value, false).await
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
