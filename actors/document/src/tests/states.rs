//! From every state to every document.

use super::model::Model;
use crate::{Command, Document, Obstacle, Plan, plan, read, replacing};

/// Documents of one session that differ in one thing or in much.
pub(super) const DOCUMENTS: [&str; 16] = [
    "started: false",
    "ust: {channels: [{name: c, rules: [{name: 'a:*'}]}]}",
    "started: false\nust: {channels: [{name: c, rules: [{name: 'a:*'}]}]}",
    "ust: {channels: [{name: c, rules: [{name: 'b:*'}, {name: 'a:*', filter: 'x == 1'}]}]}",
    "ust: {channels: [{name: c, rules: [{name: 'a:*', enabled: false}, {name: 'b:*'}]}]}",
    "ust: {channels: [{name: c, contexts: [vpid, {app: {provider: p, name: n}}], rules: [{}]}]}",
    "ust: {channels: [{name: c, attributes: {num_subbuf: 8, mode: overwrite}, rules: [{}]}]}",
    "ust: {channels: [{name: c, enabled: false, rules: [{}]}, {name: d, rules: [{name: z}]}]}",
    "ust: {scheme: per_pid, channels: [{name: c, rules: [{name: 'a:*'}]}]}",
    "ust: {trackers: {vpid: [1, 2], vuid: [root, 7], vgid: []}, channels: [{name: c, rules: [{}]}]}",
    "ust: {trackers: {vpid: [2, 3], vuid: [], vgid: [7]}, channels: [{name: c, rules: [{}]}]}",
    "mode: snapshot\nsnapshot_outputs: [{name: o, output: {path: /o}}]\nust: {channels: [{name: c}]}",
    "mode: snapshot\nsnapshot_outputs: [{name: o, max_size_bytes: 9, output: {url: 'net://1.2.3.4'}}, {name: p, output: {path: /p}}]\nust: {channels: [{name: c}]}",
    "rotation: {period_us: 1000000, size_bytes: 7}\noutput: {path: /x}\nust: {channels: [{name: c, rules: [{name: 'a:*', exclusions: [b, a]}]}]}",
    "rotation: {period_us: 2000000}\nshared_memory_path: /shm\njul: {rules: [{name: org.app, loglevel: {range: WARNING}}]}\npython: {rules: [{}]}",
    "kernel: {trackers: {pid: [1]}, channels: [{name: k, rules: [{name: sched_switch}, {kind: syscall, name: open}, {kind: probe, name: p, probe: {symbol: f}}]}]}\nust: {channels: [{name: c, rules: [{name: 'a:*', loglevel: {single: 4}}]}]}",
];

pub(super) fn document(text: &str) -> Document {
    let text = format!("version: 1\nsession: s\n{text}\n");
    read(&text).unwrap_or_else(|error| panic!("{error}:\n{text}")).remove(0)
}

fn run(model: &mut Model, document: &Document, plan: &Plan) {
    for command in &plan.commands {
        let done = model.run(document, command);
        done.unwrap_or_else(|error| panic!("{command}: {error}\nof {plan:#?}\nin {model:#?}"));
    }
}

/// Brings it to the document, anew where it cannot be changed, and looks that nothing is left to be done.
pub(super) fn reconcile(model: &mut Model, wanted: &Document) -> Plan {
    let first = plan(wanted, model.session.as_ref());
    if first.obstacles.is_empty() {
        run(model, wanted, &first);
    } else {
        // What can be done is done without a refusal, too.
        run(&mut model.clone(), wanted, &first);
        run(model, wanted, &replacing(wanted));
    }
    let left = plan(wanted, model.session.as_ref());
    assert_eq!(left, Plan::default(), "applied twice, nothing happens: {wanted:#?}\n{model:#?}");
    // What is there says itself, and saying it changes nothing.
    let told = &model.session.as_ref().unwrap().document;
    assert_eq!(plan(told, model.session.as_ref()), Plan::default(), "{told:#?}");
    first
}

#[test]
fn from_every_state_to_every_document() {
    let documents = DOCUMENTS.map(document);
    for from in &documents {
        for to in &documents {
            for then_stopped in [false, true] {
                let mut model = Model::default();
                reconcile(&mut model, from);
                if then_stopped && from.started {
                    model.run(from, &Command::Stop).unwrap();
                }
                reconcile(&mut model, to);
            }
        }
    }
}

#[test]
fn the_fewest_commands_and_what_is_the_same_is_left_alone() {
    let mut model = Model::default();
    reconcile(&mut model, &document(DOCUMENTS[1]));
    let plan = reconcile(
        &mut model,
        &document("ust: {channels: [{name: c, rules: [{name: 'a:**'}, {name: b}]}]}"),
    );
    let [Command::EnableEvent { rule, .. }] = &plan.commands[..] else { panic!("{plan:?}") };
    assert_eq!(rule.name, "b");
    let plan = reconcile(&mut model, &document(DOCUMENTS[1]));
    let [Command::DisableEvent { name, .. }] = &plan.commands[..] else { panic!("{plan:?}") };
    assert_eq!(name, "b");
}

#[test]
fn what_cannot_be_changed_in_place_is_named() {
    let obstacles = |from: &str, to: &str| {
        let mut model = Model::default();
        reconcile(&mut model, &document(from));
        plan(&document(to), model.session.as_ref()).obstacles
    };
    let plain = DOCUMENTS[1];
    let is = |found: Vec<Obstacle>, expected: fn(&Obstacle) -> bool| {
        assert!(!found.is_empty() && found.iter().all(expected), "{found:?}");
    };
    is(obstacles(plain, DOCUMENTS[11]), |it| *it == Obstacle::Mode);
    is(obstacles(plain, DOCUMENTS[8]), |it| *it == Obstacle::Scheme);
    is(obstacles(plain, DOCUMENTS[13]), |it| *it == Obstacle::Output);
    is(obstacles(plain, DOCUMENTS[6]), |it| matches!(it, Obstacle::Attributes { .. }));
    is(obstacles(plain, DOCUMENTS[5]), |it| matches!(it, Obstacle::MissingContext { .. }));
    is(obstacles(DOCUMENTS[5], plain), |it| matches!(it, Obstacle::Context { .. }));
    is(obstacles(plain, DOCUMENTS[7]), |it| matches!(it, Obstacle::MissingChannel { .. }));
    let two = "ust: {channels: [{name: c, rules: [{name: a, filter: 'x == 1'}, {name: a}]}]}";
    let one = "ust: {channels: [{name: c, rules: [{name: a}]}]}";
    is(obstacles(two, one), |it| matches!(it, Obstacle::SharedName { .. }));
    let stopped = obstacles(two, &format!("started: false\n{one}"));
    assert_eq!(stopped, [], "one that is stopped anyway is not disturbed");
    let there =
        "kernel: {channels: [{name: k, rules: [{kind: probe, name: p, probe: {symbol: f}}]}]}";
    is(obstacles(there, &there.replace("symbol: f", "symbol: g")), |it| {
        matches!(it, Obstacle::Place { .. })
    });
    assert_eq!(obstacles(DOCUMENTS[0], DOCUMENTS[7]), [], "one that was never started takes all");
}
