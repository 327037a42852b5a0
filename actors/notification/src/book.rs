//! Which triggers there are. No input or output.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use lttngd_model::{
    Credentials, ErrorCode, TracerToken,
    trigger::{Action, ActionPath, Condition, Trigger},
};
use lttngd_users::{Lease, Ledger};
use lttngd_wire::client::{Dialect, FDS_MAX, encode_condition, encode_trigger};

use crate::{
    rule::{self, Compiled, Rule},
    slots::Slots,
};

/// Most triggers of all users.
pub const TRIGGERS_MAX: usize = 1 << 16;
/// Most triggers of one user but root.
pub const TRIGGERS_EACH_MAX: usize = 1 << 14;

/// Most bytes of all triggers, as clients read them. In memory they take some four times as much.
pub const TRIGGERS_MAX_LEN: u64 = 48 << 20;
/// Of these, kept for root's.
const TRIGGERS_KEPT_LEN: u64 = 4 << 20;
/// How many times what is left of them a user may have.
const TRIGGERS_TIMES_FREE: u64 = 1;

/// Most triggers of all users on places in programs: all are listed in one message, with their programs.
pub const PLACED_TRIGGERS_MAX: usize = FDS_MAX;

/// A trigger, from its registration on. Never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct TriggerId(u64);

impl TriggerId {
    /// What a tracer says of its events.
    pub(crate) fn token(self) -> TracerToken {
        TracerToken(self.0)
    }
}

impl From<TracerToken> for TriggerId {
    fn from(token: TracerToken) -> Self {
        Self(token.0)
    }
}

/// What all need who have to do with a trigger once its condition is true.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    pub(crate) trigger: Arc<Trigger>,
    /// As clients read it.
    pub(crate) bytes: Arc<[u8]>,
    /// Its condition, as equal conditions have it.
    pub(crate) condition: ConditionKey,
}

/// The same for conditions that are equal.
pub(crate) type ConditionKey = Arc<[u8]>;

/// That of a condition.
pub(crate) fn condition_key(condition: &Condition) -> ConditionKey {
    encode_condition(condition, Dialect::V2_13).into()
}

#[derive(Debug)]
struct Entry {
    registered: Registered,
    /// The actions that it consists of.
    leaves: Vec<Leaf>,
    notifies: bool,
    rule: Option<Rule>,
    _share: Lease,
}

#[derive(Debug)]
struct Leaf {
    action: Action,
    /// How often the condition became true.
    times: u64,
    failures: u64,
}

/// An action whose time has come, and its place among those of its trigger.
pub(crate) type Due = (usize, Action);

/// All triggers.
#[derive(Debug)]
pub(crate) struct Book {
    entries: BTreeMap<TriggerId, Entry>,
    by_bytes: HashMap<Arc<[u8]>, TriggerId>,
    by_condition: HashMap<ConditionKey, BTreeSet<TriggerId>>,
    /// Those about a session.
    by_session: HashMap<String, BTreeSet<TriggerId>>,
    /// Of those how many are about the use of buffers.
    about_use: usize,
    names: HashSet<(u32, String)>,
    owners: HashMap<u32, usize>,
    /// Of the bytes of triggers.
    shares: Ledger,
    next_id: u64,
    next_name: u64,
    slots: Slots,
    /// `None` where no rule of the kernel is taken.
    kernel_slots: Option<Slots>,
}

impl Book {
    /// Without triggers. There may be so many with an event rule of user space, and of the kernel.
    pub(crate) fn new(error_counters: u64, of_kernel: Option<u64>) -> Self {
        Self {
            entries: BTreeMap::new(),
            by_bytes: HashMap::new(),
            by_condition: HashMap::new(),
            by_session: HashMap::new(),
            about_use: 0,
            names: HashSet::new(),
            owners: HashMap::new(),
            shares: Ledger::new("bytes of triggers", TRIGGERS_KEPT_LEN)
                .leaving(TRIGGERS_TIMES_FREE)
                .owned_by(rustix::process::geteuid().as_raw()),
            next_id: 0,
            next_name: 0,
            slots: Slots::new(error_counters),
            kernel_slots: of_kernel.map(Slots::new),
        }
    }

