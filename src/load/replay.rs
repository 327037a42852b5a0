//! The requests that make a session what it was when it was saved, in the order of the stock loader.

use std::{fs::File, io};

use lttngd_handle::Handle;
use lttngd_model::{
    BufferMode, BufferScheme, ChannelAttributes, ChannelListing, ChannelOutput, DescriptorOutput,
    Domain, ErrorCode, EventDescription, EventKind, FilterError, LogLevelRule, SessionDescriptor,
    SessionKind, TrackingPolicy, UserspaceProbe,
};
use lttngd_session::{
    AddContext, AddSnapshotOutput, AddTrackerValue, DisableChannel, DisableEvent, EnableChannel,
    EnableEvent, RotationSchedule, SessionRequest, SetTrackingPolicy,
};
use lttngd_sessionfile::{
    SavedBufferType, SavedChannel, SavedContext, SavedDomain, SavedDomainType, SavedEvent,
    SavedEventAttributes, SavedEventType, SavedLogLevelType, SavedOutputType, SavedOverwriteMode,
    SavedSession, SavedTracker,
};

use super::{LoadError, place::place};

/// What of a session could not be made, and what it answered.
type Refusal = (String, ErrorCode);

/// Makes the session, in the place of one of the same name if there is one, and starts it if it is to be. What was made
/// of a session that cannot be finished is destroyed again.
pub(super) async fn replay(handle: &Handle, saved: &SavedSession) -> Result<(), LoadError> {
    make(handle, saved).await?;
    start(handle, saved).await
}

/// Starts a session that was made, if it is to be. One that does not start is destroyed.
pub(crate) async fn start(handle: &Handle, saved: &SavedSession) -> Result<(), LoadError> {
    if !saved.started.unwrap_or(true) {
        return Ok(());
    }
    let Err(code) = handle.start(&saved.name).await else { return Ok(()) };
    // Why it was not started says more than what happens now.
    let _ = handle.destroy_session(&saved.name).await;
    let what = "its start".to_owned();
    Err(LoadError::Session { session: saved.name.clone(), what, code })
}

/// Makes the session, and does not start it.
pub(crate) async fn make(handle: &Handle, saved: &SavedSession) -> Result<(), LoadError> {
    let error = |(what, code)| LoadError::Session { session: saved.name.clone(), what, code };
    match handle.destroy_session(&saved.name).await {
        Ok(_) | Err(ErrorCode::SessNotFound) => {}
        Err(code) => return Err(error(("its predecessor stays".to_owned(), code))),
    }
    let replay = Replay { handle, saved, session: &saved.name };
    replay.create().await.map_err(error)?;
    if let Err(refusal) = replay.fill().await {
        // Why it could not be finished says more than what happens now.
        let _ = handle.destroy_session(&saved.name).await;
        return Err(error(refusal));
    }
    Ok(())
}

struct Replay<'a> {
    handle: &'a Handle,
    saved: &'a SavedSession,
    session: &'a str,
}

/// Names what a request was for.
fn refused(what: impl Into<String>) -> impl FnOnce(ErrorCode) -> Refusal {
    move |code| (what.into(), code)
}

