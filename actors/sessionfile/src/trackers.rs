//! Process attribute trackers.

use lttngd_model::{ProcessAttribute, TrackerValue};
use serde::Deserialize;

/// The trackers of a domain whose policy is not to include every process.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(from = "Elements")]
pub struct SavedTrackers(pub Vec<SavedTracker>);

/// A tracker. Without values no process is included.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SavedTracker {
    /// What it selects by.
    pub attribute: ProcessAttribute,
    /// What it includes.
    pub values: Vec<TrackedValue>,
}

/// A value of a tracker.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum TrackedValue {
    /// A number.
    Id(i64),
    /// The name of a user or a group.
    Name(String),
}

/// Declares the element of each tracker and the element of each of its values.
macro_rules! trackers {
    ($($element:ident, $word:literal, $name:literal, $attribute:ident;)*) => {
        $(
            #[derive(Default, Deserialize)]
            #[serde(deny_unknown_fields)]
            struct $element {
                process_attr_values: Values,
            }
        )*

        #[derive(Deserialize)]
        enum Element {
            $(#[serde(rename = $name)] $element($element),)*
            #[serde(rename = "pid_tracker")]
            Legacy(Legacy),
        }

        #[derive(Deserialize)]
        enum ValueElement {
            $(#[serde(rename = $word)] $element(Value),)*
        }

        impl Element {
            fn tracker(self) -> SavedTracker {
                match self {
                    $(Self::$element(element) => {
                        let values = element.process_attr_values.values.into_iter();
                        SavedTracker {
                            attribute: ProcessAttribute::$attribute,
                            values: values.map(ValueElement::value).collect(),
                        }
                    })*
                    Self::Legacy(legacy) => legacy.tracker(),
                }
            }
        }

        impl ValueElement {
            fn value(self) -> TrackedValue {
                match self { $(Self::$element(value) => value.value,)* }
            }
        }

        /// The words of an attribute: the element of its tracker and that of a value.
        pub(super) fn words(attribute: ProcessAttribute) -> (&'static str, &'static str) {
            match attribute { $(ProcessAttribute::$attribute => ($name, $word),)* }
        }
    };
}

trackers! {
    Pid, "pid", "pid_process_attr_tracker", ProcessId;
    Vpid, "vpid", "vpid_process_attr_tracker", VirtualProcessId;
    Uid, "uid", "uid_process_attr_tracker", UserId;
    Vuid, "vuid", "vuid_process_attr_tracker", VirtualUserId;
    Gid, "gid", "gid_process_attr_tracker", GroupId;
    Vgid, "vgid", "vgid_process_attr_tracker", VirtualGroupId;
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Elements {
    #[serde(default, rename = "$value")]
    trackers: Vec<Element>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Values {
    #[serde(default, rename = "$value")]
    values: Vec<ValueElement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    #[serde(rename = "$value")]
    value: TrackedValue,
}

impl From<Elements> for SavedTrackers {
    fn from(elements: Elements) -> Self {
        Self(elements.trackers.into_iter().map(Element::tracker).collect())
    }
}

/// The only tracker of LTTng before 2.12, in the user-space domain one of virtual process ids.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Legacy {
    targets: Targets,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Targets {
    #[serde(default)]
    pid_target: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    pid: i64,
}

impl Legacy {
    fn tracker(self) -> SavedTracker {
        let values = self.targets.pid_target.into_iter();
        SavedTracker {
            attribute: ProcessAttribute::VirtualProcessId,
            values: values.map(|target| TrackedValue::Id(target.pid)).collect(),
        }
    }
}

impl TrackedValue {
    /// The value that is meant; `None` when the attribute has no such value. As the stock loader does,
    /// of a number that is too large the low bits are taken.
    #[must_use]
    pub fn of(&self, attribute: ProcessAttribute) -> Option<TrackerValue> {
        use ProcessAttribute as A;
        Some(match (attribute, self) {
            (A::ProcessId | A::VirtualProcessId, Self::Id(id)) => TrackerValue::Pid(*id as _),
            (A::UserId | A::VirtualUserId, Self::Id(id)) => TrackerValue::Uid(*id as _),
            (A::GroupId | A::VirtualGroupId, Self::Id(id)) => TrackerValue::Gid(*id as _),
            (A::UserId | A::VirtualUserId, Self::Name(name)) => {
                TrackerValue::UserName(name.clone())
            }
            (A::GroupId | A::VirtualGroupId, Self::Name(name)) => {
                TrackerValue::GroupName(name.clone())
            }
            (A::ProcessId | A::VirtualProcessId, Self::Name(_)) => return None,
        })
    }
}