    /// Adds a trigger, if all that is wrong with it is nothing.
    pub(crate) fn register(
        &mut self,
        requester: Credentials,
        mut trigger: Trigger,
        anonymous: bool,
    ) -> Result<TriggerId, ErrorCode> {
        trigger.check()?;
        check_owner(requester, &trigger)?;
        if let Condition::EventRuleMatches { rule, .. } = &mut trigger.condition {
            *rule = rule.clone().normalized();
        }
        let compiled = rule::compile(&trigger.condition)?;
        match &trigger.name {
            Some(name) if self.names.contains(&(trigger.owner_uid, name.clone())) => {
                return Err(ErrorCode::TriggerExists);
            }
            None if !anonymous => trigger.name = Some(self.next_name(trigger.owner_uid)),
            _ => {}
        }
        if self.kernel_slots.is_none() && compiled.as_ref().is_some_and(Compiled::is_of_kernel) {
            return Err(ErrorCode::NotSupported);
        }
        let bytes: Arc<[u8]> = encode_trigger(&trigger, Dialect::V2_13).into();
        if self.by_bytes.contains_key(&bytes) {
            return Err(ErrorCode::TriggerExists);
        }
        let of_owner = self.owners.get(&trigger.owner_uid).copied().unwrap_or_default();
        let is_full = trigger.owner_uid != 0 && of_owner >= TRIGGERS_EACH_MAX;
        let is_placed = |trigger: &Trigger| trigger.condition.userspace_probe().is_some();
        let all = self.entries.values().map(|entry| &*entry.registered.trigger);
        let is_full = is_full
            || is_placed(&trigger)
                && all.filter(|known| is_placed(known)).count() >= PLACED_TRIGGERS_MAX;
        if is_full || self.entries.len() >= TRIGGERS_MAX {
            return Err(ErrorCode::Nomem);
        }
        let share = self.share(trigger.owner_uid, bytes.len() as u64)?;
        let id = TriggerId(self.next_id);
        let rule = match compiled {
            Some(compiled) => {
                let slots = self.slots_of(compiled.is_of_kernel()).and_then(Slots::take);
                let slot = slots.ok_or(ErrorCode::EventNotifierErrorAccountingFull)?;
                Some(compiled.into_rule(id.token(), slot))
            }
            None => None,
        };
        self.next_id += 1;
        self.insert(id, trigger, (bytes, share), rule);
        Ok(id)
    }

    /// The right of a user to a trigger of so many bytes.
    fn share(&self, uid: u32, len: u64) -> Result<Lease, ErrorCode> {
        let taken = self.shares.take_of(TRIGGERS_MAX_LEN, (uid, len), "a trigger is refused");
        taken.map_err(|_| ErrorCode::Nomem)
    }

    fn slots_of(&mut self, kernel: bool) -> Option<&mut Slots> {
        if kernel { self.kernel_slots.as_mut() } else { Some(&mut self.slots) }
    }

    fn insert(
        &mut self,
        id: TriggerId,
        trigger: Trigger,
        (bytes, share): (Arc<[u8]>, Lease),
        rule: Option<Rule>,
    ) {
        let condition = condition_key(&trigger.condition);
        let leaf = |action: &Action| Leaf { action: action.clone(), times: 0, failures: 0 };
        if let Some(name) = &trigger.name {
            self.names.insert((trigger.owner_uid, name.clone()));
        }
        if let Some(session) = trigger.condition.session() {
            self.by_session.entry(session.to_owned()).or_default().insert(id);
        }
        self.about_use += usize::from(trigger.condition.is_about_use());
        *self.owners.entry(trigger.owner_uid).or_default() += 1;
        self.by_condition.entry(Arc::clone(&condition)).or_default().insert(id);
        self.by_bytes.insert(Arc::clone(&bytes), id);
        let entry = Entry {
            leaves: trigger.action.leaves().map(leaf).collect(),
            notifies: trigger.action.notifies(),
            registered: Registered { trigger: Arc::new(trigger), bytes, condition },
            rule,
            _share: share,
        };
        self.entries.insert(id, entry);
    }

    /// `trigger<N>`, which nobody else of this user has.
    fn next_name(&mut self, owner_uid: u32) -> String {
        loop {
            let name = format!("trigger{}", self.next_name);
            self.next_name += 1;
            if !self.names.contains(&(owner_uid, name.clone())) {
                return name;
            }
        }
    }

    /// The trigger that is equal to this one.
    fn find(&self, trigger: &Trigger) -> Result<TriggerId, ErrorCode> {
        let mut trigger = trigger.clone();
        if let Condition::EventRuleMatches { rule, .. } = &mut trigger.condition {
            *rule = rule.clone().normalized();
        }
        let bytes = encode_trigger(&trigger, Dialect::V2_13);
        self.by_bytes.get(&*bytes).copied().ok_or(ErrorCode::TriggerNotFound)
    }

    /// Takes away the trigger that is equal to this one. Its rule is to be taken from the tracers, and then its
    /// error counter free again: [`Book::release`].
    pub(crate) fn unregister(
        &mut self,
        requester: Credentials,
        trigger: &Trigger,
    ) -> Result<Option<Rule>, ErrorCode> {
        trigger.check()?;
        check_owner(requester, trigger)?;
        let id = self.find(trigger)?;
        Ok(self.remove(id))
    }

