//! ENABLE_CHANNEL, DISABLE_CHANNEL and LIST_CHANNELS.

use super::*;
use crate::ust::agent_channel_name;
use crate::{BufferScheme, NAME_MAX};

#[test]
fn names_are_checked_before_anything_else() {
    let long = "n".repeat(NAME_MAX);
    for (name, domain_of, error) in [
        (".hidden", Domain::None, ErrorCode::InvalidChannelName),
        ("a/b", Domain::Ust, ErrorCode::InvalidChannelName),
        (long.as_str(), Domain::Ust, ErrorCode::Invalid),
        ("c", Domain::None, ErrorCode::UnknownDomain),
        ("c", Domain::Kernel, ErrorCode::UnknownDomain),
        ("c", Domain::Jul, ErrorCode::InvalidChannelName),
        ("", Domain::Jul, ErrorCode::InvalidChannelName),
        ("lttng_jul_channel", Domain::Log4j, ErrorCode::InvalidChannelName),
        ("lttng_jul_channel0", Domain::Jul, ErrorCode::InvalidChannelName),
    ] {
        let mut domain = domain();
        let result = domain.enable_channel(&request(name), domain_of, PER_UID, STARTED);
        assert_eq!(result, Err(error), "{name} {domain_of:?}");
        assert_eq!(domain, super::domain());
    }
    domain().enable(&long[1..]).unwrap();
}

#[test]
fn a_channel_of_an_agent_belongs_to_its_domain_whoever_names_it() {
    for agent in [Domain::Jul, Domain::Log4j, Domain::Python] {
        for by in [agent, Domain::Ust] {
            let name = agent_channel_name(agent).unwrap();
            let mut domain = domain();
            domain.enable_channel(&request(name), by, PER_UID, REGULAR).unwrap();
            assert_eq!(domain.channel(name).unwrap().domain, agent);
        }
    }
    for other in [Domain::None, Domain::Kernel, Domain::Ust] {
        assert_eq!(agent_channel_name(other), None);
    }
}

#[test]
fn attributes_are_checked_in_order() {
    type Change = fn(&mut ChannelAttributes);
    // Output, trace file size and scheme are wrong besides, so that the order decides.
    let faults: [(Change, Change, ErrorCode); 7] = [
        (
            |a| (a.mode, a.num_subbuf) = (BufferMode::Overwrite, 1),
            |a| (a.mode, a.num_subbuf) = (BufferMode::Discard, 1),
            ErrorCode::Invalid,
        ),
        (|a| a.subbuf_size_bytes = 0, |a| a.subbuf_size_bytes = 4096, ErrorCode::Invalid),
        (|a| a.subbuf_size_bytes = 12288, |a| a.subbuf_size_bytes = 4096, ErrorCode::Invalid),
        (|a| a.subbuf_size_bytes = 2048, |a| a.subbuf_size_bytes = 4096, ErrorCode::Invalid),
        (|a| a.num_subbuf = 0, |a| a.num_subbuf = 1, ErrorCode::Invalid),
        (|a| a.num_subbuf = 6, |a| a.num_subbuf = 8, ErrorCode::Invalid),
        (
            |a| a.output = ChannelOutput::Splice,
            |a| a.output = ChannelOutput::Mmap,
            ErrorCode::NotSupported,
        ),
    ];
    for (at, (fault, cure, error)) in faults.into_iter().enumerate() {
        let mut channel = request("c");
        channel.attributes.tracefile_size_bytes = 1;
        channel.attributes.output = ChannelOutput::Splice;
        fault(&mut channel.attributes);
        let result = domain().enable_channel(&channel, Domain::Ust, 9, REGULAR);
        assert_eq!(result, Err(error), "fault {at}");

        channel.attributes.output = ChannelOutput::Mmap;
        channel.attributes.tracefile_size_bytes = 0;
        cure(&mut channel.attributes);
        domain().enable_channel(&channel, Domain::Ust, PER_UID, REGULAR).unwrap();
    }
}

#[test]
fn trace_files_hold_at_least_a_sub_buffer() {
    for (size, result) in
        [(0, Ok(())), (1, Err(ErrorCode::Invalid)), (8191, Err(ErrorCode::Invalid)), (8192, Ok(()))]
    {
        let mut channel = request("c");
        channel.attributes.tracefile_size_bytes = size;
        assert_eq!(domain().enable_channel(&channel, Domain::Ust, PER_UID, REGULAR), result);
        // An unknown scheme is noticed only after it.
        let later = result.and(Err(ErrorCode::BufferNotSupported));
        assert_eq!(domain().enable_channel(&channel, Domain::Ust, 3, REGULAR), later);
    }
}

