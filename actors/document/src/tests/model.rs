//! A session that carries out commands as the daemon does, with its refusals.

use lttngd_model::{Domain, TrackerValue, TrackingPolicy, ust::agent_channel_name};

use crate::{
    AgentDomain, Attributes, BufferMode, Channel, Command, ContextField, Document, EventRule,
    KernelDomain, NameOrId, Observed, Output, ReadBy, Schedule, Scheme, Trackers, UstDomain,
    matching::Identity,
};

/// The session, if there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) session: Option<Observed>,
    /// How many events rules were let record or stopped, and the like.
    pub(super) commands: usize,
}

fn everything(attributes: Attributes) -> Attributes {
    Attributes {
        mode: attributes.mode.or(Some(BufferMode::Discard)),
        subbuf_size_bytes: attributes.subbuf_size_bytes.or(Some(4096)),
        num_subbuf: attributes.num_subbuf.or(Some(4)),
        switch_timer_interval_us: attributes.switch_timer_interval_us.or(Some(0)),
        read_timer_interval_us: attributes.read_timer_interval_us.or(Some(0)),
        monitor_timer_interval_us: attributes.monitor_timer_interval_us.or(Some(1_000_000)),
        blocking_timeout_us: attributes.blocking_timeout_us.or(Some(0)),
        output: attributes.output.or(Some(ReadBy::Mmap)),
        tracefile_size_bytes: attributes.tracefile_size_bytes.or(Some(0)),
        tracefile_count: attributes.tracefile_count.or(Some(0)),
    }
}

impl Model {
    /// Carries out one, and fails as the daemon would.
    pub(super) fn run(&mut self, document: &Document, command: &Command) -> Result<(), String> {
        self.commands += 1;
        if *command == Command::Create {
            if self.session.is_some() {
                return Err("it exists".to_owned());
            }
            let mut made = Document::empty(document.session.as_str(), document.mode);
            made.output = document.output.clone().or(Some(Output::Path("/default".to_owned())));
            made.snapshot_outputs = Some(Vec::new());
            self.session = Some(Observed { document: made, was_started: false });
            return Ok(());
        }
        if *command == Command::Destroy {
            return self.session.take().map(drop).ok_or_else(|| "there is none".to_owned());
        }
        let session = self.session.as_mut().ok_or("there is none")?;
        let was_started = session.was_started;
        let it = &mut session.document;
        match command.clone() {
            Command::Create | Command::Destroy => unreachable!("done above"),
            Command::SetShmPath(path) if !was_started => it.shared_memory_path = Some(path),
            Command::SetShmPath(_) => return Err("it was started".to_owned()),
            Command::AddSnapshotOutput(output) => {
                let outputs = it.snapshot_outputs.get_or_insert_default();
                if outputs.iter().any(|known| known.name == output.name) {
                    return Err("there is such an output".to_owned());
                }
                outputs.push(output);
            }
            Command::DeleteSnapshotOutput(name) => {
                let outputs = it.snapshot_outputs.get_or_insert_default();
                let before = outputs.len();
                outputs.retain(|known| known.name != name);
                if outputs.len() == before {
                    return Err("there is no such output".to_owned());
                }
            }
            Command::AddSchedule(schedule) => set_schedule(it, schedule, true)?,
            Command::RemoveSchedule(schedule) => set_schedule(it, schedule, false)?,
            Command::Start if it.started => return Err("it is started".to_owned()),
            Command::Start => {
                if it.domains().iter().all(|domain| domain.channels.is_empty()) {
                    return Err("no channel".to_owned());
                }
                it.started = true;
                session.was_started = true;
            }
            Command::Stop if it.started => it.started = false,
            Command::Stop => return Err("it is not started".to_owned()),
            of_domain => run_in_domain(it, of_domain, was_started)?,
        }
        Ok(())
    }
}

fn set_schedule(it: &mut Document, schedule: Schedule, add: bool) -> Result<(), String> {
    let (known, value) = match schedule {
        Schedule::PeriodUs(value) => (&mut it.rotation.period_us, value),
        Schedule::SizeBytes(value) => (&mut it.rotation.size_bytes, value),
    };
    match (add, *known) {
        (true, None) => *known = Some(value),
        (false, Some(before)) if before == value => *known = None,
        other => return Err(format!("schedule: {other:?}")),
    }
    Ok(())
}

fn channels(it: &mut Document, domain: Domain) -> &mut Vec<Channel> {
    match domain {
        Domain::Kernel => &mut it.kernel.get_or_insert_with(KernelDomain::default).channels,
        _ => &mut it.ust.get_or_insert_with(UstDomain::default).channels,
    }
}

fn agent(it: &mut Document, domain: Domain) -> &mut Option<AgentDomain> {
    match domain {
        Domain::Jul => &mut it.jul,
        Domain::Log4j => &mut it.log4j,
        _ => &mut it.python,
    }
}

