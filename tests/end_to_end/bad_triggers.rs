//! Triggers that are none, and subscribers to notifications who speak badly: the right error or the end of the
//! connection, by either daemon where the stock one lives on; and nobody else notices.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

use lttngd_model::{
    AppContext,
    trigger::{
        ACTION_DEPTH_MAX, Action, CAPTURE_DEPTH_MAX, CAPTURES_MAX, Capture, Condition, EventRule,
        RatePolicy, TracepointRule, Trigger,
    },
};
use lttngd_wire::{
    client::{self, Dialect},
    notification::{
        HEADER_LEN, Header, MessageKind, PAYLOAD_MAX_LEN, encode_handshake, encode_message,
    },
};

use super::world::raw::{ClientRequest, LENGTH_OFFSET, expect_closed};
use super::world::{Arena, PATIENCE, Stage, Subscriber, alone, both};

/// LTTNG_OK of enum lttng_error_code.
const OK: u32 = 10;
/// LTTNG_ERR_INVALID_TRIGGER.
const INVALID: u32 = 125;

/// REGISTER_TRIGGER, UNREGISTER_TRIGGER.
const COMMANDS: [u32; 2] = [43, 44];

/// The socket of subscribers.
const SOCKET: &str = "sessiond-notification";

/// Longest wait for the end of a connection.
const AT_ONCE: Duration = PATIENCE;

fn encode_trigger(trigger: &Trigger) -> Vec<u8> {
    client::encode_trigger(trigger, Dialect::V2_13)
}

fn encode_condition(condition: &Condition) -> Vec<u8> {
    client::encode_condition(condition, Dialect::V2_13)
}

fn user_tracepoint() -> Condition {
    Condition::event_rule_matches(EventRule::UserTracepoint(TracepointRule::new("sample:number")))
}

fn trigger(condition: Condition, action: Action) -> Trigger {
    Trigger::new(rustix::process::geteuid().as_raw(), condition, action)
}

fn good() -> Trigger {
    trigger(user_tracepoint(), Action::notify())
}

/// The code that a trigger's bytes are answered; `None` for the end of the connection.
fn send(arena: &Arena, command: u32, bytes: &[u8]) -> Option<u32> {
    let len = u32::try_from(bytes.len()).unwrap();
    ClientRequest::new(command, "").number(LENGTH_OFFSET, len).send(arena, bytes)
}

/// Notes what bytes are answered, to either command.
fn try_bytes(stage: &mut Stage, what: &str, bytes: &[u8]) {
    for command in COMMANDS {
        let code = send(&stage.arena, command, bytes);
        stage.note(&format!("{what}: {command} is answered {code:?}"));
        assert_ne!(code, Some(OK), "{what}");
    }
}

