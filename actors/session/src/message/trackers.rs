//! The commands on process attribute trackers.

use actix::Message;
use lttngd_model::{Domain, ErrorCode, ProcessAttribute, TrackerValue, TrackingPolicy};
use serde::{Deserialize, Serialize};

/// TRACKER_GET_POLICY.
///
/// Errors: `UnsupportedDomain` for a domain other than that of user space, `Invalid` for an attribute
/// that is not virtual, both also of the next four.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<TrackingPolicy, ErrorCode>")]
pub struct GetTrackingPolicy {
    /// The domain.
    pub domain: Domain,
    /// Whose.
    pub attribute: ProcessAttribute,
}

/// TRACKER_SET_POLICY. A policy other than the present one empties the tracker's set; applications
/// of an active session that are not tracked any more are taken out of it.
///
/// Errors: `Invalid`, as [`GetTrackingPolicy`].
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct SetTrackingPolicy {
    /// The domain.
    pub domain: Domain,
    /// Whose.
    pub attribute: ProcessAttribute,
    /// The policy.
    pub policy: TrackingPolicy,
}

/// TRACKER_ADD_VALUE. Names are looked up before anything else is checked.
///
/// Errors: `UserNotFound`, `GroupNotFound`, those of [`lttngd_model::ust::UstDomain::track`].
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct AddTrackerValue {
    /// The domain.
    pub domain: Domain,
    /// Whose.
    pub attribute: ProcessAttribute,
    /// The value.
    pub value: TrackerValue,
}

/// TRACKER_REMOVE_VALUE. Names are looked up before anything else is checked.
///
/// Errors: `UserNotFound`, `GroupNotFound`, those of [`lttngd_model::ust::UstDomain::untrack`].
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct RemoveTrackerValue {
    /// The domain.
    pub domain: Domain,
    /// Whose.
    pub attribute: ProcessAttribute,
    /// The value.
    pub value: TrackerValue,
}

/// TRACKER_GET_INCLUSION_SET: the values in the order they were added.
///
/// Errors: `ProcessAttrTrackerInvalidTrackingPolicy`.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Vec<TrackerValue>, ErrorCode>")]
pub struct GetInclusionSet {
    /// The domain.
    pub domain: Domain,
    /// Whose.
    pub attribute: ProcessAttribute,
}
