//! Process attribute trackers: which processes record.

use std::{iter::Sum, sync::Arc};

use super::{UstDomain, tracked::TrackedSet};
use crate::{ErrorCode, ProcessAttribute, TrackerValue, TrackingPolicy};

/// Most values in the set of one tracker.
pub const TRACKED_MAX: usize = 1 << 14;

/// What trackers look at of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TrackedProcess {
    /// Process id.
    pub pid: u32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// What the sets of trackers hold.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TrackedHeld {
    /// How many values.
    pub values: usize,
    /// Bytes of the names among them.
    pub names_len: usize,
}

impl Sum for TrackedHeld {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            values: sum.values + one.values,
            names_len: sum.names_len + one.names_len,
        })
    }
}

/// The trackers of the user-space domain.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trackers {
    vpid: Tracker,
    vuid: Tracker,
    vgid: Tracker,
}

/// What one tracker lets through.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Tracker {
    policy: TrackingPolicy,
    /// Empty but for the policy that includes a set; no id stands there twice. Whoever follows what it lets through has the
    /// same until it changes.
    set: Arc<TrackedSet>,
}

impl Default for Tracker {
    fn default() -> Self {
        Self { policy: TrackingPolicy::IncludeAll, set: Arc::default() }
    }
}

impl Tracker {
    pub(crate) fn policy(&self) -> TrackingPolicy {
        self.policy
    }

    fn tracks(&self, id: u32) -> bool {
        match self.policy {
            TrackingPolicy::IncludeAll => true,
            TrackingPolicy::ExcludeAll => false,
            TrackingPolicy::IncludeSet => self.set.contains_id(id),
        }
    }

    pub(crate) fn has_set(&self) -> Result<(), ErrorCode> {
        match self.policy {
            TrackingPolicy::IncludeSet => Ok(()),
            _ => Err(ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy),
        }
    }

    pub(crate) fn contains(&self, value: &TrackerValue) -> bool {
        self.set.contains(value)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.set.len() >= TRACKED_MAX
    }

    pub(crate) fn held(&self) -> TrackedHeld {
        TrackedHeld { values: self.set.len(), names_len: self.set.names_len() }
    }

    /// A policy other than the present one empties the set.
    pub(crate) fn set_policy(&mut self, policy: TrackingPolicy) {
        if self.policy != policy {
            *self = Self { policy, set: Arc::default() };
        }
    }

    pub(crate) fn insert(&mut self, value: TrackerValue, id: u32) {
        Arc::make_mut(&mut self.set).insert(value, id);
    }

    /// Whether the value was in the set.
    pub(crate) fn remove(&mut self, value: &TrackerValue) -> bool {
        Arc::make_mut(&mut self.set).remove(value)
    }

    /// The values in the order they were added.
    ///
    /// # Errors
    /// [`ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy`].
    pub(crate) fn inclusion_set(&self) -> Result<Vec<TrackerValue>, ErrorCode> {
        self.has_set()?;
        Ok(self.set.values().cloned().collect())
    }
}

impl Trackers {
    /// Whether a process records: every tracker must let it through.
    #[must_use]
    pub fn track(&self, process: TrackedProcess) -> bool {
        self.vpid.tracks(process.pid)
            && self.vuid.tracks(process.uid)
            && self.vgid.tracks(process.gid)
    }

    /// What their sets hold.
    #[must_use]
    pub fn held(&self) -> TrackedHeld {
        [&self.vpid, &self.vuid, &self.vgid].into_iter().map(Tracker::held).sum()
    }

    fn of(&self, attribute: ProcessAttribute) -> Result<&Tracker, ErrorCode> {
        match attribute {
            ProcessAttribute::VirtualProcessId => Ok(&self.vpid),
            ProcessAttribute::VirtualUserId => Ok(&self.vuid),
            ProcessAttribute::VirtualGroupId => Ok(&self.vgid),
            _ => Err(ErrorCode::Invalid),
        }
    }

