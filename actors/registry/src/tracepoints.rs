//! What can be traced: tracepoints of applications, and loggers of agents.

use std::cell::Cell;

use actix::{Handler, ResponseFuture};
use futures::future::try_join_all;
use lttngd_app::{AppError, ListApps};
use lttngd_model::{ErrorCode, EventField, EventKind, EventListing, NameList};
use lttngd_runtime::outside::blocking;

use crate::{ListTracepointFields, ListTracepoints, Registry};

/// Most bytes of one listing, of all applications or agents together. A reply to a client has room for no more.
const LISTED_MAX_LEN: usize = 64 << 20;
/// Bytes of an entry besides its names.
const ENTRY_LEN: usize = 48;
/// With more entries they are put together in another thread: all actors would wait for it.
const AT_ONCE_MAX: usize = 4096;

/// The room of one listing.
pub(crate) struct Room {
    left: Cell<usize>,
    entries: Cell<usize>,
}

impl Default for Room {
    fn default() -> Self {
        Self { left: Cell::new(LISTED_MAX_LEN), entries: Cell::default() }
    }
}

impl Room {
    /// What an application or agent listed, and nothing when there is no room for it: the others need not go on then.
    ///
    /// # Errors
    /// [`ErrorCode::Nomem`] when there is no room, told in the log.
    pub(crate) fn take<T>(&self, listed: NameList<T>) -> Result<NameList<T>, ErrorCode> {
        let len = listed.names_len() + ENTRY_LEN * listed.len();
        let Some(left) = self.left.get().checked_sub(len) else { return Err(self.exceeded()) };
        self.left.set(left);
        self.entries.set(self.entries.get() + listed.len());
        Ok(listed)
    }

    /// Somebody lists more than there is room for.
    pub(crate) fn exceeded(&self) -> ErrorCode {
        tracing::warn!(
            max_bytes = LISTED_MAX_LEN,
            "a listing is refused: applications list more than a reply can have"
        );
        ErrorCode::Nomem
    }

    /// What an application listed, as [`Self::take`] has it. One that is gone or silent lists nothing.
    fn of_app<T>(&self, listed: Result<NameList<T>, AppError>) -> Result<NameList<T>, ErrorCode> {
        match listed {
            Ok(listed) => self.take(listed),
            Err(AppError::TooMuch(_)) => Err(self.exceeded()),
            Err(AppError::Gone | AppError::TimedOut | AppError::Refused(_)) => {
                Ok(NameList::default())
            }
        }
    }

    /// Puts together what all have listed, each with who did.
    ///
    /// # Errors
    /// [`ErrorCode::Fatal`] when that failed in the thread that does it.
    pub(crate) async fn gather<T: Send + 'static, R: Send + 'static>(
        self,
        all: Vec<(u32, NameList<T>)>,
        entry: impl Fn(u32, &str, &T) -> R + Send + 'static,
    ) -> Result<Vec<R>, ErrorCode> {
        let count = self.entries.get();
        let gather = move || {
            let mut entries = Vec::with_capacity(count);
            for (pid, listed) in all {
                entries.extend(listed.iter().map(|(name, value)| entry(pid, name, value)));
            }
            entries
        };
        if count <= AT_ONCE_MAX {
            return Ok(gather());
        }
        // It fails only when that panicked.
        blocking(gather).await.map_err(|_| ErrorCode::Fatal)
    }
}

impl Handler<ListTracepoints> for Registry {
    type Result = ResponseFuture<Result<Vec<EventListing>, ErrorCode>>;

    fn handle(&mut self, request: ListTracepoints, _: &mut Self::Context) -> Self::Result {
        if let Some(agents) = request.domain.filter(|domain| domain.is_agent()) {
            return Box::pin(self.list_loggers(agents));
        }
        let apps = self.config.apps.send(ListApps);
        Box::pin(async move {
            let (apps, room) = (apps.await.unwrap_or_default(), Room::default());
            let listings = apps.iter().map(async |(info, app)| {
                let listed = app.send(lttngd_app::ListTracepoints).await;
                let listed = room.of_app(listed.unwrap_or(Err(AppError::Gone)));
                listed.map(|listed| (info.pid, listed))
            });
            let all = try_join_all(listings).await?;
            room.gather(all, |pid, name, loglevel| tracepoint_listing(pid, name, *loglevel)).await
        })
    }
}

impl Handler<ListTracepointFields> for Registry {
    type Result = ResponseFuture<Result<Vec<EventField>, ErrorCode>>;

    fn handle(&mut self, _: ListTracepointFields, _: &mut Self::Context) -> Self::Result {
        let apps = self.config.apps.send(ListApps);
        Box::pin(async move {
            let (apps, room) = (apps.await.unwrap_or_default(), Room::default());
            let listings = apps.iter().map(async |(info, app)| {
                let listed = app.send(lttngd_app::ListTracepointFields).await;
                let listed = room.of_app(listed.unwrap_or(Err(AppError::Gone)));
                listed.map(|listed| (info.pid, listed))
            });
            let all = try_join_all(listings).await?;
            room.gather(all, |pid, both, field| {
                let (event_name, name) = field.names(both);
                EventField {
                    name: name.to_owned(),
                    kind: field.kind,
                    nowrite: field.nowrite,
                    event: tracepoint_listing(pid, event_name, field.loglevel),
                }
            })
            .await
        })
    }
}

/// A tracepoint of an application, or a logger of an agent, as listings show it.
pub(crate) fn tracepoint_listing(pid: u32, name: &str, loglevel: i32) -> EventListing {
    EventListing {
        kind: EventKind::Tracepoint,
        name: name.to_owned(),
        loglevel_type: 0,
        loglevel,
        enabled: -1,
        pid: i32::try_from(pid).unwrap_or(0),
        flags: 0,
        filter_expression: None,
        exclusions: Vec::new(),
        probe: None,
        userspace_probe: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Loggers with names of this length, so many of each.
    async fn gathered(counts: &[usize], len: usize) -> Result<Vec<(u32, String)>, ErrorCode> {
        let room = Room::default();
        let list = |count| {
            let names: Vec<_> = (0..count).map(|number| format!("{number:0>len$}")).collect();
            names.iter().map(|name| (name.as_str(), ())).collect()
        };
        let listed =
            (1..).zip(counts).map(|(pid, count)| room.take(list(*count)).map(|it| (pid, it)));
        let all: Vec<(u32, NameList<()>)> = listed.collect::<Result<_, ErrorCode>>()?;
        room.gather(all, |pid, name, ()| (pid, name.to_owned())).await
    }

    #[actix::test]
    async fn what_all_list_stands_in_their_order() {
        let names = |all: &[(u32, &str)]| {
            all.iter().map(|(pid, name)| (*pid, (*name).to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(gathered(&[2, 0, 1], 1).await, Ok(names(&[(1, "0"), (1, "1"), (3, "0")])));
        let large = gathered(&[AT_ONCE_MAX, 3], 1).await.unwrap();
        assert_eq!((large.len(), &large[AT_ONCE_MAX]), (AT_ONCE_MAX + 3, &(2, "0".to_owned())));
    }

    #[actix::test]
    async fn a_listing_has_only_so_much_room() {
        const LEN: usize = 1024 - ENTRY_LEN;
        let most = LISTED_MAX_LEN / 1024;
        assert_eq!(gathered(&[most, 0], LEN).await.map(|all| all.len()), Ok(most));
        for counts in [&[most, 1][..], &[1, most, 1]] {
            assert_eq!(gathered(counts, LEN).await, Err(ErrorCode::Nomem));
        }
    }
}
