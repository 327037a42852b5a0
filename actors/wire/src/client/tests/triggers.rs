//! Triggers of every kind by chance, and bytes that are none.

use lttngd_model::{
    AppContext, Domain, FunctionLookup, LogLevelRule, ProbeLocation, UserspaceProbe,
    trigger::{
        Action, ActionPath, ArchiveLocation, BufferUsage, Capture, Condition, EmissionSite,
        ErrorCounter, ErrorQuery, ErrorQueryTarget, Evaluation, EventRule, KernelProbe, LogRule,
        RatePolicy, SnapshotAction, SnapshotTarget, Threshold, TracepointRule, Trigger,
    },
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::arbitrary::dialect;
use crate::{
    DecodeError,
    client::{self, Dialect},
};

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_:é]{1,40}"
}

fn filter() -> impl Strategy<Value = Option<String>> {
    option::of("[a-z]{1,8} == [0-9]{1,4}")
}

fn level(levels: std::ops::Range<i32>) -> impl Strategy<Value = Option<LogLevelRule>> {
    let rule = (any::<bool>(), levels).prop_map(|(range, level)| match range {
        true => LogLevelRule::Range(level),
        false => LogLevelRule::Single(level),
    });
    option::of(rule)
}

fn tracepoint() -> impl Strategy<Value = TracepointRule> {
    (name(), filter(), level(0..15), vec(name(), 0..4)).prop_map(
        |(pattern, filter, log_level, exclusions)| TracepointRule {
            pattern,
            filter,
            log_level,
            exclusions,
        },
    )
}

fn log_rule() -> impl Strategy<Value = LogRule> {
    (name(), filter(), level(i32::MIN..i32::MAX)).prop_map(|(pattern, filter, log_level)| LogRule {
        pattern,
        filter,
        log_level,
    })
}

fn user_probe() -> impl Strategy<Value = UserspaceProbe> {
    let lookup = select(vec![FunctionLookup::Default, FunctionLookup::Elf]);
    let place = prop_oneof![
        (name(), name(), lookup).prop_map(|(name, binary_path, lookup)| {
            ProbeLocation::Function { name, binary_path, lookup }
        }),
        (name(), name(), name()).prop_map(|(name, provider, binary_path)| {
            ProbeLocation::Tracepoint { provider, name, binary_path }
        }),
    ];
    place.prop_map(|place| UserspaceProbe::from(place.to_bytes()))
}

fn event_rule() -> BoxedStrategy<EventRule> {
    let sites = vec![EmissionSite::EntryExit, EmissionSite::Entry, EmissionSite::Exit];
    let kernel_probe = prop_oneof![
        (name(), any::<u64>()).prop_map(|(symbol, offset)| KernelProbe::Symbol { symbol, offset }),
        any::<u64>().prop_map(KernelProbe::Address),
    ];
    prop_oneof![
        (select(sites), name(), filter()).prop_map(|(emission_site, pattern, filter)| {
            EventRule::Syscall { emission_site, pattern, filter }
        }),
        (name(), kernel_probe).prop_map(|(name, location)| EventRule::Kprobe { name, location }),
        (name(), filter())
            .prop_map(|(pattern, filter)| EventRule::KernelTracepoint { pattern, filter }),
        (name(), user_probe()).prop_map(|(name, location)| EventRule::Uprobe { name, location }),
        tracepoint().prop_map(EventRule::UserTracepoint),
        log_rule().prop_map(EventRule::Jul),
        log_rule().prop_map(EventRule::Log4j),
        log_rule().prop_map(EventRule::Python),
    ]
    .boxed()
}

fn capture() -> impl Strategy<Value = Capture> {
    let root = prop_oneof![
        name().prop_map(Capture::Payload),
        name().prop_map(Capture::Context),
        (name(), name())
            .prop_map(|(provider, name)| Capture::AppContext(AppContext { provider, name })),
    ];
    (root, vec(any::<u32>(), 0..4)).prop_map(|(root, indexes)| {
        indexes
            .into_iter()
            .fold(root, |array, index| Capture::Element { index, array: Box::new(array) })
    })
}

