//! What is left when everybody does right again: at first what sessions want, then nothing.

use std::{rc::Rc, time::Duration};

use lttngd_consumer::Stop;
use lttngd_registry::Shutdown;
use lttngd_session::RotationSchedule;
use tokio::time::{Instant, sleep};

use crate::{
    model::{Kind, Model},
    world::World,
};

/// After this time whoever stood still goes on, and whoever is not waited for has caught up.
const CATCH_UP: Duration = Duration::from_secs(400);
/// How long nothing more may be under way after the end of sessions.
const SETTLE: Duration = Duration::from_secs(60);
/// How long the end of a daemon takes at most.
const END_MAX: Duration = Duration::from_secs(10);
const WHO: &str = "rest";

pub(crate) async fn look(world: &Rc<World>) {
    world.calm.set(true);
    let models = world.models.take();
    for model in models.iter().filter(|model| model.listed.period_us.is_some()) {
        let period_us = model.listed.period_us.unwrap_or_default();
        let schedule = RotationSchedule::Periodic { period_us };
        let removed = world.handle.remove_rotation_schedule(&model.name, schedule).await;
        world.story.tell(WHO, format_args!("{} rotates no more: {removed:?}", model.name));
    }
    sleep(CATCH_UP).await;
    if !world.story.is_wrong() {
        wishes_are_fulfilled(world, &models);
        trace_chunks_are_current(world, &models);
    }
    for model in models {
        let begun = Instant::now();
        let ended = world.handle.destroy_session(&model.name).await.map(drop);
        world.story.tell(
            WHO,
            format_args!("destroy {}: {ended:?} after {:?}", model.name, begun.elapsed()),
        );
        world.ended.borrow_mut().insert(model.id, Instant::now());
    }
    sleep(SETTLE).await;
    nothing_is_left(world);
    let begun = Instant::now();
    let _ = world.registry.send(Shutdown { keep: false }).await;
    let _ = world.daemons.send(Stop).await;
    if begun.elapsed() > END_MAX {
        world.story.wrong(WHO, format_args!("the daemon ends after {:?}", begun.elapsed()));
    }
    world.listener.abort();
    world.apps.borrow().iter().for_each(|app| app.exit());
}

/// Applications that are well record what sessions want, and nothing else.
fn wishes_are_fulfilled(world: &World, models: &[Model]) {
    let harmed = |model: &&Model| world.consumer.has_harmed(model.id);
    if models.iter().any(|model| harmed(&model)) {
        world.story.tell(WHO, "what applications record depends on what was refused");
        return;
    }
    let active = models.iter().filter(|model| model.listed.active);
    let mut wanted: Vec<_> = active.map(Model::recorded).collect();
    wanted.sort();
    for app in world.apps.borrow().iter().filter(|app| app.is_well()) {
        let mut recorded = app.recorded();
        recorded.sort();
        if recorded != wanted {
            world.story.wrong(
                WHO,
                format_args!("{} records {recorded:?}, and is to record {wanted:?}", app.name),
            );
        }
    }
}

/// A session has no more than one trace chunk that is not closed.
fn trace_chunks_are_current(world: &World, models: &[Model]) {
    let holding = world.consumer.holding();
    for model in models.iter().filter(|model| model.kind != Kind::Snapshot) {
        let open = holding.chunks_of(model.id);
        if open > 1 && !world.consumer.has_harmed(model.id) {
            world.story.wrong(WHO, format_args!("{} has {open} current trace chunks", model.name));
        }
    }
}

fn nothing_is_left(world: &World) {
    let holding = world.consumer.holding();
    holding.let_go();
    for session in world.ended.borrow().keys() {
        for what in holding.has_of(*session) {
            world.story.wrong(WHO, format_args!("the consumer has of session {session}: {what}"));
        }
    }
    for app in world.apps.borrow().iter().filter(|app| app.is_well()) {
        if app.objects() > 0 {
            world.story.wrong(WHO, format_args!("{} has {} objects", app.name, app.objects()));
        }
    }
    if world.relays.open() > 0 {
        let open = world.relays.open();
        world.story.wrong(WHO, format_args!("{open} connections to relay daemons are open"));
    }
}
