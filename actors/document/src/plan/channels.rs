//! Channels and their contexts.

use lttngd_model::{BufferScheme, Domain};

use super::Planner;
use crate::{
    Attributes, Command, Obstacle,
    matching::{ChannelView, DomainView},
};

impl Planner<'_> {
    pub(super) fn channels(&mut self, wanted: &DomainView<'_>, observed: Option<&DomainView<'_>>) {
        let (domain, scheme) = (wanted.domain, wanted.scheme);
        let known = observed.map(|it| it.channels.as_slice()).unwrap_or_default();
        for channel in &wanted.channels {
            let found = known.iter().find(|it| it.name == channel.name);
            self.channel((domain, scheme), channel, found);
        }
        for gone in known.iter().filter(|it| !wanted.channels.iter().any(|at| at.name == it.name)) {
            if domain.is_agent() {
                // The channel is that of the domain and stays; what it records ends.
                self.rules((domain, scheme), gone.name, &[], gone.rules);
            } else if gone.enabled {
                self.does(Command::DisableChannel { domain, channel: gone.name.to_owned() });
            }
        }
    }

    fn channel(
        &mut self,
        (domain, scheme): (Domain, BufferScheme),
        wanted: &ChannelView<'_>,
        observed: Option<&ChannelView<'_>>,
    ) {
        let name = wanted.name.to_owned();
        let enable = |attributes: &Attributes| Command::EnableChannel {
            domain,
            scheme,
            channel: name.clone(),
            attributes: *attributes,
        };
        match observed {
            None if self.was_started => {
                self.cannot(Obstacle::MissingChannel { domain, channel: name });
                return;
            }
            None => self.does(enable(wanted.attributes)),
            Some(observed) => {
                if !is_met(wanted.attributes, observed.attributes) {
                    self.cannot(Obstacle::Attributes { domain, channel: name.clone() });
                }
                // One that was stopped comes when its rules are what they are to be.
                if !wanted.enabled && observed.enabled {
                    self.does(Command::DisableChannel { domain, channel: name.clone() });
                }
            }
        }
        let rules = observed.map(|it| it.rules).unwrap_or_default();
        self.rules((domain, scheme), &name, wanted.rules, rules);
        self.contexts(domain, wanted, observed);
        match observed {
            None if !wanted.enabled => self.does(Command::DisableChannel { domain, channel: name }),
            Some(observed) if wanted.enabled && !observed.enabled => {
                self.does(enable(observed.attributes));
            }
            _ => {}
        }
    }

    fn contexts(
        &mut self,
        domain: Domain,
        wanted: &ChannelView<'_>,
        observed: Option<&ChannelView<'_>>,
    ) {
        let known = observed.map(|it| it.contexts).unwrap_or_default();
        let channel = || wanted.name.to_owned();
        for (at, context) in wanted.contexts.iter().enumerate() {
            if known.contains(context) || wanted.contexts[..at].contains(context) {
                continue;
            }
            let context = context.clone();
            if self.was_started {
                self.cannot(Obstacle::MissingContext { domain, channel: channel(), context });
            } else {
                self.does(Command::AddContext { domain, channel: channel(), context });
            }
        }
        for context in known.iter().filter(|it| !wanted.contexts.contains(it)) {
            let context = context.clone();
            self.cannot(Obstacle::Context { domain, channel: channel(), context });
        }
    }
}

/// Whether a channel with the attributes `observed` is what `wanted` says.
fn is_met(wanted: &Attributes, observed: &Attributes) -> bool {
    fn same<T: PartialEq>(wanted: Option<T>, observed: Option<T>) -> bool {
        wanted.is_none() || wanted == observed
    }
    let Attributes {
        mode,
        subbuf_size_bytes,
        num_subbuf,
        switch_timer_interval_us,
        read_timer_interval_us,
        monitor_timer_interval_us,
        blocking_timeout_us,
        output,
        tracefile_size_bytes,
        tracefile_count,
    } = *wanted;
    same(mode, observed.mode)
        && same(subbuf_size_bytes, observed.subbuf_size_bytes)
        && same(num_subbuf, observed.num_subbuf)
        && same(switch_timer_interval_us, observed.switch_timer_interval_us)
        && same(read_timer_interval_us, observed.read_timer_interval_us)
        && same(monitor_timer_interval_us, observed.monitor_timer_interval_us)
        && same(blocking_timeout_us, observed.blocking_timeout_us)
        && same(output, observed.output)
        && same(tracefile_size_bytes, observed.tracefile_size_bytes)
        && same(tracefile_count, observed.tracefile_count)
}