fn usage() -> impl Strategy<Value = BufferUsage> {
    let domains = vec![Domain::Kernel, Domain::Ust, Domain::Jul, Domain::Log4j, Domain::Python];
    let threshold = prop_oneof![
        any::<u64>().prop_map(Threshold::Bytes),
        (0.0..1.0_f64).prop_map(Threshold::Ratio),
    ];
    (name(), select(domains), name(), threshold).prop_map(
        |(session, domain, channel, threshold)| BufferUsage { session, domain, channel, threshold },
    )
}

fn condition() -> BoxedStrategy<Condition> {
    prop_oneof![
        (name(), any::<u64>()).prop_map(|(session, threshold_bytes)| {
            Condition::SessionConsumedSize { session, threshold_bytes }
        }),
        usage().prop_map(Condition::BufferUsageHigh),
        usage().prop_map(Condition::BufferUsageLow),
        name().prop_map(|session| Condition::RotationOngoing { session }),
        name().prop_map(|session| Condition::RotationCompleted { session }),
        (event_rule(), vec(capture(), 0..4))
            .prop_map(|(rule, captures)| Condition::EventRuleMatches { rule, captures }),
    ]
    .boxed()
}

fn rate() -> impl Strategy<Value = RatePolicy> {
    prop_oneof![
        (1..=u64::MAX).prop_map(RatePolicy::EveryN),
        (1..=u64::MAX).prop_map(RatePolicy::OnceAfterN),
    ]
}

fn action() -> BoxedStrategy<Action> {
    let output = (any::<u32>(), any::<u64>(), name(), name(), name()).prop_map(
        |(id, max_size_bytes, name, control_url, data_url)| SnapshotTarget {
            id,
            max_size_bytes,
            name,
            control_url,
            data_url,
        },
    );
    let leaf = prop_oneof![
        rate().prop_map(Action::Notify),
        (name(), rate()).prop_map(|(session, rate)| Action::Start { session, rate }),
        (name(), rate()).prop_map(|(session, rate)| Action::Stop { session, rate }),
        (name(), rate()).prop_map(|(session, rate)| Action::Rotate { session, rate }),
        (name(), option::of(output), rate()).prop_map(|(session, output, rate)| {
            Action::Snapshot(SnapshotAction { session, output, rate })
        }),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| vec(inner, 0..3).prop_map(Action::List)).boxed()
}

pub(crate) fn trigger() -> BoxedStrategy<Trigger> {
    let parts = (any::<u32>(), option::of(name()), any::<bool>(), condition(), action());
    let trigger = parts.prop_map(|(owner_uid, name, is_hidden, condition, action)| Trigger {
        owner_uid,
        name,
        is_hidden,
        condition,
        action,
    });
    trigger.boxed()
}

pub(super) fn error_query() -> impl Strategy<Value = ErrorQuery> {
    let target = prop_oneof![
        Just(ErrorQueryTarget::Trigger),
        Just(ErrorQueryTarget::Condition),
        vec(any::<u64>(), 0..4).prop_map(|path| ErrorQueryTarget::Action(ActionPath(path))),
    ];
    (trigger(), target).prop_map(|(trigger, target)| ErrorQuery { trigger, target })
}

pub(crate) fn evaluation() -> impl Strategy<Value = Evaluation> {
    let location = prop_oneof![
        name().prop_map(|path| ArchiveLocation::Local { path }),
        (name(), any::<u16>(), any::<u16>(), name()).prop_map(
            |(host, control_port, data_port, relative_path)| ArchiveLocation::Relay {
                host,
                control_port,
                data_port,
                relative_path,
            }
        ),
    ];
    prop_oneof![
        any::<u64>().prop_map(|consumed_bytes| Evaluation::SessionConsumedSize { consumed_bytes }),
        any::<(u64, u64)>().prop_map(|(usage_bytes, capacity_bytes)| {
            Evaluation::BufferUsageHigh { usage_bytes, capacity_bytes }
        }),
        any::<(u64, u64)>().prop_map(|(usage_bytes, capacity_bytes)| {
            Evaluation::BufferUsageLow { usage_bytes, capacity_bytes }
        }),
        any::<u64>().prop_map(|rotation_id| Evaluation::RotationOngoing { rotation_id }),
        (any::<u64>(), option::of(location)).prop_map(|(rotation_id, location)| {
            Evaluation::RotationCompleted { rotation_id, location }
        }),
        vec(any::<u8>(), 0..64).prop_map(|captures| Evaluation::EventRuleMatches { captures }),
    ]
}

