//! What can be traced: tracepoints of applications, and loggers of agents.

use actix::{Handler, ResponseFuture};
use futures::future::join_all;
use lttngd_app::ListApps;
use lttngd_model::{EventField, EventKind, EventListing};

use crate::{ListTracepointFields, ListTracepoints, Registry};

impl Handler<ListTracepoints> for Registry {
    type Result = ResponseFuture<Vec<EventListing>>;

    fn handle(&mut self, request: ListTracepoints, _: &mut Self::Context) -> Self::Result {
        if let Some(agents) = request.domain.filter(|domain| domain.is_agent()) {
            return Box::pin(self.list_loggers(agents));
        }
        let apps = self.config.apps.send(ListApps);
        Box::pin(async move {
            let apps = apps.await.unwrap_or_default();
            let listings = apps.iter().map(async |(info, app)| {
                let tracepoints = app.send(lttngd_app::ListTracepoints).await;
                let tracepoints = tracepoints.ok().and_then(Result::ok).unwrap_or_default();
                tracepoints
                    .into_iter()
                    .map(|tracepoint| {
                        tracepoint_listing(info.pid, tracepoint.name, tracepoint.loglevel)
                    })
                    .collect::<Vec<_>>()
            });
            join_all(listings).await.concat()
        })
    }
}

impl Handler<ListTracepointFields> for Registry {
    type Result = ResponseFuture<Vec<EventField>>;

    fn handle(&mut self, _: ListTracepointFields, _: &mut Self::Context) -> Self::Result {
        let apps = self.config.apps.send(ListApps);
        Box::pin(async move {
            let apps = apps.await.unwrap_or_default();
            let listings = apps.iter().map(async |(info, app)| {
                let fields = app.send(lttngd_app::ListTracepointFields).await;
                let fields = fields.ok().and_then(Result::ok).unwrap_or_default();
                fields
                    .into_iter()
                    .map(|field| EventField {
                        name: field.field_name,
                        kind: field.kind,
                        nowrite: field.nowrite,
                        event: tracepoint_listing(info.pid, field.event_name, field.loglevel),
                    })
                    .collect::<Vec<_>>()
            });
            join_all(listings).await.concat()
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
