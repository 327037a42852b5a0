//! From a saved session to a document: what `lttng save` writes is also how the daemon tells what a session is.

use lttngd_model::{Context, Domain, LogLevelRule, TrackerValue};
use lttngd_sessionfile::{
    SavedAppContext, SavedBufferType, SavedChannel, SavedConsumerOutput, SavedContext, SavedDomain,
    SavedDomainType, SavedEvent, SavedEventAttributes, SavedEventType, SavedLogLevelType,
    SavedOutputType, SavedOverwriteMode, SavedPerfContext, SavedSession, SavedTracker,
    SavedTrackers,
};
use thiserror::Error;

use crate::{
    AgentDomain, AppContext, Attributes, BufferMode, Channel, ContextField, Document,
    DocumentVersion, EventRule, KernelDomain, Level, LogLevel, Mode, NameOrId, Output, PerfCounter,
    Probe, ReadBy, RelayUrls, Rotation, RuleKind, Scheme, SnapshotOutput, Trackers, UserProbe,
    UstDomain, agent_filter,
};

/// A saved session has something that no document says.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("session {session}: {what} cannot be said in a document")]
pub struct NotSaid {
    /// Which session.
    pub session: String,
    /// What.
    pub what: String,
}

/// The document of a session, of how it is saved: all is said, but where a relay daemon's directory is the daemon's own.
///
/// # Errors
/// When something cannot be said.
pub fn observed(saved: &SavedSession) -> Result<Document, NotSaid> {
    let error = |what: String| NotSaid { session: saved.name.clone(), what };
    let attributes = saved.attributes;
    let some = |value: u64| (value != 0).then_some(value);
    let mut document = Document {
        version: DocumentVersion,
        session: saved.name.clone(),
        started: saved.started.unwrap_or(true),
        mode: match attributes.live_timer_interval_us {
            _ if attributes.snapshot_mode => Mode::Snapshot,
            0 => Mode::Regular,
            timer_interval_us => Mode::Live { timer_interval_us },
        },
        output: None,
        snapshot_outputs: attributes.snapshot_mode.then(Vec::new),
        shared_memory_path: saved.shared_memory_path.clone(),
        rotation: Rotation {
            period_us: some(attributes.rotation_schedules.period_us),
            size_bytes: some(attributes.rotation_schedules.size_threshold_bytes),
        },
        ..Document::empty(saved.name.as_str(), Mode::Regular)
    };
    if attributes.snapshot_mode {
        let outputs = saved.output.iter().flat_map(|output| &output.snapshot_outputs);
        document.snapshot_outputs = Some(
            outputs
                .map(|output| SnapshotOutput {
                    name: output.name.clone(),
                    max_size_bytes: output.max_size_bytes,
                    output: place(&output.consumer_output),
                })
                .collect(),
        );
    } else {
        let output = saved.output.as_ref().and_then(|output| output.consumer_output.as_ref());
        document.output = Some(output.map_or(Output::None, place));
    }
    for domain in &saved.domains {
        add_domain(&mut document, domain).map_err(error)?;
    }
    Ok(document)
}

fn place(saved: &SavedConsumerOutput) -> Output {
    match (&saved.destination.net_output, saved.destination.path.as_deref()) {
        (Some(net), _) => {
            Output::Urls(RelayUrls { control: net.control_uri.clone(), data: net.data_uri.clone() })
        }
        (None, None | Some("")) => Output::None,
        (None, Some(path)) if path.starts_with('/') => Output::Path(path.to_owned()),
        (None, Some(url)) => Output::Url(url.to_owned()),
    }
}

