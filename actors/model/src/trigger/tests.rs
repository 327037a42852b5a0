//! Tests of the rules of triggers.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{AppContext, LogLevelRule};

fn tracepoint(rule: TracepointRule) -> Trigger {
    let condition = Condition::event_rule_matches(EventRule::UserTracepoint(rule));
    Trigger::new(1000, condition, Action::notify())
}

fn usage(threshold: Threshold) -> Trigger {
    let usage = BufferUsage {
        session: "s".to_owned(),
        domain: Domain::Ust,
        channel: "c".to_owned(),
        threshold,
    };
    Trigger::new(1000, Condition::BufferUsageHigh(usage), Action::notify())
}

fn with_action(action: Action) -> Trigger {
    Trigger { action, ..tracepoint(TracepointRule::new("p:*")) }
}

#[test]
fn triggers_that_are_none_are_refused() {
    let rule = || TracepointRule::new("p:*");
    let good = tracepoint(rule());
    assert_eq!(good.check(), Ok(()));
    assert_eq!(good.clone().named("t").check(), Ok(()));
    let deep = |depth| (0..depth).fold(Action::notify(), |inner, _| Action::List(vec![inner]));
    let session =
        |session: &str| Action::Start { session: session.to_owned(), rate: RatePolicy::default() };
    let nested = |depth| {
        let root = Capture::Payload("a".to_owned());
        let capture =
            (0..depth).fold(root, |it, index| Capture::Element { index, array: Box::new(it) });
        let condition = Condition::EventRuleMatches {
            rule: EventRule::UserTracepoint(rule()),
            captures: vec![capture],
        };
        Trigger { condition, ..good.clone() }
    };
    let at = |level| tracepoint(TracepointRule { log_level: Some(level), ..rule() });
    for fine in [
        good.clone().named(""),
        with_action(Action::List(Vec::new())),
        with_action(deep(ACTION_DEPTH_MAX)),
        nested(16),
        at(LogLevelRule::Single(0)),
        at(LogLevelRule::Range(14)),
        usage(Threshold::Ratio(1.0)),
        usage(Threshold::Bytes(u64::MAX)),
    ] {
        assert_eq!(fine.check(), Ok(()), "{fine:?}");
    }
    for wrong in [
        good.clone().named("a\0b"),
        good.clone().named("x".repeat(TRIGGER_NAME_MAX)),
        tracepoint(TracepointRule::new("")),
        tracepoint(TracepointRule::new("x".repeat(256))),
        tracepoint(rule().filtered_by("")),
        tracepoint(TracepointRule { exclusions: vec![String::new()], ..rule() }),
        at(LogLevelRule::Single(15)),
        at(LogLevelRule::Range(-1)),
        usage(Threshold::Ratio(1.1)),
        usage(Threshold::Ratio(f64::NAN)),
        with_action(Action::Notify(RatePolicy::EveryN(0))),
        with_action(Action::Notify(RatePolicy::OnceAfterN(0))),
        with_action(session("")),
        with_action(session(&"x".repeat(256))),
        with_action(deep(ACTION_DEPTH_MAX + 1)),
        with_action(Action::List(vec![Action::notify(); ACTIONS_MAX])),
        nested(17),
    ] {
        assert_eq!(wrong.check(), Err(ErrorCode::InvalidTrigger), "{wrong:?}");
    }
}