#[test]
fn the_first_channel_decides_the_scheme() {
    for raw in [2, 3, u32::MAX] {
        let result = domain().enable_channel(&request("c"), Domain::Ust, raw, REGULAR);
        assert_eq!(result, Err(ErrorCode::BufferNotSupported));
    }
    for (first, other, scheme) in
        [(PER_PID, PER_UID, BufferScheme::PerPid), (PER_UID, PER_PID, BufferScheme::PerUid)]
    {
        let mut domain = domain();
        assert_eq!(domain.scheme, BufferScheme::PerUid);
        domain.enable_channel(&request("a"), Domain::Ust, first, REGULAR).unwrap();
        assert_eq!(domain.scheme, scheme);
        let result = domain.enable_channel(&request("b"), Domain::Ust, other, REGULAR);
        assert_eq!(result, Err(ErrorCode::BufferTypeMismatch));
        domain.enable_channel(&request("b"), Domain::Ust, first, REGULAR).unwrap();
    }
}

#[test]
fn a_channel_that_failed_decides_no_scheme() {
    let mut channel = request("a");
    channel.attributes.num_subbuf = 3;
    let mut domain = domain();
    domain.enable_channel(&channel, Domain::Ust, PER_PID, REGULAR).unwrap_err();
    assert_eq!(domain.scheme, BufferScheme::PerUid);
    domain.enable("a").unwrap();
}

#[test]
fn indexes_run_out_after_the_scheme_is_known_to_exist() {
    let mut domain = domain();
    domain.enable("a").unwrap();
    domain.next_index = u32::MAX;
    let mut enable = |raw| domain.enable_channel(&request("b"), Domain::Ust, raw, REGULAR);
    assert_eq!(enable(3), Err(ErrorCode::BufferNotSupported));
    assert_eq!(enable(PER_PID), Err(ErrorCode::UstChanFail));
}

#[test]
fn a_disabled_channel_comes_back_as_it_was() {
    let mut domain = domain();
    domain.enable("c").unwrap();
    let before = domain.clone();
    assert_eq!(domain.enable("c"), Err(ErrorCode::UstChanExist));
    for _ in 0..2 {
        domain.disable_channel("c", Domain::Ust).unwrap();
        assert!(!domain.channel("c").unwrap().enabled);
    }
    // Attributes and scheme of the request do not count, nor whether the session was started.
    let mut other = request("c");
    other.attributes.num_subbuf = 3;
    domain.enable_channel(&other, Domain::Ust, 7, STARTED).unwrap();
    assert_eq!(domain, before);
}

#[test]
fn a_started_session_takes_no_new_channel() {
    let mut domain = domain();
    let mut channel = request("c");
    channel.attributes.num_subbuf = 3;
    let result = domain.enable_channel(&channel, Domain::Ust, 7, STARTED);
    assert_eq!(result, Err(ErrorCode::TraceAlreadyStarted));
    assert_eq!(domain, super::domain());
}

#[test]
fn disabling_needs_a_known_channel_of_user_space() {
    let mut domain = domain();
    assert_eq!(domain.disable_channel("c", Domain::Ust), Err(ErrorCode::UstChanNotFound));
    assert_eq!(domain.disable_channel("", Domain::Ust), Err(ErrorCode::UstChanNotFound));
    domain.enable("channel0").unwrap();
    for other in [Domain::None, Domain::Kernel, Domain::Jul, Domain::Log4j, Domain::Python] {
        assert_eq!(domain.disable_channel("channel0", other), Err(ErrorCode::UnknownDomain));
    }
    domain.disable_channel("", Domain::Ust).unwrap();
    assert!(!domain.channel("channel0").unwrap().enabled);
}

