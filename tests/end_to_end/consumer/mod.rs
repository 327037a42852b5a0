//! Our consumer daemon when something around it fails: applications, file systems, relay daemons, the
//! session daemon, itself. It neither dies nor hangs, packets that were whole are read, and another
//! session records meanwhile and loses nothing.

mod beside_stock;
mod bystander;
mod damaged;
mod deaths;
mod descriptors;
mod end;
mod failed;
mod full;
mod held;
mod hostile;
mod lost;
mod output;
mod quota;
mod relays;
mod rooms;
mod starts;
mod still;

use bystander::Bystander;

use super::world::{Arena, Consumer, Stage, Which};

/// A fresh world with our daemons.
fn own() -> Stage {
    Stage::with_consumer(Which::Ours, Consumer::Own, &[])
}

/// The numbers of events `sample:number` in the order of the trace below `directory`.
fn numbers(arena: &Arena, directory: &std::path::Path) -> Vec<u32> {
    let events = arena.events(directory);
    assert!(events.iter().all(|event| event.name == "sample:number"));
    events.iter().map(number).collect()
}

fn number(event: &super::world::Event) -> u32 {
    let (_, rest) = event.fields.split_once("number = ").unwrap();
    rest.split([',', ' ']).next().unwrap().parse().unwrap()
}
