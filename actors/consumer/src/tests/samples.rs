//! The monitor pipe.

use std::sync::{Arc, Mutex};

use actix::{Actor, Context, Handler};
use lttngd_model::{ChannelKey, Tracer};
use lttngd_peer::{ConsumerAct, ConsumerScript, eventually};
use lttngd_runtime::Outlet;
use lttngd_wire::consumer::{ChannelClass, MonitorSample};

use super::world::{KEY, World, ask};
use crate::{ChannelSampled, CreateChannel, EndSampling};

/// Is told of the channel [`KEY`]: of its samples, how often that there are none any more, and of packets.
#[derive(Clone, Default)]
pub(super) struct Listener(
    Arc<Mutex<Vec<(u64, u64)>>>,
    Arc<Mutex<u32>>,
    Arc<Mutex<Vec<Option<u64>>>>,
);

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

    /// How many packets were written since the sample before, of each.
    fn packets(&self) -> Vec<Option<u64>> {
        self.2.lock().unwrap().clone()
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
        self.2.lock().unwrap().push(sampled.newly_consumed_packets);
        self.0.lock().unwrap().push(told);
    }
}

pub(super) fn sample(key: ChannelKey, total_consumed: u64) -> Vec<u8> {
    MonitorSample { key, lowest: 1, highest: 2, total_consumed, total_packets: None }.encode()
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
    assert_eq!(listener.packets(), [None; 3], "the stock one does not tell");

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
async fn packets_are_told_where_samples_have_them() {
    let world = World::running(ConsumerScript::at(20, ConsumerAct::TellPackets)).await;
    let listener = Listener::default();
    listener.listen(&world).await;
    let sample = |total_consumed, packets| MonitorSample {
        total_packets: Some(packets),
        ..MonitorSample::decode(&sample(KEY, total_consumed)).unwrap()
    };
    let samples = [sample(10, 1), sample(40, 4), sample(5, 2)].map(|sample| sample.encode());
    // The last one comes in two parts.
    let (first, rest) = samples[2].split_at(34);
    world.fake.write_monitor_pipe(&[&samples[0], &samples[1], first].concat());
    eventually("two samples are told", || listener.told().len() == 2).await;
    world.fake.write_monitor_pipe(rest);
    eventually("the third is told", || listener.told().len() == 3).await;
    assert_eq!(listener.told(), [(10, 10), (40, 30), (5, 0)]);
    assert_eq!(listener.packets(), [Some(1), Some(3), Some(0)]);
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
