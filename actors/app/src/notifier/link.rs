//! What an application is told about event notifiers. Of two replies to a request the first only says that it
//! takes what follows, which is on its way already.

use std::{os::fd::OwnedFd, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use lttngd_model::ust::NotifierRule;
use lttngd_wire::ust::command::{
    Command, CounterConfiguration, EventNotifier, ROOT_HANDLE, exclusions,
};

use super::errors::ErrorCounters;
use crate::{
    error::Broken,
    link::{Link, ON_THEIR_WAY_MAX},
    socket::{Answer, Attached},
};

/// A request for a notifier: the command and what follows it.
type Request<'a> = (Command, std::borrow::Cow<'a, [u8]>);

impl Link<'_> {
    /// EVENT_NOTIFIER_GROUP_CREATE: the group's handle. `pipe` is where it writes.
    pub(super) async fn create_notifier_group(&self, pipe: Arc<OwnedFd>) -> Answer<u32> {
        let attached = Attached::Descriptor(pipe);
        self.0.value(ROOT_HANDLE, &Command::EventNotifierGroupCreate, (&[], Some(attached))).await
    }

    /// COUNTER and a COUNTER_CPU for each CPU: from then on the group counts what it cannot tell.
    pub(super) async fn attach_error_counters(
        &self,
        group: u32,
        counters: &ErrorCounters,
    ) -> Answer<()> {
        let configuration = CounterConfiguration::error_counters(counters.count());
        let configuration = configuration.encode(self.0.abi());
        let counter = match self.0.value(group, &Command::Counter, (&configuration, None)).await? {
            Ok(counter) => counter,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let len = counters.memory_len();
        let cpus = (0..).zip(counters.memory()).map(async |(cpu_nr, memory)| {
            let attached = Attached::Descriptor(Arc::clone(memory));
            self.0.value(counter, &Command::CounterCpu { len, cpu_nr }, (&[], Some(attached))).await
        });
        let attached = stream::iter(cpus).buffered(ON_THEIR_WAY_MAX);
        let attached: Vec<_> = attached.try_collect().await?;
        Ok(attached.into_iter().try_for_each(|answer| answer.map(drop)))
    }

    /// EVENT_NOTIFIER_CREATE with all that belongs to the rule, and ENABLE: the notifier's handle.
    pub(super) async fn create_notifier(&self, group: u32, rule: &NotifierRule) -> Answer<u32> {
        let notifier = EventNotifier {
            name: rule.events.tracepoint_name().to_owned(),
            loglevel: rule.events.tracepoint_loglevel(),
            token: rule.token.0,
            error_counter_index: rule.error_counter_index,
        };
        let encoded = notifier.encode(self.0.abi());
        let created = self.0.value(group, &Command::EventNotifierCreate, (&encoded, None)).await?;
        let handle = match created {
            Ok(handle) => handle,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let asked = stream::iter(qualifications(rule))
            .map(async |(command, payload)| self.0.value(handle, &command, (&payload, None)).await)
            .buffered(ON_THEIR_WAY_MAX);
        let asked: Vec<_> = asked.try_collect().await?;
        if let Err(refusal) = asked.into_iter().try_for_each(|answer| answer.map(drop)) {
            let _ = self.command(handle, &Command::Release).await?;
            return Ok(Err(refusal));
        }
        Ok(Ok(handle))
    }

    /// DISABLE and RELEASE of each notifier. What an application keeps tells of events that nobody asks for,
    /// and these are not passed on.
    pub(super) async fn end_notifiers(&self, handles: &[u32]) -> Result<(), Broken> {
        let ended = handles.iter().flat_map(|handle| {
            [Command::Disable, Command::Release].map(|command| (*handle, command))
        });
        let ended = stream::iter(ended)
            .map(async |(handle, command)| {
                if let Err(refusal) = self.command(handle, &command).await?
                    && let Some(left_out) = self.0.complaint("event notifier that stays")
                {
                    tracing::warn!(handle, ?command, %refusal, left_out, "an event notifier is not ended");
                }
                Ok(())
            })
            .buffered(ON_THEIR_WAY_MAX);
        ended.try_collect().await
    }
}

/// What makes of a new notifier what its rule says, in the order in which LTTng sends it.
fn qualifications(rule: &NotifierRule) -> impl Iterator<Item = Request<'_>> {
    let filter = rule
        .events
        .filter()
        .map(|filter| (Command::filter(&filter.bytecode), filter.bytecode.data.as_slice().into()));
    let excluded = rule.events.exclusions();
    let exclusion = (!excluded.is_empty()).then(|| {
        let count = u32::try_from(excluded.len()).unwrap_or(u32::MAX);
        (Command::Exclusion { count }, exclusions(excluded).into())
    });
    let captures = rule
        .captures
        .iter()
        .map(|capture| (Command::capture(capture), capture.data.as_slice().into()));
    filter.into_iter().chain(exclusion).chain(captures).chain([(Command::Enable, (&[]).into())])
}
