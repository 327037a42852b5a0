use lttngd_model::{
    Credentials, ErrorCode, TracerToken,
    trigger::{
        Action, ActionPath, Capture, Condition, EventRule, RatePolicy, TracepointRule, Trigger,
    },
};

use super::{ROOT, USER, event, notifying, start};
use crate::{
    book::{Book, TRIGGERS_EACH_MAX, TriggerId, condition_key},
    rule::Rule,
};

const OTHER: Credentials = Credentials { uid: 1001, gid: 100 };

fn book() -> Book {
    Book::new(8, None)
}

fn register(book: &mut Book, trigger: &Trigger) -> Result<TriggerId, ErrorCode> {
    book.register(USER, trigger.clone(), false)
}

fn names(book: &Book, requester: Credentials) -> Vec<Option<String>> {
    book.list(requester).into_iter().map(|trigger| trigger.name).collect()
}

#[test]
fn names_are_made_for_triggers_without_one_and_are_each_owners_own() {
    let mut book = book();
    let some = |name: &str| Some(name.to_owned());
    let taken = notifying(event("p:a")).named("trigger1");
    register(&mut book, &taken).unwrap();
    for pattern in ["p:b", "p:c"] {
        register(&mut book, &notifying(event(pattern))).unwrap();
    }
    assert_eq!(names(&book, USER), [some("trigger1"), some("trigger0"), some("trigger2")]);
    // The name alone counts, for this owner.
    let again = notifying(event("p:z")).named("trigger1");
    assert_eq!(register(&mut book, &again), Err(ErrorCode::TriggerExists));
    let of_root = Trigger { owner_uid: 0, ..again };
    book.register(ROOT, of_root, false).unwrap();
    // Without a name, as it was asked.
    let nameless = notifying(event("p:d"));
    book.register(USER, nameless.clone(), true).unwrap();
    assert_eq!(book.register(USER, nameless.clone(), true), Err(ErrorCode::TriggerExists));
    book.register(USER, nameless, false).unwrap();
    assert_eq!(names(&book, USER)[3..], [None, some("trigger3")]);
}

#[test]
fn what_is_wrong_is_told_in_the_order_of_the_stock_daemon() {
    let mut book = book();
    let good = notifying(event("p:a")).named("t");
    register(&mut book, &good).unwrap();
    let foreign = Trigger { owner_uid: OTHER.uid, ..good.clone() };
    let filtered = |filter: &str, captures: Vec<Capture>| {
        let rule = TracepointRule::new("p:a").filtered_by(filter);
        let rule = EventRule::UserTracepoint(rule);
        notifying(Condition::EventRuleMatches { rule, captures }).named("t")
    };
    let long = vec![Capture::Payload("x".repeat(65_500))];
    let kernel = |name: &str| {
        let rule = EventRule::KernelTracepoint { pattern: "sched*".to_owned(), filter: None };
        notifying(Condition::event_rule_matches(rule)).named(name)
    };
    for (wrong, code) in [
        (Trigger { name: Some(String::new()), ..foreign.clone() }, ErrorCode::InvalidTrigger),
        (
            Trigger { condition: filtered("a ==", Vec::new()).condition, ..foreign },
            ErrorCode::InvalidTrigger,
        ),
        (filtered("a ==", long.clone()), ErrorCode::FilterInval),
        (filtered("a == 1", long), ErrorCode::InvalidCaptureExpression),
        (filtered("a == 1", Vec::new()), ErrorCode::TriggerExists),
        (kernel("t"), ErrorCode::TriggerExists),
        (kernel("k"), ErrorCode::NotSupported),
    ] {
        assert_eq!(register(&mut book, &wrong), Err(code), "{wrong:?}");
    }
    assert_eq!(book.list(ROOT).len(), 1);
}

