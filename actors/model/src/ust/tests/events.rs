//! ENABLE_EVENT, DISABLE_EVENT and LIST_EVENTS.

use super::*;
use crate::{EventKind, EventListing, SYMBOL_NAME_LEN};

fn names(domain: &UstDomain, channel: &str) -> Vec<String> {
    domain.list_events(channel).unwrap().into_iter().map(|event| event.name).collect()
}

#[test]
fn the_default_channel_is_made_for_an_event() {
    let mut domain = domain();
    domain.event("", &event("p:a")).unwrap();
    domain.event("", &event("p:b")).unwrap();
    domain.event("channel0", &event("p:c")).unwrap();
    assert_eq!(names(&domain, "channel0"), ["p:a", "p:b", "p:c"]);
    let channel = domain.channel("channel0").unwrap();
    let defaults = UstDomain::new(PAGE_SIZE).default_attributes();
    assert_eq!(channel.attributes, ChannelAttributes { mode: BufferMode::Discard, ..defaults });
    // Nobody asked for a channel by a name that was missing.
    domain.event("", &event("p:d")).unwrap();
}

#[test]
fn a_named_channel_makes_events_name_theirs() {
    for make in [
        |domain: &mut UstDomain| domain.enable("channel0"),
        |domain: &mut UstDomain| domain.event("named", &event("p:a")),
        |domain: &mut UstDomain| domain.enable("metadata"),
    ] {
        let mut domain = domain();
        make(&mut domain).unwrap();
        assert_eq!(domain.event("", &event("p:b")), Err(ErrorCode::NeedChannelName));
        assert_eq!(domain.disable_event("", &every("p:b")), Err(ErrorCode::NeedChannelName));
    }
    let mut domain = domain();
    domain.enable("").unwrap();
    domain.event("", &event("p:b")).unwrap();
}

#[test]
fn a_failed_attempt_at_a_named_channel_counts() {
    let mut failed = domain();
    let mut channel = request("c");
    channel.attributes.num_subbuf = 3;
    failed.enable_channel(&channel, Domain::Ust, PER_UID, REGULAR).unwrap_err();
    assert_eq!(failed.event("", &event("p:a")), Err(ErrorCode::NeedChannelName));
    assert!(failed.channels.is_empty());

    let mut failed = domain();
    failed.event("c", &event("lttng_jul:e")).unwrap_err();
    assert_eq!(failed.event("", &event("p:a")), Err(ErrorCode::NeedChannelName));
    assert!(failed.channels.is_empty());

    // Refused before it was tried.
    let mut refused = domain();
    refused.enable(".c").unwrap_err();
    refused.event("a/b", &event("p:a")).unwrap_err();
    refused.enable_event("c", &event("p:a"), PER_UID, STARTED).unwrap_err();
    refused.event("", &event("p:a")).unwrap();
}

#[test]
fn a_missing_channel_fails_as_it_would_by_itself() {
    for (channel, raw_buffer_type, facts, error) in [
        (".c", PER_UID, REGULAR, ErrorCode::InvalidChannelName),
        ("c/c", PER_UID, STARTED, ErrorCode::InvalidChannelName),
        ("c", PER_UID, STARTED, ErrorCode::TraceAlreadyStarted),
        ("c", 2, REGULAR, ErrorCode::BufferNotSupported),
    ] {
        // An event that would fail later.
        let result = domain().enable_event(channel, &event("lttng_jul:e"), raw_buffer_type, facts);
        assert_eq!(result, Err(error), "{channel}");
    }
    let mut domain = domain();
    domain.enable_channel(&request("a"), Domain::Ust, PER_PID, REGULAR).unwrap();
    assert_eq!(domain.event("b", &event("p:a")), Err(ErrorCode::BufferTypeMismatch));
    // Where the channel exists the scheme of the request does not count.
    domain.enable_event("a", &event("p:a"), 9, STARTED).unwrap();
}

#[test]
fn an_event_is_checked_in_order() {
    let mut domain = domain();
    domain.enable("c").unwrap();
    domain.enable("lttng_jul_channel").unwrap();
    let mut wrong = event("lttng_jul:e");
    wrong.kind = EventKind::Syscall as i8;
    assert_eq!(domain.event("lttng_jul_channel", &wrong), Err(ErrorCode::InvalidChannelDomain));
    assert_eq!(domain.event("lttng_log4j_channel", &wrong), Err(ErrorCode::InvalidChannelDomain));
    for name in ["lttng_jul", "lttng_log4j:*", "lttng_python:e", "lttng_julian"] {
        wrong.name = name.to_owned();
        assert_eq!(domain.event("c", &wrong), Err(ErrorCode::InvalidEventName), "{name}");
        let description = EventDescription { kind: 9, ..every(name) };
        assert_eq!(domain.disable_event("", &description), Err(ErrorCode::InvalidEventName));
    }
    domain.event("c", &event("lttng_other:e")).unwrap();
}

