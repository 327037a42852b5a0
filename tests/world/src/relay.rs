//! Relay daemons.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use super::{Stage, eventually};

/// A relay daemon. It ends with the arena.
#[derive(Clone)]
pub struct Relay {
    /// For control, data and live connections.
    pub ports: [u16; 3],
    /// Its output directory.
    pub output: PathBuf,
}

impl Relay {
    /// Starts one; it listens when this returns.
    pub fn start(stage: &Stage) -> Relay {
        Relay::named(stage, "relay")
    }

    /// Starts one that has an output directory of this name.
    pub fn named(stage: &Stage, name: &str) -> Relay {
        Relay::run(stage, name, stage.arena.command("lttng-relayd"))
    }

    /// Starts one as this program says, which is that of some version.
    pub fn run(stage: &Stage, name: &str, mut program: Command) -> Relay {
        // Free ones in its own network, where others may be taken than here.
        let ports = stage.arena.in_network(|| {
            let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
            listeners.map(|listener| listener.local_addr().unwrap().port())
        });
        let output = stage.arena.file(name);
        let [control, data, live] = ports.map(|port| format!("tcp://127.0.0.1:{port}"));
        let status = program
            .args(["--daemonize", "-C", &control, "-D", &data, "-L", &live, "-o"])
            .arg(&output)
            .env("LTTNG_RELAYD_HEALTH", stage.arena.file(&format!("{name}-health")))
            .status()
            .unwrap();
        assert!(status.success());
        Relay { ports, output }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("net://127.0.0.1:{}:{}", self.ports[0], self.ports[1])
    }

    /// `text` without its ports, which are not the same in every world.
    pub fn without_ports(&self, text: &str) -> String {
        let text = text.replace(&self.ports[0].to_string(), "CONTROL");
        text.replace(&self.ports[1].to_string(), "DATA")
    }

    /// Sends a signal to the relay daemons of the arena.
    pub fn signal(stage: &Stage, signal: Signal) {
        let relays = stage.arena.processes_named("lttng-relayd");
        assert!(!relays.is_empty());
        relays.into_iter().for_each(|relay| stage.arena.signal(relay, signal));
    }

    /// Kills the relay daemons of the arena.
    pub fn kill(stage: &Stage) {
        Relay::signal(stage, Signal::KILL);
        eventually("the relay is gone", || {
            stage.arena.processes_named("lttng-relayd").is_empty().then_some(())
        });
    }
}
