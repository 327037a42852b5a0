//! The way to a far relay daemon.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use lttngd_world::Arena;

/// How often it is looked for a new connection.
const STEP: Duration = Duration::from_millis(10);

/// Passes on what is sent to a port, at once, and what comes from there, late.
pub struct Distance {
    /// Where it listens.
    pub port: u16,
    is_over: Arc<AtomicBool>,
}

impl Distance {
    /// Listens in the network of the arena until it is dropped. Connections last as long as their ends
    /// want.
    pub fn before(arena: &Arena, port: u16, late: Duration) -> Distance {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let port = arena.in_network(move || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.set_nonblocking(true).unwrap();
            let own = listener.local_addr().unwrap().port();
            // Threads are in the network of the one that started them.
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let Ok((client, _)) = listener.accept() else {
                        std::thread::sleep(STEP);
                        continue;
                    };
                    client.set_nonblocking(false).unwrap();
                    if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                        connect(client, server, late).unwrap();
                    }
                }
            });
            own
        });
        Distance { port, is_over }
    }
}

impl Drop for Distance {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn connect(client: TcpStream, server: TcpStream, late: Duration) -> io::Result<()> {
    for end in [&client, &server] {
        end.set_nodelay(true)?;
    }
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        // Either side may go at any time.
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    // Answers under way do not wait for each other.
    let (sender, answers) = channel();
    std::thread::spawn(move || deliver(client, &answers));
    std::thread::spawn(move || {
        let mut server = server;
        let mut bytes = [0; 4096];
        while let Ok(len @ 1..) = server.read(&mut bytes) {
            if sender.send((Instant::now() + late, bytes[..len].to_vec())).is_err() {
                break;
            }
        }
    });
    Ok(())
}

fn deliver(mut client: TcpStream, answers: &Receiver<(Instant, Vec<u8>)>) {
    for (at, bytes) in answers {
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        if client.write_all(&bytes).is_err() {
            return;
        }
    }
    let _ = client.shutdown(Shutdown::Write);
}