    /// Takes away a trigger, if it is there, as [`Book::unregister`].
    pub(crate) fn remove(&mut self, id: TriggerId) -> Option<Rule> {
        let entry = self.entries.remove(&id)?;
        let Registered { trigger, bytes, condition } = entry.registered;
        self.by_bytes.remove(&bytes);
        remove_from(&mut self.by_condition, &*condition, id);
        if let Some(session) = trigger.condition.session() {
            remove_from(&mut self.by_session, session, id);
        }
        self.about_use -= usize::from(trigger.condition.is_about_use());
        if let Some(name) = &trigger.name {
            self.names.remove(&(trigger.owner_uid, name.clone()));
        }
        if let Some(count) = self.owners.get_mut(&trigger.owner_uid) {
            *count -= 1;
            if *count == 0 {
                self.owners.remove(&trigger.owner_uid);
            }
        }
        entry.rule
    }

    /// Nobody counts errors of a rule any more.
    pub(crate) fn release(&mut self, rule: &Rule) {
        if let Some(slots) = self.slots_of(matches!(rule, Rule::Kernel(_))) {
            slots.give_back(rule.error_counter_index());
        }
    }

    /// What LIST_TRIGGERS shows to somebody.
    pub(crate) fn list(&self, requester: Credentials) -> Vec<Trigger> {
        let all = self.entries.values().map(|entry| &entry.registered.trigger);
        let is_shown = |trigger: &&Arc<Trigger>| {
            !trigger.is_hidden && (requester.uid == 0 || requester.uid == trigger.owner_uid)
        };
        all.filter(is_shown).map(|trigger| Trigger::clone(trigger)).collect()
    }

    /// The trigger that is equal to this one, for somebody who wants to know what went wrong with it.
    pub(crate) fn find_for(
        &self,
        requester: Credentials,
        trigger: &Trigger,
    ) -> Result<TriggerId, ErrorCode> {
        let id = self.find(trigger)?;
        check_owner(requester, trigger)?;
        Ok(id)
    }

    pub(crate) fn get(&self, id: TriggerId) -> Option<&Registered> {
        self.entries.get(&id).map(|entry| &entry.registered)
    }

    pub(crate) fn rule(&self, id: TriggerId) -> Option<&Rule> {
        self.entries.get(&id)?.rule.as_ref()
    }

    /// How often an action of a trigger failed; `None` for a list.
    pub(crate) fn failures(&self, id: TriggerId, path: &ActionPath) -> Option<u64> {
        let entry = self.entries.get(&id)?;
        let (_, place) = entry.registered.trigger.action.at(path)?;
        Some(entry.leaves.get(place?)?.failures)
    }

    /// An action of a trigger failed.
    pub(crate) fn failed(&mut self, id: TriggerId, leaf: usize) {
        let entry = self.entries.get_mut(&id);
        if let Some(leaf) = entry.and_then(|entry| entry.leaves.get_mut(leaf)) {
            leaf.failures += 1;
        }
    }

    /// The condition of a trigger became true: what is to be done this time.
    pub(crate) fn occur(&mut self, id: TriggerId) -> Vec<Due> {
        let Some(entry) = self.entries.get_mut(&id) else { return Vec::new() };
        let due = |(place, leaf): (usize, &mut Leaf)| {
            leaf.times += 1;
            let is_due = leaf.action.rate().is_some_and(|rate| rate.admits(leaf.times));
            is_due.then(|| (place, leaf.action.clone()))
        };
        entry.leaves.iter_mut().enumerate().filter_map(due).collect()
    }

    /// The triggers with a condition about the session of this name.
    pub(crate) fn about(&self, session: &str) -> Vec<(TriggerId, Arc<Trigger>)> {
        let ids = self.by_session.get(session).into_iter().flatten();
        ids.filter_map(|id| Some((*id, Arc::clone(&self.get(*id)?.trigger)))).collect()
    }

    /// Whether a trigger has to know how buffers are used.
    pub(crate) fn is_about_use(&self) -> bool {
        self.about_use > 0
    }

    /// The triggers that notify of this condition.
    pub(crate) fn notifying(&self, condition: &[u8]) -> impl Iterator<Item = &Registered> {
        let ids = self.by_condition.get(condition).into_iter().flatten();
        let entries = ids.filter_map(|id| self.entries.get(id));
        entries.filter(|entry| entry.notifies).map(|entry| &entry.registered)
    }
}

fn remove_from<K, Q>(map: &mut HashMap<K, BTreeSet<TriggerId>>, key: &Q, id: TriggerId)
where
    K: std::borrow::Borrow<Q> + Eq + std::hash::Hash,
    Q: Eq + std::hash::Hash + ?Sized,
{
    if let Some(ids) = map.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}

/// Root alone has to do with triggers of others.
fn check_owner(requester: Credentials, trigger: &Trigger) -> Result<(), ErrorCode> {
    match requester.uid == trigger.owner_uid || requester.uid == 0 {
        true => Ok(()),
        false => Err(ErrorCode::InvalidTrigger),
    }
}
