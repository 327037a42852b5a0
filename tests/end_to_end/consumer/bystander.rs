//! A session that has nothing to do with what fails.

use std::path::PathBuf;

use super::super::world::{Program, Stage};
use super::number;

/// How many events it records at least, a thousand a second.
const EVENTS: u32 = 1000;

/// A session that records a program of its own, all the time.
pub struct Bystander {
    program: Program,
    output: PathBuf,
    events: u32,
}

impl Bystander {
    /// Starts it. Its session is called `bystander`. It records other events than other sessions, and
    /// no other application.
    pub fn start(stage: &Stage) -> Bystander {
        let output = stage.arena.file("bystander");
        let mut program = stage.program();
        for command in [
            format!("create bystander --output={}", output.display()),
            "enable-channel -u -s bystander --subbuf-size=256k --num-subbuf=8 c".to_owned(),
            "enable-event -u -s bystander -c c sample:alarm".to_owned(),
            format!("track -u -s bystander --vpid={}", program.pid()),
            "start bystander".to_owned(),
        ] {
            stage.arena.lttng_ok(&command);
        }
        program.tell("delay=1000");
        let events = EVENTS;
        program.begin(&format!("levels={events}"));
        Bystander { program, output, events }
    }

    /// Lets it record anew, after what it has begun. To be called where something fails late.
    pub fn go_on(&mut self) {
        self.program.done("the first events");
        self.program.begin(&format!("levels={EVENTS}"));
        self.events += EVENTS;
    }

    /// Ends it. All of its events must be there.
    pub fn finish(mut self, stage: &Stage) {
        self.program.done("all events");
        stage.arena.lttng_ok("stop bystander");
        let listed = stage.arena.lttng_ok("list bystander");
        stage.arena.lttng_ok("destroy bystander");
        assert!(listed.contains("Discarded events: 0"), "{listed}");
        let expected: Vec<u32> = (0..self.events).collect();
        let recorded: Vec<u32> = stage.arena.events(&self.output).iter().map(number).collect();
        assert!(recorded == expected, "{} of {} events", recorded.len(), self.events);
        assert_eq!(stage.arena.lost_events(&self.output), "");
        self.program.finish();
    }
}
