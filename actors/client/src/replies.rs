//! Memory for replies that are long: for each user a share, from before a reply is made until its client has taken it.

use lttngd_model::ErrorCode;
use lttngd_users::{Lease, Ledger};

/// Most bytes of long replies, of all clients.
const REPLIES_MAX_LEN: u64 = 160 << 20;
/// Of those, kept for root's clients: more than the longest reply has. What others may have then is room for one such reply
/// of a user.
const REPLIES_KEPT_LEN: u64 = 72 << 20;
/// Shorter ones are not counted: a socket takes them at once.
const COUNTED_MIN_LEN: usize = 16 << 10;
/// What is told of one for which there is no room.
const REFUSED: &str = "a reply to a client is refused";

/// The replies that there are.
#[derive(Clone, Debug)]
pub(crate) struct Replies {
    ledger: Ledger,
    max_len: u64,
}

impl Default for Replies {
    fn default() -> Self {
        Self::holding(REPLIES_MAX_LEN, REPLIES_KEPT_LEN)
    }
}

impl Replies {
    /// Of which there may be so many bytes, of which some are `kept` for root's.
    pub(crate) fn holding(max_len: u64, kept: u64) -> Self {
        let owner = rustix::process::geteuid().as_raw();
        let ledger = Ledger::new("bytes of replies to clients", kept).owned_by(owner);
        Self { ledger, max_len }
    }

    /// The room of one reply to a client of this user.
    pub(crate) fn room(&self, uid: u32) -> ReplyRoom {
        ReplyRoom { of: Some((self.clone(), uid)), lease: None, len: 0 }
    }

    /// The right of a user to one more list of sessions, however long it will be; `None` while his clients have not
    /// taken those that he has. That is no refusal: it is waited for.
    pub(crate) fn list(&self, uid: u32) -> Option<Lease> {
        let free = self.max_len.saturating_sub(self.ledger.taken());
        self.ledger.may(uid, 1, free).then(|| self.ledger.take(uid, 1, free).ok())?
    }
}

/// A list for which there was room has become so long.
pub(crate) fn has_become(lease: &mut Lease, len: usize) {
    // What is there already is counted, whatever is left.
    let _ = lease.grow(len as u64, u64::MAX);
}

/// What a reply has of its user's share. One of nobody's has no end.
#[derive(Debug, Default)]
pub(crate) struct ReplyRoom {
    of: Option<(Replies, u32)>,
    lease: Option<Lease>,
    len: u64,
}

impl ReplyRoom {
    /// Makes room for a reply of so many bytes.
    ///
    /// # Errors
    /// What a client is answered whose user has his share.
    pub(crate) fn hold(&mut self, len: usize) -> Result<(), ErrorCode> {
        let Some((replies, uid)) = &self.of else { return Ok(()) };
        let more = (len as u64).saturating_sub(self.len);
        if len < COUNTED_MIN_LEN || more == 0 {
            return Ok(());
        }
        let Replies { ledger, max_len } = replies;
        let taken = ledger.take_into(&mut self.lease, (*uid, more), *max_len, REFUSED);
        taken.map_err(|_| ErrorCode::Nomem)?;
        self.len += more;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_wire::client::REPLY_DATA_MAX_LEN;

    use super::*;

    /// Replies of so many bytes, as many as a user gets.
    fn fill(replies: &Replies, uid: u32, len: usize) -> Vec<ReplyRoom> {
        let next = || {
            let mut room = replies.room(uid);
            room.hold(len).ok().map(|()| room)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn the_replies_of_a_user_leave_memory_to_others_and_to_root() {
        let replies = Replies::default();
        let longest = fill(&replies, 54_321, REPLY_DATA_MAX_LEN);
        assert_eq!(longest.len(), 1, "who is alone is answered, once at a time");
        drop(longest);
        let mut all = Vec::new();
        for uid in 54_321..54_329 {
            let held = fill(&replies, uid, 1 << 20);
            assert!(!held.is_empty() || uid > 54_323, "{uid}");
            all.extend(held);
        }
        assert!(all.len() < 90, "{}", all.len());
        assert_eq!(
            fill(&replies, 0, REPLY_DATA_MAX_LEN).len(),
            1,
            "root's is never refused for theirs"
        );
        drop(all);
        assert_eq!(replies.ledger.taken(), 0);
    }

    #[test]
    fn a_reply_is_counted_as_long_as_it_has_become() {
        let replies = Replies::holding(1 << 20, 0);
        let mut room = replies.room(54_321);
        room.hold(COUNTED_MIN_LEN - 1).unwrap();
        assert_eq!(replies.ledger.taken(), 0, "short ones are not");
        room.hold(100_000).unwrap();
        room.hold(200_000).unwrap();
        room.hold(150_000).unwrap();
        assert_eq!(replies.ledger.held_by(54_321), 200_000);
        assert_eq!(room.hold(1 << 20), Err(ErrorCode::Nomem));
        drop(room);
        assert_eq!(replies.ledger.taken(), 0);
        assert_eq!(ReplyRoom::default().hold(usize::MAX), Ok(()));
    }

    #[test]
    fn a_user_whose_lists_are_not_taken_has_no_other_made_and_root_has() {
        let replies = Replies::holding(4 << 20, 1 << 20);
        let mut held = Vec::new();
        while let Some(mut lease) = replies.list(54_321) {
            has_become(&mut lease, 1 << 20);
            held.push(lease);
        }
        assert!((2..5).contains(&held.len()), "{}", held.len());
        assert!(replies.list(0).is_some());
        assert_eq!(replies.ledger.refused(), 0, "to wait is no refusal");
        held.pop();
        assert!(replies.list(54_321).is_some());
    }
}
