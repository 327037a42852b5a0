//! Which notifiers applications get, and when.

use lttngd_wire::ust::Abi;
use std::time::Duration;

use lttngd_model::LogLevelRule;
use lttngd_peer::{AppAct, AppScript, Gate, eventually};
use lttngd_ringbuffer::possible_cpu_count;
use lttngd_runtime::{Descriptors, Shares};
use lttngd_wire::ust::command::{Command, CounterConfiguration, UstError};

use super::*;
use crate::ListTracepoints;

#[actix::test]
async fn an_application_gets_a_group_only_when_there_are_notifiers() {
    let stage = Stage::new().await;
    let (fake, id) = stage.app(AppScript::default()).await;
    stage.set([]).await.unwrap();
    assert_eq!(fake.commands(), [0x41, REGISTER_DONE]);
    stage.set([rule(1)]).await.unwrap();
    let cpus = possible_cpu_count().unwrap() as usize;
    let mut expected = vec![0x41, REGISTER_DONE, GROUP, COUNTER];
    expected.extend(std::iter::repeat_n(COUNTER_CPU, cpus));
    expected.extend([CREATE, ENABLE]);
    assert_eq!(fake.commands(), expected);
    assert!(fake.notifiers().has_pipe());
    assert_eq!(fake.notifiers().cpus(), cpus);
    stage.goes(fake, id).await;
    stage.end().await;
}

#[actix::test]
async fn a_notifier_is_made_as_its_rule_says_and_enabled_last() {
    let stage = Stage::new().await;
    let (fake, id) = stage.app(AppScript::default()).await;
    stage.set([rich(7)]).await.unwrap();
    let requests = fake.requests();
    let at = requests.iter().position(|request| request.command.number() == CREATE).unwrap();
    let made = notifier(&requests[at].payload);
    assert_eq!((made.name.as_str(), made.token, made.error_counter_index), ("p:*", 7, 107));
    assert_eq!(made.loglevel, LogLevelRule::Range(5));
    let behind = &requests[at + 1..];
    let numbers: Vec<_> = behind.iter().map(|request| request.command.number()).collect();
    assert_eq!(numbers, [FILTER, EXCLUSION, CAPTURE, CAPTURE, ENABLE]);
    assert!(behind.iter().all(|request| request.handle == behind[0].handle));
    let seqnums = behind.iter().filter_map(|request| match &request.command {
        Command::Capture(head) => Some(head.seqnum),
        _ => None,
    });
    assert_eq!(seqnums.collect::<Vec<_>>(), [0, 1]);
    let counter = requests.iter().find(|request| request.command == Command::Counter).unwrap();
    assert_eq!(counter.payload, CounterConfiguration::error_counters(4096).encode(Abi::V9));
    for request in requests {
        if let Command::CounterCpu { len, .. } = request.command {
            assert_eq!(len, 17408);
        }
    }
    stage.goes(fake, id).await;
    stage.end().await;
}

#[actix::test]
async fn an_application_that_comes_later_has_its_notifiers_before_its_main_begins() {
    let stage = Stage::new().await;
    stage.set([rule(1), rule(2)]).await.unwrap();
    let gate = Gate::default();
    let held = gate.clone();
    let script = AppScript::new(move |request| match request.command.number() == CREATE {
        true => AppAct::Late(held.clone()),
        false => AppAct::Answer,
    });
    let (fake, id, begun) = stage.arrived(script).await;
    eventually("it is asked for a notifier", || fake.has_got(CREATE)).await;
    assert!(!fake.has_got(REGISTER_DONE));
    gate.open();
    begun.await.unwrap();
    let commands = fake.commands();
    assert_eq!(commands.last(), Some(&REGISTER_DONE));
    assert_eq!(created(&fake), ["p:e1", "p:e2"]);
    stage.goes(fake, id).await;
    stage.end().await;
}

#[actix::test]
async fn what_changes_is_made_and_ended_and_nothing_else_is_touched() {
    let stage = Stage::new().await;
    let (fake, id) = stage.app(AppScript::default()).await;
    stage.set((1..=3).map(rule)).await.unwrap();
    let objects = fake.objects();
    let before = fake.requests().len();
    stage.set([rule(1), rule(3), rule(4)]).await.unwrap();
    let since = fake.requests().split_off(before);
    let numbers: Vec<_> = since.iter().map(|request| request.command.number()).collect();
    assert_eq!(numbers, [DISABLE, RELEASE, CREATE, ENABLE]);
    assert_eq!(since[0].handle, since[1].handle);
    assert_eq!(fake.objects(), objects);
    stage.set([rule(1), rule(3), rule(4)]).await.unwrap();
    assert_eq!(fake.requests().len(), before + 4);
    stage.set([]).await.unwrap();
    assert_eq!((count(&fake, DISABLE), count(&fake, RELEASE)), (4, 4));
    assert_eq!(fake.objects(), 2, "its group and its counters stay");
    stage.set([rule(9)]).await.unwrap();
    assert_eq!((count(&fake, GROUP), count(&fake, COUNTER)), (1, 1));
    assert_eq!(created(&fake).last().unwrap(), "p:e9");
    stage.goes(fake, id).await;
    stage.end().await;
}

