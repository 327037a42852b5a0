//! Who asks, and who owns.

use serde::{Deserialize, Serialize};

/// The user and group of a peer (taken from its socket, never from a message) or of an object.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Credentials {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Credentials {
    /// Whether these credentials may see and use what `owner` owns: the owner itself or root.
    #[must_use]
    pub fn may_access(self, owner: Self) -> bool {
        self.uid == 0 || self.uid == owner.uid
    }
}
