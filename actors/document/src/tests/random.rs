//! Documents at random, one after the other.

use proptest::{collection::vec, option::of, prelude::*, sample::select};

use super::{model::Model, states::reconcile};
use crate::{
    AgentDomain, Attributes, Channel, ContextField, Document, EventRule, Level, LogLevel, Mode,
    NameOrId, Rotation, Scheme, Trackers, UstDomain, json, read, yaml,
};

fn rule() -> impl Strategy<Value = EventRule> {
    let names = select(vec!["a", "b:*", "*"]);
    let filters = of(select(vec!["x == 1", "x==1", "y > 2"]));
    let levels = of((0..2, any::<bool>()));
    let exclusions = vec(select(vec!["c", "d"]), 0..2);
    (names, filters, levels, exclusions, any::<bool>()).prop_map(
        |(name, filter, level, exclusions, enabled)| EventRule {
            name: name.to_owned(),
            filter: filter.map(str::to_owned),
            loglevel: level.map(|(level, is_range)| match is_range {
                true => LogLevel::Range(Level::Number(level)),
                false => LogLevel::Single(Level::Number(level)),
            }),
            exclusions: match name {
                "*" => exclusions.into_iter().map(str::to_owned).take(1).collect(),
                _ => Vec::new(),
            },
            enabled,
            ..EventRule::default()
        },
    )
}

fn channel(name: &'static str) -> impl Strategy<Value = Channel> {
    let contexts = vec(select(vec![ContextField::Vpid, ContextField::Vtid]), 0..2);
    let count = of(select(vec![2, 4]));
    (vec(rule(), 0..4), contexts, count, any::<bool>()).prop_map(
        move |(rules, contexts, num_subbuf, enabled)| Channel {
            name: name.to_owned(),
            enabled,
            attributes: Attributes { num_subbuf, ..Attributes::default() },
            rules,
            contexts,
        },
    )
}

fn trackers() -> impl Strategy<Value = Trackers> {
    let users = vec(select(vec![NameOrId::Id(7), NameOrId::Name("root".to_owned())]), 0..2);
    (of(vec(1..4, 0..3)), of(users)).prop_map(|(vpid, vuid)| Trackers {
        vpid,
        vuid,
        ..Trackers::default()
    })
}

fn document() -> impl Strategy<Value = Document> {
    let channels = (of(channel("c")), of(channel("d")));
    let scheme = select(vec![Scheme::PerUid, Scheme::PerUid, Scheme::PerPid]);
    let ust = of((channels, trackers(), scheme)).prop_map(|ust| {
        ust.map(|((c, d), trackers, scheme)| UstDomain {
            scheme,
            channels: c.into_iter().chain(d).collect(),
            trackers,
        })
    });
    let jul = of(vec(rule(), 0..3).prop_map(|mut rules| {
        rules.iter_mut().for_each(|rule| rule.exclusions.clear());
        AgentDomain { rules, ..AgentDomain::default() }
    }));
    let mode = select(vec![Mode::Regular, Mode::Regular, Mode::Snapshot]);
    let rotation = of(1..4u64).prop_map(|period_us| Rotation { period_us, size_bytes: None });
    (ust, jul, mode, rotation, any::<bool>()).prop_map(|(ust, jul, mode, rotation, started)| {
        Document { started, ust, jul, rotation, ..Document::empty("s", mode) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn one_document_after_the_other(documents in vec(document(), 1..5)) {
        let mut model = Model::default();
        // Those that say what cannot be are refused before anything is done.
        for document in documents.iter().filter(|document| document.check().is_ok()) {
            reconcile(&mut model, document);
        }
    }

    #[test]
    fn what_is_written_is_read(document in document()) {
        prop_assume!(document.check().is_ok());
        for text in [yaml(&document), json(&document)] {
            let again = read(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
            prop_assert_eq!(&again[..], std::slice::from_ref(&document));
        }
    }

    #[test]
    fn nothing_that_is_read_ends_it(text in "[ \\n:{}\\[\\]&*a-c!|>'\"-]{0,200}") {
        let _ = read(&text);
    }
}