#[test]
fn kinds_log_levels_and_exclusions_must_make_sense() {
    let mut domain = domain();
    domain.enable("c").unwrap();
    let before = domain.clone();
    let with = |change: &dyn Fn(&mut EventDescription)| {
        let mut event = event("p:e");
        change(&mut event);
        event
    };
    let exclude = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        with(&|event| event.exclusions = names.clone())
    };
    for (at, wrong) in [
        with(&|event| event.kind = -1),
        with(&|event| event.kind = 4),
        with(&|event| event.kind = 5),
        with(&|event| event.kind = 6),
        with(&|event| event.kind = 7),
        with(&|event| event.loglevel_type = -1),
        with(&|event| event.loglevel_type = 3),
        with(&|event| event.name = "n".repeat(SYMBOL_NAME_LEN)),
        exclude(&["a", "b", "a"]),
        // The same only after runs of `*` became one.
        exclude(&["a**", "a*"]),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(domain.event("c", wrong), Err(ErrorCode::Invalid), "event {at}");
        assert_eq!(domain, before);
    }
    for (raw, kind) in [
        (0, EventKind::Tracepoint),
        (1, EventKind::Probe),
        (2, EventKind::Function),
        (3, EventKind::Function),
    ] {
        let mut domain = domain.clone();
        domain.event("c", &with(&|event| event.kind = raw)).unwrap();
        assert_eq!(domain.list_events("c").unwrap()[0].kind, kind);
    }
}

#[test]
fn a_rule_is_known_by_name_filter_log_level_and_exclusions() {
    let base = EventDescription {
        loglevel_type: 1,
        loglevel: 6,
        filter: Some(filter("a == 1", b"code")),
        exclusions: vec!["x".to_owned(), "y".to_owned()],
        ..event("p:*")
    };
    let with = |change: &dyn Fn(&mut EventDescription)| {
        let mut event = base.clone();
        change(&mut event);
        event
    };
    let same = [
        base.clone(),
        with(&|event| event.exclusions.reverse()),
        with(&|event| event.name = "p:***".to_owned()),
        with(&|event| event.filter.as_mut().unwrap().expression = "a==1".to_owned()),
        with(&|event| event.filter.as_mut().unwrap().bytecode.seqnum = 9),
        with(&|event| (event.pid, event.flags, event.enabled) = (1, 2, 3)),
        // Not even the kind is looked at where the rule exists.
        with(&|event| event.kind = EventKind::Syscall as i8),
    ];
    let different = [
        with(&|event| event.name = "p:e*".to_owned()),
        with(&|event| event.loglevel_type = 2),
        with(&|event| event.loglevel_type = 0),
        with(&|event| event.loglevel = 7),
        with(&|event| event.filter = None),
        with(&|event| event.filter = Some(filter("a == 1", b"codes"))),
        with(&|event| event.exclusions.clear()),
        with(&|event| event.exclusions.truncate(1)),
        with(&|event| event.exclusions[0] = "z".to_owned()),
    ];
    let mut domain = domain();
    domain.event("c", &base).unwrap();
    for (at, event) in same.iter().enumerate() {
        let before = domain.clone();
        assert_eq!(domain.event("c", event), Err(ErrorCode::UstEventEnabled), "same {at}");
        assert_eq!(domain, before);
        domain.disable_event("c", &every("p:*")).unwrap();
        domain.event("c", event).unwrap();
        assert_eq!(domain, before);
    }
    for event in &different {
        domain.event("c", event).unwrap();
    }
    assert_eq!(domain.channel("c").unwrap().events.len(), 1 + different.len());
}

#[test]
fn the_level_of_every_level_is_none() {
    let mut domain = domain();
    domain.event("c", &EventDescription { loglevel: 4, ..event("p:e") }).unwrap();
    let result = domain.event("c", &EventDescription { loglevel: 5, ..event("p:e") });
    assert_eq!(result, Err(ErrorCode::UstEventEnabled));
    assert_eq!(domain.list_events("c").unwrap()[0].loglevel, -1);
}

