//! The kernel's tracer goes in the middle of the life of a session that records user space as well.

use lttngd_model::{Domain, ErrorCode, EventDescription};
use lttngd_peer::{AppScript, eventually};
use rustix::io::Errno;

use super::{domains::Two, world::CHANNEL};
use crate::{
    Clear, Destroy, EnableEvent, ListChannels, ListEvents, RegenerateStatedump, Start, Stop,
};

const FLUSH_CHANNEL: u32 = 13;
const CLOSE_TRACE_CHUNK: u32 = 24;
/// Of applications.
const EVENT: u32 = 0x61;
const DISABLE: u32 = 0x81;

fn enable(domain: Domain, channel: &str, event: &str) -> EnableEvent {
    let event = EventDescription::tracepoint(event);
    EnableEvent { domain, buffer_type: 2, channel: channel.to_owned(), event }
}

#[actix::test]
async fn user_space_goes_on_when_the_kernels_tracer_is_lost() {
    for stopped_before in [true, false] {
        let two = Two::new().await;
        let world = &two.world;
        two.adopt().await;
        world.ask(enable(Domain::Kernel, "k", "sched_switch")).await.unwrap();
        let app = world.app(AppScript::default()).await;
        world.ask(Start).await.unwrap();
        two.kernel.lose_tracer(Errno::NODEV);
        // The kernel says what does not work, each command with its own code.
        let more = enable(Domain::Kernel, "k", "irq_handler_entry");
        assert_eq!(world.ask(more).await, Err(ErrorCode::KernEnableFail));
        assert_eq!(world.ask(RegenerateStatedump).await, Err(ErrorCode::RegenStatedumpFail));
        // User space records, and does what it is told.
        let rules = |app: &lttngd_peer::FakeApp| {
            app.commands().into_iter().filter(|command| *command == EVENT).count()
        };
        let before = rules(&app);
        world.enable_event("p:other").await.unwrap();
        eventually("the application has the other rule", || rules(&app) > before).await;
        // What there is of both is listed.
        for (domain, channel) in [(Domain::Kernel, "k"), (Domain::Ust, CHANNEL)] {
            let listed = world.ask(ListChannels { domain }).await.unwrap();
            assert_eq!(listed[0].name, channel);
            let list = ListEvents { domain, channel: channel.to_owned() };
            assert!(!world.ask(list).await.unwrap().is_empty(), "{domain:?}");
        }
        assert!(world.shown_active());
        if stopped_before {
            assert_eq!(world.ask(Stop).await, Err(ErrorCode::KernStopFail));
            assert!(!world.shown_active());
            eventually("the application stops", || app.has_got(DISABLE)).await;
            assert!(world.fake.count(FLUSH_CHANNEL) > 0);
            // The session is of both, and does not start with one of them alone.
            assert_eq!(world.ask(Start).await, Err(ErrorCode::KernStartFail));
            assert!(!world.shown_active());
            world.ask(Clear).await.unwrap();
            world.ask(Destroy).await.unwrap();
        } else {
            // Not all is in the trace, and the session is gone.
            let destroyed = world.ask(Destroy).await.map(|_| ());
            assert_eq!(destroyed, Err(ErrorCode::KernStopFail));
            assert!(world.fake.count(FLUSH_CHANNEL) > 0);
        }
        for fake in [&world.fake, &two.fake] {
            assert_eq!(fake.count(CLOSE_TRACE_CHUNK), 1);
        }
        drop(app);
        two.end().await;
    }
}