impl Replay<'_> {
    async fn create(&self) -> Result<(), Refusal> {
        let attributes = self.saved.attributes;
        let wrong = || ("its output".to_owned(), ErrorCode::LoadInvalidConfig);
        let consumer_output = match &self.saved.output {
            None => None,
            // Those of a snapshot session are added when it is there.
            Some(output) if attributes.snapshot_mode => match output.consumer_output {
                None => None,
                Some(_) => return Err(wrong()),
            },
            Some(output) => Some(output.consumer_output.as_ref().ok_or_else(wrong)?),
        };
        let output = match consumer_output {
            Some(output) => place(output).await.map_err(refused("its output"))?,
            None => DescriptorOutput::None,
        };
        let kind = match attributes.live_timer_interval_us {
            _ if attributes.snapshot_mode => SessionKind::Snapshot,
            0 => SessionKind::Regular,
            _ if !matches!(output, DescriptorOutput::Network(_)) => return Err(wrong()),
            timer_interval_us => SessionKind::Live { timer_interval_us },
        };
        let descriptor = SessionDescriptor { kind, name: Some(self.session.to_owned()), output };
        let created = self.handle.create_session(None, descriptor).await;
        created.map(drop).map_err(refused("the session"))
    }

    async fn fill(&self) -> Result<(), Refusal> {
        if let Some(path) = &self.saved.shared_memory_path {
            let set = self.handle.set_shm_path(self.session, path.into()).await;
            set.map_err(refused("its shared memory path"))?;
        }
        self.add_snapshot_outputs().await?;
        for domain in &self.saved.domains {
            self.fill_domain(domain).await?;
        }
        let schedules = self.saved.attributes.rotation_schedules;
        let (period_us, bytes) = (schedules.period_us, schedules.size_threshold_bytes);
        for (schedule, value) in [
            (RotationSchedule::Periodic { period_us }, period_us),
            (RotationSchedule::SizeThreshold { bytes }, bytes),
        ] {
            if value != 0 {
                let added = self.handle.add_rotation_schedule(self.session, schedule).await;
                added.map_err(refused("a rotation schedule"))?;
            }
        }
        Ok(())
    }

    async fn add_snapshot_outputs(&self) -> Result<(), Refusal> {
        let output = self.saved.output.as_ref();
        for output in output.iter().flat_map(|output| &output.snapshot_outputs) {
            let destination = &output.consumer_output.destination;
            let (control_url, data_url) = match &destination.net_output {
                Some(net) => (net.control_uri.clone(), net.data_uri.clone()),
                None => (destination.path.clone().unwrap_or_default(), String::new()),
            };
            let message = AddSnapshotOutput {
                name: output.name.clone(),
                max_size_bytes: output.max_size_bytes,
                control_url,
                data_url,
            };
            let what = format!("snapshot output {}", output.name);
            let added = self.handle.ask(message.in_session(self.session)).await;
            added.map_err(refused(what))?;
        }
        Ok(())
    }

    async fn fill_domain(&self, saved: &SavedDomain) -> Result<(), Refusal> {
        let domain = match saved.kind {
            SavedDomainType::Kernel => Domain::Kernel,
            SavedDomainType::Ust => Domain::Ust,
            SavedDomainType::Jul => Domain::Jul,
            SavedDomainType::Log4j => Domain::Log4j,
            SavedDomainType::Python => Domain::Python,
        };
        let scheme = match saved.buffer_type {
            SavedBufferType::PerPid => BufferScheme::PerPid,
            SavedBufferType::PerUid => BufferScheme::PerUid,
            SavedBufferType::Global => BufferScheme::Global,
        };
        for channel in &saved.channels {
            self.fill_channel(domain, scheme, channel).await?;
        }
        for tracker in saved.process_attr_trackers.iter().flat_map(|trackers| &trackers.0) {
            self.fill_tracker(domain, tracker).await?;
        }
        Ok(())
    }

    async fn fill_tracker(&self, domain: Domain, saved: &SavedTracker) -> Result<(), Refusal> {
        let attribute = saved.attribute;
        let what = || format!("tracker {attribute:?}");
        let policy = match saved.values.as_slice() {
            [] => TrackingPolicy::ExcludeAll,
            _ => TrackingPolicy::IncludeSet,
        };
        let set = SetTrackingPolicy { domain, attribute, policy };
        let done = self.handle.ask(set.in_session(self.session)).await;
        done.map_err(refused(what()))?;
        for value in &saved.values {
            let Some(value) = value.of(attribute) else {
                return Err((what(), ErrorCode::LoadInvalidConfig));
            };
            let add = AddTrackerValue { domain, attribute, value };
            let done = self.handle.ask(add.in_session(self.session)).await;
            done.map_err(refused(what()))?;
        }
        Ok(())
    }

    async fn fill_channel(
        &self,
        domain: Domain,
        scheme: BufferScheme,
        saved: &SavedChannel,
    ) -> Result<(), Refusal> {
        let (handle, session) = (self.handle, self.session);
        let name = &saved.name;
        let buffer_type = scheme as u32;
        let channel = ChannelListing::new(name, attributes(saved, scheme));
        let enable = EnableChannel { domain, buffer_type, channel };
        let made = handle.ask(enable.in_session(session)).await;
        made.map_err(refused(format!("channel {name}")))?;
        // All rules are made, then those that were disabled are disabled.
        for event in &saved.events {
            self.enable_event(domain, buffer_type, name, event).await?;
        }
        let event = EventDescription::of_any_kind("");
        let disable = DisableEvent { domain, channel: name.clone(), event };
        let disabled = handle.ask(disable.in_session(session)).await;
        match disabled {
            // An agent domain without rules has none to disable.
            Err(ErrorCode::UstEventNotFound) if domain.is_agent() => {}
            disabled => disabled.map_err(refused(format!("disabled events of channel {name}")))?,
        }
        for event in saved.events.iter().filter(|event| event.enabled) {
            self.enable_event(domain, buffer_type, name, event).await?;
        }
        for context in &saved.contexts {
            self.add_context(domain, name, context).await?;
        }
        // The stock daemon saves that of the kernel's channels which it made by itself although they record.
        if !saved.enabled && domain != Domain::Kernel {
            let disable = DisableChannel { domain, channel: name.clone() };
            let disabled = handle.ask(disable.in_session(session)).await;
            disabled.map_err(refused(format!("disabled channel {name}")))?;
        }
        Ok(())
    }

    async fn enable_event(
        &self,
        domain: Domain,
        buffer_type: u32,
        channel: &str,
        saved: &SavedEvent,
    ) -> Result<(), Refusal> {
        // As for clients, no name means every name.
        let name = saved.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("*");
        let what = format!("event {name} of channel {channel}");
        let mut event = EventDescription {
            kind: event_kind(saved.kind) as i8,
            probe: saved.attributes.as_ref().and_then(SavedEventAttributes::probe),
            ..EventDescription::tracepoint(name)
                .at_log_level(loglevel(domain, saved))
                .excluding(saved.exclusions.iter().map(String::as_str))
        };
        if event.kind == EventKind::UserspaceProbe as i8 {
            event.userspace_probe = Some(probe_in_program(saved, &what).await?);
        }
        let wrong = |error: FilterError| (format!("{what}: {error}"), error.code());
        if let Some(expression) = &saved.filter {
            event = event.filtered_by(expression).map_err(wrong)?;
        }
        if domain.is_agent() {
            // Listings show it for every level, too.
            event.loglevel = saved.loglevel.unwrap_or(least_severe(domain));
            // The saved filter has name and log levels in it. The stock loader adds them once more.
            event = event.for_agents().map_err(wrong)?;
        }
        let enable = EnableEvent { domain, buffer_type, channel: channel.to_owned(), event };
        self.handle.ask(enable.in_session(self.session)).await.map_err(refused(what))
    }

    async fn add_context(
        &self,
        domain: Domain,
        channel: &str,
        saved: &SavedContext,
    ) -> Result<(), Refusal> {
        let word = saved.plain.as_deref().unwrap_or("with parameters");
        let what = format!("context {word} of channel {channel}");
        let context = match domain {
            Domain::Kernel => saved.in_kernel(),
            _ => saved.in_user_space(),
        };
        let Some(context) = context else {
            return Err((what, ErrorCode::LoadInvalidConfig));
        };
        let raw_type = context.kind() as u32;
        // Python's channel takes contexts in user space alone; the stock loader stops at them.
        let domain = if domain == Domain::Python { Domain::Ust } else { domain };
        let channel = channel.to_owned();
        let add = AddContext { domain, channel, raw_type, context: Some(context) };
        self.handle.ask(add.in_session(self.session)).await.map_err(refused(what))
    }
}

