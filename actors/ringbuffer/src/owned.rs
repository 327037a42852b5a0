//! Turns at a sub-buffer from ABI 11 on: it has one owner at a time, who alone writes there. Whoever goes on to the next
//! sub-buffer first moves the writers' position, and what is left of the one before is completed by its owner when it
//! lets go of it, or, if nobody owns it, by whoever went on.
//!
//! Before ABI 11 nobody owns a sub-buffer, and all that is done here is nothing.

use std::sync::atomic::Ordering;

use crate::error::Corruption;
use crate::flush::Switch;
use crate::stream::Stream;

/// Nobody's (`LTTNG_UST_ABI_OWNER_ID_UNSET`).
const NOBODY: u64 = 0;
/// Ours (`LTTNG_UST_ABI_OWNER_ID_CONSUMER`).
const CONSUMER: u64 = 1;
/// How often a sub-buffer is looked at again that writers left while it was let go of. Honest ones do it once.
const LOOKS_MAX: u32 = 16;

/// Most sub-buffers that are remembered as somebody's.
const HELD_MAX: usize = 64;

/// A sub-buffer that is somebody's although its packet is complete: for a moment, or for ever if he died there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct HeldOn {
    index: u64,
    owner: u64,
}

impl Stream {
    /// Whether somebody has a sub-buffer still whose packet was put: others do not write there. It is to be looked at
    /// again as packets that are not finished are.
    pub fn awaits_owners(&mut self) -> bool {
        let held = std::mem::take(&mut self.held_on);
        self.held_on = held.into_iter().filter(|held| self.is_held_on(*held)).collect();
        !self.held_on.is_empty()
    }

    fn is_held_on(&self, held: HeldOn) -> bool {
        self.owner_of(held.index) == held.owner
    }

    fn owner_of(&self, index: u64) -> u64 {
        let owner = self.layout.owner(index);
        owner.map_or(NOBODY, |owner| self.memory.word(owner).load(Ordering::SeqCst))
    }

    /// Remembers whose the sub-buffer of a position is, if it is somebody's.
    pub(crate) fn note_owner(&mut self, position: u64) {
        let index = self.layout.geometry.index(position);
        let held = HeldOn { index, owner: self.owner_of(index) };
        if held.owner != NOBODY && self.held_on.len() < HELD_MAX && !self.held_on.contains(&held) {
            self.held_on.push(held);
        }
    }

    /// Gives back what those have who were noted and have done nothing there since: they are given up.
    pub(crate) fn free_held_on(&mut self, produced: u64) {
        let geometry = self.layout.geometry;
        for held in std::mem::take(&mut self.held_on) {
            let HeldOn { index, owner } = held;
            let is_open =
                geometry.offset_in_subbuf(produced) != 0 && geometry.index(produced) == index;
            let count = |offset| self.memory.word(offset).load(Ordering::SeqCst);
            let written = count(self.layout.commit_count(index));
            let is_complete = written == count(self.layout.delivered_count(index));
            if let Some(word) = self.layout.owner(index)
                && is_complete
                && !is_open
            {
                let word = self.memory.word(word);
                let _ = word.exchange(owner, NOBODY);
            }
        }
    }

    /// Takes a sub-buffer, if nobody has it.
    pub(crate) fn own(&self, index: u64) -> bool {
        let Some(owner) = self.layout.owner(index) else { return true };
        let word = self.memory.word(owner);
        word.exchange(NOBODY, CONSUMER).is_ok()
    }

    /// Takes a sub-buffer from whoever has it, and does not write there any more.
    pub(crate) fn seize(&self, index: u64) {
        if let Some(owner) = self.layout.owner(index) {
            self.memory.word(owner).store(CONSUMER, Ordering::SeqCst);
        }
    }

    /// Gives a sub-buffer back, of which nothing is left to do.
    pub(crate) fn disown(&self, index: u64) {
        if let Some(owner) = self.layout.owner(index) {
            self.memory.word(owner).store(NOBODY, Ordering::SeqCst);
        }
    }

    /// Whether somebody has a sub-buffer.
    pub(crate) fn is_owned(&self, index: u64) -> bool {
        self.owner_of(index) != NOBODY
    }

    /// Completes a sub-buffer that was left at the time `now`, unless somebody has it, who does it then.
    pub(crate) fn complete_left(&mut self, index: u64, now: u64) -> Result<(), Corruption> {
        if self.own(index) { self.let_go(index, now) } else { Ok(()) }
    }

    /// Completes a sub-buffer of ours, if it was left, and gives it back. Who leaves it meanwhile finds an owner, so
    /// that it is looked at once more behind that.
    pub(crate) fn let_go(&mut self, index: u64, now: u64) -> Result<(), Corruption> {
        if self.layout.owner(index).is_none() {
            return Ok(());
        }
        for _ in 0..LOOKS_MAX {
            let produced = self.memory.word(self.layout.control.offset).load(Ordering::SeqCst);
            let completed = self.complete(index, produced, now);
            self.disown(index);
            completed?;
            let is_still =
                self.memory.word(self.layout.control.offset).load(Ordering::SeqCst) == produced;
            if is_still || !self.own(index) {
                return Ok(());
            }
        }
        self.disown(index);
        Ok(())
    }

    /// Fills what is left of a sub-buffer that is ours, if the writers are beyond it.
    fn complete(&mut self, index: u64, produced: u64, now: u64) -> Result<(), Corruption> {
        let geometry = self.layout.geometry;
        let written = self.memory.word(self.layout.commit_count(index)).load(Ordering::SeqCst);
        let in_subbuf = geometry.offset_in_subbuf(written);
        let begin = ((written >> geometry.subbuf_order) << geometry.buf_order())
            .wrapping_add(index << geometry.subbuf_order);
        let end = begin.wrapping_add(geometry.subbuf_size());
        // One that was left in this pass or the one before; what else the count may say is none of honest writers.
        let beyond = geometry.ahead(produced, end);
        if beyond < 0 || beyond.cast_unsigned() >= geometry.buf_size() {
            return Ok(());
        }
        let produced = geometry.extend(produced, self.consumed);
        let begin =
            produced.wrapping_sub(beyond.cast_unsigned()).wrapping_sub(geometry.subbuf_size());
        let events_discarded = self.events_discarded();
        self.finish(&Switch {
            from: begin.wrapping_add(in_subbuf),
            now,
            events_discarded,
            unopened: in_subbuf == 0,
        })
    }
}
