//! A soak: random lives of sessions for a long time. Looked at each minute, when no session is there, our
//! daemons hold no more than after the first one.

use std::fmt;
use std::time::Duration;

use crate::contender::Contender;
use crate::measure::consumers;
use lttngd_world::lives::{DescriptorKinds, Lives, private_kib};
use lttngd_world::{Relay, Stage, eventually};

/// Clients side by side.
const CLIENTS: u32 = 4;
/// Seconds between two looks.
const PERIOD_S: u32 = 60;
/// For how long nothing is opened or closed by daemons at rest.
const REST: Duration = Duration::from_millis(500);
/// Descriptors of a daemon that may be more in the end: those of what happens to be under way.
const DESCRIPTORS_TOLERANCE: usize = 2;
/// KiB of a daemon's memory that may be more in the end: allocators keep parts of what they once had, in each
/// of some ten threads.
const MEMORY_TOLERANCE_KIB: u64 = 2048;

/// What the daemons hold at rest: ours for sessions, and ours for what is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Held([Process; 2]);

#[derive(Clone, Copy, Debug)]
struct Process {
    descriptors: usize,
    private_kib: u64,
}

impl Held {
    /// What they hold now.
    pub fn now(stage: &Stage) -> Held {
        let of = |pid| Process {
            descriptors: DescriptorKinds::of(pid).count(),
            private_kib: private_kib(pid),
        };
        Held([of(stage.daemon.pid()), of(consumers(stage)[0])])
    }

    /// Waits until the daemons are at rest.
    fn at_rest(stage: &Stage) -> Held {
        eventually("the daemons are at rest", || {
            let before = Held::now(stage);
            std::thread::sleep(REST);
            let held = Held::now(stage);
            let pairs = before.0.iter().zip(&held.0);
            pairs.into_iter().all(|(old, new)| old.descriptors == new.descriptors).then_some(held)
        })
    }

    /// Whether it is no more than at `first`, within the tolerances.
    pub fn is_within(self, first: Held) -> bool {
        self.0.iter().zip(&first.0).all(|(last, first)| {
            last.descriptors <= first.descriptors + DESCRIPTORS_TOLERANCE
                && last.private_kib <= first.private_kib + MEMORY_TOLERANCE_KIB
        })
    }
}

impl fmt::Display for Held {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Process { descriptors, private_kib } in self.0 {
            write!(formatter, " {descriptors} | {private_kib} |")?;
        }
        Ok(())
    }
}

/// Soaks our daemons for so many minutes. Whether they hold in the end what they held after the first one,
/// within the tolerances, and logged no error.
pub fn soak(minutes: u32, seed: u32) -> bool {
    let stage = Contender::Ours.stage();
    let relay = Relay::start(&stage);
    let lives = Lives::new(&stage, &relay);
    println!(
        "| minute | lives | session daemon: descriptors | KiB | consumer daemon: descriptors | KiB |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut held = Vec::new();
    for minute in 1..=minutes {
        let counts = lives.run(CLIENTS, PERIOD_S, seed.wrapping_mul(1000).wrapping_add(minute));
        let now = Held::at_rest(&stage);
        println!("| {minute} | {} |{now}", counts.lives());
        held.push(now);
    }
    let log = stage.daemon.log();
    let errors: Vec<&str> = log.lines().filter(|line| line.contains(" ERROR ")).collect();
    errors.iter().for_each(|line| eprintln!("{line}"));
    let keeps = held.last().zip(held.first()).is_none_or(|(last, first)| last.is_within(*first));
    if !keeps {
        eprintln!(
            "more than after the first minute by over {DESCRIPTORS_TOLERANCE} descriptors or \
             {MEMORY_TOLERANCE_KIB} KiB"
        );
    }
    stage.end();
    keeps && errors.is_empty()
}
