//! Event rules. They are stopped by their names, all of a name at once, and never taken away: one that is stopped is as
//! good as one that is not there.

use lttngd_model::{BufferScheme, Domain, normalize_pattern};

use super::Planner;
use crate::{Command, EventRule, Obstacle, RuleKind, matching::Identity};

/// What a command that stops rules selects.
#[derive(Clone, Copy, PartialEq)]
struct Selection<'a> {
    name: &'a str,
    /// Of which kind, in the kernel's domain; `None` for any.
    kind: Option<RuleKind>,
}

impl<'a> Selection<'a> {
    fn of(rule: &'a EventRule, domain: Domain) -> Self {
        // Probes in programs are stopped with all others of their name.
        let has_kind = domain == Domain::Kernel && rule.kind != RuleKind::UserspaceProbe;
        Self { name: &rule.name, kind: has_kind.then_some(rule.kind) }
    }

    fn has(&self, rule: &EventRule) -> bool {
        rule.name == self.name && self.kind.is_none_or(|kind| kind == rule.kind)
    }
}

/// Event rules with what tells each from the others.
type Named = Vec<(Identity, EventRule)>;

fn named(rules: &[EventRule], domain: Domain) -> Named {
    let normal =
        |rule: &EventRule| EventRule { name: normalize_pattern(&rule.name), ..rule.clone() };
    rules.iter().map(|rule| (Identity::of(rule, domain), normal(rule))).collect()
}

fn find<'a>(all: &'a Named, sought: &Identity) -> Option<&'a EventRule> {
    all.iter().find(|(identity, _)| identity == sought).map(|(_, rule)| rule)
}

/// The rules of one channel.
struct Rules<'a> {
    domain: Domain,
    scheme: BufferScheme,
    channel: &'a str,
    wanted: &'a Named,
    observed: &'a Named,
}

impl<'a> Rules<'a> {
    fn enable(&self, rule: &EventRule) -> Command {
        Command::EnableEvent {
            domain: self.domain,
            scheme: self.scheme,
            channel: self.channel.to_owned(),
            rule: EventRule { enabled: true, ..rule.clone() },
        }
    }

    fn disable(&self, selection: &Selection<'_>) -> Command {
        Command::DisableEvent {
            domain: self.domain,
            channel: self.channel.to_owned(),
            name: selection.name.to_owned(),
            kind: selection.kind,
        }
    }

    /// Whether a rule that is there is to record on.
    fn stays(&self, identity: &Identity) -> bool {
        find(self.wanted, identity).is_some_and(|rule| rule.enabled)
    }

    /// What is stopped of what is there.
    fn stopped(&self) -> Vec<Selection<'a>> {
        let mut stopped = Vec::new();
        for (identity, rule) in self.observed {
            let selection = Selection::of(rule, self.domain);
            if rule.enabled && !self.stays(identity) && !stopped.contains(&selection) {
                stopped.push(selection);
            }
        }
        stopped
    }

    /// Whether what records on would be stopped as well.
    fn disturbs(&self, selection: &Selection<'_>) -> bool {
        let mut observed = self.observed.iter();
        observed.any(|(it, rule)| rule.enabled && selection.has(rule) && self.stays(it))
    }

    /// The rules that are to be there and not to record, and are not there.
    fn missing_stopped(&self) -> impl Iterator<Item = &'a EventRule> {
        let wanted = self.wanted.iter().filter(|(_, rule)| !rule.enabled);
        wanted.filter(|(it, _)| find(self.observed, it).is_none()).map(|(_, rule)| rule)
    }
}

impl Planner<'_> {
    pub(super) fn rules(
        &mut self,
        (domain, scheme): (Domain, BufferScheme),
        channel: &str,
        wanted: &[EventRule],
        observed: &[EventRule],
    ) {
        let (wanted, observed) = (named(wanted, domain), named(observed, domain));
        let rules = Rules { domain, scheme, channel, wanted: &wanted, observed: &observed };
        let named = |rule: &str| (domain, channel.to_owned(), rule.to_owned());
        let mut stopped = rules.stopped();
        if self.is_recording {
            for selection in stopped.extract_if(.., |it| rules.disturbs(it)) {
                let (domain, channel, name) = named(selection.name);
                self.cannot(Obstacle::SharedName { domain, channel, name });
            }
        } else {
            // They are made, and then stopped with the others of their names.
            for rule in rules.missing_stopped() {
                self.does(rules.enable(rule));
                let selection = Selection::of(rule, domain);
                if !stopped.contains(&selection) {
                    stopped.push(selection);
                }
            }
        }
        for selection in &stopped {
            self.does(rules.disable(selection));
        }
        for (identity, rule) in &wanted {
            let known = find(&observed, identity);
            if domain == Domain::Kernel && known.is_some_and(|known| !is_there(rule, known)) {
                let (domain, channel, name) = named(&rule.name);
                self.cannot(Obstacle::Place { domain, channel, name });
                continue;
            }
            let records = known.is_some_and(|known| known.enabled)
                && !stopped.iter().any(|selection| selection.has(rule));
            if rule.enabled && !records {
                self.does(rules.enable(rule));
            }
        }
    }
}

/// Whether a probe is where it is to be.
fn is_there(wanted: &EventRule, known: &EventRule) -> bool {
    (&wanted.probe, &wanted.userspace_probe) == (&known.probe, &known.userspace_probe)
}
