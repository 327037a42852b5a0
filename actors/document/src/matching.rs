//! What is the same in two documents: domains seen alike, and the identity of event rules and places.

use lttngd_model::{
    BufferScheme, Domain, EventKind, Filter, HostUrl, LogLevelRule, PlaceUrl, ProcessAttribute,
    TrackerValue, normalize_pattern, ust::agent_channel_name,
};

use crate::{
    AgentDomain, Attributes, Channel, ContextField, Document, EventRule, NameOrId, Output, Scheme,
    Trackers, level,
};

/// A domain of a document.
pub(crate) struct DomainView<'a> {
    pub(crate) domain: Domain,
    pub(crate) scheme: BufferScheme,
    pub(crate) channels: Vec<ChannelView<'a>>,
    pub(crate) trackers: Option<&'a Trackers>,
}

/// A channel of one.
#[derive(Clone, Copy)]
pub(crate) struct ChannelView<'a> {
    pub(crate) name: &'a str,
    pub(crate) enabled: bool,
    pub(crate) attributes: &'a Attributes,
    pub(crate) rules: &'a [EventRule],
    pub(crate) contexts: &'a [ContextField],
}

impl<'a> From<&'a Channel> for ChannelView<'a> {
    fn from(channel: &'a Channel) -> Self {
        let Channel { name, enabled, attributes, rules, contexts } = channel;
        Self { name, enabled: *enabled, attributes, rules, contexts }
    }
}

impl Document {
    /// How applications share their buffers.
    pub(crate) fn scheme(&self) -> BufferScheme {
        match self.ust.as_ref().map(|ust| ust.scheme).unwrap_or_default() {
            Scheme::PerPid => BufferScheme::PerPid,
            Scheme::PerUid => BufferScheme::PerUid,
        }
    }

    /// The logging agents' domains.
    pub(crate) fn agents(&self) -> impl Iterator<Item = (Domain, &AgentDomain)> {
        let agents = [
            (Domain::Jul, &self.jul),
            (Domain::Log4j, &self.log4j),
            (Domain::Python, &self.python),
        ];
        agents.into_iter().filter_map(|(domain, agent)| Some((domain, agent.as_ref()?)))
    }

    /// All domains that there are.
    pub(crate) fn domains(&self) -> Vec<DomainView<'_>> {
        let kernel = self.kernel.iter().map(|kernel| DomainView {
            domain: Domain::Kernel,
            scheme: BufferScheme::Global,
            channels: kernel.channels.iter().map(ChannelView::from).collect(),
            trackers: Some(&kernel.trackers),
        });
        let ust = self.ust.iter().map(|ust| DomainView {
            domain: Domain::Ust,
            scheme: self.scheme(),
            channels: ust.channels.iter().map(ChannelView::from).collect(),
            trackers: Some(&ust.trackers),
        });
        let agents = self.agents().map(|(domain, agent)| DomainView {
            domain,
            scheme: self.scheme(),
            channels: vec![ChannelView {
                name: agent_channel_name(domain).unwrap_or_default(),
                enabled: true,
                attributes: &agent.attributes,
                rules: &agent.rules,
                contexts: &agent.contexts,
            }],
            trackers: None,
        });
        kernel.chain(ust).chain(agents).collect()
    }
}

/// What the daemon tells one event rule of a channel from another by.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Identity {
    kind: EventKind,
    name: String,
    level: LogLevelRule,
    filter: Option<Vec<u8>>,
    exclusions: Vec<String>,
}

impl Identity {
    pub(crate) fn of(rule: &EventRule, domain: Domain) -> Self {
        let is_kernel = domain == Domain::Kernel;
        let mut exclusions: Vec<_> =
            rule.exclusions.iter().map(|name| normalize_pattern(name)).collect();
        exclusions.sort_unstable();
        // Agents' rules are told by the text, the others by what it means.
        let filter = rule.filter.as_ref().map(|text| match Filter::compile(text.as_str()) {
            Ok(filter) if !domain.is_agent() => filter.bytecode.data,
            _ => text.clone().into_bytes(),
        });
        Self {
            // In user space the kind is no part of it.
            kind: if is_kernel { rule.kind.event_kind() } else { EventKind::Tracepoint },
            name: normalize_pattern(&rule.name),
            level: level::rule(rule.loglevel.as_ref(), domain).unwrap_or(LogLevelRule::All),
            filter,
            exclusions,
        }
    }
}

/// The trackers that a domain has: by what, with the values in a document.
pub(crate) fn trackers(trackers: &Trackers) -> [(ProcessAttribute, Option<Vec<TrackerValue>>); 6] {
    use ProcessAttribute as A;
    let pids = |pids: &Option<Vec<i32>>| {
        pids.as_ref().map(|pids| pids.iter().copied().map(TrackerValue::Pid).collect())
    };
    let users = |users: &Option<Vec<NameOrId>>| {
        users.as_ref().map(|users| users.iter().map(user).collect())
    };
    let groups = |groups: &Option<Vec<NameOrId>>| {
        groups.as_ref().map(|groups| groups.iter().map(group).collect())
    };
    [
        (A::ProcessId, pids(&trackers.pid)),
        (A::VirtualProcessId, pids(&trackers.vpid)),
        (A::UserId, users(&trackers.uid)),
        (A::VirtualUserId, users(&trackers.vuid)),
        (A::GroupId, groups(&trackers.gid)),
        (A::VirtualGroupId, groups(&trackers.vgid)),
    ]
}

fn user(user: &NameOrId) -> TrackerValue {
    match user {
        NameOrId::Id(id) => TrackerValue::Uid(*id),
        NameOrId::Name(name) => TrackerValue::UserName(name.clone()),
    }
}

fn group(group: &NameOrId) -> TrackerValue {
    match group {
        NameOrId::Id(id) => TrackerValue::Gid(*id),
        NameOrId::Name(name) => TrackerValue::GroupName(name.clone()),
    }
}

impl Output {
    /// Where it leads; `None` for nowhere and for what leads nowhere.
    #[must_use]
    pub fn place(&self) -> Option<PlaceUrl> {
        match self {
            Self::None => None,
            Self::Path(path) => Some(PlaceUrl::Path(path.into())),
            Self::Url(url) => PlaceUrl::parse(url, "").ok(),
            Self::Urls(urls) => PlaceUrl::parse(&urls.control, &urls.data).ok(),
        }
    }

    /// Whether traces that go to `observed` go where this says: a relay daemon's directory is compared when it is named.
    pub(crate) fn is_met_by(&self, observed: &Self) -> bool {
        match (self.place(), observed.place()) {
            (None, None) => true,
            (Some(PlaceUrl::Path(wanted)), Some(PlaceUrl::Path(observed))) => {
                wanted.components().eq(observed.components())
            }
            (
                Some(PlaceUrl::Relayd { control, data }),
                Some(PlaceUrl::Relayd { control: known_control, data: known_data }),
            ) => is_met(&control, &known_control) && is_met(&data, &known_data),
            _ => false,
        }
    }
}

fn is_met(wanted: &HostUrl, observed: &HostUrl) -> bool {
    let trimmed = |subdir: &str| subdir.trim_matches('/').to_owned();
    (wanted.family, &wanted.host, wanted.port) == (observed.family, &observed.host, observed.port)
        && (wanted.subdir.is_empty() || trimmed(&wanted.subdir) == trimmed(&observed.subdir))
}