#[test]
fn root_has_to_do_with_the_triggers_of_all_and_others_with_their_own() {
    let mut book = book();
    let mine = notifying(event("p:a")).named("t");
    book.register(ROOT, mine.clone(), false).unwrap();
    let hidden = Trigger { is_hidden: true, ..notifying(event("p:b")).named("h") };
    register(&mut book, &hidden).unwrap();
    assert_eq!(names(&book, ROOT).len(), 1);
    assert_eq!(names(&book, USER).len(), 1);
    assert_eq!(names(&book, OTHER).len(), 0);
    assert_eq!(book.unregister(OTHER, &mine).unwrap_err(), ErrorCode::InvalidTrigger);
    assert_eq!(book.find_for(OTHER, &mine).unwrap_err(), ErrorCode::InvalidTrigger);
    assert!(book.find_for(USER, &mine).is_ok() && book.find_for(ROOT, &mine).is_ok());
    assert!(book.unregister(ROOT, &mine).is_ok());
    assert_eq!(book.unregister(USER, &mine).unwrap_err(), ErrorCode::TriggerNotFound);
    assert_eq!(book.find_for(OTHER, &mine).unwrap_err(), ErrorCode::TriggerNotFound);
}

#[test]
fn only_an_equal_trigger_is_unregistered() {
    let mut book = book();
    let trigger = notifying(event("p:a**")).named("t");
    register(&mut book, &trigger).unwrap();
    for other in [
        Trigger { name: None, ..trigger.clone() },
        Trigger { is_hidden: true, ..trigger.clone() },
        Trigger { action: start("s"), ..trigger.clone() },
        Trigger { action: Action::Notify(RatePolicy::EveryN(2)), ..trigger.clone() },
        Trigger { condition: event("p:a"), ..trigger.clone() },
    ] {
        assert_eq!(book.unregister(USER, &other).unwrap_err(), ErrorCode::TriggerNotFound);
    }
    // Its pattern is kept with one star.
    let same = Trigger { condition: event("p:a*"), ..trigger };
    let Some(Rule::User(rule)) = book.unregister(USER, &same).unwrap() else { panic!() };
    assert_eq!(rule.events.tracepoint_name(), "p:a*");
    assert!(
        book.list(ROOT).is_empty()
            && book.notifying(&condition_key(&same.condition)).next().is_none()
    );
    register(&mut book, &same).unwrap();
}

#[test]
fn error_counters_are_used_again_when_nobody_counts_in_them() {
    let mut book = Book::new(2, None);
    let trigger = |name: &str| notifying(event("p:a")).named(name);
    let first = register(&mut book, &trigger("a")).unwrap();
    register(&mut book, &trigger("b")).unwrap();
    let full = Err(ErrorCode::EventNotifierErrorAccountingFull);
    assert_eq!(register(&mut book, &trigger("c")), full);
    // Those without an event rule need none.
    let rotation = Condition::RotationOngoing { session: "s".to_owned() };
    register(&mut book, &notifying(rotation)).unwrap();
    let token = first.token();
    let rule = book.unregister(USER, &trigger("a")).unwrap().unwrap();
    assert_eq!(rule.error_counter_index(), 0);
    assert_eq!(register(&mut book, &trigger("c")), full);
    book.release(&rule);
    let id = register(&mut book, &trigger("c")).unwrap();
    assert_eq!(book.rule(id).unwrap().error_counter_index(), 0);
    assert_ne!(id.token(), token, "tokens are never used again");
    assert!(book.get(TriggerId::from(TracerToken(u64::MAX))).is_none());
}

