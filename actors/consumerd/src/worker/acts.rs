//! What a data thread does with what it has, by what it does it to.

mod channels;
mod give_up;
mod metadata;
mod pending;
mod relays;
mod rotations;
mod snapshots;
mod wakeups;