#[test]
fn runs_of_stars_become_one() {
    for (given, normal) in [
        ("*", "*"),
        ("***", "*"),
        ("a**b***c*d", "a*b*c*d"),
        (r"a\***b", r"a\**b"),
        (r"*\*", r"*\*"),
        (r"\\**", r"\\*"),
        (r"end\", r"end\"),
        ("", ""),
        ("é**é", "é*é"),
    ] {
        let mut domain = domain();
        domain
            .event("c", &EventDescription { exclusions: vec![given.to_owned()], ..event(given) })
            .unwrap();
        let listed = &domain.list_events("c").unwrap()[0];
        assert_eq!((listed.name.as_str(), listed.exclusions[0].as_str()), (normal, normal));
    }
}

#[test]
fn disabling_selects_by_name_alone() {
    let filtered = EventDescription { filter: Some(filter("a", b"c")), ..event("p:a") };
    let mut domain = domain();
    for event in [&event("p:a"), &filtered, &event("p:b"), &event("p:*")] {
        domain.event("c", event).unwrap();
    }
    let enabled = |domain: &UstDomain| {
        domain.list_events("c").unwrap().iter().map(|event| event.enabled).collect::<Vec<_>>()
    };
    let ignored = EventDescription { filter: Some(filter("x", b"y")), ..every("p:a") };
    for _ in 0..2 {
        domain.disable_event("c", &ignored).unwrap();
        assert_eq!(enabled(&domain), [0, 0, 1, 1]);
    }
    // A pattern is a name like any other.
    domain.disable_event("c", &every("p:*")).unwrap();
    assert_eq!(enabled(&domain), [0, 0, 1, 0]);
    assert_eq!(domain.disable_event("c", &every("p:**")), Err(ErrorCode::UstEventNotFound));
    domain.disable_event("c", &every("")).unwrap();
    assert_eq!(enabled(&domain), [0; 4]);
    domain.enable("empty").unwrap();
    domain.disable_event("empty", &every("")).unwrap();
}

#[test]
fn disabling_is_checked_in_order() {
    type Change = fn(&mut EventDescription);
    let selects: [Change; 6] = [
        |event| event.loglevel_type = 1,
        |event| event.loglevel = 0,
        |event| event.enabled = 1,
        |event| event.pid = 1,
        |event| event.loglevel_type = -1,
        |event| event.enabled = -1,
    ];
    for change in selects {
        let mut description = every("lttng_jul:e");
        change(&mut description);
        assert_eq!(domain().disable_event("c", &description), Err(ErrorCode::Unk));
    }
    let mut domain = domain();
    let tracepoint = event("p:e");
    assert_eq!(domain.disable_event("", &tracepoint), Err(ErrorCode::UstChanNotFound));
    domain.event("c", &tracepoint).unwrap();
    assert_eq!(domain.disable_event("", &tracepoint), Err(ErrorCode::NeedChannelName));
    assert_eq!(domain.disable_event("d", &tracepoint), Err(ErrorCode::UstChanNotFound));
    for kind in [0, 1, 2, 3, 4, 5, 6, 7, -2] {
        let description = EventDescription { kind, ..every("p:x") };
        assert_eq!(domain.disable_event("c", &description), Err(ErrorCode::Unk));
    }
    assert_eq!(domain.disable_event("c", &every("p:x")), Err(ErrorCode::UstEventNotFound));
}

#[test]
fn listing_shows_rules_as_they_were_given() {
    let mut domain = domain();
    domain.enable("empty").unwrap();
    let description = EventDescription {
        loglevel_type: 2,
        loglevel: 3,
        filter: Some(filter("a == 1", b"code")),
        exclusions: vec!["y".to_owned(), "x".to_owned()],
        ..event("p:e*")
    };
    domain.event("channel0", &description).unwrap();
    let listing = EventListing {
        kind: EventKind::Tracepoint,
        name: "p:e*".to_owned(),
        loglevel_type: 2,
        loglevel: 3,
        enabled: 1,
        pid: 0,
        flags: 0,
        filter_expression: Some("a == 1".to_owned()),
        exclusions: vec!["y".to_owned(), "x".to_owned()],
        probe: None,
        userspace_probe: None,
    };
    assert_eq!(domain.list_events("channel0"), Ok(vec![listing]));
    assert_eq!(domain.list_events("empty"), Ok(vec![]));
    for unknown in ["", "c"] {
        assert_eq!(domain.list_events(unknown), Err(ErrorCode::UstChanNotFound));
    }
}
