//! Lives from many seeds.

use std::time::{Duration, Instant};

use crate::{Ending, Faults, Life, smallest};

/// A life to live again, as it was printed, or the seed of one.
const AGAIN: &str = "LTTNGD_SIMULATION";
/// The first of the seeds.
const FIRST: &str = "LTTNGD_SIMULATION_FIRST";
/// For how many seconds lives are lived.
const SECONDS: &str = "LTTNGD_SIMULATION_S";
/// The same where nothing is said.
const SECONDS_DEFAULT: u64 = 20;

/// # Panics
/// When something went wrong, with all that happened in the smallest life in which it does.
fn check(life: Life, ending: Ending) {
    if ending.wrong.is_empty() {
        return;
    }
    let first = ending.wrong.join("\n  ");
    println!("in life {life}:\n  {first}");
    let (smallest, ending) = smallest(life, ending);
    for line in &ending.lines {
        println!("{line}");
    }
    let wrong = ending.wrong.join("\n  ");
    panic!(
        "in life {life}:\n  {first}\nin the smallest that was found, {AGAIN}={smallest}:\n  {wrong}"
    );
}

#[test]
fn lives_with_faults_go_well() {
    if let Ok(again) = std::env::var(AGAIN) {
        let life = Life::parse(&again).expect("a life, as it was printed");
        let ending = life.live();
        for line in &ending.lines {
            println!("{line}");
        }
        assert_eq!(ending.wrong, [""; 0]);
        return;
    }
    let first = std::env::var(FIRST).map_or(0, |text| text.parse().unwrap());
    let seconds = std::env::var(SECONDS).map_or(SECONDS_DEFAULT, |text| text.parse().unwrap());
    let (begun, budget) = (Instant::now(), Duration::from_secs(seconds));
    let mut lived = 0;
    while lived == 0 || begun.elapsed() < budget {
        let life = Life::of(first + lived);
        check(life, life.live());
        lived += 1;
    }
    println!("{lived} lives");
}

#[test]
fn lives_without_faults_go_well() {
    for seed in 0..4 {
        let life = Life { faults: Faults::NONE, ..Life::of(seed) };
        check(life, life.live());
    }
}

#[test]
fn the_same_seed_is_the_same_life() {
    let life = Life::of(7);
    let (once, twice) = (life.live(), life.live());
    let differs = once.lines.iter().zip(&twice.lines).position(|(one, other)| one != other);
    if let Some(line) = differs {
        panic!("line {line}: {} and {}", once.lines[line], twice.lines[line]);
    }
    assert_eq!(once.lines.len(), twice.lines.len());
}
