use std::sync::Arc;

use crate::{
    AppContext, Domain, Filter, LogLevelRule, TracerToken,
    ust::{NotifierEvents, NotifierRule, NotifierSet, TracepointEvents},
};

fn rule(token: u64, events: NotifierEvents) -> Arc<NotifierRule> {
    Arc::new(NotifierRule {
        token: TracerToken(token),
        error_counter_index: token,
        events,
        captures: Vec::new(),
        app_contexts: Vec::new(),
    })
}

fn tracepoints(token: u64) -> Arc<NotifierRule> {
    rule(
        token,
        NotifierEvents::Tracepoints(TracepointEvents {
            name: "a:*".to_owned(),
            loglevel: LogLevelRule::Single(3),
            filter: None,
            exclusions: vec!["a:b".to_owned()],
        }),
    )
}

fn loggers(token: u64, domain: Domain, filter: &str) -> Arc<NotifierRule> {
    let filter = Some(Filter::compile(filter).unwrap());
    rule(token, NotifierEvents::loggers(domain, "x", LogLevelRule::Range(800), filter))
}

fn tokens(set: &NotifierSet) -> Vec<u64> {
    set.iter().map(|(token, _)| token.0).collect()
}

#[test]
fn a_set_is_in_the_order_of_tokens_and_its_copies_change_alone() {
    let set = NotifierSet::new([tracepoints(9), tracepoints(2), tracepoints(5)]);
    assert_eq!(tokens(&set), [2, 5, 9]);
    let more = set.with(tracepoints(4));
    let less = more.without(TracerToken(9)).without(TracerToken(77));
    assert_eq!(tokens(&set), [2, 5, 9]);
    assert_eq!(tokens(&more), [2, 4, 5, 9]);
    assert_eq!(tokens(&less), [2, 4, 5]);
    assert!(less.get(TracerToken(9)).is_none());
    assert!(Arc::ptr_eq(less.get(TracerToken(5)).unwrap(), set.get(TracerToken(5)).unwrap()));
    assert_eq!((less.len(), less.is_empty(), NotifierSet::default().is_empty()), (3, false, true));
}

#[test]
fn of_two_rules_with_one_token_the_last_counts() {
    let last = loggers(2, Domain::Jul, "a == 1");
    let set = NotifierSet::new([tracepoints(2), Arc::clone(&last)]);
    assert_eq!(set.len(), 1);
    assert!(Arc::ptr_eq(set.get(TracerToken(2)).unwrap(), &last));
}

#[test]
fn loggers_are_the_tracepoints_of_their_agents_in_applications() {
    for (domain, name) in [
        (Domain::Jul, "lttng_jul:*"),
        (Domain::Log4j, "lttng_log4j:*"),
        (Domain::Python, "lttng_python:*"),
    ] {
        let rule = loggers(1, domain, "logger_name == \"x\"");
        assert_eq!(rule.events.tracepoint_name(), name);
        assert_eq!(rule.events.tracepoint_loglevel(), LogLevelRule::All);
        assert_eq!(rule.events.filter().unwrap().expression, "logger_name == \"x\"");
        assert!(rule.events.exclusions().is_empty());
    }
    let rule = tracepoints(1);
    assert_eq!(rule.events.tracepoint_name(), "a:*");
    assert_eq!(rule.events.tracepoint_loglevel(), LogLevelRule::Single(3));
    assert_eq!(rule.events.exclusions(), ["a:b"]);
}

#[test]
fn agents_of_a_domain_are_asked_each_thing_once() {
    let (context, captured) = (app_context("p", "c"), app_context("p", "d"));
    let mut capturing = (*loggers(4, Domain::Jul, "a == 2")).clone();
    capturing.app_contexts = vec![captured.clone(), context.clone()];
    let set = NotifierSet::new([
        tracepoints(1),
        loggers(2, Domain::Jul, "$app.p:c == 1"),
        loggers(3, Domain::Jul, "$app.p:c == 1"),
        Arc::new(capturing),
        loggers(5, Domain::Python, "a == 1"),
    ]);
    let jul = set.agent_domain(Domain::Jul);
    let filters = jul.events.iter().map(|event| event.rule.filter.as_ref().unwrap());
    let filters: Vec<_> = filters.map(|filter| filter.expression.as_str()).collect();
    assert_eq!(filters, ["$app.p:c == 1", "a == 2"]);
    assert!(jul.events.iter().all(|event| event.enabled && event.rule.loglevel_value == 800));
    assert_eq!(jul.contexts, [context, captured]);
    assert_eq!(set.agent_domain(Domain::Python).events.len(), 1);
    assert_eq!(set.agent_domain(Domain::Log4j), Default::default());
}

fn app_context(provider: &str, name: &str) -> AppContext {
    AppContext { provider: provider.to_owned(), name: name.to_owned() }
}