/// The bytes of a good trigger with others in one place.
fn changed(trigger: &Trigger, at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = encode_trigger(trigger);
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

/// Checks that triggers are registered and told of as ever.
fn others_are_told(stage: &mut Stage) {
    let arguments = "add-trigger --name=good --condition event-rule-matches --type user \
                     --name sample:number --action notify";
    stage.lttng_ok(arguments);
    let mut subscriber = Subscriber::start(&stage.arena);
    subscriber.tell("subscribe=good");
    let mut program = stage.program();
    program.tell("number=1");
    stage.note(&subscriber.take(1).join("\n"));
    program.finish();
    stage.lttng_ok("remove-trigger good");
    stage.lttng_ok("list-triggers");
}

#[test]
fn bytes_that_are_cut_or_go_on_are_no_trigger() {
    both(|stage| {
        let bytes = encode_trigger(&good().named("t"));
        for len in 1..bytes.len() {
            try_bytes(stage, &format!("{len} bytes"), &bytes[..len]);
        }
        try_bytes(stage, "one more", &[&bytes[..], &[0]].concat());
        try_bytes(stage, "nothing but ones", &[0xff; 300]);
        try_bytes(stage, "nothing but zeros", &[0; 300]);
        others_are_told(stage);
    });
}

#[test]
fn numbers_without_a_meaning_are_refused() {
    /// Where the condition of a trigger without a name begins.
    const CONDITION: usize = 17;

    both(|stage| {
        let len = encode_trigger(&good()).len();
        let action = len - 10;
        for (what, at, with) in [
            ("an owner beyond all", 4, &1_u32.to_ne_bytes()[..]),
            ("a length beyond the end", 8, &u32::MAX.to_ne_bytes()),
            ("a length of nothing", 8, &0_u32.to_ne_bytes()),
            ("a name beyond the end", 12, &u32::MAX.to_ne_bytes()),
            ("no such condition", CONDITION, &[99]),
            ("no such condition, beyond", CONDITION, &[106]),
            ("no such event rule", CONDITION + 1, &[8]),
            ("an event rule below all", CONDITION + 1, &[0xff]),
            ("a pattern beyond the end", CONDITION + 2, &u32::MAX.to_ne_bytes()),
            ("a pattern of nothing", CONDITION + 2, &0_u32.to_ne_bytes()),
            ("a filter beyond the end", CONDITION + 6, &u32::MAX.to_ne_bytes()),
            ("a log level of one byte", CONDITION + 10, &1_u32.to_ne_bytes()),
            ("more exclusions than there are", CONDITION + 14, &3_u32.to_ne_bytes()),
            ("a pattern without an end", CONDITION + 22, &[b'x'; 14]),
            ("captures beyond the end", action - 4, &7_u32.to_ne_bytes()),
            ("no such action", action, &[6]),
            ("an action below all", action, &[0xff]),
            ("no such rate policy", action + 1, &[2]),
        ] {
            try_bytes(stage, what, &changed(&good(), at, with));
        }
        let list = trigger(user_tracepoint(), Action::List(vec![Action::notify()]));
        let count = encode_trigger(&list).len() - 14;
        try_bytes(stage, "more actions than there are", &changed(&list, count, &[2]));
        try_bytes(stage, "a condition in a list of actions", &changed(&list, count + 4, &[105]));
        let captured = |capture| {
            let Condition::EventRuleMatches { rule, .. } = user_tracepoint() else { panic!() };
            let captures = vec![capture];
            trigger(Condition::EventRuleMatches { rule, captures }, Action::notify())
        };
        let payload = captured(Capture::Payload("a".to_owned()));
        let kind = encode_trigger(&payload).len() - 10 - 7;
        try_bytes(stage, "no such capture", &changed(&payload, kind, &[4]));
        try_bytes(stage, "a capture of nothing", &changed(&payload, kind + 1, &[0]));
        try_bytes(stage, "a capture beyond the end", &changed(&payload, kind + 1, &[0xff; 4]));
        others_are_told(stage);
    });
}

#[test]
fn what_ends_the_stock_daemon_or_it_makes_something_of_is_refused() {
    alone(|stage| {
        let never = trigger(user_tracepoint(), Action::Notify(RatePolicy::EveryN(1)));
        let count = encode_trigger(&never).len() - 8;
        for policy in 0..2 {
            let mut bytes = changed(&never, count, &0_u64.to_ne_bytes());
            bytes[count - 1] = policy;
            assert_eq!(send(&stage.arena, 43, &bytes), Some(INVALID), "rate policy 0");
        }
        assert_eq!(send(&stage.arena, 43, &[]), Some(INVALID), "nothing");
        // It looks at the length of exclusions only when there are some.
        let exclusions = changed(&good(), 35, &u32::MAX.to_ne_bytes());
        assert_eq!(send(&stage.arena, 43, &exclusions), Some(INVALID));
        // The encoder knows no limit.
        let deep = |depth| (0..depth).fold(Action::notify(), |inner, _| Action::List(vec![inner]));
        let of_depth = |depth| encode_trigger(&trigger(user_tracepoint(), deep(depth)));
        assert_eq!(send(&stage.arena, 43, &of_depth(ACTION_DEPTH_MAX + 1)), Some(INVALID));
        assert_eq!(send(&stage.arena, 43, &of_depth(200)), Some(INVALID));
        let captures = |count, depth| {
            let context = AppContext { provider: "p".to_owned(), name: "c".to_owned() };
            let one = (0..depth).fold(Capture::AppContext(context), |array, index| {
                Capture::Element { index, array: Box::new(array) }
            });
            let Condition::EventRuleMatches { rule, .. } = user_tracepoint() else { panic!() };
            let condition = Condition::EventRuleMatches { rule, captures: vec![one; count] };
            encode_trigger(&trigger(condition, Action::notify()))
        };
        let depth = u32::try_from(CAPTURE_DEPTH_MAX).unwrap();
        assert_eq!(send(&stage.arena, 43, &captures(CAPTURES_MAX + 1, 0)), Some(INVALID));
        assert_eq!(send(&stage.arena, 43, &captures(1, depth + 1)), Some(INVALID));
        assert_eq!(send(&stage.arena, 43, &captures(1, 200)), Some(INVALID));
        let rule = TracepointRule::new("sample:number").filtered_by("1 == 1 ".repeat(10_000));
        let condition = Condition::event_rule_matches(EventRule::UserTracepoint(rule));
        let filtered = encode_trigger(&trigger(condition, Action::notify()));
        assert_eq!(send(&stage.arena, 43, &filtered), Some(INVALID));
        others_are_told(stage);
    });
}

#[test]
fn large_triggers_are_taken_or_refused_as_by_the_stock_daemon() {
    both(|stage| {
        let filtered = |len: usize| {
            let rule = TracepointRule::new("sample:number").filtered_by("1 == 1".repeat(len / 6));
            let condition = Condition::event_rule_matches(EventRule::UserTracepoint(rule));
            encode_trigger(&trigger(condition, Action::notify()))
        };
        try_bytes(stage, "a filter of 60,000 bytes that is none", &filtered(60_000));
        let starts = |count| {
            let (session, rate) = ("s".repeat(200), RatePolicy::default());
            Action::List(vec![Action::Start { session, rate }; count])
        };
        // More than a notification can carry.
        let large = encode_trigger(&trigger(user_tracepoint(), starts(400)));
        let code = send(&stage.arena, 43, &large);
        stage.note(&format!("{} bytes: {code:?}", large.len()));
        let code = send(&stage.arena, 44, &large);
        stage.note(&format!("without the name that it was given: {code:?}"));
        stage.lttng("remove-trigger trigger0");
        others_are_told(stage);
    });
}

/// A connection of a subscriber that has shaken hands.
fn subscriber(arena: &Arena) -> UnixStream {
    let mut stream = arena.connect(SOCKET);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&encode_handshake()).unwrap();
    assert_eq!(hear(&mut stream), (MessageKind::Handshake, vec![1, 1]));
    assert_eq!(hear(&mut stream), (MessageKind::CommandReply, vec![0]));
    stream
}

