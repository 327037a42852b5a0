//! The commands on process attribute trackers.

use actix::Message;
use lttngd_model::{ErrorCode, ProcessAttribute, TrackerValue, TrackingPolicy};

/// TRACKER_GET_POLICY.
///
/// Errors: `Invalid` for an attribute that is not virtual, also of the next four.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<TrackingPolicy, ErrorCode>")]
pub struct GetTrackingPolicy {
    /// Whose.
    pub attribute: ProcessAttribute,
}

/// TRACKER_SET_POLICY. A policy other than the present one empties the tracker's set; applications
/// of an active session that are not tracked any more are taken out of it.
///
/// Errors: `Invalid`, as [`GetTrackingPolicy`].
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct SetTrackingPolicy {
    /// Whose.
    pub attribute: ProcessAttribute,
    /// The policy.
    pub policy: TrackingPolicy,
}

/// TRACKER_ADD_VALUE. Names are looked up before anything else is checked.
///
/// Errors: `UserNotFound`, `GroupNotFound`, those of [`lttngd_model::ust::UstDomain::track`].
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct AddTrackerValue {
    /// Whose.
    pub attribute: ProcessAttribute,
    /// The value.
    pub value: TrackerValue,
}

/// TRACKER_REMOVE_VALUE. Names are looked up before anything else is checked.
///
/// Errors: `UserNotFound`, `GroupNotFound`, those of [`lttngd_model::ust::UstDomain::untrack`].
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct RemoveTrackerValue {
    /// Whose.
    pub attribute: ProcessAttribute,
    /// The value.
    pub value: TrackerValue,
}

/// TRACKER_GET_INCLUSION_SET: the values in the order they were added.
///
/// Errors: `ProcessAttrTrackerInvalidTrackingPolicy`.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Vec<TrackerValue>, ErrorCode>")]
pub struct GetInclusionSet {
    /// Whose.
    pub attribute: ProcessAttribute,
}
