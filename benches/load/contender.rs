//! What is compared.

use std::path::PathBuf;

use lttngd_world::daemon::stock_consumer;
use lttngd_world::{Stage, Which};

/// A session daemon with a consumer daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// The stock daemons.
    Stock,
    /// Our session daemon with the consumer daemon that it starts by itself.
    Ours,
    /// Our session daemon with the stock consumer daemon.
    OursWithStockConsumer,
    /// Our daemons as another build has them: this program.
    Before(&'static str),
}

impl Contender {
    /// Whose session daemon it is.
    pub fn which(self) -> Which {
        match self {
            Contender::Stock => Which::Stock,
            Contender::Ours | Contender::OursWithStockConsumer => Which::Ours,
            Contender::Before(program) => Which::Build(program),
        }
    }

    /// The head of its column.
    pub fn title(self) -> &'static str {
        match self {
            Contender::Stock => "stock",
            Contender::Ours => "ours",
            Contender::OursWithStockConsumer => "ours, stock consumer",
            Contender::Before(_) => "before",
        }
    }

    /// The consumer daemon that it is told to use.
    pub fn consumer(self) -> Option<PathBuf> {
        (self == Contender::OursWithStockConsumer).then(stock_consumer)
    }

    /// A fresh world with its daemon.
    pub fn stage(self) -> Stage {
        match self.consumer() {
            None => Stage::new(self.which()),
            Some(consumer) => {
                let option = format!("--consumerd64-path={}", consumer.display());
                Stage::with_options(self.which(), &[&option])
            }
        }
    }
}
