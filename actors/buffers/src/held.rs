//! What is held of what applications announced: of each user his share, and once what many of his traces have. No
//! input or output.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    hash::Hash,
    rc::{Rc, Weak},
    sync::Arc,
};

use lttngd_metadata::ustregistry::{
    Enumeration, EventRegistration, RegistryError, Share, UstRegistry,
};
use lttngd_model::{Field, FieldType};
use lttngd_users::{Lease, Ledger};

/// The ids and the text of a buffer set.
pub(crate) type Registry = UstRegistry<Holding>;

/// Most bytes that are held of events, enumerations and contexts, of all users together.
const ANNOUNCED_MAX_LEN: u64 = 88 << 20;
/// What one event or enumeration takes of a trace in which it has an id, besides itself.
const ENTRY_LEN: u64 = 160;
/// What a value that is held once takes besides itself.
const VALUE_LEN: u64 = 64;
/// How many of the values may be nobody's before these are looked for: one in so many.
const SWEPT_PART: usize = 4;

/// What is held of all users.
#[derive(Debug)]
pub(crate) struct AllHeld {
    ledger: Ledger,
    /// Who may have as much as each trace may, since he shares with nobody.
    owner: u32,
    users: RefCell<HashMap<u32, Weak<OfUser>>>,
}

thread_local! {
    /// Of all buffer sets that live in this thread.
    static HELD: AllHeld = AllHeld::new(rustix::process::geteuid().as_raw());
}

impl AllHeld {
    /// Nothing yet, in the daemon of `owner`.
    fn new(owner: u32) -> Self {
        let ledger = Ledger::new("bytes of events, enumerations and contexts", 0);
        Self { ledger, owner, users: RefCell::default() }
    }

    /// For one more trace of a user's applications.
    fn of(&self, uid: u32) -> Holding {
        let mut users = self.users.borrow_mut();
        let known = users.get(&uid).and_then(Weak::upgrade);
        let user = known.unwrap_or_else(|| {
            users.retain(|_, user| user.strong_count() > 0);
            let is_limited = uid != 0 && uid != self.owner;
            let ledger = is_limited.then(|| self.ledger.clone());
            let user = Rc::new(OfUser { uid, ledger, ..OfUser::default() });
            users.insert(uid, Rc::downgrade(&user));
            user
        });
        Holding { user, own_len: 0, entries: 0 }
    }
}

/// For one more trace of a user's applications, of those whose buffer sets live in this thread.
pub(crate) fn holding_of(uid: u32) -> Holding {
    HELD.with(|held| held.of(uid))
}

/// What the traces of one user hold together.
#[derive(Debug, Default)]
struct OfUser {
    uid: u32,
    /// None of whom nothing is counted.
    ledger: Option<Ledger>,
    lease: RefCell<Option<Lease>>,
    events: RefCell<HashSet<Arc<EventRegistration>>>,
    texts: RefCell<HashSet<Arc<str>>>,
    enumerations: RefCell<HashSet<Arc<Enumeration>>>,
    /// How many entries were let go of since it was looked which values nobody has any more.
    let_go: Cell<usize>,
}

impl OfUser {
    /// Takes room for so many bytes. What nobody has any more makes some.
    fn take(&self, len: u64) -> Result<(), RegistryError> {
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let take = || {
            let free = ANNOUNCED_MAX_LEN.saturating_sub(ledger.taken());
            let mut lease = self.lease.borrow_mut();
            match &mut *lease {
                Some(lease) => lease.grow(len, free),
                None => ledger.take(self.uid, len, free).map(|taken| *lease = Some(taken)),
            }
        };
        let taken = take().or_else(|refused| {
            // What belongs to it may be held already, and nobody has it now.
            match self.lets_go(1) {
                true => take(),
                false => Err(refused),
            }
        });
        taken.map_err(|refused| RegistryError::NoRoom { uid: refused.uid, held: refused.held })
    }

    /// So many entries more are nobody's. Looks which values nobody has any more, when that is worth its time.
    fn lets_go(&self, entries: usize) -> bool {
        self.let_go.set(self.let_go.get() + entries);
        let is_worth_it = self.let_go.get() > self.values() / SWEPT_PART;
        if is_worth_it {
            self.sweep();
        }
        is_worth_it
    }

    fn give_back(&self, len: u64) {
        if let Some(lease) = &mut *self.lease.borrow_mut() {
            lease.shrink(len);
        }
    }

