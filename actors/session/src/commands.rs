//! The commands on channels, event rules and contexts.

use std::rc::Rc;

use futures::future::join_all;
use lttngd_buffers::Counters;
use lttngd_consumer::{ConsumerError, EnsureRunning};
use lttngd_model::{
    Bitness, BufferScheme, ChannelListing, Domain, ErrorCode, EventListing, ust::UstDomain,
};
use lttngd_runtime::{AskError, ask};

use crate::{
    AddContext, DisableChannel, DisableEvent, EnableChannel, EnableEvent, ListChannels,
    ListDomains, ListEvents, PrepareDomain, SetConsumerUri, actor::Inner, admission::is_user_space,
};

impl Inner {
    pub(crate) async fn prepare_domain(
        self: Rc<Self>,
        request: PrepareDomain,
    ) -> Result<(), ErrorCode> {
        if !is_user_space(request.domain) {
            return Ok(());
        }
        self.life().admit_with_consumer()?;
        self.make_domain();
        self.ensure_consumers().await
    }

    /// Starts the consumer daemons that do not run.
    pub(crate) async fn ensure_consumers(&self) -> Result<(), ErrorCode> {
        for (bitness, consumer) in self.config.consumers.all() {
            ask(consumer, EnsureRunning, lttngd_consumer::HANDSHAKE_DEADLINE * 2)
                .await
                .map_err(ConsumerError::from)
                .flatten()
                .map_err(|error| {
                    tracing::error!(session = self.config.name, %error);
                    match bitness {
                        Bitness::Bits64 => ErrorCode::UstConsumer64Fail,
                        Bitness::Bits32 => ErrorCode::UstConsumer32Fail,
                    }
                })?;
        }
        self.connect_relayd().await
    }

    /// Changes the domain, and then what applications have of an active session.
    pub(crate) async fn change(
        &self,
        missing: ErrorCode,
        change: impl FnOnce(&mut UstDomain) -> Result<(), ErrorCode>,
    ) -> Result<(), ErrorCode> {
        change(self.state_mut().change_domain().as_mut().ok_or(missing)?)?;
        if self.life().active {
            self.synchronise_all().await;
        }
        Ok(())
    }

    pub(crate) async fn enable_channel(
        self: Rc<Self>,
        request: EnableChannel,
    ) -> Result<(), ErrorCode> {
        let EnableChannel { domain, buffer_type, channel } = request;
        let facts = self.life().facts(self.config.kind);
        self.change(ErrorCode::UnknownDomain, |ust| {
            ust.enable_channel(&channel, domain, buffer_type, facts)
        })
        .await
    }

    pub(crate) async fn disable_channel(
        self: Rc<Self>,
        request: DisableChannel,
    ) -> Result<(), ErrorCode> {
        self.change(ErrorCode::NoChannel, |ust| {
            ust.disable_channel(&request.channel, request.domain)
        })
        .await
    }

    pub(crate) async fn enable_event(
        self: Rc<Self>,
        request: EnableEvent,
    ) -> Result<(), ErrorCode> {
        let EnableEvent { domain, buffer_type, channel, event } = request;
        let facts = self.life().facts(self.config.kind);
        if domain.is_agent() {
            let change =
                |ust: &mut UstDomain| ust.enable_agent_event(domain, &event, buffer_type, facts);
            return self.extend_agents(domain, change).await;
        }
        self.change(ErrorCode::UnknownDomain, |ust| {
            ust.enable_event(&channel, &event, buffer_type, facts)
        })
        .await
    }

    pub(crate) async fn disable_event(
        self: Rc<Self>,
        request: DisableEvent,
    ) -> Result<(), ErrorCode> {
        let DisableEvent { domain, channel, event } = request;
        if domain.is_agent() {
            let change = |ust: &mut UstDomain| ust.disable_agent_event(domain, &event);
            return self.reduce_agents(domain, change).await;
        }
        self.change(ErrorCode::NoChannel, |ust| ust.disable_event(&channel, &event)).await
    }

    pub(crate) async fn add_context(self: Rc<Self>, request: AddContext) -> Result<(), ErrorCode> {
        let AddContext { domain, channel, raw_type, context } = request;
        let facts = self.life().facts(self.config.kind);
        let change = |ust: &mut UstDomain| {
            ust.add_context(domain, &channel, raw_type, context.as_ref(), facts)
        };
        if domain.is_agent() {
            self.extend_agents(domain, change).await
        } else {
            self.change(ErrorCode::UnknownDomain, change).await
        }
    }

    pub(crate) async fn list_channels(
        self: Rc<Self>,
        request: ListChannels,
    ) -> Result<Vec<ChannelListing>, ErrorCode> {
        if request.domain != Domain::Ust {
            return Ok(Vec::new());
        }
        let (mut listings, indexes): (Vec<_>, Vec<_>) = match &self.state().domain {
            Some(ust) => {
                (ust.list_channels(), ust.channels.iter().map(|channel| channel.index).collect())
            }
            None => return Ok(Vec::new()),
        };
        let sets = self.set_actors();
        let counted = sets.iter().map(|set| ask(set, Counters, self.config.consumer_deadline));
        let unknown_is_lost = self.life().lost_consumer || self.life().failed;
        let present = join_all(counted).await;
        // Whoever lists while the session ends is told that it is not there any more.
        let unknown = || self.life().admit().err().unwrap_or(ErrorCode::Unk);
        let mut losses = self.state().past_losses.clone();
        for set in present {
            match set {
                Ok(Ok(set)) => losses.extend(set),
                // A set of an application that has just gone, which left its counters behind.
                Err(AskError::Gone) => {}
                // What the dead consumer counted nobody knows, nor what a failed session had.
                Ok(Err(_)) if unknown_is_lost => {}
                Ok(Err(error)) => {
                    tracing::error!(session = self.config.name, %error, "counters are not known");
                    return Err(unknown());
                }
                Err(AskError::TimedOut) => return Err(unknown()),
            }
        }
        for (listing, index) in listings.iter_mut().zip(indexes) {
            let lost = losses.of(index);
            listing.discarded_events = lost.discarded_events;
            listing.lost_packets = lost.lost_packets;
        }
        self.tell_losses(&listings);
        Ok(listings)
    }

    pub(crate) fn list_events(&self, request: ListEvents) -> Result<Vec<EventListing>, ErrorCode> {
        let ListEvents { domain, channel } = request;
        match &self.state().domain {
            Some(ust) if domain.is_agent() => Ok(ust.list_agent_events(domain)),
            Some(ust) => ust.list_events(&channel),
            None => Err(ErrorCode::UstChanNotFound),
        }
    }

    pub(crate) fn list_domains(
        &self,
        _: ListDomains,
    ) -> Result<Vec<(Domain, BufferScheme)>, ErrorCode> {
        let shown = |ust: &UstDomain| {
            ust.list_domains().into_iter().map(|domain| (domain, ust.scheme)).collect()
        };
        Ok(self.state().domain.as_ref().map(shown).unwrap_or_default())
    }

    pub(crate) async fn set_consumer_uri(
        self: Rc<Self>,
        request: SetConsumerUri,
    ) -> Result<(), ErrorCode> {
        if request.uris.is_empty() {
            return Err(ErrorCode::Invalid);
        }
        // Once started, the trace has its place.
        if self.life().was_started {
            return Err(ErrorCode::TraceAlreadyStarted);
        }
        let output = self.state().output.with_uris(&request.uris)?;
        if self.state().output != output {
            self.disconnect_relayd().await;
        }
        self.state_mut().output = output;
        self.show_changed();
        Ok(())
    }
}