fn add_domain(document: &mut Document, saved: &SavedDomain) -> Result<(), String> {
    let domain = match saved.kind {
        SavedDomainType::Kernel => Domain::Kernel,
        SavedDomainType::Ust => Domain::Ust,
        SavedDomainType::Jul => Domain::Jul,
        SavedDomainType::Log4j => Domain::Log4j,
        SavedDomainType::Python => Domain::Python,
    };
    let channels: Result<Vec<_>, _> = saved.channels.iter().map(|it| channel(domain, it)).collect();
    let channels = channels?;
    let trackers = trackers(saved.process_attr_trackers.as_ref())?;
    let scheme = match saved.buffer_type {
        SavedBufferType::PerPid => Scheme::PerPid,
        SavedBufferType::PerUid | SavedBufferType::Global => Scheme::PerUid,
    };
    match domain {
        Domain::Kernel => document.kernel = Some(KernelDomain { channels, trackers }),
        Domain::Ust => {
            document.ust = Some(UstDomain { scheme, channels, trackers });
        }
        agent => {
            let Some(channel) = channels.into_iter().next() else { return Ok(()) };
            let Channel { attributes, rules, contexts, .. } = channel;
            let known = Some(AgentDomain { attributes, rules, contexts });
            match agent {
                Domain::Jul => document.jul = known,
                Domain::Log4j => document.log4j = known,
                _ => document.python = known,
            }
            // How its buffers are shared is said there.
            document.ust.get_or_insert_default().scheme = scheme;
        }
    }
    Ok(())
}

fn channel(domain: Domain, saved: &SavedChannel) -> Result<Channel, String> {
    let rules: Result<Vec<_>, _> = saved.events.iter().map(|it| rule(domain, it)).collect();
    let contexts: Result<Vec<_>, _> = saved.contexts.iter().map(context).collect();
    Ok(Channel {
        name: saved.name.clone(),
        enabled: saved.enabled,
        attributes: Attributes {
            mode: saved.overwrite_mode.map(|mode| match mode {
                SavedOverwriteMode::Discard => BufferMode::Discard,
                SavedOverwriteMode::Overwrite => BufferMode::Overwrite,
            }),
            subbuf_size_bytes: saved.subbuffer_size_bytes,
            num_subbuf: saved.subbuffer_count,
            switch_timer_interval_us: saved.switch_timer_interval_us,
            read_timer_interval_us: Some(saved.read_timer_interval_us),
            monitor_timer_interval_us: saved.monitor_timer_interval_us,
            blocking_timeout_us: saved.blocking_timeout_us,
            output: Some(match saved.output_type {
                SavedOutputType::Splice => ReadBy::Splice,
                SavedOutputType::Mmap => ReadBy::Mmap,
            }),
            tracefile_size_bytes: Some(saved.tracefile_size_bytes),
            tracefile_count: Some(saved.tracefile_count),
        },
        rules: rules?,
        contexts: contexts?,
    })
}

fn context(saved: &SavedContext) -> Result<ContextField, String> {
    if let Some(perf) = &saved.perf {
        let (perf_type, config, name) = (perf.perf_type, perf.config, perf.name.clone());
        return Ok(ContextField::Perf(PerfCounter { perf_type, config, name }));
    }
    if let Some(app) = &saved.app {
        let (provider, name) = (app.provider_name.clone(), app.ctx_name.clone());
        return Ok(ContextField::App(AppContext { provider, name }));
    }
    let word = saved.plain.as_deref().unwrap_or_default();
    ContextField::of_saved_word(word).ok_or_else(|| format!("context {word}"))
}

