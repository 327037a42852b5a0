//! The load of a session daemon, stock and ours in turn in the same run.
//!
//! `cargo bench --bench load [-- OPTION...]` prints a table of medians over the rounds and their ratio;
//! `--help` lists the options. `--soak MINUTES` lets sessions live and die at random instead, and looks
//! what is left; `--hold MINUTES` keeps many applications and sessions. `--before PROGRAM` measures another build of the daemon in the same rounds, and says how much
//! better ours is than it. `--report docs/performance.md` writes the page of that name, `--readme README.md` what of it README
//! shows.
#![allow(clippy::unwrap_used)]

mod bare;
mod callers;
mod clients;
mod contender;
mod crowd;
mod distance;
mod embedded;
mod hold;
mod measure;
mod options;
mod plot;
mod readme;
mod report;
mod scenarios;
mod simulated;
mod soak;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use lttngd_peer::hostile::Attack;
use options::Options;
use scenarios::Run;
use table::Table;

fn main() -> ExitCode {
    if let Some((attack, run_directory)) = Attack::asked() {
        attack.run(&run_directory);
        return ExitCode::SUCCESS;
    }
    let options = Options::parse();
    if let Some(count) = options.embedded_rotations {
        embedded::rotations(count, options.embedded_consumer);
        return ExitCode::SUCCESS;
    }
    if options.callers {
        callers::callers();
        return ExitCode::SUCCESS;
    }
    if let Some(socket) = &options.simulated_applications {
        simulated::simulate(socket);
        return ExitCode::SUCCESS;
    }
    if let Some(socket) = &options.bare {
        bare::answer(socket, options.bare_sessions);
    }
    if let Some((socket, reply)) = options.bare_listing.as_ref().zip(options.bare_reply.as_ref()) {
        bare::answer_lists(socket, reply);
    }
    let soaked = options.soak.map(|minutes| soak::soak(minutes, options.seed));
    if let Some(is_well) = soaked.or_else(|| options.hold.map(hold::hold)) {
        return if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let contenders = options.contenders();
    let mut table = Table::new(&contenders);
    let mut failed = Vec::new();
    for scenario in scenarios::all() {
        if !options.wants(scenario.name) {
            continue;
        }
        table.begin(scenario.title);
        // In turn, so that a change of the machine's pace meets all.
        for round in 1..=scenario.rounds.min(options.rounds) {
            let start = Instant::now();
            for contender in &contenders {
                let run = Run { contender: *contender, options: &options };
                // A daemon that fails in one scenario is measured in the others.
                match catch_unwind(AssertUnwindSafe(|| (scenario.run)(&run))) {
                    Ok(rows) => table.add(*contender, rows),
                    Err(_) => {
                        failed.push(format!("{}, {}", scenario.name, contender.title()));
                    }
                }
            }
            let took_s = start.elapsed().as_secs();
            eprintln!("{}: round {round} done in {took_s} s", scenario.name);
        }
    }
    println!("{table}");
    if let Some(path) = &options.report {
        report::write(path, &table, &options);
        if let Some(readme) = &options.readme {
            readme::write(readme, path, &table, &options);
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("failed rounds: {}", failed.join("; "));
    ExitCode::FAILURE
}
