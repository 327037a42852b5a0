//! What is wrong with a document that has the right shape.

use std::fmt;

use lttngd_model::{
    BufferScheme, Domain, Escaped, Filter, NAME_MAX, PATH_MAX, PlaceUrl, SYMBOL_NAME_LEN,
    ust::agent_channel_name,
};

use crate::{
    Document, End, EventRule, LogLevel, Mode, Output, RuleKind, Trackers, level,
    matching::{DomainView, Identity},
};

/// What is wrong with a document, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The path to it, as `ust.channels[0].name`.
    pub path: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.path, Escaped(&self.what))
    }
}

impl std::error::Error for Fault {}

fn fault(path: impl Into<String>, what: impl Into<String>) -> Fault {
    Fault { path: path.into(), what: what.into() }
}

impl Document {
    /// Looks whether it says something that can be.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), Fault> {
        name("session", &self.session, NAME_MAX)?;
        self.check_places()?;
        if let Mode::Live { timer_interval_us: 0 } = self.mode {
            return Err(fault("mode.live.timer_interval_us", "0 is no period"));
        }
        for (path, value) in [
            ("rotation.period_us", self.rotation.period_us),
            ("rotation.size_bytes", self.rotation.size_bytes),
        ] {
            if value == Some(0) {
                return Err(fault(path, "0 is none: leave it out"));
            }
        }
        if let Some(End::At(moment)) = &self.end
            && let Err(error) = moment.parse::<jiff::Timestamp>()
        {
            return Err(fault("end.at", error.to_string()));
        }
        let domains = self.domains();
        for domain in &domains {
            check_domain(domain)?;
        }
        let records = domains.iter().any(|domain| !domain.channels.is_empty());
        if self.started && !records {
            return Err(fault("started", "a session without channels records nothing"));
        }
        Ok(())
    }

    fn check_places(&self) -> Result<(), Fault> {
        if let Some(path) = &self.shared_memory_path {
            absolute("shared_memory_path", path)?;
        }
        match (&self.output, self.mode) {
            (Some(_), Mode::Snapshot) => {
                return Err(fault("output", "a snapshot session has snapshot_outputs instead"));
            }
            (Some(output), mode) => {
                place("output", output)?;
                let is_relay = matches!(output.place(), Some(PlaceUrl::Relayd { .. }));
                if matches!(mode, Mode::Live { .. }) && !is_relay {
                    return Err(fault("output", "a live session streams to a relay daemon"));
                }
            }
            (None, _) => {}
        }
        let outputs = self.snapshot_outputs.as_deref();
        if outputs.is_some() && self.mode != Mode::Snapshot {
            return Err(fault("snapshot_outputs", "they are a snapshot session's alone"));
        }
        let outputs = outputs.unwrap_or_default();
        for (at, output) in outputs.iter().enumerate() {
            let path = format!("snapshot_outputs[{at}]");
            name(&format!("{path}.name"), &output.name, NAME_MAX)?;
            place(&format!("{path}.output"), &output.output)?;
            if output.output == Output::None {
                return Err(fault(format!("{path}.output"), "it leads nowhere"));
            }
            if outputs[..at].iter().any(|other| other.name == output.name) {
                return Err(fault(format!("{path}.name"), "there is another of this name"));
            }
        }
        Ok(())
    }
}

fn check_domain(view: &DomainView<'_>) -> Result<(), Fault> {
    let word = crate::command::word(view.domain);
    for (at, channel) in view.channels.iter().enumerate() {
        let path = match view.domain.is_agent() {
            true => word.to_owned(),
            false => format!("{word}.channels[{at}]"),
        };
        if !view.domain.is_agent() {
            name(&format!("{path}.name"), channel.name, NAME_MAX)?;
            let agents = [Domain::Jul, Domain::Log4j, Domain::Python];
            if agents.iter().any(|agent| agent_channel_name(*agent) == Some(channel.name)) {
                return Err(fault(format!("{path}.name"), "this channel is a logging agent's"));
            }
            if channel.name == "metadata" {
                return Err(fault(format!("{path}.name"), "this channel is LTTng's own"));
            }
        }
        if view.channels[..at].iter().any(|other| other.name == channel.name) {
            return Err(fault(format!("{path}.name"), "there is another of this name"));
        }
        let mut known = Vec::new();
        for (at, rule) in channel.rules.iter().enumerate() {
            let path = format!("{path}.rules[{at}]");
            check_rule(&path, view.domain, rule)?;
            let identity = Identity::of(rule, view.domain);
            if known.contains(&identity) {
                return Err(fault(path, "there is another rule that is the same"));
            }
            known.push(identity);
        }
    }
    let Some(trackers) = view.trackers else { return Ok(()) };
    check_trackers(word, view.scheme, trackers)
}

