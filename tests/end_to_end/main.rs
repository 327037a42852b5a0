//! End-to-end tests: the stock `lttng`, real applications and consumers, babeltrace2 reading.
//!
//! Most scripts run against the stock daemon and ours, each in a private world, and everything that can
//! be seen must be the same. As root each world has its own namespaces; see `tests/world`.
#![allow(clippy::unwrap_used)]

mod agents;
mod bad_clients;
mod bad_triggers;
mod changes;
mod cli;
mod consumer;
mod crowds;
mod descriptors;
mod ends;
mod faults;
mod filters;
mod flight_recorder;
mod gone_clients;
mod hostile_apps;
mod hostile_notify;
mod hostile_users;
mod kept;
mod listing;
mod live;
mod loading;
mod log_lines;
mod memory;
mod moments;
mod newer_peers;
mod notifiers;
mod orphans;
mod real_agents;
mod recording;
mod relay_snapshots;
mod saving;
mod silence;
mod snapshots;
mod startup;
mod streaming;
mod surroundings;
mod timers;
mod triggers;
mod users;
mod versions;
mod wall_clock;
mod word_sizes;

use lttngd_world as world;
