//! What the sessions of one user hold of what they record: channels, contexts, event rules, values of trackers.

use lttngd_model::{ErrorCode, EventDescription, TrackerValue, ust::TrackedHeld};
use lttngd_users::{Lease, Ledger};

use crate::domains::Domains;

/// Most bytes of channels, contexts, event rules and values of trackers, of all users' sessions together.
const RULES_MAX_LEN: u64 = 160 << 20;
/// What one of them takes besides what a client named.
const RULE_LEN: u64 = 512;

thread_local! {
    /// Of all sessions that live in this thread.
    static RULES: Ledger = Ledger::new("bytes of channels, contexts, event rules and values of trackers", 0);
}

/// What one session has of its owner's share, until it ends.
#[derive(Debug, Default)]
pub(crate) struct RuleShare {
    lease: Option<Lease>,
}

impl RuleShare {
    /// Takes so many bytes for the owner of the session. Of root, and of the user whose daemon it is, nothing is
    /// counted.
    ///
    /// # Errors
    /// [`ErrorCode::Nomem`] when his sessions have his share.
    pub(crate) fn take(&mut self, uid: u32, len: u64) -> Result<(), ErrorCode> {
        if uid == 0 || uid == rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        RULES.with(|rules| self.take_of(rules, uid, len))
    }

    fn take_of(&mut self, rules: &Ledger, uid: u32, len: u64) -> Result<(), ErrorCode> {
        let what = "what a session is to record is refused";
        rules
            .take_into(&mut self.lease, (uid, len), RULES_MAX_LEN, what)
            .map_err(|_| ErrorCode::Nomem)
    }

    pub(crate) fn give_back(&mut self, len: u64) {
        if let Some(lease) = &mut self.lease {
            lease.shrink(len);
        }
    }
}

/// What an event rule takes, besides what every one does.
pub(crate) fn event_len(event: &EventDescription) -> u64 {
    let filter = event.filter.as_ref();
    let filter = filter.map_or(0, |filter| filter.expression.len() + filter.bytecode.data.len());
    let exclusion = |name: &String| size_of::<String>() + name.len();
    let exclusions: usize = event.exclusions.iter().map(exclusion).sum();
    RULE_LEN + (event.name.len() + filter + exclusions) as u64
}

/// What a channel or a context takes, which a client named by so much.
pub(crate) fn named_len(name: &str) -> u64 {
    RULE_LEN + name.len() as u64
}

/// What a value of a tracker takes: its name is found by, and is told in the order in which it came.
pub(crate) fn value_len(value: &TrackerValue) -> u64 {
    RULE_LEN + 2 * value.name_len() as u64
}

impl Domains {
    /// What the values of trackers take.
    pub(crate) fn tracked_len(&self) -> u64 {
        let ust = self.ust.as_ref().map(|ust| ust.trackers.held());
        let kernel = self.kernel.as_ref().map(|kernel| kernel.rules.trackers.held());
        let held: TrackedHeld = ust.into_iter().chain(kernel).sum();
        RULE_LEN * held.values as u64 + 2 * held.names_len as u64
    }

    /// How many channels, contexts and event rules there are.
    pub(crate) fn count(&self) -> usize {
        let ust = self.ust.as_ref().map_or(0, |ust| {
            let of = |channel: &lttngd_model::ust::Channel| {
                1 + channel.contexts.len() + channel.events.len()
            };
            let agents = ust.agents.values().map(|of| of.events.len() + of.contexts.len());
            ust.channels.iter().map(of).sum::<usize>() + agents.sum::<usize>()
        });
        let kernel = self.kernel.as_ref().map_or(0, |kernel| {
            let channels = kernel.rules.channels.iter();
            channels.map(|channel| 1 + channel.contexts.len() + channel.events.len()).sum()
        });
        ust + kernel
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ONE: u32 = 1000;
    const OTHER: u32 = 1001;

    fn fill(rules: &Ledger, uid: u32, len: u64) -> (RuleShare, u64) {
        let mut share = RuleShare::default();
        let taken = (0..).take_while(|_: &u64| share.take_of(rules, uid, len) == Ok(())).count();
        (share, taken as u64 * len)
    }

    #[test]
    fn a_user_with_many_rules_leaves_others_some() {
        const LARGE: u64 = 1 << 20;

        let rules = Ledger::new("bytes", 0);
        let (mut one, taken) = fill(&rules, ONE, LARGE);
        assert!(taken > RULES_MAX_LEN / 2 && taken <= RULES_MAX_LEN * 3 / 4, "{taken}");
        let (_other, taken) = fill(&rules, OTHER, RULE_LEN);
        assert!(taken > RULES_MAX_LEN / 8, "{taken}");
        assert_eq!(one.take_of(&rules, ONE, LARGE), Err(ErrorCode::Nomem));
        one.give_back(60 * LARGE);
        assert_eq!(one.take_of(&rules, ONE, LARGE), Ok(()));
        drop(one);
        assert!(rules.held_by(ONE) == 0, "they go with their session");
    }

    #[test]
    fn a_rule_takes_what_a_client_named() {
        let small = EventDescription::tracepoint("p:e");
        let names = (0..4096).map(|number| format!("{number:0>255}")).collect();
        let large = EventDescription { exclusions: names, ..small.clone() };
        assert_eq!(event_len(&small), RULE_LEN + 3);
        assert!(event_len(&large) > 1 << 20);
    }
}