/// The probe of a rule in a program, which is opened.
async fn probe_in_program(saved: &SavedEvent, what: &str) -> Result<UserspaceProbe, Refusal> {
    let invalid = || (what.to_owned(), ErrorCode::LoadInvalidConfig);
    let location = saved.attributes.as_ref().and_then(SavedEventAttributes::location);
    let location = location.ok_or_else(invalid)?;
    let path = location.binary_path().to_owned();
    let opened = tokio::task::spawn_blocking(move || File::open(path)).await;
    let opened = opened.map_err(io::Error::other).flatten();
    let binary = opened.map_err(|error| {
        let path = location.binary_path();
        (format!("{what}: {path}: {error}"), ErrorCode::LoadInvalidConfig)
    })?;
    Ok(UserspaceProbe::new(&location, binary))
}

/// What the file says, and for the rest what the daemon gives a channel of its own making.
fn attributes(saved: &SavedChannel, scheme: BufferScheme) -> ChannelAttributes {
    let default = match scheme {
        BufferScheme::Global => ChannelAttributes::kernel(),
        _ => ChannelAttributes::user_space(scheme, rustix::param::page_size() as u64),
    };
    ChannelAttributes {
        mode: match saved.overwrite_mode {
            None => default.mode,
            Some(SavedOverwriteMode::Discard) => BufferMode::Discard,
            Some(SavedOverwriteMode::Overwrite) => BufferMode::Overwrite,
        },
        subbuf_size_bytes: saved.subbuffer_size_bytes.unwrap_or(default.subbuf_size_bytes),
        num_subbuf: saved.subbuffer_count.unwrap_or(default.num_subbuf),
        switch_timer_interval_us: saved
            .switch_timer_interval_us
            .unwrap_or(default.switch_timer_interval_us),
        read_timer_interval_us: saved.read_timer_interval_us,
        monitor_timer_interval_us: saved
            .monitor_timer_interval_us
            .unwrap_or(default.monitor_timer_interval_us),
        live_timer_interval_us: saved
            .live_timer_interval_us
            .unwrap_or(default.live_timer_interval_us),
        blocking_timeout_us: saved.blocking_timeout_us.unwrap_or(default.blocking_timeout_us),
        output: match saved.output_type {
            SavedOutputType::Splice => ChannelOutput::Splice,
            SavedOutputType::Mmap => ChannelOutput::Mmap,
        },
        tracefile_size_bytes: saved.tracefile_size_bytes,
        tracefile_count: saved.tracefile_count,
    }
}

