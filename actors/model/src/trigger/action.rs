//! What a trigger does.

use serde::{Deserialize, Serialize};

use super::{
    RatePolicy,
    bounds::{ACTION_DEPTH_MAX, ACTIONS_MAX, check_name},
};
use crate::{ErrorCode, NAME_MAX};

/// What is done when a condition becomes true.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Action {
    /// Notifies those who subscribed to the condition.
    Notify(RatePolicy),
    /// Starts a session.
    Start {
        /// Its name.
        session: String,
        /// How often.
        rate: RatePolicy,
    },
    /// Stops a session.
    Stop {
        /// Its name.
        session: String,
        /// How often.
        rate: RatePolicy,
    },
    /// Rotates a session.
    Rotate {
        /// Its name.
        session: String,
        /// How often.
        rate: RatePolicy,
    },
    /// Records a snapshot.
    Snapshot(SnapshotAction),
    /// One after the other, each as often as it says itself.
    List(Vec<Self>),
}

/// The recording of a snapshot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SnapshotAction {
    /// Name of the session.
    pub session: String,
    /// Where to, `None` for the session's own outputs.
    pub output: Option<SnapshotTarget>,
    /// How often.
    pub rate: RatePolicy,
}

/// An output of a snapshot that is the action's own (`struct lttng_snapshot_output`).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct SnapshotTarget {
    /// Id, which has no meaning here and is given back.
    #[serde(default)]
    pub id: u32,
    /// Largest size of one snapshot in bytes; 0 for no limit, the largest number for the output's own.
    pub max_size_bytes: u64,
    /// Name; empty for an automatic one.
    pub name: String,
    /// Directory, or URL of the control connection; empty for the session's own outputs.
    pub control_url: String,
    /// URL of the data connection; may be empty.
    pub data_url: String,
}

/// The way to an action: the index in each list on the way, none for the trigger's action itself.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ActionPath(pub Vec<u64>);

impl Action {
    /// As often as the condition becomes true.
    #[must_use]
    pub fn notify() -> Self {
        Self::Notify(RatePolicy::default())
    }

    /// The actions that it consists of in the order in which they are done, no list among them.
    pub fn leaves(&self) -> impl Iterator<Item = &Self> {
        let mut left = vec![self];
        std::iter::from_fn(move || {
            loop {
                match left.pop()? {
                    Self::List(actions) => left.extend(actions.iter().rev()),
                    leaf => return Some(leaf),
                }
            }
        })
    }

    /// How often it is done; `None` for a list.
    #[must_use]
    pub fn rate(&self) -> Option<RatePolicy> {
        match self {
            Self::Notify(rate)
            | Self::Start { rate, .. }
            | Self::Stop { rate, .. }
            | Self::Rotate { rate, .. } => Some(*rate),
            Self::Snapshot(snapshot) => Some(snapshot.rate),
            Self::List(_) => None,
        }
    }

    /// The session to which it does something.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::Start { session, .. }
            | Self::Stop { session, .. }
            | Self::Rotate { session, .. } => Some(session),
            Self::Snapshot(snapshot) => Some(&snapshot.session),
            Self::Notify(_) | Self::List(_) => None,
        }
    }

    /// Whether it notifies, at whatever times.
    #[must_use]
    pub fn notifies(&self) -> bool {
        self.leaves().any(|leaf| matches!(leaf, Self::Notify(_)))
    }

    /// The action at the end of a path, and its place among [`Action::leaves`] unless it is a list; `None`
    /// when the path leads nowhere.
    #[must_use]
    pub fn at(&self, path: &ActionPath) -> Option<(&Self, Option<usize>)> {
        let (mut action, mut place) = (self, 0);
        for index in &path.0 {
            let Self::List(actions) = action else { return None };
            let index = usize::try_from(*index).ok()?;
            let next = actions.get(index)?;
            place +=
                actions.iter().take(index).map(|before| before.leaves().count()).sum::<usize>();
            action = next;
        }
        let is_leaf = !matches!(action, Self::List(_));
        Some((action, is_leaf.then_some(place)))
    }

    pub(super) fn check(&self) -> Result<(), ErrorCode> {
        let mut level = vec![self];
        let mut count = 0;
        for _ in 0..=ACTION_DEPTH_MAX {
            count += level.len();
            if count > ACTIONS_MAX {
                return Err(ErrorCode::InvalidTrigger);
            }
            let mut next = Vec::new();
            for action in level {
                match action {
                    Self::List(actions) => next.extend(actions),
                    leaf => leaf.check_leaf()?,
                }
            }
            if next.is_empty() {
                return Ok(());
            }
            level = next;
        }
        Err(ErrorCode::InvalidTrigger)
    }

    fn check_leaf(&self) -> Result<(), ErrorCode> {
        if let Some(session) = self.session() {
            check_name(session, NAME_MAX + 1)?;
        }
        self.rate().map_or(Ok(()), RatePolicy::check)
    }
}