fn run_in_domain(it: &mut Document, command: Command, was_started: bool) -> Result<(), String> {
    match command {
        Command::EnableChannel { domain, scheme, channel, attributes } => {
            if domain != Domain::Kernel {
                it.ust.get_or_insert_with(UstDomain::default).scheme =
                    if scheme as u32 == 0 { Scheme::PerPid } else { Scheme::PerUid };
            }
            if domain.is_agent() {
                assert_eq!(agent_channel_name(domain), Some(channel.as_str()));
                if was_started || agent(it, domain).is_some() {
                    return Err("no new channel".to_owned());
                }
                let attributes = everything(attributes);
                *agent(it, domain) = Some(AgentDomain { attributes, ..AgentDomain::default() });
                return Ok(());
            }
            let known = channels(it, domain);
            match known.iter_mut().find(|known| known.name == channel) {
                Some(known) if known.enabled => return Err("it records".to_owned()),
                Some(known) => known.enabled = true,
                None if was_started => return Err("it was started".to_owned()),
                None => known.push(Channel {
                    name: channel,
                    enabled: true,
                    attributes: everything(attributes),
                    rules: Vec::new(),
                    contexts: Vec::new(),
                }),
            }
        }
        Command::DisableChannel { domain, channel } => {
            let known = channels(it, domain).iter_mut().find(|known| known.name == channel);
            known.ok_or("no such channel")?.enabled = false;
        }
        Command::EnableEvent { domain, channel, rule, .. } => {
            let rules = rules(it, domain, &channel)?;
            let identity = Identity::of(&rule, domain);
            match rules.iter_mut().find(|known| Identity::of(known, domain) == identity) {
                Some(known) if known.enabled => return Err("it records".to_owned()),
                Some(known) => known.enabled = true,
                None => rules.push(rule),
            }
        }
        Command::DisableEvent { domain, channel, name, kind } => {
            let mut found = false;
            let is_meant = |rule: &EventRule| kind.is_none_or(|kind| kind == rule.kind);
            for rule in rules(it, domain, &channel)? {
                if rule.name == name && is_meant(rule) {
                    rule.enabled = false;
                    found = true;
                }
            }
            if !found {
                return Err("no such rule".to_owned());
            }
        }
        Command::AddContext { domain, channel, context } => {
            if was_started {
                return Err("it was started".to_owned());
            }
            let contexts = contexts(it, domain, &channel)?;
            if contexts.contains(&context) {
                return Err("it has it".to_owned());
            }
            contexts.push(context);
        }
        of_tracker => run_in_tracker(it, of_tracker),
    }
    Ok(())
}

fn contexts<'a>(
    it: &'a mut Document,
    domain: Domain,
    channel: &str,
) -> Result<&'a mut Vec<ContextField>, String> {
    if domain.is_agent() {
        return Ok(&mut agent(it, domain).as_mut().ok_or("no channel")?.contexts);
    }
    let known = channels(it, domain).iter_mut().find(|known| known.name == channel);
    Ok(&mut known.ok_or("no such channel")?.contexts)
}

fn run_in_tracker(it: &mut Document, command: Command) {
    match command {
        Command::SetTracker { domain, attribute, policy } => {
            let values = match policy {
                TrackingPolicy::IncludeAll => None,
                TrackingPolicy::ExcludeAll | TrackingPolicy::IncludeSet => Some(Vec::new()),
            };
            set_tracker(it, domain, attribute as i32, |known| *known = values);
        }
        Command::Track { domain, attribute, value } => {
            set_tracker(it, domain, attribute as i32, |known| {
                known.as_mut().expect("the policy is to include").push(value);
            });
        }
        Command::Untrack { domain, attribute, value } => {
            set_tracker(it, domain, attribute as i32, |known| {
                known.as_mut().expect("the policy is to include").retain(|it| *it != value);
            });
        }
        other => unreachable!("{other:?} is of no domain"),
    }
}

fn rules<'a>(
    it: &'a mut Document,
    domain: Domain,
    channel: &str,
) -> Result<&'a mut Vec<EventRule>, String> {
    if domain.is_agent() {
        return Ok(&mut agent(it, domain).as_mut().ok_or("no channel")?.rules);
    }
    let known = channels(it, domain).iter_mut().find(|known| known.name == channel);
    Ok(&mut known.ok_or("no such channel")?.rules)
}

/// Changes the values of the tracker of this number, as a list of values.
fn set_tracker(
    it: &mut Document,
    domain: Domain,
    attribute: i32,
    change: impl FnOnce(&mut Option<Vec<TrackerValue>>),
) {
    let trackers: &mut Trackers = match domain {
        Domain::Kernel => &mut it.kernel.get_or_insert_with(KernelDomain::default).trackers,
        _ => &mut it.ust.get_or_insert_with(UstDomain::default).trackers,
    };
    let mut values = crate::matching::trackers(trackers)[attribute as usize].1.take();
    change(&mut values);
    let pids = |values: &[TrackerValue]| {
        let pid = |value: &TrackerValue| match value {
            TrackerValue::Pid(pid) => *pid,
            other => panic!("{other:?}"),
        };
        values.iter().map(pid).collect::<Vec<_>>()
    };
    let names = |values: &[TrackerValue]| {
        let name = |value: &TrackerValue| match value {
            TrackerValue::Uid(id) | TrackerValue::Gid(id) => NameOrId::Id(*id),
            TrackerValue::UserName(name) | TrackerValue::GroupName(name) => {
                NameOrId::Name(name.clone())
            }
            other @ TrackerValue::Pid(_) => panic!("{other:?}"),
        };
        values.iter().map(name).collect::<Vec<_>>()
    };
    let values = values.as_deref();
    match attribute {
        0 => trackers.pid = values.map(pids),
        1 => trackers.vpid = values.map(pids),
        2 => trackers.uid = values.map(names),
        3 => trackers.vuid = values.map(names),
        4 => trackers.gid = values.map(names),
        _ => trackers.vgid = values.map(names),
    }
}