    /// Holds a value, which is the known one if it is known. `len` says what it takes.
    fn hold<T: Eq + Hash + ?Sized>(
        &self,
        known: &RefCell<HashSet<Arc<T>>>,
        value: impl Into<Arc<T>> + std::borrow::Borrow<T>,
        len: impl FnOnce(&T) -> u64,
    ) -> Result<Arc<T>, RegistryError> {
        let as_known: &T = std::borrow::Borrow::borrow(&value);
        if let Some(value) = known.borrow().get(as_known) {
            return Ok(Arc::clone(value));
        }
        self.take(VALUE_LEN + len(as_known))?;
        let value = value.into();
        known.borrow_mut().insert(Arc::clone(&value));
        Ok(value)
    }

    /// Lets go of what nobody else has.
    fn sweep(&self) {
        fn retain<T: Eq + Hash + ?Sized>(
            known: &RefCell<HashSet<Arc<T>>>,
            len: impl Fn(&T) -> u64,
        ) -> u64 {
            let mut let_go = 0;
            known.borrow_mut().retain(|value| {
                let is_held = Arc::strong_count(value) > 1;
                if !is_held {
                    let_go += VALUE_LEN + len(value);
                }
                is_held
            });
            let_go
        }
        self.let_go.set(0);
        self.give_back(retain(&self.events, event_len));
        self.give_back(retain(&self.texts, |text| text.len() as u64));
        self.give_back(retain(&self.enumerations, enumeration_len));
    }

    fn values(&self) -> usize {
        self.texts.borrow().len() + self.enumerations.borrow().len()
    }
}

/// What one trace holds.
#[derive(Debug)]
pub(crate) struct Holding {
    user: Rc<OfUser>,
    /// Bytes of its own.
    own_len: u64,
    entries: usize,
}

impl Holding {
    fn take_own(&mut self, len: u64) -> Result<(), RegistryError> {
        self.user.take(len)?;
        self.own_len += len;
        Ok(())
    }
}

impl Share for Holding {
    fn event(&mut self, event: EventRegistration) -> Result<Arc<EventRegistration>, RegistryError> {
        let event = self.user.hold(&self.user.events, event, event_len)?;
        self.take_own(ENTRY_LEN)?;
        self.entries += 1;
        Ok(event)
    }

    fn text(&mut self, text: String) -> Result<Arc<str>, RegistryError> {
        self.user.hold(&self.user.texts, text, |text| text.len() as u64)
    }

    fn enumeration(&mut self, known: Enumeration) -> Result<Arc<Enumeration>, RegistryError> {
        let known = self.user.hold(&self.user.enumerations, known, enumeration_len)?;
        self.take_own(ENTRY_LEN)?;
        self.entries += 1;
        Ok(known)
    }

    /// Once as fields, and about as much as text.
    fn context(&mut self, context: &[Field]) -> Result<(), RegistryError> {
        self.take_own(2 * fields_len(context))
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.user.give_back(self.own_len);
        self.user.lets_go(self.entries);
    }
}

fn event_len(event: &EventRegistration) -> u64 {
    let uri = event.model_emf_uri.as_deref().map_or(0, text_len);
    size_of::<EventRegistration>() as u64 + text_len(&event.name) + uri + fields_len(&event.fields)
}

fn enumeration_len(known: &Enumeration) -> u64 {
    let entry =
        |entry: &lttngd_model::EnumerationEntry| size_of_val(entry) as u64 + text_len(&entry.label);
    let entries = known.entries().iter().map(entry).sum::<u64>();
    size_of::<Enumeration>() as u64 + text_len(known.name()) + entries
}

/// What a text takes: the allocator gives sixteen bytes at a time, thirty-two at least, and has eight of them itself. Of
/// short labels that is several times their length.
fn text_len(text: &str) -> u64 {
    match text.len() {
        0 => 0,
        len => (len + 8).next_multiple_of(16).max(32) as u64,
    }
}

/// What fields take, with all that is in them.
fn fields_len(fields: &[Field]) -> u64 {
    let field =
        |field: &Field| size_of::<Field>() as u64 + text_len(&field.name) + behind(&field.kind);
    fields.iter().map(field).sum()
}

/// What a type takes besides itself.
fn behind(kind: &FieldType) -> u64 {
    let boxed = |kind| size_of::<FieldType>() as u64 + behind(kind);
    match kind {
        FieldType::Enumeration { name, .. } => text_len(name),
        FieldType::Array { element, .. } => boxed(element),
        FieldType::Sequence { length_name, element, .. } => text_len(length_name) + boxed(element),
        FieldType::Variant { tag, choices, .. } => text_len(tag) + fields_len(choices),
        FieldType::Integer(_)
        | FieldType::Float(_)
        | FieldType::String(_)
        | FieldType::LegacySequence { .. }
        | FieldType::Struct { .. } => 0,
    }
}

#[cfg(test)]
mod tests;
