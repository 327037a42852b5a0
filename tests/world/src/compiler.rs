//! What `liblttng-ctl` makes of filters: it compiles, and a socket of this process takes the request.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use lttngd_model::{ErrorCode, Filter};
use lttngd_wire::client::{Command, Dialect, REQUEST_LEN, Reply, Request};

use super::{Arena, PATIENCE, program};

/// A running `filters` (see `tests/apps/filters.c`), and the socket that it takes for the daemon's. The
/// arena must have no daemon.
pub struct StockCompiler {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    requests: UnixListener,
}

impl StockCompiler {
    /// Starts it.
    pub fn start(arena: &Arena) -> StockCompiler {
        let directory = arena.run_directory();
        fs::create_dir_all(&directory).unwrap();
        let requests = UnixListener::bind(directory.join("client-lttng-sessiond")).unwrap();
        let mut child = arena
            .command(program::filters())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = child.stdout.take().unwrap();
        StockCompiler { child, input, output, requests }
    }

    /// The filter that the library sends for an expression, or the error that it answers itself.
    pub fn compile(&mut self, expression: &str) -> Result<Filter, ErrorCode> {
        let len = u32::try_from(expression.len()).unwrap();
        self.input.write_all(&len.to_ne_bytes()).unwrap();
        self.input.write_all(expression.as_bytes()).unwrap();
        self.input.flush().unwrap();
        // It either answers or connects: whichever comes first is seen first.
        let mut ready = [
            rustix::event::PollFd::new(&self.output, rustix::event::PollFlags::IN),
            rustix::event::PollFd::new(&self.requests, rustix::event::PollFlags::IN),
        ];
        let timeout = rustix::time::Timespec::try_from(PATIENCE).unwrap();
        let count = rustix::event::poll(&mut ready, Some(&timeout)).unwrap();
        assert!(count > 0, "liblttng-ctl does nothing about {expression}");
        let filter = (!ready[1].revents().is_empty()).then(|| self.take_request());
        let mut answer = [0; 4];
        self.output.read_exact(&mut answer).unwrap();
        match (filter, i32::from_ne_bytes(answer)) {
            (Some(filter), 0) => Ok(filter),
            (None, error @ ..0) => Err(ErrorCode::from_raw(error.unsigned_abs()).unwrap()),
            (filter, answer) => panic!("{expression}: {filter:?}, answer {answer}"),
        }
    }

    fn take_request(&self) -> Filter {
        let (mut stream, request, payload) = loop {
            let (mut stream, _) = self.requests.accept().unwrap();
            // An ordinary user's library first connects and says nothing, to see whether somebody is here.
            if let Some((request, payload)) = read(&mut stream) {
                break (stream, request, payload);
            }
        };
        let Command::EnableEvent { event, .. } = request.command(&payload).unwrap() else {
            panic!("another request than that for an event: {request:?}");
        };
        stream.write_all(&Reply::ok(&request).encode()).unwrap();
        event.filter.unwrap()
    }
}

impl Drop for StockCompiler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request, if the client sends one.
fn read(stream: &mut UnixStream) -> Option<(Request, Vec<u8>)> {
    let mut fixed = vec![0; REQUEST_LEN];
    let received = stream.read(&mut fixed).unwrap();
    if received == 0 {
        return None;
    }
    stream.read_exact(&mut fixed[received..]).unwrap();
    let request = Request::decode(&fixed, Dialect::V2_13).unwrap();
    let mut payload = vec![0; request.payload_len().unwrap()];
    stream.read_exact(&mut payload).unwrap();
    Some((request, payload))
}
