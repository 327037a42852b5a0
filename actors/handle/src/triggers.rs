//! The requests about triggers, one method each, and the stream of their notifications.

use lttngd_model::{
    ErrorCode,
    trigger::{Condition, ErrorCounter, ErrorQuery, Trigger},
};
use lttngd_notification::{
    ListTriggers, Notifications, QueryErrors, RegisterTrigger, SubscribeNotifications,
    UnregisterTrigger,
};

use crate::{Handle, Request};

impl Request for RegisterTrigger {
    type Reply = Trigger;

    fn command(&self) -> &'static str {
        "REGISTER_TRIGGER"
    }

    async fn ask(mut self, handle: &Handle) -> Result<Trigger, ErrorCode> {
        self.requester = handle.requester();
        handle.check_served(self.trigger.domain()).await?;
        handle.triggers(self).await
    }
}

impl Request for UnregisterTrigger {
    type Reply = ();

    fn command(&self) -> &'static str {
        "UNREGISTER_TRIGGER"
    }

    async fn ask(mut self, handle: &Handle) -> Result<(), ErrorCode> {
        self.requester = handle.requester();
        handle.triggers(self).await
    }
}

impl Request for ListTriggers {
    type Reply = Vec<Trigger>;

    fn command(&self) -> &'static str {
        "LIST_TRIGGERS"
    }

    async fn ask(mut self, handle: &Handle) -> Result<Vec<Trigger>, ErrorCode> {
        self.requester = handle.requester();
        handle.triggers(self).await
    }
}

impl Request for QueryErrors {
    type Reply = Vec<ErrorCounter>;

    fn command(&self) -> &'static str {
        "EXECUTE_ERROR_QUERY"
    }

    async fn ask(mut self, handle: &Handle) -> Result<Vec<ErrorCounter>, ErrorCode> {
        self.requester = handle.requester();
        handle.triggers(self).await
    }
}

impl Handle {
    /// REGISTER_TRIGGER: has actions done when a condition becomes true. Returns the trigger, with the name that
    /// it was given if it had none.
    ///
    /// # Errors
    /// Those of the domain of its condition, then as [`RegisterTrigger`].
    pub async fn register_trigger(&self, trigger: Trigger) -> Result<Trigger, ErrorCode> {
        let requester = self.requester();
        self.ask(RegisterTrigger { requester, trigger, anonymous: false }).await
    }

    /// UNREGISTER_TRIGGER: of the trigger that is equal, name included.
    ///
    /// # Errors
    /// As [`UnregisterTrigger`].
    pub async fn unregister_trigger(&self, trigger: Trigger) -> Result<(), ErrorCode> {
        let requester = self.requester();
        self.ask(UnregisterTrigger { requester, trigger }).await
    }

    /// LIST_TRIGGERS.
    ///
    /// # Errors
    /// None of its own.
    pub async fn list_triggers(&self) -> Result<Vec<Trigger>, ErrorCode> {
        self.ask(ListTriggers { requester: self.requester() }).await
    }

    /// EXECUTE_ERROR_QUERY: what went wrong with a trigger.
    ///
    /// # Errors
    /// As [`QueryErrors`].
    pub async fn query_errors(&self, query: ErrorQuery) -> Result<Vec<ErrorCounter>, ErrorCode> {
        self.ask(QueryErrors { requester: self.requester(), query }).await
    }

    /// The notifications of triggers with these conditions, which need not be there yet: those that the one for
    /// whom the handle acts owns. What is true already is notified at once. `capacity` is how many may wait, from
    /// 1 to [`NOTIFICATIONS_MAX`](lttngd_notification::NOTIFICATIONS_MAX): more are dropped and counted.
    ///
    /// # Errors
    /// `InvalidTrigger` for what is no condition, `Overflow` when there are too many subscribers.
    pub async fn notifications(
        &self,
        conditions: impl IntoIterator<Item = Condition>,
        capacity: usize,
    ) -> Result<Notifications, ErrorCode> {
        let (requester, conditions) = (self.requester(), conditions.into_iter().collect());
        self.subscribe_to(SubscribeNotifications { requester, conditions, capacity }).await
    }
}
