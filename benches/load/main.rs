//! The load of a session daemon, stock and ours in turn in the same run.
//!
//! `cargo bench --bench load [-- OPTION...]` prints a table of medians over the rounds and their ratio.
//! Options: `--rounds N` (3), `--seconds N` of the timed scenarios (4), `--lives N` of the memory
//! scenario (2000), `--applications N` (300), `--only WORD` for the scenarios whose name has WORD.
#![allow(clippy::unwrap_used)]

mod clients;
mod scenarios;
mod table;
#[path = "../../tests/end_to_end/world/mod.rs"]
mod world;

use table::Table;
use world::Which;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often each scenario is run against each daemon.
    pub rounds: u32,
    /// How long the scenarios run that count answers in a time.
    pub seconds: u32,
    /// How many sessions live and die in the memory scenario.
    pub lives: u32,
    /// How many applications start together.
    pub applications: u32,
    /// A part of the names of the scenarios to run.
    pub only: String,
}

impl Options {
    fn from_arguments() -> Options {
        let mut options =
            Options { rounds: 3, seconds: 4, lives: 2000, applications: 300, only: String::new() };
        // Cargo adds --bench.
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(name) = arguments.next() {
            let value = arguments.next().unwrap_or_default();
            let number = || value.parse().unwrap_or_else(|_| panic!("{name} needs a number"));
            match name.as_str() {
                "--rounds" => options.rounds = number(),
                "--seconds" => options.seconds = number(),
                "--lives" => options.lives = number(),
                "--applications" => options.applications = number(),
                "--only" => options.only = value,
                _ => panic!("unknown option {name}: see the head of benches/load/main.rs"),
            }
        }
        options
    }
}

fn main() {
    let options = Options::from_arguments();
    let mut table = Table::new();
    for scenario in scenarios::all() {
        if !scenario.name.contains(&options.only) {
            continue;
        }
        // In turn, so that a change of the machine's pace meets both.
        for _ in 0..scenario.rounds.min(options.rounds) {
            for which in [Which::Stock, Which::Ours] {
                table.add(which, (scenario.run)(which, &options));
            }
        }
        eprintln!("{}: done", scenario.name);
    }
    println!(
        "\nstock: {}, ours: {}, {} processors, median of up to {} rounds\n",
        Which::Stock.program().display(),
        Which::Ours.program().display(),
        std::thread::available_parallelism().map_or(0, usize::from),
        options.rounds
    );
    print!("{table}");
}
