//! The reconciler: from a document and what is there to the fewest commands.

mod channels;
mod rules;

use lttngd_model::{Domain, TrackerValue, TrackingPolicy};

use crate::{
    Command, Document, Mode, Obstacle, Schedule, SnapshotOutput, Trackers,
    matching::{DomainView, trackers},
};

/// What is there of a session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observed {
    /// As a document says it, with nothing left out.
    pub document: Document,
    /// Whether it was ever started: it takes no new channels and contexts then.
    pub was_started: bool,
}

/// What is to be done.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// In their order.
    pub commands: Vec<Command>,
    /// What the commands do not bring about: the session would have to be made anew, see [`replacing`].
    pub obstacles: Vec<Obstacle>,
}

/// What brings a session to what `wanted` says. `observed` is the session of this name, if there is one. What is the same
/// is not touched.
#[must_use]
pub fn plan(wanted: &Document, observed: Option<&Observed>) -> Plan {
    let Some(observed) = observed else { return from_nothing(wanted) };
    let mut planner = Planner::new(wanted, &observed.document, observed.was_started);
    planner.session();
    planner.domains();
    planner.schedules();
    if wanted.started && !observed.document.started {
        planner.plan.commands.push(Command::Start);
    }
    planner.plan
}

/// What makes the session anew.
#[must_use]
pub fn replacing(wanted: &Document) -> Plan {
    let mut plan = from_nothing(wanted);
    plan.commands.insert(0, Command::Destroy);
    plan
}

fn from_nothing(wanted: &Document) -> Plan {
    let mut nothing = Document::empty(wanted.session.as_str(), wanted.mode);
    nothing.output.clone_from(&wanted.output);
    nothing.snapshot_outputs = wanted.snapshot_outputs.as_ref().map(|_| Vec::new());
    let observed = Observed { document: nothing, was_started: false };
    let mut plan = plan(wanted, Some(&observed));
    plan.commands.insert(0, Command::Create);
    plan
}

pub(crate) struct Planner<'a> {
    wanted: &'a Document,
    observed: &'a Document,
    was_started: bool,
    /// Whether the session records while the commands are done.
    is_recording: bool,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(wanted: &'a Document, observed: &'a Document, was_started: bool) -> Self {
        let is_recording = wanted.started && observed.started;
        Self { wanted, observed, was_started, is_recording, plan: Plan::default() }
    }

    fn does(&mut self, command: Command) {
        self.plan.commands.push(command);
    }

    fn cannot(&mut self, obstacle: Obstacle) {
        if !self.plan.obstacles.contains(&obstacle) {
            self.plan.obstacles.push(obstacle);
        }
    }

    /// What the session is as a whole.
    fn session(&mut self) {
        let (wanted, observed) = (self.wanted, self.observed);
        if observed.started && !wanted.started {
            self.does(Command::Stop);
        }
        if wanted.mode != observed.mode {
            self.cannot(Obstacle::Mode);
            return;
        }
        if wanted.mode != Mode::Snapshot
            && let Some(output) = &wanted.output
            && !observed.output.as_ref().is_some_and(|observed| output.is_met_by(observed))
        {
            self.cannot(Obstacle::Output);
        }
        match (&wanted.shared_memory_path, &observed.shared_memory_path) {
            (wanted, observed) if wanted == observed => {}
            (Some(path), _) if !self.was_started => self.does(Command::SetShmPath(path.clone())),
            _ => self.cannot(Obstacle::ShmPath),
        }
        if wanted.mode == Mode::Snapshot {
            self.snapshot_outputs();
        }
    }

    fn snapshot_outputs(&mut self) {
        let Some(wanted) = &self.wanted.snapshot_outputs else { return };
        let observed = self.observed.snapshot_outputs.as_deref().unwrap_or_default();
        let is_met = |wanted: &SnapshotOutput, observed: &SnapshotOutput| {
            wanted.name == observed.name
                && wanted.max_size_bytes == observed.max_size_bytes
                && wanted.output.is_met_by(&observed.output)
        };
        for output in observed {
            if !wanted.iter().any(|wanted| is_met(wanted, output)) {
                self.does(Command::DeleteSnapshotOutput(output.name.clone()));
            }
        }
        for output in wanted {
            if !observed.iter().any(|observed| is_met(output, observed)) {
                self.does(Command::AddSnapshotOutput(output.clone()));
            }
        }
    }

    fn domains(&mut self) {
        let (wanted, observed) = (self.wanted.domains(), self.observed.domains());
        if wanted.iter().any(|it| it.domain != Domain::Kernel)
            && observed.iter().any(|it| it.domain != Domain::Kernel && !it.channels.is_empty())
            && self.wanted.scheme() != self.observed.scheme()
        {
            self.cannot(Obstacle::Scheme);
            return;
        }
        for domain in &wanted {
            let known = observed.iter().find(|it| it.domain == domain.domain);
            self.channels(domain, known);
            self.trackers(domain, known);
        }
        for gone in observed.iter().filter(|it| !wanted.iter().any(|at| at.domain == it.domain)) {
            let nothing =
                DomainView { channels: Vec::new(), trackers: None, scheme: gone.scheme, ..*gone };
            self.channels(&nothing, Some(gone));
            self.trackers(&nothing, Some(gone));
        }
    }

    fn trackers(&mut self, wanted: &DomainView<'_>, observed: Option<&DomainView<'_>>) {
        let domain = wanted.domain;
        let everybody = Trackers::default();
        let known = observed.and_then(|it| it.trackers).unwrap_or(&everybody);
        let wanted = wanted.trackers.unwrap_or(&everybody);
        for ((attribute, wanted), (_, known)) in trackers(wanted).into_iter().zip(trackers(known)) {
            let set = |policy| Command::SetTracker { domain, attribute, policy };
            match (wanted, known) {
                (None, None) => {}
                (None, Some(_)) => self.does(set(TrackingPolicy::IncludeAll)),
                (Some(wanted), Some(known)) if wanted.is_empty() && known.is_empty() => {}
                (Some(wanted), _) if wanted.is_empty() => {
                    self.does(set(TrackingPolicy::ExcludeAll));
                }
                (Some(wanted), known) => {
                    if known.as_ref().is_none_or(Vec::is_empty) {
                        self.does(set(TrackingPolicy::IncludeSet));
                    }
                    let known = known.unwrap_or_default();
                    let missing = |these: &[TrackerValue], of: &[TrackerValue]| {
                        let mut left: Vec<TrackerValue> = Vec::new();
                        for value in of {
                            if !these.contains(value) && !left.contains(value) {
                                left.push(value.clone());
                            }
                        }
                        left
                    };
                    for value in missing(&known, &wanted) {
                        self.does(Command::Track { domain, attribute, value });
                    }
                    for value in missing(&wanted, &known) {
                        self.does(Command::Untrack { domain, attribute, value });
                    }
                }
            }
        }
    }

    fn schedules(&mut self) {
        let (wanted, observed) = (self.wanted.rotation, self.observed.rotation);
        self.schedule((wanted.period_us, observed.period_us), Schedule::PeriodUs);
        self.schedule((wanted.size_bytes, observed.size_bytes), Schedule::SizeBytes);
    }

    fn schedule(
        &mut self,
        (wanted, observed): (Option<u64>, Option<u64>),
        schedule: fn(u64) -> Schedule,
    ) {
        if wanted == observed {
            return;
        }
        if let Some(observed) = observed {
            self.does(Command::RemoveSchedule(schedule(observed)));
        }
        if let Some(wanted) = wanted {
            self.does(Command::AddSchedule(schedule(wanted)));
        }
    }
}