fn rule(domain: Domain, saved: &SavedEvent) -> Result<EventRule, String> {
    let name = saved.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| "*".to_owned());
    let level = Level::Number(saved.loglevel.unwrap_or_default());
    let (loglevel, meant) = match (saved.loglevel_type, saved.loglevel) {
        (SavedLogLevelType::All, _) | (_, None) => (None, LogLevelRule::All),
        (SavedLogLevelType::Range, Some(number)) => {
            (Some(LogLevel::Range(level)), LogLevelRule::Range(number))
        }
        (SavedLogLevelType::Single, Some(number)) => {
            (Some(LogLevel::Single(level)), LogLevelRule::Single(number))
        }
    };
    let filter = match domain.is_agent() {
        true => agent_filter::of_user(saved.filter.as_deref(), &name, meant),
        false => saved.filter.clone(),
    };
    let attributes = saved.attributes.as_ref();
    let probe = attributes.and_then(SavedEventAttributes::probe);
    let location = attributes.and_then(SavedEventAttributes::location);
    Ok(EventRule {
        kind: kind(saved.kind).ok_or_else(|| format!("event {name} of such a kind"))?,
        name,
        loglevel,
        filter,
        exclusions: saved.exclusions.clone(),
        probe: probe.map(Probe::from),
        userspace_probe: location.map(UserProbe::from),
        enabled: saved.enabled,
    })
}

fn kind(saved: SavedEventType) -> Option<RuleKind> {
    Some(match saved {
        SavedEventType::Tracepoint => RuleKind::Tracepoint,
        SavedEventType::Syscall => RuleKind::Syscall,
        SavedEventType::Probe | SavedEventType::Kprobe => RuleKind::Probe,
        SavedEventType::Function | SavedEventType::Kretprobe => RuleKind::Function,
        SavedEventType::FunctionEntry => RuleKind::FunctionEntry,
        SavedEventType::UserspaceProbe => RuleKind::UserspaceProbe,
        SavedEventType::All | SavedEventType::Noop => return None,
    })
}

fn trackers(saved: Option<&SavedTrackers>) -> Result<Trackers, String> {
    use lttngd_model::ProcessAttribute as A;
    let mut trackers = Trackers::default();
    for SavedTracker { attribute, values } in saved.iter().flat_map(|saved| &saved.0) {
        let values: Option<Vec<_>> = values.iter().map(|value| value.of(*attribute)).collect();
        let values = values.ok_or_else(|| format!("tracker {attribute:?}"))?;
        let ids = || Some(values.iter().filter_map(pid).collect());
        let names = || Some(values.iter().filter_map(name_or_id).collect());
        match attribute {
            A::ProcessId => trackers.pid = ids(),
            A::VirtualProcessId => trackers.vpid = ids(),
            A::UserId => trackers.uid = names(),
            A::VirtualUserId => trackers.vuid = names(),
            A::GroupId => trackers.gid = names(),
            A::VirtualGroupId => trackers.vgid = names(),
        }
    }
    Ok(trackers)
}

fn pid(value: &TrackerValue) -> Option<i32> {
    match value {
        TrackerValue::Pid(pid) => Some(*pid),
        _ => None,
    }
}

fn name_or_id(value: &TrackerValue) -> Option<NameOrId> {
    match value {
        TrackerValue::Uid(id) | TrackerValue::Gid(id) => Some(NameOrId::Id(*id)),
        TrackerValue::UserName(name) | TrackerValue::GroupName(name) => {
            Some(NameOrId::Name(name.clone()))
        }
        TrackerValue::Pid(_) => None,
    }
}

impl ContextField {
    /// LTTng's context in a domain; `None` for one that it has not.
    #[must_use]
    pub fn in_domain(&self, domain: Domain) -> Option<Context> {
        let saved = match self {
            Self::Perf(perf) => SavedContext {
                perf: Some(SavedPerfContext {
                    perf_type: perf.perf_type,
                    config: perf.config,
                    name: perf.name.clone(),
                }),
                ..SavedContext::default()
            },
            Self::App(app) => SavedContext {
                app: Some(SavedAppContext {
                    provider_name: app.provider.clone(),
                    ctx_name: app.name.clone(),
                }),
                ..SavedContext::default()
            },
            plain => SavedContext {
                plain: plain.saved_word().map(str::to_owned),
                ..SavedContext::default()
            },
        };
        if domain == Domain::Kernel { saved.in_kernel() } else { saved.in_user_space() }
    }
}
