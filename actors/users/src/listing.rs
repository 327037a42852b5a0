//! Room for what peers list, taken while it comes.

use crate::{Lease, Ledger, ShareTaken};

/// How many bytes are taken at a time.
const STEP: u64 = 64 << 10;

/// What a listing has of the share of its peer's user, as long as it is being read.
#[derive(Debug)]
pub struct ListingRoom {
    ledger: Ledger,
    /// Most bytes that all users have together.
    all: u64,
    uid: u32,
    lease: Option<Lease>,
    /// Bytes that are taken and not used.
    left: u64,
}

impl ListingRoom {
    /// A listing of a peer of this user begins, in a ledger of bytes of which there are so many in `all`.
    #[must_use]
    pub fn new(ledger: &Ledger, all: u64, uid: u32) -> Self {
        Self { ledger: ledger.clone(), all, uid, lease: None, left: 0 }
    }

    /// Some more bytes have come.
    ///
    /// # Errors
    /// [`ShareTaken`] when the user may not have as much.
    pub fn take(&mut self, len: usize) -> Result<(), ShareTaken> {
        let len = len as u64;
        if self.left < len {
            let (step, free) = (len.max(STEP), self.all.saturating_sub(self.ledger.taken()));
            match &mut self.lease {
                Some(lease) => lease.grow(step, free)?,
                None => self.lease = Some(self.ledger.take(self.uid, step, free)?),
            }
            self.left += step;
        }
        self.left -= len;
        Ok(())
    }
}
