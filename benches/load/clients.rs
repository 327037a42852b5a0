//! The client programs of the benches, `client.c` and `listener.c`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use lttngd_world::{Answer, Arena, Program, Stage, program};

/// Runs the client program in the arena with these arguments for at most `limit_s` seconds.
///
/// Gives the numbers it printed; none when its time was over.
pub fn client(arena: &Arena, limit_s: u32, arguments: &str) -> Option<Vec<f64>> {
    run(arena, limit_s, &format!("{} {arguments}", built().display()))
}

/// As [`client`]; none as well when it was not served.
pub fn client_if_served(arena: &Arena, limit_s: u32, arguments: &str) -> Option<Vec<f64>> {
    if_served(arena, limit_s, &format!("{} {arguments}", built().display()))
}

/// The same of another member of the group that commands the daemon than the attacker, where others than root may run what is
/// there.
pub fn member_if_served(stage: &Stage, limit_s: u32, arguments: &str) -> Option<Vec<f64>> {
    let program = stage.arena.file("client");
    if !program.exists() {
        fs::copy(built(), &program).unwrap();
    }
    let line = stage.another_members(&format!("{} {arguments}", program.display()));
    if_served(&stage.arena, limit_s, &line)
}

fn if_served(arena: &Arena, limit_s: u32, line: &str) -> Option<Vec<f64>> {
    let answer = arena.shell_within(limit_s, line);
    if answer.code != 0 {
        eprintln!("{line}: {}", answer.stderr.trim_end());
        return None;
    }
    Some(numbers(&answer))
}

/// As [`client`], on this processor only.
pub fn client_on(arena: &Arena, processor: u32, limit_s: u32, arguments: &str) -> Option<Vec<f64>> {
    let line = format!("taskset -c {processor} {} {arguments}", built().display());
    run(arena, limit_s, &line)
}

fn run(arena: &Arena, limit_s: u32, line: &str) -> Option<Vec<f64>> {
    let answer = arena.shell_within(limit_s, line);
    if answer.timed_out() {
        return None;
    }
    assert_eq!(answer.code, 0, "{line}: {answer:?}");
    Some(numbers(&answer))
}

fn numbers(answer: &Answer) -> Vec<f64> {
    answer.stdout.lines().map(|line| line.parse().unwrap()).collect()
}

/// Starts the subscriber to notifications, and subscribes it to this trigger.
pub fn listener(arena: &Arena, trigger: &str) -> Program {
    static LISTENER: OnceLock<PathBuf> = OnceLock::new();

    let program = LISTENER.get_or_init(|| compiled("listener", &["-llttng-ctl", "-pthread"]));
    let mut listener = Program::spawn(arena.command(program));
    listener.tell(&format!("subscribe={trigger}"));
    listener.tell("listen");
    listener
}

fn built() -> &'static Path {
    static CLIENT: OnceLock<PathBuf> = OnceLock::new();

    CLIENT.get_or_init(|| compiled("client", &["-llttng-ctl"]))
}

fn compiled(name: &str, flags: &[&str]) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/load");
    let source = directory.join(format!("{name}.c"));
    program::compile(&directory, name, &[source], flags)
}
