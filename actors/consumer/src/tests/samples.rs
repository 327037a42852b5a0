//! The monitor pipe.

use std::sync::{Arc, Mutex};

use actix::{Actor, Context, Handler};
use lttngd_model::{ChannelKey, Tracer};
use lttngd_peer::{ConsumerScript, eventually};
use lttngd_runtime::Outlet;
use lttngd_wire::consumer::{ChannelClass, MonitorSample};

use super::world::{KEY, World, ask};
use crate::{ChannelSampled, CreateChannel, EndSampling};

/// Is told of the channel [`KEY`]: of its samples, and how often that there are none any more.
#[derive(Clone, Default)]
pub(super) struct Listener(Arc<Mutex<Vec<(u64, u64)>>>, Arc<Mutex<u32>>);

impl Listener {
    /// Has the channel made, and is told of it.
    pub(super) async fn listen(&self, world: &World) {
        let sampled = Outlet::to(self.clone().start().recipient());
        let create =
            CreateChannel { ask: ask(ChannelClass::Data { overwrite: false }, KEY), sampled };
        world.consumer.send(create).await.unwrap().unwrap();
    }

    /// What was consumed in all, and since the sample before, of each.
    pub(super) fn told(&self) -> Vec<(u64, u64)> {
        self.0.lock().unwrap().clone()
    }

    fn ends(&self) -> u32 {
        *self.1.lock().unwrap()
    }
}

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<ChannelSampled> for Listener {
    type Result = ();

    fn handle(&mut self, sampled: ChannelSampled, _: &mut Self::Context) {
        assert_eq!((sampled.channel.key, sampled.channel.tracer), (KEY, Tracer::Ust));
        let Some(sample) = sampled.sample else {
            *self.1.lock().unwrap() += 1;
            return;
        };
        assert_eq!(sample.key, KEY);
        let told = (sample.total_consumed, sampled.newly_consumed_bytes);
        self.0.lock().unwrap().push(told);
    }
}

pub(super) fn sample(key: ChannelKey, total_consumed: u64) -> Vec<u8> {
    MonitorSample { key, lowest: 1, highest: 2, total_consumed }.encode()
}

#[actix::test]
async fn samples_are_told_to_whoever_made_the_channel() {
    let world = World::running(ConsumerScript::default()).await;
    let listener = Listener::default();
    listener.listen(&world).await;
    let other = ChannelKey(KEY.0 + 1);
    // The total falls when a stream ends.
    let samples = [sample(KEY, 10), sample(other, 99), sample(KEY, 15), sample(KEY, 4)];
    world.fake.write_monitor_pipe(&samples.concat());
    eventually("three samples are told", || listener.told().len() == 3).await;
    assert_eq!(listener.told(), [(10, 10), (15, 5), (4, 0)]);

    world.consumer.send(EndSampling { keys: vec![KEY] }).await.unwrap();
    eventually("the end is told", || listener.ends() == 1).await;
    world.fake.write_monitor_pipe(&sample(KEY, 20));
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    listener.listen(&world).await;
    world.fake.write_monitor_pipe(&sample(KEY, 30));
    eventually("the new channel's sample is told", || listener.told().len() == 4).await;
    assert_eq!(listener.told()[3], (30, 30));
    world.end().await;
}

#[actix::test]
async fn the_end_of_the_pipe_is_not_the_consumers() {
    let world = World::running(ConsumerScript::default()).await;
    let listener = Listener::default();
    listener.listen(&world).await;
    world.fake.close_monitor_pipe();
    eventually("who is told of a channel knows", || listener.ends() == 1).await;
    world.flush().await.unwrap();
    assert_eq!(world.exits(), 0);
    world.end().await;
}
