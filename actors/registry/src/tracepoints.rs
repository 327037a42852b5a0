//! What can be traced: tracepoints of applications, and loggers of agents.

use std::cell::Cell;

use actix::{Handler, ResponseFuture};
use futures::future::join_all;
use lttngd_app::ListApps;
use lttngd_model::{ErrorCode, EventField, EventKind, EventListing};

use crate::{ListTracepointFields, ListTracepoints, Registry};

/// Most entries of one listing, of all applications or agents together. A reply to a client has room for fewer.
pub(crate) const LISTED_MAX: usize = 1 << 18;
/// More of them are put together in another thread: all actors would wait for it.
const AT_ONCE_MAX: usize = 4096;

/// The room of one listing.
pub(crate) struct Room {
    left: Cell<usize>,
    is_full: Cell<bool>,
}

impl Default for Room {
    fn default() -> Self {
        Self { left: Cell::new(LISTED_MAX), is_full: Cell::new(false) }
    }
}

impl Room {
    /// What an application or agent listed, or nothing when there is no room for it: it is not kept until the
    /// others have listed theirs.
    pub(crate) fn take<T>(&self, listed: Vec<T>) -> Vec<T> {
        match self.left.get().checked_sub(listed.len()) {
            Some(left) => {
                self.left.set(left);
                listed
            }
            None => {
                self.is_full.set(true);
                Vec::new()
            }
        }
    }

    /// Puts together what all have listed, each with who did.
    ///
    /// # Errors
    /// [`ErrorCode::Nomem`] when there was no room for something.
    pub(crate) async fn gather<T: Send + 'static, R: Send + 'static>(
        self,
        all: Vec<(u32, Vec<T>)>,
        entry: impl Fn(u32, T) -> R + Send + 'static,
    ) -> Result<Vec<R>, ErrorCode> {
        if self.is_full.get() {
            tracing::warn!(
                max = LISTED_MAX,
                "a listing is refused: applications list more than a reply can have"
            );
            return Err(ErrorCode::Nomem);
        }
        let gather = move || {
            let entries = all.into_iter().flat_map(|(pid, listed)| {
                let entry = &entry;
                listed.into_iter().map(move |one| entry(pid, one)).collect::<Vec<_>>()
            });
            entries.collect()
        };
        if LISTED_MAX - self.left.get() <= AT_ONCE_MAX {
            return Ok(gather());
        }
        // It fails only when that panicked.
        tokio::task::spawn_blocking(gather).await.map_err(|_| ErrorCode::Fatal)
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
                let tracepoints = app.send(lttngd_app::ListTracepoints).await;
                let tracepoints = tracepoints.ok().and_then(Result::ok).unwrap_or_default();
                (info.pid, room.take(tracepoints))
            });
            let all = join_all(listings).await;
            room.gather(all, |pid, it| tracepoint_listing(pid, it.name, it.loglevel)).await
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
                let fields = app.send(lttngd_app::ListTracepointFields).await;
                let fields = fields.ok().and_then(Result::ok).unwrap_or_default();
                (info.pid, room.take(fields))
            });
            let all = join_all(listings).await;
            room.gather(all, |pid, field| EventField {
                name: field.field_name,
                kind: field.kind,
                nowrite: field.nowrite,
                event: tracepoint_listing(pid, field.event_name, field.loglevel),
            })
            .await
        })
    }
}

/// A tracepoint of an application, or a logger of an agent, as listings show it.
pub(crate) fn tracepoint_listing(pid: u32, name: String, loglevel: i32) -> EventListing {
    EventListing {
        kind: EventKind::Tracepoint,
        name,
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

    async fn gathered(counts: &[usize]) -> Result<Vec<(u32, usize)>, ErrorCode> {
        let room = Room::default();
        let listed = (1..).zip(counts).map(|(pid, count)| (pid, room.take((0..*count).collect())));
        let all: Vec<(u32, Vec<usize>)> = listed.collect();
        room.gather(all, |pid, one| (pid, one)).await
    }

    #[actix::test]
    async fn what_all_list_stands_in_their_order() {
        assert_eq!(gathered(&[2, 0, 1]).await, Ok(vec![(1, 0), (1, 1), (3, 0)]));
        let large = gathered(&[AT_ONCE_MAX, 3]).await.unwrap();
        assert_eq!((large.len(), large[AT_ONCE_MAX]), (AT_ONCE_MAX + 3, (2, 0)));
    }

    #[actix::test]
    async fn a_listing_has_only_so_much_room() {
        assert_eq!(gathered(&[LISTED_MAX, 0]).await.map(|all| all.len()), Ok(LISTED_MAX));
        for counts in [&[LISTED_MAX, 1][..], &[1, LISTED_MAX, 1]] {
            assert_eq!(gathered(counts).await, Err(ErrorCode::Nomem));
        }
    }
}
