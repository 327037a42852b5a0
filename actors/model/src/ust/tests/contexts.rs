//! ADD_CONTEXT.

use super::*;
use crate::{AppContext, Context, ContextKind, PerfContext};

const VPID: Context = Context::Plain(ContextKind::Vpid);

impl UstDomain {
    fn context(&mut self, channel: &str, context: &Context) -> Result<(), ErrorCode> {
        self.add_context(Domain::Ust, channel, context.kind() as u32, Some(context), REGULAR)
    }
}

fn contexts(domain: &UstDomain, channel: &str) -> Vec<Context> {
    domain.channel(channel).unwrap().contexts.clone()
}

#[test]
fn a_started_session_takes_no_context() {
    let mut domain = domain();
    assert_eq!(
        domain.add_context(Domain::Ust, "", 99, None, STARTED),
        Err(ErrorCode::TraceAlreadyStarted)
    );
    assert_eq!(domain, super::domain());
}

#[test]
fn the_default_channel_is_made_only_where_there_is_none() {
    for name in ["", "channel0"] {
        let mut domain = domain();
        domain.context(name, &VPID).unwrap();
        assert_eq!(contexts(&domain, "channel0"), [VPID]);
        // It was not asked for by name.
        domain.event("", &event("p:e")).unwrap();
    }
    let mut domain = domain();
    domain.enable("c").unwrap();
    assert_eq!(domain.context("channel0", &VPID), Err(ErrorCode::UstChanNotFound));
    domain.context("", &VPID).unwrap();
    assert_eq!(domain.channels.len(), 1);
    assert_eq!(contexts(&domain, "c"), [VPID]);
}

#[test]
fn a_channel_made_for_a_context_has_the_scheme_of_the_session() {
    let mut domain = domain();
    domain.enable_channel(&request("metadata"), Domain::Ust, PER_PID, REGULAR).unwrap();
    domain.context("", &VPID).unwrap();
    assert_eq!(domain.channels[0].attributes.subbuf_size_bytes, 16384);
    let mut domain = super::domain();
    domain.add_context(Domain::Ust, "", 5, Some(&VPID), SNAPSHOT).unwrap();
    assert!(domain.channels[0].overwrites());
    domain.next_index = u32::MAX;
    domain.channels.clear();
    assert_eq!(domain.context("", &VPID), Err(ErrorCode::UstChanFail));
}

#[test]
fn a_failure_leaves_no_channel_behind() {
    for (channel, raw, context, error) in [
        ("c", 5, Some(&VPID), ErrorCode::UstChanNotFound),
        ("c", 99, None, ErrorCode::UstChanNotFound),
        ("", 99, None, ErrorCode::UstContextInval),
        ("channel0", 0, Some(&Context::Plain(ContextKind::Pid)), ErrorCode::UstContextInval),
        // Type and context do not belong together.
        ("", 7, Some(&VPID), ErrorCode::UstContextInval),
    ] {
        let mut domain = domain();
        assert_eq!(domain.add_context(Domain::Ust, channel, raw, context, REGULAR), Err(error));
        assert_eq!(domain, super::domain());
    }
}

#[test]
fn only_contexts_that_applications_have_are_taken() {
    let perf = |kind| {
        let name = "perf_thread_cycles".to_owned();
        Context::Perf(kind, PerfContext { perf_type: 0, config: 0, name })
    };
    for raw in 0..=41 {
        let kind = ContextKind::from_raw(raw).unwrap();
        let context = match kind {
            ContextKind::PerfCounter
            | ContextKind::PerfCpuCounter
            | ContextKind::PerfThreadCounter => perf(kind),
            ContextKind::AppContext => {
                Context::App(AppContext { provider: "p".to_owned(), name: "c".to_owned() })
            }
            _ => Context::Plain(kind),
        };
        let accepted = matches!(raw, 2 | 5 | 7 | 10 | 12 | 14 | 15 | 22..=28 | 35..=41);
        let expected = if accepted { Ok(()) } else { Err(ErrorCode::UstContextInval) };
        assert_eq!(domain().context("", &context), expected, "{kind:?}");
    }
}

#[test]
fn a_context_is_known_by_type_and_parameters() {
    let perf = |config, name: &str| {
        let name = name.to_owned();
        let perf = PerfContext { perf_type: 0, config, name };
        Context::Perf(ContextKind::PerfThreadCounter, perf)
    };
    let app = |provider: &str, name: &str| {
        Context::App(AppContext { provider: provider.to_owned(), name: name.to_owned() })
    };
    let different = [
        VPID,
        Context::Plain(ContextKind::Vtid),
        perf(0, "a"),
        perf(1, "a"),
        perf(0, "b"),
        app("p", "c"),
        app("p", "d"),
        app("q", "c"),
    ];
    let mut domain = domain();
    domain.enable("c").unwrap();
    for context in &different {
        domain.context("c", context).unwrap();
    }
    for context in &different {
        assert_eq!(domain.context("c", context), Err(ErrorCode::UstContextExist));
    }
    assert_eq!(contexts(&domain, "c"), different);
}

#[test]
fn without_a_name_every_channel_that_lacks_it_gets_it() {
    let mut domain = domain();
    for name in ["a", "b", "lttng_jul_channel"] {
        domain.enable(name).unwrap();
    }
    domain.context("b", &VPID).unwrap();
    domain.context("", &VPID).unwrap();
    for name in ["a", "b", "lttng_jul_channel"] {
        assert_eq!(contexts(&domain, name), [VPID]);
    }
    let before = domain.clone();
    assert_eq!(domain.context("", &VPID), Err(ErrorCode::UstContextExist));
    assert_eq!(domain, before);
}