proptest! {
    #[test]
    fn triggers_there_and_back(triggers in vec(trigger(), 0..4), dialect in dialect()) {
        for trigger in &triggers {
            let bytes = client::encode_trigger(trigger, dialect);
            prop_assert_eq!(&client::decode_trigger(&bytes, dialect).unwrap(), trigger);
        }
        let listed = client::encode_triggers(&triggers, dialect);
        prop_assert_eq!(client::decode_triggers(&listed, dialect).unwrap(), triggers);
    }

    #[test]
    fn conditions_there_and_back(condition in condition(), dialect in dialect()) {
        let bytes = client::encode_condition(&condition, dialect);
        prop_assert_eq!(client::decode_condition(&bytes, dialect).unwrap(), condition);
    }

    #[test]
    fn what_is_cut_is_no_trigger(
        trigger in trigger(),
        cut in any::<prop::sample::Index>(),
        dialect in dialect(),
    ) {
        let bytes = client::encode_trigger(&trigger, dialect);
        prop_assert!(client::decode_trigger(&bytes[..cut.index(bytes.len())], dialect).is_err());
        let more = [&bytes[..], &[0]].concat();
        let trailing = matches!(client::decode_trigger(&more, dialect), Err(DecodeError::Trailing { .. }));
        prop_assert!(trailing);
    }

    #[test]
    fn a_changed_byte_brings_nothing_down(
        trigger in trigger(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        dialect in dialect(),
    ) {
        let mut bytes = client::encode_trigger(&trigger, dialect);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(trigger) = client::decode_trigger(&bytes, dialect) {
            // What was taken can be given back.
            let again = client::decode_trigger(&client::encode_trigger(&trigger, dialect), dialect);
            prop_assert_eq!(again.unwrap(), trigger);
        }
        let condition = bytes.get(17..).unwrap_or_default();
        let _ = client::decode_condition(condition, dialect);
        let _ = client::decode_triggers(&bytes, dialect);
        let _ = client::decode_error_counters(&bytes);
    }

    #[test]
    fn counters_there_and_back(values in vec(any::<u64>(), 0..3)) {
        let counters: Vec<_> = values.into_iter().map(ErrorCounter::execution_failures).collect();
        let bytes = client::encode_error_counters(&counters);
        prop_assert_eq!(client::decode_error_counters(&bytes).unwrap(), counters);
    }
}

#[test]
fn lists_in_lists_have_an_end() {
    let nested = |depth: usize| {
        let head = [5_u8, 1, 0, 0, 0].repeat(depth);
        [&head[..], &[0, 0], &1_u64.to_ne_bytes()].concat()
    };
    let trigger = |depth: usize| {
        let condition = Condition::RotationOngoing { session: "s".to_owned() };
        let condition = client::encode_condition(&condition, Dialect::V2_13);
        let action = nested(depth);
        let len = u32::try_from(condition.len() + action.len()).unwrap();
        let head = [&0_u64.to_ne_bytes()[..], &len.to_ne_bytes(), &[0; 5]].concat();
        client::decode_trigger(&[head, condition, action].concat(), Dialect::V2_13)
    };
    assert!(trigger(8).is_ok());
    assert!(trigger(9).is_err());
    assert!(trigger(100_000).is_err());
    let capture = [3_u8, 0, 0, 0, 0].repeat(100_000);
    let condition =
        Condition::event_rule_matches(EventRule::UserTracepoint(TracepointRule::new("p")));
    let mut bytes = client::encode_condition(&condition, Dialect::V2_13);
    let count = bytes.len() - 4;
    bytes[count] = 1;
    assert!(client::decode_condition(&[bytes, capture].concat(), Dialect::V2_13).is_err());
}

#[test]
fn patterns_are_taken_as_the_stock_daemon_keeps_them() {
    let rule =
        TracepointRule { exclusions: vec!["x**".to_owned()], ..TracepointRule::new("p:**a***") };
    let condition = Condition::event_rule_matches(EventRule::UserTracepoint(rule));
    let Condition::EventRuleMatches { rule: EventRule::UserTracepoint(rule), .. } =
        client::decode_condition(
            &client::encode_condition(&condition, Dialect::V2_13),
            Dialect::V2_13,
        )
        .unwrap()
    else {
        panic!("another condition")
    };
    assert_eq!((rule.pattern.as_str(), rule.exclusions[0].as_str()), ("p:*a*", "x*"));
}
