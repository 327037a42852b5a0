//! What a session tells of what happens to it.

use crate::{Observation, SessionChanged, SessionEvent, SessionObserved, actor::Inner};

impl Inner {
    pub(crate) fn tell(&self, event: SessionEvent) {
        self.config.changes.tell(SessionChanged {
            id: self.config.id,
            session: self.config.name.clone(),
            owner: self.config.owner,
            event,
        });
    }

    /// Tells triggers.
    pub(crate) fn observe(&self, observation: Observation) {
        self.state_mut().is_observed = true;
        self.config.observed.tell(SessionObserved {
            id: self.config.id,
            session: self.config.name.clone(),
            owner: self.config.owner,
            observation,
        });
    }

    /// Tells triggers that the session is gone, if they know of it.
    pub(crate) fn observe_end(&self) {
        if self.state().is_observed {
            self.observe(Observation::Ended);
        }
    }
}
