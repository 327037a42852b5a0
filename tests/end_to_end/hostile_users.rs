//! What one ordinary user can do to all others: their commands, programs and recordings beside him.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lttngd_peer::hostile::Attack;
use rustix::process::Signal;

use super::world::{Answer, Attackers, Connection, Gate, Relay, Stage, Still, Which, eventually};

/// Events of another user's program.
const EVENTS: usize = 50;
/// What the daemon may have more than alone for one hostile user, in KiB.
const GROWTH_KIB: u64 = 128 << 10;
/// What it may write to its log in a second.
const LOG_BYTES_S: f64 = 50e3;
/// The longest that a command waits for applications that are slow.
const APP_PATIENCE: Duration = Duration::from_secs(15);
/// Longer than the end of a daemon takes on a busy machine. It does not wait for longer than 10 s.
const END_PATIENCE: Duration = Duration::from_secs(18);
/// Seconds for what may never end.
const LIMIT_S: u32 = 30;

/// What a process of the attacker does, when it is one.
#[test]
fn attacker() {
    if let Some((attack, run_directory)) = Attack::asked() {
        attack.run(&run_directory);
    }
}

/// Root's daemon with a session of root's, and others.
struct Scene {
    stage: Stage,
    alone_kib: u64,
    /// How often another user's program was recorded.
    recorded: AtomicUsize,
}

impl Scene {
    /// `None` where there is one user only. The session's channel has these options.
    fn new(stage: Stage, options: &str) -> Option<Scene> {
        if !stage.arena.is_root() {
            eprintln!("others are other users: this needs root, and checks nothing without");
            return None;
        }
        stage.open_to_all();
        for command in [
            "create roots".to_owned(),
            format!("enable-channel -u -s roots {options} c"),
            "enable-event -u -s roots -c c sample:number".to_owned(),
        ] {
            stage.arena.lttng_ok(&command);
        }
        let mut scene = Scene { stage, alone_kib: 0, recorded: AtomicUsize::new(0) };
        // As long as it takes with nothing in its way.
        scene.others_are_served();
        scene.alone_kib = scene.stage.daemon.resident_kib();
        Some(scene)
    }

    /// Has so many processes of the attacker begin.
    fn go(&self, attack: Attack, processes: usize) -> Attackers {
        let arguments = ["--exact", "hostile_users::attacker", "--nocapture"];
        Attackers::begin(&self.stage.arena, attack, processes, &arguments)
    }

    /// Commands of root, which are answered at once.
    fn commands(&self, commands: &[&str]) {
        for command in commands {
            let answer = self.stage.arena.lttng(command);
            assert_eq!(answer.code, 0, "{command}: {answer:?}\n{}", self.stage.daemon.log());
            self.stage.is_unconcerned(answer.took);
        }
    }

    /// Another user's program, which registers at once, and root's session, which records it.
    fn others_are_served(&self) {
        self.commands(&["create bystander --no-output", "list", "destroy bystander"]);
        self.commands(&["start roots"]);
        self.another_is_recorded();
        self.commands(&["stop roots"]);
    }

    fn another_is_recorded(&self) {
        let program = self.stage.others_program(&format!("number={EVENTS}"));
        let answer = self.stage.arena.shell_within(LIMIT_S, &program);
        assert_eq!(answer.code, 0, "{answer:?}");
        self.stage.is_unconcerned(answer.took);
        self.recorded.fetch_add(1, Ordering::Relaxed);
    }

    fn has_grown_little(&self) {
        let grown = self.stage.daemon.resident_kib().saturating_sub(self.alone_kib);
        assert!(grown < GROWTH_KIB, "the daemon has grown by {grown} KiB");
    }

    /// Everybody leaves; nothing of what the other user recorded is lost.
    fn end(self, attackers: Attackers) {
        attackers.leave();
        let Scene { stage, recorded, .. } = self;
        stage.arena.lttng("stop roots");
        stage.arena.lttng_ok("destroy roots");
        let events = stage.arena.events(&stage.arena.trace_of("roots"));
        let events = events.iter().filter(|event| event.name == "sample:number");
        assert_eq!(events.count(), recorded.into_inner() * EVENTS);
        stage.end();
    }
}

/// Others beside so many processes of the attacker.
fn beside(attack: Attack, processes: usize) {
    let Some(scene) = Scene::new(Stage::new(Which::Ours), "") else { return };
    let attackers = scene.go(attack, processes);
    assert!(attackers.connections > 0 || attack == Attack::Wrong);
    let (begun, logged) = (Instant::now(), scene.stage.daemon.log().len());
    for _ in 0..2 {
        scene.others_are_served();
        scene.has_grown_little();
    }
    let bytes = (scene.stage.daemon.log().len() - logged) as f64;
    let seconds = begun.elapsed().as_secs_f64().max(1.0);
    assert!(bytes / seconds < LOG_BYTES_S, "{bytes} bytes of log in {seconds} s");
    scene.end(attackers);
}

