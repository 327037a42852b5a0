//! What trackers select processes by.

use serde::{Deserialize, Serialize};

/// A process attribute that a tracker selects by (`enum lttng_process_attr`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[repr(i32)]
#[allow(missing_docs, reason = "the names are LTTng's own")]
pub enum ProcessAttribute {
    ProcessId = 0,
    VirtualProcessId = 1,
    UserId = 2,
    VirtualUserId = 3,
    GroupId = 4,
    VirtualGroupId = 5,
}

impl ProcessAttribute {
    /// The attribute of a wire value, `None` when no attribute has it.
    #[must_use]
    pub fn from_raw(raw: i32) -> Option<Self> {
        Some(match raw {
            0 => Self::ProcessId,
            1 => Self::VirtualProcessId,
            2 => Self::UserId,
            3 => Self::VirtualUserId,
            4 => Self::GroupId,
            5 => Self::VirtualGroupId,
            _ => return None,
        })
    }

    /// Whether the user-space domain can track by it.
    #[must_use]
    pub fn is_virtual(self) -> bool {
        matches!(self, Self::VirtualProcessId | Self::VirtualUserId | Self::VirtualGroupId)
    }
}

/// What a tracker lets through (`enum lttng_tracking_policy`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[repr(u32)]
pub enum TrackingPolicy {
    /// Every process.
    IncludeAll = 0,
    /// No process.
    ExcludeAll = 1,
    /// The processes of its set.
    IncludeSet = 2,
}

/// A value of a process attribute (`enum lttng_process_attr_value_type`).
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum TrackerValue {
    /// Process id.
    Pid(i32),
    /// User id.
    Uid(u32),
    /// User name.
    UserName(String),
    /// Group id.
    Gid(u32),
    /// Group name.
    GroupName(String),
}

impl TrackerValue {
    /// Bytes of the name, if it is one.
    #[must_use]
    pub fn name_len(&self) -> usize {
        match self {
            Self::UserName(name) | Self::GroupName(name) => name.len(),
            Self::Pid(_) | Self::Uid(_) | Self::Gid(_) => 0,
        }
    }

    /// Whether the attribute has values of this type.
    #[must_use]
    pub fn fits(&self, attribute: ProcessAttribute) -> bool {
        use ProcessAttribute as A;
        match self {
            Self::Pid(_) => matches!(attribute, A::ProcessId | A::VirtualProcessId),
            Self::Uid(_) | Self::UserName(_) => {
                matches!(attribute, A::UserId | A::VirtualUserId)
            }
            Self::Gid(_) | Self::GroupName(_) => {
                matches!(attribute, A::GroupId | A::VirtualGroupId)
            }
        }
    }
}
