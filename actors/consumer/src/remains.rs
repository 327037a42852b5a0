//! What becomes of a consumer daemon whose actor failed: a handler of it panicked, and its process is killed with it.

use std::{fmt, sync::Arc};

use lttngd_runtime::Outlet;

use crate::{Consumer, ConsumerConfig, ConsumerExited};

/// What is left of a consumer daemon whose actor failed: how the next one is started. Nobody else has its place.
#[derive(Clone)]
pub struct Remains {
    pub(crate) config: Arc<ConsumerConfig>,
    pub(crate) exited: Outlet<ConsumerExited>,
}

impl fmt::Debug for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remains").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Remains {
    /// The next one, which starts a process when it is needed.
    #[must_use]
    pub fn into_consumer(self) -> Consumer {
        let Self { config, exited } = self;
        config.remove_sockets();
        Consumer::of(config, exited)
    }
}
