//! What the command line asks for.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::contender::Contender;

/// The load of a session daemon, stock and ours in turn in the same run.
#[derive(Clone, Debug, Parser)]
#[command(name = "load", version)]
pub struct Options {
    /// How often each scenario is run against each daemon
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,
    /// How long the scenarios run that count in a time
    #[arg(long, default_value_t = 4)]
    pub seconds: u32,
    /// How many sessions live and die in the memory scenario
    #[arg(long, default_value_t = 2000)]
    pub lives: u32,
    /// How many applications start together with buffers per user; a third of them per process
    #[arg(long, default_value_t = 300)]
    pub applications: u32,
    /// How many events all producers together emit in the scenario of many producers
    #[arg(long, default_value_t = 8_000_000)]
    pub events: u32,
    /// How many streams are idle; fewer when the limit of descriptors does not allow so many
    #[arg(long, default_value_t = 10_000)]
    pub streams: u32,
    /// The scenarios whose name has this word
    #[arg(long, default_value = "")]
    pub only: String,
    /// Leave out the scenarios whose name has this word; may be given more than once
    #[arg(long, value_name = "WORD")]
    pub leave_out: Vec<String>,
    /// The consumer daemon of our session daemon
    #[arg(long, value_enum, default_value_t = Consumers::Own)]
    pub consumer: Consumers,
    /// Leave the stock daemons out
    #[arg(long)]
    pub without_stock: bool,
    /// Measure another build of our daemons as well, from before a change: this `lttngd`
    #[arg(long, value_name = "PROGRAM")]
    pub before: Option<String>,
    /// Write the table and its plots to this Markdown file and the directory of its name
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the rows of that page that README shows into this file, between its marks
    #[arg(long, value_name = "FILE", requires = "report")]
    pub readme: Option<PathBuf>,
    /// Instead of all scenarios, let sessions of our daemon live at random for so many minutes, and fail
    /// when something is left of them
    #[arg(long, value_name = "MINUTES")]
    pub soak: Option<u32>,
    /// Instead of all scenarios, hold 8,000 applications and 1,000 sessions of our daemon for so many minutes, and fail
    /// when something is lost
    #[arg(long, value_name = "MINUTES")]
    pub hold: Option<u32>,
    /// What the random choices of the soak begin with
    #[arg(long, default_value_t = 1)]
    pub seed: u32,
    /// Instead of all scenarios, be the program of the scenario of this name: 1 to 64 threads with our daemon
    #[arg(long)]
    pub callers: bool,
    /// Inside a private world: rotate a session of a daemon in this process so often, and print how
    /// long each took
    #[arg(long, hide = true, value_name = "COUNT")]
    pub embedded_rotations: Option<u32>,
    /// The consumer daemon of the daemon in this process
    #[arg(long, hide = true, value_name = "PROGRAM")]
    pub embedded_consumer: Option<PathBuf>,
    /// Inside a private world: be simulated applications of the daemon with this socket
    #[arg(long, hide = true, value_name = "SOCKET")]
    pub simulated_applications: Option<PathBuf>,
    /// Inside a private world: answer the applications of this socket as a daemon does, and do nothing else
    #[arg(long, hide = true, value_name = "SOCKET")]
    pub bare: Option<PathBuf>,
    /// By how many sessions these applications are recorded
    #[arg(long, hide = true, default_value_t = 0)]
    pub bare_sessions: u32,
    /// Be the program that answers clients at this socket with what is in a file, and do nothing else
    #[arg(long, hide = true)]
    pub bare_listing: Option<PathBuf>,
    /// That file
    #[arg(long, hide = true)]
    pub bare_reply: Option<PathBuf>,
    /// Cargo adds this
    #[arg(long, hide = true)]
    bench: bool,
}

/// With which consumer daemon our session daemon is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Consumers {
    /// The one that it starts unless told otherwise
    Own,
    /// The stock one
    Stock,
    /// First the one, then the other
    Both,
}

impl Options {
    /// Whether the scenario of this name is run.
    pub fn wants(&self, name: &str) -> bool {
        name.contains(&self.only) && !self.leave_out.iter().any(|word| name.contains(word))
    }

    /// What is measured, in the order of a round.
    pub fn contenders(&self) -> Vec<Contender> {
        let mut contenders = Vec::new();
        if !self.without_stock {
            contenders.push(Contender::Stock);
        }
        if self.consumer != Consumers::Stock {
            contenders.push(Contender::Ours);
        }
        if self.consumer != Consumers::Own {
            contenders.push(Contender::OursWithStockConsumer);
        }
        // It lives as long as the run.
        let before = self.before.clone().map(|program| &*program.leak());
        contenders.extend(before.map(Contender::Before));
        contenders
    }
}
