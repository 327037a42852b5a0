//! A failure of ours while an agent is served: it ends that agent's actor, and nothing else.

use actix::System;
use lttngd_model::Domain;
use lttngd_peer::{AgentScript, alone, at_rest, eventually, open_descriptors};
use lttngd_runtime::fail_point::fail_here;

use super::world::{SESSION, World, synchronise, wish};
use crate::{AgentError, ListLoggers, RegistrationDone, Synchronise};

/// The listing of its loggers; 2 is the enabling of one.
const LIST: &str = "Agent command 1";

#[test]
fn a_failure_in_the_middle_of_a_command_ends_that_agent_and_no_other() {
    alone(
        concat!(
            module_path!(),
            "::a_failure_in_the_middle_of_a_command_ends_that_agent_and_no_other"
        ),
        || {
            System::new().block_on(async {
                let world = World::new(None);
                let (bystander, other) = world.answering().await;
                synchronise(&other, SESSION, wish(&["a"], &["x"])).await.unwrap();
                other.send(RegistrationDone).await.unwrap().unwrap();
                let before = at_rest(open_descriptors).await;
                for point in ["Agent command 2", LIST, "Agent wish"] {
                    let told = world.told.unregistered().len();
                    let script = AgentScript::answering(Domain::Jul);
                    let (fake, agent, info) = world.agent(script).await;
                    fail_here(point);
                    let want = wish(&["a", "b"], &[]);
                    let (wish, done, list) = tokio::join!(
                        agent.send(Synchronise { session: SESSION, want }),
                        agent.send(RegistrationDone),
                        agent.send(ListLoggers),
                    );
                    let outcomes = [wish, done, list.map(|outcome| outcome.map(drop))];
                    let gone = outcomes
                        .map(|outcome| matches!(outcome, Err(_) | Ok(Err(AgentError::Gone))));
                    let is_list = point == LIST;
                    assert_eq!(gone, [!is_list, !is_list, true], "at {point}");
                    eventually("its end is told", || world.told.unregistered().len() > told).await;
                    assert_eq!(world.told.unregistered()[told..], [info.id], "at {point}");
                    eventually("its connection is closed", || fake.has_ended()).await;
                    assert!(agent.send(RegistrationDone).await.is_err(), "its mailbox is closed");
                }
                eventually("every descriptor is closed", || open_descriptors() <= before).await;
                synchronise(&other, SESSION, wish(&["a", "b"], &["x"])).await.unwrap();
                assert_eq!(bystander.enabled(), ["a", "b", "p:x"]);
                assert!(other.send(ListLoggers).await.unwrap().unwrap().is_empty());
                drop(bystander);
                world.end();
            });
        },
    );
}
