//! Writing saved sessions: order, indentation and escapes of the stock daemon's writer.

use std::io;

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};

use super::{
    SavedChannel, SavedConsumerOutput, SavedContext, SavedDomain, SavedDomainType, SavedEvent,
    SavedEventAttributes, SavedOutput, SavedSession, SavedTracker, TrackedValue, trackers,
};

/// The text of a file with these sessions.
///
/// # Panics
/// Never: the text is made in memory.
#[must_use]
pub fn write(sessions: &[SavedSession]) -> String {
    let mut out = Out(Writer::new_with_indent(Vec::new(), b'\t', 1));
    let done = out.declaration().and_then(|()| {
        out.parent("sessions", |out| sessions.iter().try_for_each(|session| out.session(session)))
    });
    debug_assert!(done.is_ok(), "a vector takes everything");
    let mut bytes = out.0.into_inner();
    bytes.push(b'\n');
    String::from_utf8_lossy(&bytes).into_owned()
}

struct Out(Writer<Vec<u8>>);

impl Out {
    fn declaration(&mut self) -> io::Result<()> {
        self.0.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))
    }

    /// An element with elements in it, or without if `children` writes none.
    fn parent(
        &mut self,
        name: &str,
        children: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        self.0.write_event(Event::Start(BytesStart::new(name)))?;
        children(self)?;
        self.0.write_event(Event::End(BytesEnd::new(name)))
    }

    /// An element with one kind of element in it, in the short form if there is none.
    fn list<T>(
        &mut self,
        name: &str,
        items: &[T],
        mut write: impl FnMut(&mut Self, &T) -> io::Result<()>,
    ) -> io::Result<()> {
        if items.is_empty() {
            return self.0.write_event(Event::Empty(BytesStart::new(name)));
        }
        self.parent(name, |out| items.iter().try_for_each(|item| write(out, item)))
    }

    fn text(&mut self, name: &str, text: impl ToString) -> io::Result<()> {
        // Apostrophes stay, and an empty text does not make the element short.
        let text = quick_xml::escape::partial_escape(text.to_string()).replace('"', "&quot;");
        self.parent(name, |out| out.0.write_event(Event::Text(BytesText::from_escaped(text))))
    }

    fn session(&mut self, session: &SavedSession) -> io::Result<()> {
        self.parent("session", |out| {
            out.text("name", &session.name)?;
            if let Some(path) = &session.shared_memory_path {
                out.text("shared_memory_path", path)?;
            }
            if !session.domains.is_empty() {
                out.list("domains", &session.domains, Self::domain)?;
            }
            out.text("started", session.started.unwrap_or(true))?;
            out.attributes(session)?;
            session.output.as_ref().map_or(Ok(()), |output| out.output(session, output))
        })
    }

    fn attributes(&mut self, session: &SavedSession) -> io::Result<()> {
        let attributes = session.attributes;
        if attributes == Default::default() {
            return Ok(());
        }
        self.parent("attributes", |out| {
            if attributes.snapshot_mode {
                out.text("snapshot_mode", true)?;
            }
            if attributes.live_timer_interval_us != 0 {
                out.text("live_timer_interval", attributes.live_timer_interval_us)?;
            }
            let schedules = attributes.rotation_schedules;
            if schedules == Default::default() {
                return Ok(());
            }
            out.parent("rotation_schedules", |out| {
                let period = schedules.period_us;
                if period != 0 {
                    out.parent("periodic", |out| out.text("time_us", period))?;
                }
                let size = schedules.size_threshold_bytes;
                if size != 0 {
                    out.parent("size_threshold", |out| out.text("bytes", size))?;
                }
                Ok(())
            })
        })
    }

    fn output(&mut self, session: &SavedSession, output: &SavedOutput) -> io::Result<()> {
        self.parent("output", |out| {
            if session.attributes.snapshot_mode {
                return out.list("snapshot_outputs", &output.snapshot_outputs, |out, output| {
                    out.parent("output", |out| {
                        out.text("name", &output.name)?;
                        out.text("max_size", output.max_size_bytes)?;
                        out.consumer_output(&output.consumer_output)
                    })
                });
            }
            output.consumer_output.as_ref().map_or(Ok(()), |output| out.consumer_output(output))
        })
    }

    fn consumer_output(&mut self, output: &SavedConsumerOutput) -> io::Result<()> {
        self.parent("consumer_output", |out| {
            out.text("enabled", output.enabled)?;
            out.parent("destination", |out| {
                if let Some(net) = &output.destination.net_output {
                    return out.parent("net_output", |out| {
                        out.text("control_uri", &net.control_uri)?;
                        out.text("data_uri", &net.data_uri)
                    });
                }
                out.text("path", output.destination.path.as_deref().unwrap_or_default())
            })
        })
    }

    fn domain(&mut self, domain: &SavedDomain) -> io::Result<()> {
        self.parent("domain", |out| {
            out.text("type", domain.kind.word())?;
            out.text("buffer_type", domain.buffer_type.word())?;
            let is_kernel = domain.kind == SavedDomainType::Kernel;
            out.list("channels", &domain.channels, |out, channel| match is_kernel {
                true => out.kernel_channel(channel),
                false => out.channel(channel),
            })?;
            match &domain.process_attr_trackers {
                Some(trackers) => out.list("process_attr_trackers", &trackers.0, Self::tracker),
                None => Ok(()),
            }
        })
    }

    fn tracker(&mut self, tracker: &SavedTracker) -> io::Result<()> {
        let (name, word) = trackers::words(tracker.attribute);
        self.parent(name, |out| {
            out.list("process_attr_values", &tracker.values, |out, value| {
                out.parent(word, |out| match value {
                    TrackedValue::Id(id) => out.text("id", id),
                    TrackedValue::Name(name) => out.text("name", name),
                })
            })
        })
    }

    /// What all channels begin with.
    fn channel_head(&mut self, channel: &SavedChannel) -> io::Result<()> {
        self.text("name", &channel.name)?;
        self.text("enabled", channel.enabled)?;
        self.option("overwrite_mode", channel.overwrite_mode.map(|mode| mode.word()))?;
        self.option("subbuffer_size", channel.subbuffer_size_bytes)?;
        self.option("subbuffer_count", channel.subbuffer_count)?;
        self.option("switch_timer_interval", channel.switch_timer_interval_us)?;
        self.text("read_timer_interval", channel.read_timer_interval_us)?;
        self.text("output_type", channel.output_type.word())
    }

    /// One of the kernel's domain, whose rules have no log levels.
    fn kernel_channel(&mut self, channel: &SavedChannel) -> io::Result<()> {
        self.parent("channel", |out| {
            out.channel_head(channel)?;
            out.text("tracefile_size", channel.tracefile_size_bytes)?;
            out.text("tracefile_count", channel.tracefile_count)?;
            out.option("live_timer_interval", channel.live_timer_interval_us)?;
            out.option("monitor_timer_interval", channel.monitor_timer_interval_us)?;
            out.option("blocking_timeout", channel.blocking_timeout_us)?;
            out.list("events", &channel.events, |out, event| {
                out.parent("event", |out| {
                    out.event_head(event)?;
                    out.event_tail(event)
                })
            })?;
            if channel.contexts.is_empty() {
                return Ok(());
            }
            out.list("contexts", &channel.contexts, Self::context)
        })
    }

    fn channel(&mut self, channel: &SavedChannel) -> io::Result<()> {
        self.parent("channel", |out| {
            out.channel_head(channel)?;
            out.option("blocking_timeout", channel.blocking_timeout_us)?;
            out.option("monitor_timer_interval", channel.monitor_timer_interval_us)?;
            out.text("tracefile_size", channel.tracefile_size_bytes)?;
            out.text("tracefile_count", channel.tracefile_count)?;
            out.option("live_timer_interval", channel.live_timer_interval_us)?;
            out.list("events", &channel.events, Self::event)?;
            out.list("contexts", &channel.contexts, Self::context)
        })
    }

    fn option(&mut self, name: &str, value: Option<impl ToString>) -> io::Result<()> {
        value.map_or(Ok(()), |value| self.text(name, value))
    }

    fn event(&mut self, event: &SavedEvent) -> io::Result<()> {
        self.parent("event", |out| {
            out.event_head(event)?;
            out.text("loglevel_type", event.loglevel_type.word())?;
            out.option("loglevel", event.loglevel)?;
            out.event_tail(event)
        })
    }

    fn event_head(&mut self, event: &SavedEvent) -> io::Result<()> {
        self.option("name", event.name.as_deref())?;
        self.text("enabled", event.enabled)?;
        self.text("type", event.kind.word())
    }

    fn event_tail(&mut self, event: &SavedEvent) -> io::Result<()> {
        self.option("filter", event.filter.as_deref())?;
        if !event.exclusions.is_empty() {
            self.list("exclusions", &event.exclusions, |out, name| out.text("exclusion", name))?;
        }
        let attributes = event.attributes.as_ref();
        attributes.map_or(Ok(()), |attributes| self.event_attributes(attributes))
    }

    fn event_attributes(&mut self, attributes: &SavedEventAttributes) -> io::Result<()> {
        self.parent("attributes", |out| {
            if let Some(probe) = &attributes.probe_attributes {
                out.parent("probe_attributes", |out| {
                    if probe.address != 0 {
                        return out.text("address", probe.address);
                    }
                    out.text("symbol_name", &probe.symbol_name)?;
                    out.option("offset", (probe.offset != 0).then_some(probe.offset))
                })?;
            }
            if let Some(function) = &attributes.function_attributes {
                out.parent("function_attributes", |out| {
                    out.text("symbol_name", &function.symbol_name)
                })?;
            }
            if let Some(probe) = &attributes.userspace_probe_function_attributes {
                out.parent("userspace_probe_function_attributes", |out| {
                    out.text("lookup_method", probe.lookup_method.word())?;
                    out.text("binary_path", &probe.binary_path)?;
                    out.text("function_name", &probe.function_name)
                })?;
            }
            if let Some(probe) = &attributes.userspace_probe_tracepoint_attributes {
                out.parent("userspace_probe_tracepoint_attributes", |out| {
                    out.text("lookup_method", probe.lookup_method.word())?;
                    out.text("binary_path", &probe.binary_path)?;
                    out.text("provider_name", &probe.provider_name)?;
                    out.text("probe_name", &probe.probe_name)
                })?;
            }
            Ok(())
        })
    }

    fn context(&mut self, context: &SavedContext) -> io::Result<()> {
        self.parent("context", |out| {
            out.option("type", context.plain.as_deref())?;
            if let Some(perf) = &context.perf {
                out.parent("perf", |out| {
                    out.text("type", perf.perf_type)?;
                    out.text("config", perf.config)?;
                    out.text("name", &perf.name)
                })?;
            }
            context.app.as_ref().map_or(Ok(()), |app| {
                out.parent("app", |out| {
                    out.text("provider_name", &app.provider_name)?;
                    out.text("ctx_name", &app.ctx_name)
                })
            })
        })
    }
}