#[test]
fn each_action_is_due_as_its_policy_says_and_its_failures_are_its_own() {
    let mut book = book();
    let action = Action::List(vec![
        Action::Notify(RatePolicy::EveryN(2)),
        Action::List(vec![start("s")]),
        Action::Notify(RatePolicy::OnceAfterN(3)),
    ]);
    let trigger = Trigger { action, ..notifying(event("p:a")) };
    let id = register(&mut book, &trigger).unwrap();
    let mut due = || book.occur(id).into_iter().map(|(leaf, _)| leaf).collect::<Vec<_>>();
    assert_eq!([due(), due(), due(), due()], [vec![1], vec![0, 1], vec![1, 2], vec![0, 1]]);
    book.failed(id, 1);
    book.failed(id, 7);
    let failures = |path: &[u64]| book.failures(id, &ActionPath(path.to_vec()));
    assert_eq!(failures(&[0]), Some(0));
    assert_eq!(failures(&[1, 0]), Some(1));
    assert_eq!((failures(&[1]), failures(&[])), (None, None));
    assert!(book.occur(TriggerId::from(TracerToken(99))).is_empty());
}

#[test]
fn a_user_cannot_take_the_room_of_all() {
    let mut book = Book::new(u64::MAX, None);
    let rotation = |name: usize| {
        let condition = Condition::RotationOngoing { session: "s".to_owned() };
        notifying(condition).named(name.to_string())
    };
    for name in 0..TRIGGERS_EACH_MAX {
        register(&mut book, &rotation(name)).unwrap();
    }
    let more = rotation(TRIGGERS_EACH_MAX);
    assert_eq!(register(&mut book, &more), Err(ErrorCode::Nomem));
    let of_other = Trigger { owner_uid: OTHER.uid, ..more };
    book.register(OTHER, of_other, false).unwrap();
    book.unregister(USER, &rotation(0)).unwrap();
    register(&mut book, &rotation(TRIGGERS_EACH_MAX)).unwrap();
    assert_eq!(book.about("s").len(), TRIGGERS_EACH_MAX + 1);
    assert!(book.about("t").is_empty());
}

#[test]
fn a_user_with_long_triggers_leaves_memory_to_those_of_others() {
    let mut book = Book::new(u64::MAX, None);
    let long = |name: usize, owner_uid| {
        let exclusions = (0..4000).map(|number| format!("{number:x>255}")).collect();
        let rule =
            EventRule::UserTracepoint(TracepointRule { exclusions, ..TracepointRule::new("p:*") });
        let trigger = notifying(Condition::event_rule_matches(rule)).named(name.to_string());
        Trigger { owner_uid, ..trigger }
    };
    let fits = |name: &usize| register(&mut book, &long(*name, USER.uid)).is_ok();
    let count = (0..200).take_while(fits).count();
    assert!((18..=24).contains(&count), "{count} of a megabyte each");
    assert_eq!(register(&mut book, &long(count, USER.uid)), Err(ErrorCode::Nomem));
    book.register(OTHER, long(0, OTHER.uid), false).unwrap();
    book.register(ROOT, long(0, 0), false).unwrap();
    for name in 0..5 {
        book.unregister(USER, &long(name, USER.uid)).unwrap();
    }
    register(&mut book, &long(count, USER.uid)).unwrap();
}

#[test]
fn rules_of_the_kernel_have_counters_of_their_own_where_they_are_taken() {
    let mut book = Book::new(1, Some(1));
    let of_kernel = |pattern: &str| {
        let rule = EventRule::KernelTracepoint { pattern: pattern.to_owned(), filter: None };
        notifying(Condition::event_rule_matches(rule))
    };
    let first = register(&mut book, &of_kernel("sched**")).unwrap();
    let Some(Rule::Kernel(notifier)) = book.rule(first) else { panic!() };
    let (token, name) = (notifier.token, notifier.name.as_str());
    assert_eq!((token, name, notifier.error_counter_index), (first.token(), "sched*", 0));
    register(&mut book, &notifying(event("p:a"))).unwrap();
    let full = Err(ErrorCode::EventNotifierErrorAccountingFull);
    assert_eq!(register(&mut book, &of_kernel("b")), full);
    assert_eq!(register(&mut book, &notifying(event("p:b"))), full);
    let rule = book.remove(first).unwrap();
    assert!(book.remove(first).is_none(), "it is gone");
    book.release(&rule);
    register(&mut book, &of_kernel("sched*")).unwrap();
}