#[actix::test]
async fn applications_that_do_not_know_notifiers_are_not_asked() {
    let stage = Stage::new().await;
    let mut script = AppScript::default();
    (script.registration.major, script.registration.minor) = (8, 1);
    let (fake, id) = stage.app(script).await;
    stage.set([rule(1)]).await.unwrap();
    assert_eq!(fake.commands(), [0x41, REGISTER_DONE]);
    stage.goes(fake, id).await;
    stage.end().await;
}

#[actix::test]
async fn what_an_application_refuses_costs_that_alone() {
    let stage = Stage::new().await;
    let refuses = |script: fn(&str) -> bool| {
        AppScript::new(move |request| {
            let is_meant =
                request.command.number() == CREATE && script(&notifier(&request.payload).name);
            if is_meant { AppAct::Refuse(UstError::Invalid) } else { AppAct::Answer }
        })
    };
    let (picky, picky_id) = stage.app(refuses(|name| name == "p:e1")).await;
    let (without_group, second_id) = stage.app(AppScript::refusing(GROUP, UstError::Invalid)).await;
    let (without_counter, third_id) =
        stage.app(AppScript::refusing(COUNTER, UstError::Invalid)).await;
    let (without_filter, fourth_id) =
        stage.app(AppScript::refusing(FILTER, UstError::Invalid)).await;
    stage.set([rule(1), rich(2)]).await.unwrap();
    stage.set([rule(1), rich(2), rule(3)]).await.unwrap();
    assert_eq!(created(&picky), ["p:e1", "p:*", "p:e3"], "it is not asked again");
    assert_eq!(count(&without_group, GROUP), 1);
    assert_eq!(created(&without_group), [""; 0]);
    assert_eq!(created(&without_counter), ["p:e1", "p:*", "p:e3"]);
    assert_eq!(created(&without_filter), ["p:e1", "p:*", "p:e3"]);
    // A notifier without its filter would tell of events that nobody asked for.
    assert_eq!(count(&without_filter, RELEASE), 1);
    assert_eq!(without_filter.objects(), 4, "a group, its counters and two notifiers");
    stage.set([]).await.unwrap();
    stage.set([rule(1)]).await.unwrap();
    assert_eq!(created(&picky).len(), 4, "it was not wanted meanwhile, and is asked again");
    for (fake, id) in [
        (picky, picky_id),
        (without_group, second_id),
        (without_counter, third_id),
        (without_filter, fourth_id),
    ] {
        stage.goes(fake, id).await;
    }
    stage.end().await;
}

#[actix::test]
async fn an_application_that_does_not_answer_holds_nobody_up_and_catches_up() {
    let deadline = Duration::from_millis(300);
    let stage = Stage::over(World::new(Some(deadline)).await);
    let gate = Gate::default();
    let held = gate.clone();
    let script = AppScript::new(move |request| match request.command.number() == GROUP {
        true => AppAct::Late(held.clone()),
        false => AppAct::Answer,
    });
    let (silent, silent_id) = stage.app(script).await;
    let (other, other_id) = stage.app(AppScript::default()).await;
    stage.set([rule(1)]).await.unwrap();
    assert_eq!(created(&other), ["p:e1"]);
    for token in 2..50 {
        stage.set([rule(token)]).await.unwrap();
    }
    assert!(!silent.has_got(CREATE));
    gate.open();
    eventually("it has the newest and no other", || created(&silent) == ["p:e49"]).await;
    assert_eq!(created(&other).last().unwrap(), "p:e49");
    stage.goes(silent, silent_id).await;
    stage.goes(other, other_id).await;
    stage.end().await;
}

#[actix::test]
async fn notifiers_go_beside_what_else_an_application_is_asked() {
    let stage = Stage::new().await;
    let gate = Gate::default();
    let held = gate.clone();
    let script = AppScript::new(move |request| match request.command.number() == CREATE {
        true => AppAct::Late(held.clone()),
        false => AppAct::Answer,
    });
    let (fake, app, info) = stage.world.app(script).await;
    let id = info.id;
    stage.apps.send(AppRegistered { info, app: app.clone() }).await.unwrap();
    let set = stage.set([rule(1)]);
    eventually("it is asked for a notifier", || fake.has_got(CREATE)).await;
    let want = stage.world.want(true, &[crate::plan::tests::channel(0, 0, 1)]).await;
    let recorded = tokio::task::spawn_local(app.send(want));
    gate.open();
    set.await.unwrap();
    recorded.await.unwrap().unwrap().unwrap();
    assert!(app.send(ListTracepoints).await.unwrap().unwrap().is_empty());
    super::super::world::forget(&app).await.unwrap();
    assert_eq!(fake.objects(), 3, "the group, its counters and the notifier");
    drop(app);
    stage.goes(fake, id).await;
    stage.end().await;
}

#[actix::test]
async fn without_room_for_its_pipe_an_application_is_traced_all_the_same() {
    let full = Descriptors::new(Shares::new(0, 0));
    let stage = Stage::with(World::new(None).await, settings(full));
    stage.set([rule(1)]).await.unwrap();
    let (fake, id) = stage.app(AppScript::default()).await;
    assert_eq!(fake.commands(), [0x41, REGISTER_DONE]);
    stage.goes(fake, id).await;
    stage.end().await;
}
