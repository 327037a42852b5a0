//! Saving what a session records of the kernel, as the stock daemon does: what is newest comes first.

use lttngd_model::{
    EventKind, ProbeAttributes, ProcessAttribute,
    kernel::{KernelDomain, KernelRule},
};
use lttngd_sessionfile::{
    SavedBufferType, SavedDomain, SavedDomainType, SavedEvent, SavedEventAttributes, SavedFunction,
    SavedLogLevelType, SavedProbe, SavedTrackers,
};

use super::{saved_kind, saved_tracker, with_attributes};

/// The domain.
pub(super) fn saved(kernel: &KernelDomain) -> SavedDomain {
    let channels = kernel.channels.iter().rev().map(|channel| {
        let events = channel.events.iter().rev().map(saved_rule).collect();
        let parts = (events, &channel.contexts[..]);
        with_attributes(&channel.name, channel.enabled, &channel.attributes, parts)
    });
    let attributes = [
        ProcessAttribute::ProcessId,
        ProcessAttribute::VirtualProcessId,
        ProcessAttribute::UserId,
        ProcessAttribute::VirtualUserId,
        ProcessAttribute::GroupId,
        ProcessAttribute::VirtualGroupId,
    ];
    let trackers = attributes.into_iter().filter_map(|attribute| {
        let policy = kernel.trackers.policy(attribute);
        saved_tracker(attribute, policy, || kernel.trackers.inclusion_set(attribute).ok())
    });
    SavedDomain {
        kind: SavedDomainType::Kernel,
        buffer_type: SavedBufferType::Global,
        channels: channels.collect(),
        process_attr_trackers: Some(SavedTrackers(trackers.collect())),
    }
}

fn saved_rule(rule: &KernelRule) -> SavedEvent {
    SavedEvent {
        name: Some(rule.name.clone()).filter(|name| !name.is_empty()),
        enabled: rule.enabled,
        kind: saved_kind(rule.kind),
        loglevel_type: SavedLogLevelType::All,
        loglevel: None,
        filter: rule.filter.as_ref().map(|filter| filter.expression.clone()),
        exclusions: Vec::new(),
        attributes: match &rule.userspace_probe {
            Some(probe) => probe.location().map(SavedEventAttributes::from),
            None => rule.probe.as_ref().map(|probe| saved_place(rule.kind, probe)),
        },
    }
}

fn saved_place(kind: EventKind, probe: &ProbeAttributes) -> SavedEventAttributes {
    let ProbeAttributes { address, offset, symbol } = probe.clone();
    match kind {
        EventKind::FunctionEntry => SavedEventAttributes {
            function_attributes: Some(SavedFunction { symbol_name: symbol }),
            ..SavedEventAttributes::default()
        },
        _ => SavedEventAttributes {
            probe_attributes: Some(SavedProbe { address, symbol_name: symbol, offset }),
            ..SavedEventAttributes::default()
        },
    }
}
