//! Process attribute trackers: which processes record.

use std::collections::HashMap;

use super::{KernelDomain, Plan, Step};
use crate::{
    ErrorCode, ProcessAttribute, TrackerValue, TrackingPolicy,
    ust::{TrackedHeld, Tracker},
};

/// The trackers of the kernel's domain, one of each attribute.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KernelTrackers(HashMap<ProcessAttribute, Tracker>);

impl KernelTrackers {
    /// What a tracker lets through (TRACKER_GET_POLICY).
    #[must_use]
    pub fn policy(&self, attribute: ProcessAttribute) -> TrackingPolicy {
        self.0.get(&attribute).map_or(TrackingPolicy::IncludeAll, Tracker::policy)
    }

    /// The values of a tracker's set in the order they were added (TRACKER_GET_INCLUSION_SET).
    ///
    /// # Errors
    /// [`ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy`].
    pub fn inclusion_set(
        &self,
        attribute: ProcessAttribute,
    ) -> Result<Vec<TrackerValue>, ErrorCode> {
        self.with_set(attribute)?.inclusion_set()
    }

    /// What their sets hold.
    #[must_use]
    pub fn held(&self) -> TrackedHeld {
        self.0.values().map(Tracker::held).sum()
    }

    fn with_set(&self, attribute: ProcessAttribute) -> Result<&Tracker, ErrorCode> {
        let tracker = self.0.get(&attribute);
        let tracker = tracker.ok_or(ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy)?;
        tracker.has_set().map(|()| tracker)
    }

    pub(super) fn set_policy(&mut self, attribute: ProcessAttribute, policy: TrackingPolicy) {
        self.0.entry(attribute).or_default().set_policy(policy);
    }

    pub(super) fn set_tracked(
        &mut self,
        attribute: ProcessAttribute,
        value: TrackerValue,
        id: u32,
        tracked: bool,
    ) {
        let tracker = self.0.entry(attribute).or_default();
        if tracked {
            tracker.insert(value, id);
        } else {
            tracker.remove(&value);
        }
    }
}

impl KernelDomain {
    /// Sets what a tracker lets through (TRACKER_SET_POLICY). A policy other than the present one empties the
    /// set. When the plan is settled: [`ErrorCode::Invalid`], [`ErrorCode::Nomem`], [`ErrorCode::Unk`].
    #[must_use]
    pub fn plan_set_tracking_policy(
        &self,
        attribute: ProcessAttribute,
        policy: TrackingPolicy,
    ) -> Plan {
        let is_new = self.trackers.policy(attribute) != policy;
        let step = Step::SetTrackingPolicy(attribute, policy);
        Plan::of(if is_new { vec![step] } else { Vec::new() })
    }

    /// Adds a value to a tracker's set (TRACKER_ADD_VALUE), or takes it out (TRACKER_REMOVE_VALUE). `id` is the
    /// number that the value means.
    ///
    /// # Errors
    /// In this order: [`ErrorCode::Invalid`] for a value that is none of the attribute's or an id above the
    /// largest `i32`, [`ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy`], [`ErrorCode::ProcessAttrExists`]
    /// or [`ErrorCode::ProcessAttrMissing`], [`ErrorCode::Nomem`] beyond [`TRACKED_MAX`](crate::ust::TRACKED_MAX) values. When the plan
    /// is settled besides: [`ErrorCode::Unk`].
    pub fn plan_set_tracked(
        &self,
        attribute: ProcessAttribute,
        value: TrackerValue,
        id: u32,
        tracked: bool,
    ) -> Result<Plan, ErrorCode> {
        if !value.fits(attribute) || i32::try_from(id).is_err() {
            return Err(ErrorCode::Invalid);
        }
        let tracker = self.trackers.with_set(attribute)?;
        match (tracked, tracker.contains(&value)) {
            (true, true) => return Err(ErrorCode::ProcessAttrExists),
            (false, false) => return Err(ErrorCode::ProcessAttrMissing),
            (true, false) if tracker.is_full() => return Err(ErrorCode::Nomem),
            _ => {}
        }
        Ok(Plan::of(vec![Step::SetTracked { attribute, value, id, tracked }]))
    }
}