#[test]
fn large_announcements_that_are_begun_and_not_ended() {
    beside(Attack::Begun, 4);
}

#[test]
fn large_events_for_what_is_not_there() {
    beside(Attack::Events, 2);
}

#[test]
fn large_enumerations_for_what_is_not_there() {
    beside(Attack::Enumerations, 2);
}

#[test]
fn connections_that_never_register() {
    beside(Attack::Silent, 1);
}

#[test]
fn silent_agents() {
    beside(Attack::Agents, 1);
}

#[test]
fn silent_clients() {
    beside(Attack::Clients, 1);
}

#[test]
fn wrong_registrations_without_end() {
    beside(Attack::Wrong, 2);
}

#[test]
fn sessions_of_a_member() {
    beside(Attack::Sessions, 1);
}

/// The user's applications have all enumerations that they may, each in buffers of its own.
#[test]
fn all_enumerations_that_there_may_be() {
    let stage = Stage::new(Which::Ours);
    let Some(scene) = Scene::new(stage, "--buffers-pid --subbuf-size=4k") else { return };
    scene.commands(&["start roots"]);
    let attackers = scene.go(Attack::Announced, 1);
    scene.has_grown_little();
    scene.another_is_recorded();
    scene.commands(&["list", "stop roots"]);
    scene.others_are_served();
    scene.end(attackers);
}

/// Others beside so many processes of the attacker while root lists again and again what can be traced: that nobody may get
/// such a listing is all that comes of it.
fn beside_a_listing(attack: Attack, processes: usize, listing: &str) {
    let Some(scene) = Scene::new(Stage::new(Which::Ours), "") else { return };
    let attackers = scene.go(attack, processes);
    let is_over = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while is_over.load(Ordering::Relaxed) == 0 {
                scene.stage.arena.lttng(listing);
            }
        });
        for _ in 0..2 {
            scene.others_are_served();
            scene.has_grown_little();
        }
        is_over.store(1, Ordering::Relaxed);
    });
    scene.end(attackers);
}

#[test]
fn loggers_without_end() {
    beside_a_listing(Attack::Loggers, 2, "list -j");
}

#[test]
fn tracepoints_without_end() {
    beside_a_listing(Attack::Tracepoints, 2, "list -u");
}

#[test]
fn applications_that_answer_late() {
    let Some(scene) = Scene::new(Stage::new(Which::Ours), "") else { return };
    let attackers = scene.go(Attack::Slow, 2);
    std::thread::scope(|scope| {
        scope.spawn(|| scene.stage.arena.lttng("list -u"));
        // They cost it once, together.
        for command in ["start roots", "stop roots"] {
            let answer = scene.stage.arena.lttng(command);
            assert!(answer.code == 0 && answer.took < APP_PATIENCE, "{command}: {answer:?}");
        }
        for _ in 0..2 {
            scene.others_are_served();
        }
    });
    scene.end(attackers);
}

/// Where there are few descriptors, the user has all that he gets. A program that was there before loses nothing, root is
/// answered, and the consumer daemon lives.
fn beside_one_who_has_all(limit: u64, options: &str, attacks: &[Attack]) {
    let Some(scene) = Scene::new(Stage::within(Which::Ours, limit), options) else { return };
    scene.commands(&["start roots"]);
    let mut before = scene.stage.program();
    before.tell(&format!("number={EVENTS}"));
    let consumer = scene.stage.arena.consumer();
    let mut attackers: Vec<_> = attacks.iter().map(|attack| scene.go(*attack, 1)).collect();
    before.tell(&format!("number={EVENTS}"));
    scene.recorded.fetch_add(2, Ordering::Relaxed);
    for _ in 0..2 {
        scene.commands(&["create bystander --no-output", "list", "destroy bystander"]);
        scene.another_is_recorded();
    }
    scene.commands(&["stop roots"]);
    assert_eq!(scene.stage.arena.consumer(), consumer, "the consumer daemon lives");
    before.finish();
    let last = attackers.pop().unwrap();
    attackers.into_iter().for_each(Attackers::leave);
    scene.end(last);
}

#[test]
fn registrations_without_end() {
    beside_one_who_has_all(600, "--buffers-uid", &[Attack::Registrations]);
}

/// Channels of his programs leave room for those of others.
#[test]
fn silent_agents_and_registrations_for_buffers_of_each() {
    let attacks = [Attack::Agents, Attack::Registrations];
    beside_one_who_has_all(600, "--buffers-pid --subbuf-size=4k", &attacks);
}

