//! Live sessions, and babeltrace2 that looks at them while they are recorded.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use super::world::{Relay, Stage, alone, both, eventually};

/// A viewer of a session, from before there is something to see until the session is over.
pub struct Viewer {
    child: Child,
    output: PathBuf,
}

impl Viewer {
    /// Starts one, when the relay daemon has metadata of the session with an event in it: babeltrace2 ends in
    /// an assertion when it is told that nothing happens in a stream before it knows the stream's clock, and
    /// metadata comes in parts.
    pub fn start(stage: &Stage, relay: &Relay, session: &str) -> Viewer {
        eventually("the relay daemon has metadata", || {
            let find = format!(
                "find {} -path '*/{session}*' -name metadata -exec grep -la 'event {{' {{}} +",
                relay.output.display()
            );
            (!stage.arena.shell_within(30, &find).stdout.is_empty()).then_some(())
        });
        let host = rustix::system::uname();
        let host = host.nodename().to_str().unwrap();
        let url = format!("net://127.0.0.1:{}/host/{host}/{session}", relay.ports[2]);
        let output = stage.arena.file(&format!("seen-{session}"));
        let mut command = stage.arena.command("babeltrace2");
        command.args(["--input-format=lttng-live", &url]);
        command.stdout(fs::File::create(&output).unwrap());
        command.stderr(Stdio::inherit());
        Viewer { child: command.spawn().unwrap(), output }
    }

    /// Waits until the relay daemon has a viewer of its session.
    pub fn wait_until_attached(stage: &Stage, relay: &Relay) {
        eventually("the viewer is attached", || {
            let url = format!("net://127.0.0.1:{}", relay.ports[2]);
            let arguments = format!("--input-format=lttng-live {url}");
            let answer = stage.arena.shell_within(30, &format!("babeltrace2 {arguments}"));
            answer.stdout.contains("1 client(s) connected").then_some(())
        });
    }

    /// How many events it has shown.
    fn events(&self) -> usize {
        fs::read_to_string(&self.output).unwrap().matches("sample:number").count()
    }

    /// Waits until it has shown so many.
    pub fn wait_for(&self, events: usize) {
        eventually("the viewer shows the events", || (self.events() >= events).then_some(()));
    }

    /// The count of events, when it ends by itself.
    pub fn end(mut self) -> usize {
        let status = eventually("the viewer ends", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}");
        self.events()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        // It has ended by itself, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn create(stage: &mut Stage, relay: &Relay, session: &str, buffers: &str) {
    stage.arena.lttng_ok(&format!("create {session} --live=100000 --set-url={}", relay.url()));
    stage.lttng_ok(&format!("enable-channel -u -s {session} {buffers} c"));
    stage.lttng_ok(&format!("enable-event -u -s {session} -c c sample:number"));
}

fn is_seen_while_it_is_recorded(buffers: &str) {
    both(|stage| {
        let relay = Relay::start(stage);
        let mut program = stage.program();
        create(stage, &relay, "watched", buffers);
        stage.lttng_ok("start watched");
        let viewer = Viewer::start(stage, &relay, "watched");
        Viewer::wait_until_attached(stage, &relay);
        program.tell("number=3");
        viewer.wait_for(3);
        program.tell("number=4");
        viewer.wait_for(7);
        stage.lttng_ok("stop watched");
        stage.lttng_ok("start watched");
        program.tell("number=2");
        stage.lttng_ok("destroy watched");
        assert_eq!(viewer.end(), 9);
        assert_eq!(stage.events_below(&relay.output).len(), 9);
        program.finish();
    });
}

#[test]
fn buffers_per_user_are_seen_while_they_are_recorded() {
    is_seen_while_it_is_recorded("--buffers-uid");
}

#[test]
fn buffers_per_process_are_seen_while_they_are_recorded() {
    is_seen_while_it_is_recorded("--buffers-pid");
}

#[test]
fn a_session_that_is_over_at_once_is_seen() {
    alone(|stage| {
        let relay = Relay::start(stage);
        let mut program = stage.program();
        create(stage, &relay, "brief", "--buffers-uid");
        stage.lttng_ok("start brief");
        program.tell("number=5");
        let viewer = Viewer::start(stage, &relay, "brief");
        Viewer::wait_until_attached(stage, &relay);
        stage.lttng_ok("stop brief");
        stage.lttng_ok("clear brief");
        // The viewer has seen nothing of the trace chunk that begins now.
        stage.lttng_ok("start brief");
        program.tell("number=3");
        stage.lttng_ok("stop brief");
        stage.lttng_ok("destroy brief");
        let seen = viewer.end();
        assert!(seen == 3 || seen == 8, "{seen}: what was cleared may have been seen before");
        program.finish();
    });
}
