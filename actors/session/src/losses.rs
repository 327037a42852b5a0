//! What the channels of a session lost: counted when somebody lists them, and when their buffers may have been full.

use std::rc::Rc;

use actix::Context;
use futures::future::join_all;
use lttngd_buffers::{BuffersError, Counters};
use lttngd_consumer::ChannelSampled;
use lttngd_model::{ChannelListing, Domain, ErrorCode, SessionKind, Tracer};
use lttngd_runtime::complaint;
use tokio::time::Instant;

use crate::{
    ChannelLosses, KnownLosses, ListChannels, Session, SessionEvent, actor::Inner,
    complain::complain, state::loss_warnings::Lost,
};

/// Of which channels are counted.
const COUNTED: [Domain; 2] = [Domain::Kernel, Domain::Ust];

impl Session {
    /// Buffers were looked at: it may be time to look what was lost of them. What is written is shown.
    pub(crate) fn watch_losses(&mut self, sampled: &ChannelSampled, context: &mut Context<Self>) {
        let now = Instant::now();
        let (is_due, recorded_bytes, recorded_packets, rate) = {
            let state = &mut *self.inner.state_mut();
            let newly = sampled.newly_consumed_bytes;
            let is_due = match sampled.sample {
                Some(sample) => {
                    state.recorded_packets.sampled(newly, sampled.newly_consumed_packets);
                    // Those of a flight recorder are full, and what is overwritten there is not lost.
                    let is_read = self.inner.config.kind != SessionKind::Snapshot;
                    let seen = (if is_read { sample.highest } else { 0 }, newly);
                    state.loss_looks.sampled(&sampled.channel, seen, now) && !state.life.failed
                }
                None => {
                    state.loss_looks.gone(sampled.channel.key);
                    false
                }
            };
            if is_due {
                state.loss_looks.begin();
            }
            let rate = state.throughput.written(newly, now);
            let packets = state.recorded_packets.count();
            (is_due, state.schedules.consumed_bytes(), packets, rate)
        };
        let config = &self.inner.config;
        config.listings.change_figures(config.id, |figures| {
            figures.recorded_bytes = recorded_bytes;
            figures.recorded_packets = recorded_packets;
            figures.rate = Some((now.into_std(), rate));
        });
        if is_due {
            let looked = Rc::clone(&self.inner).look_for_losses(now);
            self.works.begin(context, self.inner.within(looked));
        }
    }
}

impl Inner {
    /// Looks what was lost, which is shown and told.
    async fn look_for_losses(self: Rc<Self>, begun: Instant) {
        let mut known = Vec::new();
        for domain in COUNTED {
            match self.count_losses(domain).await {
                Ok(listings) => known.extend(listings.into_iter().map(|it| (domain, it))),
                // It is looked for again when more was written.
                Err(error) => tracing::debug!(%error, ?domain, "what was lost is not known"),
            }
        }
        let now = Instant::now();
        self.state_mut().loss_looks.over(now - begun, now);
        if !known.is_empty() {
            self.show_losses(known, now);
        }
    }

    fn show_losses(&self, known: Vec<(Domain, ChannelListing)>, now: Instant) {
        let channels = known.into_iter().map(|(domain, listing)| ChannelLosses {
            domain,
            channel: listing.name,
            discarded_events: listing.discarded_events,
            lost_packets: listing.lost_packets,
        });
        let losses = KnownLosses { at: now.into_std(), channels: channels.collect() };
        self.config.listings.change_figures(self.config.id, |figures| {
            figures.losses = Some(losses.into());
        });
    }

    pub(crate) async fn list_channels(
        self: Rc<Self>,
        request: ListChannels,
    ) -> Result<Vec<ChannelListing>, ErrorCode> {
        match self.count_losses(request.domain).await {
            Ok(listings) => Ok(listings),
            Err(error) => {
                // Whoever lists while the session ends is told that it is not there any more.
                self.life().admit()?;
                complain!(self, "counters are not known", %error);
                Err(ErrorCode::Unk)
            }
        }
    }

    /// The channels of a domain with what they lost so far, of which what is new is told.
    async fn count_losses(&self, domain: Domain) -> Result<Vec<ChannelListing>, BuffersError> {
        // What agents hand over goes through channels of user space: theirs have none.
        let tracer = domain.tracer().filter(|_| !domain.is_agent());
        let Some(tracer) = tracer else { return Ok(Vec::new()) };
        let (channels, sets) = {
            let state = self.state();
            let Some(domain) = state.domains.of(tracer) else { return Ok(Vec::new()) };
            let sets = state.all_buffers().filter(|set| set.kind.tracer() == tracer);
            (domain.list_channels(), sets.collect::<Vec<_>>())
        };
        let (indexes, mut listings): (Vec<_>, Vec<_>) = channels.into_iter().unzip();
        let deadline = self.config.consumer_deadline;
        let counted = sets.iter().map(|set| set.ask(Counters, deadline));
        let life = self.life();
        let unknown_is_lost = life.lost.is_lost(tracer) || life.failed;
        let present = join_all(counted).await;
        let mut losses = match tracer {
            Tracer::Ust => self.state().past_losses.clone(),
            Tracer::Kernel => {
                let state = self.state();
                state.domains.kernel.as_ref().map(|it| it.past_losses.clone()).unwrap_or_default()
            }
        };
        for set in present {
            match set {
                Ok(set) => losses.extend(set),
                // A set of an application that has just gone, which left its counters behind.
                Err(BuffersError::Closed) => {}
                // What the dead consumer counted nobody knows, nor what a failed session had.
                Err(_) if unknown_is_lost => {}
                Err(error) => return Err(error),
            }
        }
        for (listing, index) in listings.iter_mut().zip(indexes) {
            let lost = losses.of(index);
            listing.discarded_events = lost.discarded_events;
            listing.lost_packets = lost.lost_packets;
        }
        self.tell_losses(domain, &listings);
        Ok(listings)
    }

    /// Tells of channels that lost more than was told before.
    fn tell_losses(&self, domain: Domain, channels: &[ChannelListing]) {
        for channel in channels {
            if self.state_mut().told_losses.take_new(domain, channel) {
                self.tell(SessionEvent::EventsLost {
                    domain,
                    channel: channel.name.clone(),
                    discarded_events: channel.discarded_events,
                    lost_packets: channel.lost_packets,
                });
                self.warn_of_losses(domain, channel);
            }
        }
    }

    fn warn_of_losses(&self, domain: Domain, channel: &ChannelListing) {
        let due = self.state_mut().loss_warnings.due(domain, channel, Instant::now());
        let Some(lost) = due else { return };
        let Some(left_out) = complaint("losses", self.config.owner.uid) else { return };
        let (Lost { events, packets }, why) = (lost, lost.why());
        tracing::warn!(
            ?domain,
            channel = channel.name,
            events,
            packets,
            left_out,
            "events are {why}"
        );
    }
}