/// Has the attacker start sessions that record into a file system of his.
fn start_as_a_member(stage: &Stage, still: &Still, sessions: &[&str]) {
    for session in sessions {
        for command in [
            format!("create {session} --output={}", still.mount.join(session).display()),
            format!("enable-channel -u -s {session} --subbuf-size=4k --num-subbuf=4 c"),
            format!("enable-event -u -s {session} -c c sample:number"),
            format!("start {session}"),
        ] {
            let answer = as_a_member(stage, &command);
            assert_eq!(answer.code, 0, "{command}: {answer:?}");
        }
    }
}

fn as_a_member(stage: &Stage, command: &str) -> Answer {
    stage.arena.shell_within(LIMIT_S, &stage.members_lttng(command))
}

/// The daemon ends in time.
fn ends(stage: &mut Stage) {
    let begun = Instant::now();
    stage.arena.signal(stage.daemon.pid(), Signal::TERM);
    assert!(stage.daemon.wait().success(), "{}", stage.daemon.log());
    let took = begun.elapsed();
    assert!(took < END_PATIENCE, "the end took {took:?}");
}

#[test]
fn a_members_file_system_that_answers_no_write() {
    let Some(mut scene) = Scene::new(Stage::new(Which::Ours), "") else { return };
    let Some(mut still) = Still::mount(&scene.stage) else { return };
    let sessions = ["m0", "m1", "m2", "m3"];
    start_as_a_member(&scene.stage, &still, &sessions);
    let mut program = scene.stage.program();
    program.tell("number=100");
    still.stand_still();
    eventually("a thread stands still", || {
        program.tell("number=100");
        still.holds_one().then_some(())
    });
    for _ in 0..2 {
        scene.others_are_served();
    }
    ends(&mut scene.stage);
    still.go_on();
    still.end();
}

#[test]
fn a_members_file_system_in_which_nothing_can_be_opened() {
    let Some(mut scene) = Scene::new(Stage::new(Which::Ours), "") else { return };
    let Some(mut still) = Still::mount(&scene.stage) else { return };
    start_as_a_member(&scene.stage, &still, &["m0"]);
    let _program = scene.stage.program();
    still.stand_still_at_opening();
    std::thread::scope(|scope| {
        for command in ["rotate m0", "start m0", "destroy m0"] {
            let stage = &scene.stage;
            let waiting = scope.spawn(move || as_a_member(stage, command));
            eventually("somebody waits", || still.holds_one().then_some(()));
            scene.others_are_served();
            drop(waiting);
        }
    });
    ends(&mut scene.stage);
    still.go_on();
    still.end();
}

#[test]
fn a_members_file_system_to_which_no_session_can_be_saved() {
    let Some(mut scene) = Scene::new(Stage::new(Which::Ours), "") else { return };
    let Some(mut still) = Still::mount(&scene.stage) else { return };
    assert_eq!(as_a_member(&scene.stage, "create m0 --no-output").code, 0);
    let save = format!("save m0 --output-path={}", still.mount.display());
    assert_eq!(as_a_member(&scene.stage, &save).code, 0);
    still.stand_still_at_writing();
    std::thread::scope(|scope| {
        let stage = &scene.stage;
        let saving = scope.spawn(|| as_a_member(stage, &format!("{save} --force")));
        eventually("somebody waits", || still.holds_one().then_some(()));
        scene.others_are_served();
        assert_ne!(saving.join().unwrap().code, 0, "it was not written");
    });
    ends(&mut scene.stage);
    still.go_on();
    still.end();
}

#[test]
fn a_members_relay_daemon_that_never_says_whether_it_has_all() {
    /// Commands by which it is asked: `enum lttcomm_relayd_command`.
    const BEGIN_DATA_PENDING: u32 = 10;
    const CLOSE_TRACE_CHUNK: u32 = 20;

    let Some(mut scene) = Scene::new(Stage::new(Which::Ours), "") else { return };
    let relay = Relay::start(&scene.stage);
    let gate = Gate::before(&scene.stage, &relay, Connection::Control);
    let url = format!("net://127.0.0.1:{}:{}", gate.port, relay.ports[1]);
    for command in [
        format!("create m0 --set-url={url}"),
        "enable-event -u -s m0 sample:number".to_owned(),
        "start m0".to_owned(),
    ] {
        assert_eq!(as_a_member(&scene.stage, &command).code, 0, "{command}");
    }
    let mut program = scene.stage.program();
    program.tell("number=100");
    gate.hold(|it| [BEGIN_DATA_PENDING, CLOSE_TRACE_CHUNK].contains(&it));
    std::thread::scope(|scope| {
        let stage = &scene.stage;
        for command in ["rotate m0", "stop m0", "destroy m0"] {
            scope.spawn(move || as_a_member(stage, command));
        }
        gate.holds_one();
        for _ in 0..2 {
            scene.others_are_served();
        }
    });
    ends(&mut scene.stage);
}