#[test]
fn the_kind_of_session_resolves_attributes() {
    let live = SessionFacts { kind: SessionKind::Live { timer_interval_us: 9 }, ..REGULAR };
    for (facts, mode, output, resolved) in [
        (REGULAR, BufferMode::Default, ChannelOutput::Mmap, BufferMode::Discard),
        (REGULAR, BufferMode::Overwrite, ChannelOutput::Mmap, BufferMode::Overwrite),
        (SNAPSHOT, BufferMode::Default, ChannelOutput::Splice, BufferMode::Overwrite),
        (SNAPSHOT, BufferMode::Discard, ChannelOutput::Mmap, BufferMode::Discard),
        (live, BufferMode::Default, ChannelOutput::Mmap, BufferMode::Discard),
    ] {
        let mut channel = request("c");
        (channel.attributes.mode, channel.attributes.output) = (mode, output);
        channel.attributes.live_timer_interval_us = u32::MAX;
        let mut domain = domain();
        domain.enable_channel(&channel, Domain::Ust, PER_UID, facts).unwrap();
        let (live_timer, switch_timer) = if facts == live { (9, 0) } else { (0, 1) };
        let expected = ChannelAttributes {
            mode: resolved,
            output: ChannelOutput::Mmap,
            live_timer_interval_us: live_timer,
            switch_timer_interval_us: switch_timer,
            ..attributes()
        };
        let channel = domain.channel("c").unwrap();
        assert_eq!(channel.attributes, expected);
        assert_eq!(channel.overwrites(), resolved == BufferMode::Overwrite);

        let listed = domain.list_channels();
        let attributes = ChannelAttributes { live_timer_interval_us: 0, ..expected };
        assert_eq!(listed, [ChannelListing { attributes, ..request("c") }]);
    }
    // A snapshot session overwrites, for which one sub-buffer is not enough.
    let mut channel = request("c");
    channel.attributes.num_subbuf = 1;
    let enable = |facts| domain().enable_channel(&channel, Domain::Ust, PER_UID, facts);
    assert_eq!(enable(SNAPSHOT), Err(ErrorCode::Invalid));
    assert_eq!(enable(REGULAR), Ok(()));
}

#[test]
fn listing_is_in_order_of_creation_and_shows_what_records() {
    let mut domain = domain();
    for name in ["z", "a", "lttng_python_channel"] {
        domain.enable(name).unwrap();
    }
    domain.disable_channel("a", Domain::Ust).unwrap();
    let listed: Vec<_> =
        domain.list_channels().into_iter().map(|channel| (channel.name, channel.enabled)).collect();
    let expected = [("z", true), ("a", false), ("lttng_python_channel", true)];
    assert_eq!(listed, expected.map(|(name, enabled)| (name.to_owned(), enabled)));
    let indexes: Vec<u32> = domain.channels.iter().map(|channel| channel.index).collect();
    assert_eq!(indexes, [0, 1, 2]);
}

#[test]
fn metadata_is_no_channel() {
    let mut domain = domain();
    let default = domain.metadata_attributes();
    assert_eq!((default.subbuf_size_bytes, default.num_subbuf), (4096, 2));
    assert_eq!(default.mode, BufferMode::Discard);
    for size in [4096, 65536] {
        let mut channel = request("metadata");
        channel.attributes.subbuf_size_bytes = size;
        domain.enable_channel(&channel, Domain::Ust, PER_PID, REGULAR).unwrap();
        assert_eq!(domain.metadata_attributes().subbuf_size_bytes, size);
    }
    assert!(domain.channels.is_empty());
    assert_eq!(domain.scheme, BufferScheme::PerPid);
    assert_eq!(domain.disable_channel("metadata", Domain::Ust), Err(ErrorCode::UstChanNotFound));
    let before = domain.clone();
    assert_eq!(domain.event("metadata", &event("e")), Err(ErrorCode::UstChanNotFound));
    assert_eq!(domain, before);
}

#[test]
fn default_attributes_follow_scheme_and_page() {
    for (scheme, page_size, size) in [
        (BufferScheme::PerUid, 4096, 524_288),
        (BufferScheme::PerPid, 4096, 16_384),
        (BufferScheme::PerPid, 65_536, 65_536),
    ] {
        let domain = UstDomain { scheme, ..UstDomain::new(page_size) };
        let attributes = domain.default_attributes();
        assert_eq!(attributes.subbuf_size_bytes, size);
        assert_eq!(attributes.num_subbuf, 4);
        assert_eq!(attributes.monitor_timer_interval_us, 1_000_000);
        assert_eq!(domain.metadata_attributes().subbuf_size_bytes, page_size);
    }
}
