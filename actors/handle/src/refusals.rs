//! Who was refused what, since others have it or are to have it.

use lttngd_model::ErrorCode;
use serde::{Deserialize, Serialize};

use crate::{Handle, Request};

/// Asks how often users were refused what there is only so much of, since the daemon began: connections, sessions,
/// memory. Root is told of all, others of themselves. Of several daemons in one process
/// the counts are those of all.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ListRefusals;

/// How often one user was refused one thing.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refusal {
    /// Who; the highest number is of those whom nobody knows.
    pub uid: u32,
    /// What it is, a plural.
    pub what: String,
    /// How often.
    pub count: u64,
}

impl Request for ListRefusals {
    type Reply = Vec<Refusal>;

    fn command(&self) -> &'static str {
        "LIST_REFUSALS"
    }

    async fn ask(self, handle: &Handle) -> Result<Vec<Refusal>, ErrorCode> {
        handle.check_running()?;
        let is_shown = |uid| [0, uid].contains(&handle.requester().uid);
        let counted = lttngd_users::refusals().into_iter().filter(|(uid, ..)| is_shown(*uid));
        let refusal =
            |(uid, what, count): (u32, &str, u64)| Refusal { uid, what: what.to_owned(), count };
        Ok(counted.map(refusal).collect())
    }
}

impl Handle {
    /// As [`ListRefusals`].
    ///
    /// # Errors
    /// None of its own.
    pub async fn list_refusals(&self) -> Result<Vec<Refusal>, ErrorCode> {
        self.ask(ListRefusals).await
    }
}
