//! What a session records and loses, in numbers that it shows and whoever looks at the daemon reads, without asking
//! it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use lttngd_model::Domain;

/// What a session records and loses.
#[derive(Clone, Debug, Default)]
pub struct SessionFigures {
    /// What it is made of.
    pub outline: Outline,
    /// What the consumer daemons have written of it, in bytes, as far as their samples told.
    pub recorded_bytes: u64,
    /// The same in packets; `None` while nothing was told, and when not every consumer daemon tells them.
    pub recorded_packets: Option<u64>,
    /// When a sample came last, and how many bytes were written in a second then.
    pub rate: Option<(Instant, u64)>,
    /// What its channels lost, when that was looked at last.
    pub losses: Option<Arc<KnownLosses>>,
}

/// What a session is made of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Outline {
    /// Its channels of the kernel, if it has that domain.
    pub kernel_channels: Option<usize>,
    /// Its channels of user space, if it has that domain.
    pub user_space_channels: Option<usize>,
    /// How many domains of agents it has asked something of.
    pub agent_domains: usize,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a session.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Fate {
    /// All is well.
    #[default]
    Whole,
    /// A consumer daemon died with buffers of it.
    ConsumerLost,
    /// Its actor failed.
    Failed,
}

/// What the channels of a session had lost.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownLosses {
    /// When.
    pub at: Instant,
    /// Of all that are listed.
    pub channels: Vec<ChannelLosses>,
}

/// What a channel had lost.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChannelLosses {
    /// Its domain.
    pub domain: Domain,
    /// Its name.
    pub channel: String,
    /// Events that found no room.
    pub discarded_events: u64,
    /// Packets that were overwritten.
    pub lost_packets: u64,
}

/// How many commands of a session are not answered. Copies are the same.
#[derive(Clone, Debug, Default)]
pub struct UnderWay(Arc<AtomicUsize>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct OneUnderWay(UnderWay);

impl UnderWay {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// One more.
    pub(crate) fn one_more(&self) -> OneUnderWay {
        self.0.fetch_add(1, Ordering::Relaxed);
        OneUnderWay(self.clone())
    }
}

impl Drop for OneUnderWay {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
