//! Event notifiers with real applications: what these tell of their events, while they come and go.
#![allow(clippy::unwrap_used)]

mod listener;
mod lives;
mod losses;

use std::time::Duration;

use lttngd_model::{
    Filter, LogLevelRule, TracerToken,
    trigger::Capture,
    ust::{NotifierEvents, NotifierRule, TracepointEvents},
};
use lttngd_world::{Arena, PATIENCE, Program};

use listener::Listener;

fn tracepoints(name: &str) -> TracepointEvents {
    TracepointEvents {
        name: name.to_owned(),
        loglevel: LogLevelRule::All,
        filter: None,
        exclusions: Vec::new(),
    }
}

fn notifier(token: u64, events: TracepointEvents) -> NotifierRule {
    NotifierRule {
        token: TracerToken(token),
        error_counter_index: token,
        events: NotifierEvents::Tracepoints(events),
        captures: Vec::new(),
        app_contexts: Vec::new(),
    }
}

/// The same with captures of these fields, `a[1]` for an element of one, or of contexts where `$` stands before
/// the name.
fn capturing(token: u64, events: TracepointEvents, names: &[&str]) -> NotifierRule {
    let captures = names.iter().zip(0..).map(|(name, seqnum)| {
        let capture = match (name.strip_prefix('$'), name.split_once('[')) {
            (Some(context), _) => Capture::Context(context.to_owned()),
            (None, Some((array, index))) => Capture::Element {
                index: index.trim_end_matches(']').parse().unwrap(),
                array: Box::new(Capture::Payload(array.to_owned())),
            },
            (None, None) => Capture::Payload((*name).to_owned()),
        };
        capture.compile(seqnum).unwrap()
    });
    NotifierRule { captures: captures.collect(), ..notifier(token, events) }
}

fn listening() -> (Arena, Listener) {
    let arena = Arena::new();
    let listener = Listener::new(&arena, PATIENCE);
    (arena, listener)
}

/// Text as LTTng-UST captures it.
fn text(value: &str) -> Vec<u8> {
    [&[0xa0 | u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
}

#[test]
fn events_that_match_are_told_with_their_fields() {
    let (arena, listener) = listening();
    let mut program = Program::ready(&arena);
    let pid = u32::try_from(program.pid()).unwrap();
    listener.set([capturing(7, tracepoints("sample:number"), &["number", "text", "none"])]);
    program.tell("number=2");
    for number in [0, 1] {
        let captured = [&[0x93, number], text("hello").as_slice(), &[0xc0]].concat();
        assert_eq!(listener.next(), (pid, 7, captured));
    }
    listener.set([]);
    program.tell("number=5");
    listener.set([notifier(8, tracepoints("sample:number"))]);
    program.tell("number=1");
    assert_eq!(listener.next(), (pid, 8, Vec::new()));
    program.finish();
    assert_eq!(listener.rest(), []);
}

#[test]
fn fields_of_every_kind_are_captured() {
    let (arena, listener) = listening();
    let names = [
        "tiny",
        "small",
        "network",
        "large",
        "single",
        "real",
        "text",
        "array",
        "sequence",
        "array_text",
        "colour",
        "array[1]",
        "array[3]",
        "$procname",
    ];
    listener.set([capturing(1, tracepoints("sample:fields"), &names)]);
    let mut program = Program::ready(&arena);
    program.tell("number=3");
    program.tell("fields=1");
    let expected = [
        &[0x9e][..],
        &[0xfd],
        &[0x03],
        &[0x03],
        &[0xd3, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0],
        &[0xcb, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0],
        &[0xcb, 0x40, 0x02, 0, 0, 0, 0, 0, 0],
        &text("text of fields"),
        &[0x93, 1, 0xfe, 3],
        &[0x93, 1, 0xfe, 3],
        &text("abcd"),
        b"\x82\xa4type\xa4enum\xa5value\x03",
        &[0xfe],
        &[0xc0],
        &text("traced"),
    ];
    assert_eq!(listener.next().2, expected.concat());
    program.finish();
}

#[test]
fn filters_exclusions_and_log_levels_choose() {
    let (arena, listener) = listening();
    let filtered = TracepointEvents {
        filter: Some(Filter::compile("number > 0 && text == \"he*\"").unwrap()),
        ..tracepoints("sample:number")
    };
    let severe = TracepointEvents {
        // Alarm and caution, not what is ordinary.
        loglevel: LogLevelRule::Range(4),
        ..tracepoints("sample:*")
    };
    let excluding = TracepointEvents {
        exclusions: vec!["sample:a*".to_owned(), "sample:number".to_owned()],
        ..tracepoints("sample:*")
    };
    listener.set([notifier(1, filtered), notifier(2, severe), notifier(3, excluding)]);
    let mut program = Program::ready(&arena);
    program.tell("number=2");
    assert_eq!(listener.take(1), [(1, Vec::new())]);
    program.tell("levels=1");
    program.finish();
    let mut tokens: Vec<_> = listener.take(5).into_iter().map(|(token, _)| token).collect();
    tokens.sort_unstable();
    // Alarm and caution by their level, caution, ordinary and detail by their names.
    assert_eq!(tokens, [2, 2, 3, 3, 3]);
    assert_eq!(listener.within(Duration::ZERO), None);
}

#[test]
fn a_hundred_notifiers_of_one_event_are_all_told() {
    let (arena, listener) = listening();
    listener.set((0..100).map(|token| notifier(token, tracepoints("sample:number"))));
    let mut program = Program::ready(&arena);
    program.tell("number=3");
    let mut tokens: Vec<_> = listener.take(300).into_iter().map(|(token, _)| token).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, (0..100).flat_map(|token| [token; 3]).collect::<Vec<_>>());
    program.finish();
}
