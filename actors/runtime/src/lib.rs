//! The thin shell around actix that every actor crate shares: asks with deadlines, events told upwards, the
//! line of commands that must not overlap and the works beside them, notices of failures, wishes of peers that
//! may be slow and how long they are waited for, the loop that accepts connections, Unix sockets that carry
//! descriptors, the budget of those, whose TCP connections within the machine are, log lines that come in floods, and the priority of threads that must not
//! come late.
//!
//! It knows nothing of LTTng. The facts about actix that the project rests on are tests of this
//! crate, so that an upgrade that changes one is seen.

mod accept;
mod agenda;
mod ask;
mod asker;
mod backoff;
mod count;
mod descriptors;
mod directory;
mod elsewhere;
pub mod fail_point;
mod failure;
mod feed;
mod growing;
mod jobs;
mod outlet;
pub mod outside;
mod own;
mod pace;
mod patience;
mod pause;
mod peer;
mod peer_process;
mod priority;
mod queue;
mod rounds;
mod sparing;
mod tcp_user;
mod user_descriptors;
mod wishes;
mod works;

#[cfg(test)]
mod tests;

pub use accept::{Accepting, Listen, Sockets, accept_all};
pub use agenda::{Agenda, Asking, Job, Keeping, Task, Waiting, reply_to_all};
pub use ask::{AskError, answer, ask, tell};
pub use asker::{Asker, Waits};
pub use backoff::Backoff;
pub use count::{Count, Counted};
pub use descriptors::{Descriptors, Held, NoDescriptors, Purpose, Shares, TooFewDescriptors};
pub use directory::{Directory, Fits, Hold, Known, Released};
pub use elsewhere::{Elsewhere, Ticket};
pub use failure::FailureNotice;
pub use feed::{Fed, Feed, Feeder, feed};
pub use growing::{STEP_LEN, read_by_steps, read_growing, skip};
pub use jobs::Claim;
pub use outlet::Outlet;
pub use own::{check_is_own, private_listener};
pub use pace::Pace;
pub use patience::{Attention, Patience};
pub use pause::Pause;
pub use peer::{DESCRIPTORS_MAX, Peer, PeerCredentials, PeerError, Sent, peer_credentials};
pub use peer_process::{Glance, PeerProcess};
pub use priority::{come_after, come_first, come_first_with_children, is_first};
pub use queue::{Ahead, GoesPast, NotRun, Progress, Queue, QueueOf, QueueReport};
pub use rounds::{REQUEST_COST, turn};
pub use sparing::{Sparing, complaint};
pub use tcp_user::TcpUsers;
pub use user_descriptors::{NoRoom, UserDescriptors};
pub use wishes::Waiter;
pub use works::{Beside, MayBegin, Works};
