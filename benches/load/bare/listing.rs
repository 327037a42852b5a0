//! What a list costs whoever answers it: a process that takes the request of each client and sends what was written
//! down before, and does nothing else.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use lttngd_peer::FakeClient;
use lttngd_wire::client::{Command, REQUEST_LEN};
use lttngd_world::{Arena, Program, Stage, eventually};

/// The socket of clients in a run directory.
const SOCKET: &str = "client-lttng-sessiond";

/// That process, in a world where there is no daemon. It ends with this.
pub struct BareListing {
    program: Program,
}

impl BareListing {
    /// One that answers what the daemon of `stage` does.
    pub fn new(arena: &Arena, stage: &Stage) -> BareListing {
        let reply = arena.file("reply");
        fs::write(&reply, answered(stage)).unwrap();
        let socket = arena.run_directory().join(SOCKET);
        let mut command = arena.command(std::env::current_exe().unwrap());
        command.arg("--bare-listing").arg(&socket).arg("--bare-reply").arg(&reply);
        let program = Program::spawn(command);
        eventually("it listens", || socket.exists().then_some(()));
        BareListing { program }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.program.pid()
    }
}

/// What the daemon answers to a client that lists the sessions.
fn answered(stage: &Stage) -> Vec<u8> {
    let socket = stage.arena.run_directory().join(SOCKET);
    let mut client = UnixStream::connect(socket).unwrap();
    client.write_all(&FakeClient::bytes(&Command::ListSessions, |request| request)).unwrap();
    let mut answered = Vec::new();
    client.read_to_end(&mut answered).unwrap();
    answered
}

/// Answers the clients that come to the socket `path` with the bytes of the file `reply`, until it is killed.
pub fn answer(path: &Path, reply: &PathBuf) -> ! {
    let reply = fs::read(reply).unwrap();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let listener = UnixListener::bind(path).unwrap();
    let mut request = vec![0; REQUEST_LEN];
    loop {
        let (mut client, _) = listener.accept().unwrap();
        // One that is gone wants no answer.
        if client.read_exact(&mut request).is_ok() {
            let _ = client.write_all(&reply);
        }
    }
}
