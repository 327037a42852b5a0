//! The way from any wish to any other.

use std::{collections::HashSet, sync::Arc};

use lttngd_model::ust::AgentDomain;
use proptest::{collection::vec, prelude::*, sample::select};

use super::world::{context, rule, wish};
use crate::plan::{AgentSession, Step};

/// Follows the plan to its end; an agent refuses what it is told to. The steps that it took.
fn follow(
    has: &mut AgentSession,
    want: &AgentDomain,
    refuses: impl Fn(&Step) -> bool,
) -> Vec<Step> {
    const STEPS_MAX: usize = 100;
    let mut steps = Vec::new();
    while let Some(step) = has.next_step(want) {
        has.taken(step.clone(), refuses(&step));
        steps.push(step);
        assert!(steps.len() < STEPS_MAX, "no end: {steps:?}");
    }
    steps
}

#[test]
fn contexts_are_there_while_events_pass() {
    let mut has = AgentSession::default();
    let [a, b] = ["a", "b"].map(|name| Arc::new(rule(name)));
    let steps = follow(&mut has, &wish(&["a", "[off]", "b"], &["x"]), |_| false);
    let expected = [
        Step::EnableContext(context("x")),
        Step::EnableEvent(Arc::clone(&a)),
        Step::EnableEvent(Arc::clone(&b)),
    ];
    assert_eq!(steps, expected);
    assert_eq!(follow(&mut has, &wish(&["a", "b"], &["x"]), |_| false), []);
    let steps = follow(&mut has, &wish(&["[a]", "b"], &["x"]), |_| false);
    assert_eq!(steps, [Step::DisableEvent(a)]);
    let steps = follow(&mut has, &AgentDomain::default(), |_| false);
    assert_eq!(steps, [Step::DisableEvent(b), Step::DisableContext(context("x"))]);
    assert!(has.is_empty());
}

#[test]
fn what_was_refused_is_asked_again_only_when_it_was_not_wanted_meanwhile() {
    let mut has = AgentSession::default();
    let want = wish(&["a", "b"], &["x"]);
    let enable_a = Step::EnableEvent(Arc::new(rule("a")));
    let refused = |step: &Step| *step == enable_a || matches!(step, Step::EnableContext(_));
    assert_eq!(follow(&mut has, &want, refused).len(), 3);
    assert_eq!(follow(&mut has, &want, refused), []);
    // It does not have what it refused, so that nothing is to be taken back.
    assert_eq!(follow(&mut has, &wish(&["b"], &[]), refused), []);
    assert_eq!(follow(&mut has, &want, |_| false).len(), 2);
    // What it refuses to take back is not there.
    let disabled = follow(&mut has, &AgentDomain::default(), |_| true);
    assert_eq!(disabled.len(), 3);
    assert!(has.is_empty());
}

fn any_wish() -> impl Strategy<Value = Arc<AgentDomain>> {
    let names = vec(select(vec!["a", "b", "[b]", "c", "[c]", "d"]), 0..5);
    let contexts = vec(select(vec!["x", "y"]), 0..3);
    (names, contexts).prop_map(|(names, contexts)| {
        let mut seen = HashSet::new();
        let plain = |name: &str| name.trim_matches(['[', ']']).to_owned();
        let names: Vec<_> = names.into_iter().filter(|name| seen.insert(plain(name))).collect();
        let mut seen = HashSet::new();
        let contexts: Vec<_> = contexts.into_iter().filter(|name| seen.insert(*name)).collect();
        wish(&names, &contexts)
    })
}

proptest! {
    #[test]
    fn an_agent_has_each_rule_once_and_what_is_wanted_in_the_end(
        wishes in vec(any_wish(), 1..6),
        stubborn in any::<bool>(),
    ) {
        let mut has = AgentSession::default();
        // As an agent counts.
        let mut counted: Vec<Step> = Vec::new();
        let refuses = |step: &Step| {
            stubborn && *step == Step::EnableEvent(Arc::new(rule("d")))
        };
        for want in &wishes {
            for step in follow(&mut has, want, refuses) {
                let back = match &step {
                    step if refuses(step) => continue,
                    Step::DisableEvent(rule) => Step::EnableEvent(Arc::clone(rule)),
                    Step::DisableContext(context) => Step::EnableContext(context.clone()),
                    _ => {
                        prop_assert!(!counted.contains(&step), "{:?}", step);
                        counted.push(step);
                        continue;
                    }
                };
                let at = counted.iter().position(|step| *step == back);
                prop_assert!(at.is_some(), "{:?}", back);
                counted.remove(at.unwrap());
            }
            let rules = want.events.iter().filter(|event| event.enabled);
            let wanted = rules
                .map(|event| Step::EnableEvent(Arc::clone(&event.rule)))
                .chain(want.contexts.iter().cloned().map(Step::EnableContext))
                .filter(|step| !refuses(step));
            prop_assert!(wanted.clone().all(|step| counted.contains(&step)));
            prop_assert_eq!(wanted.count(), counted.len());
        }
    }
}