fn check_trackers(word: &str, scheme: BufferScheme, trackers: &Trackers) -> Result<(), Fault> {
    if scheme == BufferScheme::Global {
        return Ok(());
    }
    for (path, is_said) in [
        ("pid", trackers.pid.is_some()),
        ("uid", trackers.uid.is_some()),
        ("gid", trackers.gid.is_some()),
    ] {
        if is_said {
            let what = format!("user space has v{path} instead");
            return Err(fault(format!("{word}.trackers.{path}"), what));
        }
    }
    Ok(())
}

fn check_rule(path: &str, domain: Domain, rule: &EventRule) -> Result<(), Fault> {
    let at = |member: &str| format!("{path}.{member}");
    event_name(&at("name"), &rule.name)?;
    for (index, exclusion) in rule.exclusions.iter().enumerate() {
        event_name(&at(&format!("exclusions[{index}]")), exclusion)?;
    }
    if !rule.exclusions.is_empty() && domain != Domain::Ust {
        return Err(fault(at("exclusions"), "they are of the ust domain alone"));
    }
    if let Some(filter) = &rule.filter
        && let Err(error) = Filter::compile(filter.as_str())
    {
        return Err(fault(at("filter"), error.to_string()));
    }
    if level::rule(rule.loglevel.as_ref(), domain).is_none() {
        let level = match &rule.loglevel {
            Some(LogLevel::Range(level) | LogLevel::Single(level)) => format!("{level:?}"),
            None => String::new(),
        };
        return Err(fault(at("loglevel"), format!("the domain has no log level {level}")));
    }
    let is_kernel = domain == Domain::Kernel;
    if is_kernel && rule.loglevel.is_some() {
        return Err(fault(at("loglevel"), "the kernel has no log levels"));
    }
    let needs_probe =
        matches!(rule.kind, RuleKind::Probe | RuleKind::Function | RuleKind::FunctionEntry);
    if !is_kernel && rule.kind != RuleKind::Tracepoint {
        return Err(fault(at("kind"), "it is of the kernel domain alone"));
    }
    if needs_probe != rule.probe.is_some() {
        return Err(fault(
            at("probe"),
            "it says where a probe or function is, and is needed there",
        ));
    }
    if (rule.kind == RuleKind::UserspaceProbe) != rule.userspace_probe.is_some() {
        let what = "it says where a probe in a program is, and is needed there";
        return Err(fault(at("userspace_probe"), what));
    }
    match &rule.userspace_probe {
        Some(probe) => absolute(&at("userspace_probe.path"), probe.path()),
        None => Ok(()),
    }
}

/// The name of something that becomes a part of a path.
fn name(path: &str, name: &str, max: usize) -> Result<(), Fault> {
    if name.is_empty() || name.len() >= max {
        return Err(fault(path, format!("a name has 1 to {} bytes", max - 1)));
    }
    if name.contains('/') || name.chars().any(char::is_control) || [".", ".."].contains(&name) {
        return Err(fault(path, format!("{name} is no name: it would be a path")));
    }
    Ok(())
}

fn event_name(path: &str, name: &str) -> Result<(), Fault> {
    if name.is_empty() || name.len() >= SYMBOL_NAME_LEN || name.contains('\0') {
        return Err(fault(path, format!("a name has 1 to {} bytes", SYMBOL_NAME_LEN - 1)));
    }
    Ok(())
}

fn absolute(path: &str, directory: &str) -> Result<(), Fault> {
    let has_parent = directory.split('/').any(|part| part == "..");
    if !directory.starts_with('/') || has_parent || directory.contains('\0') {
        return Err(fault(path, "an absolute path without .. is needed"));
    }
    if directory.len() >= PATH_MAX {
        return Err(fault(path, format!("a path has at most {} bytes", PATH_MAX - 1)));
    }
    Ok(())
}

fn place(path: &str, output: &Output) -> Result<(), Fault> {
    if let Output::Path(directory) = output {
        return absolute(&format!("{path}.path"), directory);
    }
    let relay = match output.place() {
        Some(PlaceUrl::Relayd { control, data }) => [control, data],
        None if *output == Output::None => return Ok(()),
        _ => return Err(fault(path, "it is no URL of a relay daemon")),
    };
    if relay.iter().any(|url| url.subdir.split('/').any(|part| part == "..")) {
        return Err(fault(path, "a directory without .. is needed"));
    }
    Ok(())
}