fn event_kind(saved: SavedEventType) -> EventKind {
    match saved {
        SavedEventType::All => EventKind::All,
        SavedEventType::Tracepoint => EventKind::Tracepoint,
        SavedEventType::Probe | SavedEventType::Kprobe => EventKind::Probe,
        SavedEventType::Function | SavedEventType::Kretprobe => EventKind::Function,
        SavedEventType::UserspaceProbe => EventKind::UserspaceProbe,
        SavedEventType::FunctionEntry => EventKind::FunctionEntry,
        SavedEventType::Noop => EventKind::Noop,
        SavedEventType::Syscall => EventKind::Syscall,
    }
}

/// The log level of a rule that does not say which.
fn least_severe(domain: Domain) -> i32 {
    const DEBUG: i32 = 14;
    const PYTHON_DEBUG: i32 = 10;
    match domain {
        Domain::Jul | Domain::Log4j => i32::MIN,
        Domain::Python => PYTHON_DEBUG,
        Domain::Ust | Domain::Kernel | Domain::None => DEBUG,
    }
}

fn loglevel(domain: Domain, saved: &SavedEvent) -> LogLevelRule {
    let level = saved.loglevel.unwrap_or(least_severe(domain));
    match saved.loglevel_type {
        SavedLogLevelType::All => LogLevelRule::All,
        SavedLogLevelType::Range => LogLevelRule::Range(level),
        SavedLogLevelType::Single => LogLevelRule::Single(level),
    }
}