fn hear(stream: &mut UnixStream) -> (MessageKind, Vec<u8>) {
    let mut head = [0; HEADER_LEN];
    stream.read_exact(&mut head).unwrap();
    let head = Header::of_daemon(&head).unwrap();
    let mut payload = vec![0; head.len];
    stream.read_exact(&mut payload).unwrap();
    (head.kind, payload)
}

/// What begins a message.
fn head(kind: i8, len: usize, descriptors: u32) -> Vec<u8> {
    let len = u32::try_from(len).unwrap();
    [&kind.to_ne_bytes()[..], &len.to_ne_bytes(), &descriptors.to_ne_bytes()].concat()
}

/// Frames for which a subscriber is sent away.
fn bad_frames() -> Vec<(&'static str, Vec<u8>)> {
    let condition = encode_condition(&user_tracepoint());
    let message = |kind, payload: &[u8]| encode_message(kind, payload);
    let beyond = PAYLOAD_MAX_LEN + 1;
    let subscribe = MessageKind::Subscribe;
    vec![
        ("a frame of 65,537 bytes", [head(1, beyond, 0), vec![0; beyond]].concat()),
        ("the beginning of one", head(1, beyond, 0)),
        ("a frame of nothing", head(1, 0, 0)),
        ("a kind that there is not", [head(6, 1, 0), vec![0]].concat()),
        ("a kind below all", [head(-1, 1, 0), vec![0]].concat()),
        ("a reply", message(MessageKind::CommandReply, &[0])),
        ("a notification", message(MessageKind::Notification, &[0; 30])),
        ("no condition", message(subscribe, &[99])),
        ("half a condition", message(subscribe, &condition[..condition.len() / 2])),
        ("a condition and more", message(subscribe, &[&condition[..], &[0]].concat())),
        ("as much as there may be of nothing", message(subscribe, &vec![0; PAYLOAD_MAX_LEN])),
        ("half a condition to end", message(MessageKind::Unsubscribe, &condition[..9])),
    ]
}

#[test]
fn subscribers_who_speak_badly_are_sent_away() {
    both(|stage| {
        for (what, frame) in bad_frames() {
            let mut stream = subscriber(&stage.arena);
            // It may be closed before all is written.
            let _ = stream.write_all(&frame);
            expect_closed(&mut stream, AT_ONCE);
            stage.note(what);
        }
        let mut early = stage.arena.connect(SOCKET);
        let condition = encode_condition(&user_tracepoint());
        early.write_all(&encode_message(MessageKind::Subscribe, &condition)).unwrap();
        expect_closed(&mut early, AT_ONCE);
        // Half a frame, and then nothing more.
        for frame in [head(1, condition.len(), 0), head(1, 9, 0)[..4].to_vec()] {
            let mut half = subscriber(&stage.arena);
            half.write_all(&frame).unwrap();
            half.shutdown(std::net::Shutdown::Write).unwrap();
            expect_closed(&mut half, AT_ONCE);
        }
        others_are_told(stage);
    });
}

#[test]
fn of_subscribers_who_spoke_badly_nothing_stays_open() {
    alone(|stage| {
        others_are_told(stage);
        let before = stage.daemon.descriptors_at_rest();
        // The stock daemon takes it, and knows the subscriber's user no more.
        let mut twice = subscriber(&stage.arena);
        twice.write_all(&encode_handshake()).unwrap();
        expect_closed(&mut twice, AT_ONCE);
        let silent: Vec<_> = (0..20).map(|_| stage.arena.connect(SOCKET)).collect();
        let half: Vec<_> = (0..20)
            .map(|_| {
                let mut stream = subscriber(&stage.arena);
                stream.write_all(&head(1, 40_000, 0)).unwrap();
                stream
            })
            .collect();
        let announced: Vec<_> = (0..20)
            .map(|_| {
                let mut stream = subscriber(&stage.arena);
                let condition = encode_condition(&user_tracepoint());
                stream.write_all(&[head(1, condition.len(), 2), condition].concat()).unwrap();
                stream
            })
            .collect();
        others_are_told(stage);
        drop((twice, silent, half, announced));
        stage.daemon.settles_to_descriptors(before);
        others_are_told(stage);
    });
}
