//! The client program of the benches, `client.c`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::world::{Answer, Arena, program};

/// Runs the client program in the arena with these arguments for at most `limit_s` seconds.
///
/// Gives the numbers it printed; none when its time was over.
pub fn client(arena: &Arena, limit_s: u32, arguments: &str) -> Option<Vec<f64>> {
    let answer = run(arena, limit_s, arguments);
    if answer.timed_out() {
        return None;
    }
    assert_eq!(answer.code, 0, "client {arguments}: {answer:?}");
    Some(answer.stdout.lines().map(|line| line.parse().unwrap()).collect())
}

fn run(arena: &Arena, limit_s: u32, arguments: &str) -> Answer {
    arena.shell_within(limit_s, &format!("{} {arguments}", built().display()))
}

fn built() -> &'static Path {
    static CLIENT: OnceLock<PathBuf> = OnceLock::new();

    CLIENT.get_or_init(|| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/load");
        let source = directory.join("client.c");
        program::compile(&directory, "client", &[source], &["-llttng-ctl"])
    })
}