#[test]
fn an_action_is_done_as_often_as_its_policy_says() {
    let done = |policy: RatePolicy| (1..=7).filter(|time| policy.admits(*time)).collect::<Vec<_>>();
    assert_eq!(done(RatePolicy::default()), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(done(RatePolicy::EveryN(3)), [3, 6]);
    assert_eq!(done(RatePolicy::OnceAfterN(3)), [3]);
}

#[test]
fn a_path_leads_to_an_action_and_its_place() {
    let start =
        |session: &str| Action::Start { session: session.to_owned(), rate: RatePolicy::default() };
    let action = Action::List(vec![
        start("a"),
        Action::List(vec![start("b"), Action::notify()]),
        Action::List(Vec::new()),
        start("c"),
    ]);
    let sessions: Vec<_> = action.leaves().map(Action::session).collect();
    assert_eq!(sessions, [Some("a"), Some("b"), None, Some("c")]);
    assert!(action.notifies());
    let at = |path: &[u64]| action.at(&ActionPath(path.to_vec()));
    assert_eq!(at(&[]), Some((&action, None)));
    assert_eq!(at(&[0]), Some((&start("a"), Some(0))));
    assert_eq!(at(&[1]).unwrap().1, None);
    assert_eq!(at(&[1, 1]), Some((&Action::notify(), Some(2))));
    assert_eq!(at(&[3]), Some((&start("c"), Some(3))));
    for nowhere in [&[4][..], &[2, 0], &[0, 0], &[u64::MAX]] {
        assert_eq!(at(nowhere), None);
    }
    let alone = start("a");
    assert_eq!(alone.at(&ActionPath::default()), Some((&alone, Some(0))));
}

#[test]
fn thresholds_in_parts_are_those_of_the_buffer() {
    assert_eq!(Threshold::Bytes(7).bytes_of(100), 7);
    assert_eq!(Threshold::Ratio(0.5).bytes_of(101), 50);
    assert_eq!(Threshold::Ratio(1.0).bytes_of(4096), 4096);
    assert_eq!(Threshold::Ratio(0.0).bytes_of(4096), 0);
}

#[test]
fn rules_of_agents_have_name_and_level_in_their_filter() {
    let rule = |pattern: &str, filter: Option<&str>, log_level| {
        let filter = filter.map(str::to_owned);
        let rule = EventRule::Jul(LogRule { pattern: pattern.to_owned(), filter, log_level });
        rule.compile().map(|filter| filter.map(|filter| filter.expression))
    };
    let text = |text: &str| Ok(Some(text.to_owned()));
    assert_eq!(rule("*", None, None), Ok(None));
    assert_eq!(rule("l", None, None), text("logger_name == \"l\""));
    let both = rule("l", Some("a == 1"), Some(LogLevelRule::Range(800)));
    let expected = "((a == 1) && (logger_name == \"l\")) && (int_loglevel >= 800)";
    assert_eq!(both, text(expected));
    assert_eq!(rule("*", None, Some(LogLevelRule::Single(5))), text("int_loglevel == 5"));
    // It would be one with the parentheses around it.
    assert_eq!(rule("l", Some("a == 1) || (b"), None), Err(ErrorCode::FilterInval));
    assert_eq!(
        EventRule::Jul(LogRule { pattern: "l".to_owned(), filter: None, log_level: None })
            .ust_pattern(),
        Some("lttng_jul:*")
    );
}

#[test]
fn captures_are_walked_to_and_not_loaded() {
    let relocation =
        |offset: u16, name: &str| [&offset.to_ne_bytes()[..], name.as_bytes(), &[0]].concat();
    let symbol = |root: u8| [&[root, 82][..], &2_u16.to_ne_bytes()].concat();
    let compiled = |capture: Capture| {
        let code = capture.compile(3).unwrap();
        assert_eq!(code.seqnum, 3);
        let (text, table) = code.data.split_at(code.reloc_table_offset as usize);
        (text.to_vec(), table.to_vec())
    };
    let name = "field".to_owned();
    let (code, table) = compiled(Capture::Payload(name.clone()));
    assert_eq!(code, [&symbol(81)[..], &[1]].concat());
    assert_eq!(table, relocation(1, "field"));
    let (code, table) = compiled(Capture::Context("vpid".to_owned()));
    assert_eq!((code, table), ([&symbol(79)[..], &[1]].concat(), relocation(1, "vpid")));
    let app = AppContext { provider: "p".to_owned(), name: "t".to_owned() };
    let (code, table) = compiled(Capture::AppContext(app));
    assert_eq!((code, table), ([&symbol(80)[..], &[1]].concat(), relocation(1, "p:t")));
    let array = Box::new(Capture::Payload(name));
    let inner = Box::new(Capture::Element { index: 7, array });
    let (code, _) = compiled(Capture::Element { index: 2, array: inner });
    let index = |index: u64| [&[85][..], &index.to_ne_bytes()].concat();
    assert_eq!(code, [&symbol(81)[..], &index(7), &index(2), &[1]].concat());
    let long = Capture::Payload("x".repeat(1 << 16));
    assert_eq!(long.compile(0), Err(ErrorCode::InvalidCaptureExpression));
}