    fn of_mut(&mut self, attribute: ProcessAttribute) -> Result<&mut Tracker, ErrorCode> {
        match attribute {
            ProcessAttribute::VirtualProcessId => Ok(&mut self.vpid),
            ProcessAttribute::VirtualUserId => Ok(&mut self.vuid),
            ProcessAttribute::VirtualGroupId => Ok(&mut self.vgid),
            _ => Err(ErrorCode::Invalid),
        }
    }
}

impl UstDomain {
    /// Whether a process records: every tracker must let it through.
    #[must_use]
    pub fn tracks(&self, process: TrackedProcess) -> bool {
        self.trackers.track(process)
    }

    /// What a tracker lets through (TRACKER_GET_POLICY).
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Invalid`] for an attribute that is not virtual.
    pub fn tracking_policy(
        &self,
        attribute: ProcessAttribute,
    ) -> Result<TrackingPolicy, ErrorCode> {
        Ok(self.trackers.of(attribute)?.policy)
    }

    /// Sets what a tracker lets through (TRACKER_SET_POLICY). A policy other than the present one
    /// empties the set.
    ///
    /// # Errors
    ///
    /// As [`UstDomain::tracking_policy`].
    pub fn set_tracking_policy(
        &mut self,
        attribute: ProcessAttribute,
        policy: TrackingPolicy,
    ) -> Result<(), ErrorCode> {
        self.trackers.of_mut(attribute)?.set_policy(policy);
        Ok(())
    }

    /// Adds a value to a tracker's set (TRACKER_ADD_VALUE). `id` is the number that the value
    /// means: its own, or that of its user or group.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Invalid`] for an attribute that is not virtual, a value that is none of the
    /// attribute's, or an id above the largest `i32`;
    /// [`ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy`],
    /// [`ErrorCode::ProcessAttrExists`] also for another value with the same id,
    /// [`ErrorCode::Nomem`] beyond [`TRACKED_MAX`] values.
    pub fn track(
        &mut self,
        attribute: ProcessAttribute,
        value: TrackerValue,
        id: u32,
    ) -> Result<(), ErrorCode> {
        let tracker = self.trackers.of_mut(attribute)?;
        if !value.fits(attribute) {
            return Err(ErrorCode::Invalid);
        }
        tracker.has_set()?;
        check_id(id)?;
        if tracker.contains(&value) || tracker.tracks(id) {
            return Err(ErrorCode::ProcessAttrExists);
        }
        if tracker.is_full() {
            return Err(ErrorCode::Nomem);
        }
        tracker.insert(value, id);
        Ok(())
    }

    /// Takes a value out of a tracker's set (TRACKER_REMOVE_VALUE).
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Invalid`] for an attribute that is not virtual,
    /// [`ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy`], [`ErrorCode::ProcessAttrMissing`].
    pub fn untrack(
        &mut self,
        attribute: ProcessAttribute,
        value: &TrackerValue,
    ) -> Result<(), ErrorCode> {
        let tracker = self.trackers.of_mut(attribute)?;
        tracker.has_set()?;
        if tracker.remove(value) { Ok(()) } else { Err(ErrorCode::ProcessAttrMissing) }
    }

    /// The values of a tracker's set in the order they were added (TRACKER_GET_INCLUSION_SET).
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Invalid`] for an attribute that is not virtual,
    /// [`ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy`].
    pub fn inclusion_set(
        &self,
        attribute: ProcessAttribute,
    ) -> Result<Vec<TrackerValue>, ErrorCode> {
        self.trackers.of(attribute)?.inclusion_set()
    }
}

/// LTTng's ids are signed here, and no process, user or group has a negative one.
fn check_id(id: u32) -> Result<(), ErrorCode> {
    i32::try_from(id).map(drop).map_err(|_| ErrorCode::Invalid)
}
