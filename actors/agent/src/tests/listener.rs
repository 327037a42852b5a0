//! What connects to the port and is no agent, or not yet.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use lttngd_model::Domain;
use lttngd_peer::eventually;
use lttngd_runtime::Descriptors;
use lttngd_wire::agent::{REGISTRATION_LEN, Registration};

use super::world::World;
use crate::{AGENTS_MAX, AgentId, REGISTRATION_DEADLINE, RegistrationDone, listener::UserShares};

fn registration() -> Vec<u8> {
    Registration { domain: Domain::Log4j, pid: 7 }.encode()
}

/// Waits until the daemon closes the connection, in a thread of its own.
async fn closes(mut stream: TcpStream) {
    let closed = tokio::task::spawn_blocking(move || {
        // A reset is an end as well.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    closed.await.unwrap();
}

#[actix::test]
async fn a_registration_may_come_in_pieces() {
    let world = World::new(None);
    for cut in 1..REGISTRATION_LEN {
        let bytes = registration();
        let mut stream = TcpStream::connect(world.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(&bytes[..cut]).unwrap();
        tokio::task::yield_now().await;
        stream.write_all(&bytes[cut..]).unwrap();
        eventually("it is registered", || world.told.registered() == cut).await;
        drop(stream);
        eventually("it is gone", || world.told.unregistered().len() == cut).await;
    }
    let numbered: Vec<_> = (1..REGISTRATION_LEN as u64).map(AgentId).collect();
    assert_eq!(world.told.unregistered(), numbered);
    world.end();
}

#[actix::test]
async fn what_is_no_registration_is_closed() {
    let world = World::new(None);
    let mut other_version = registration();
    other_version[11] = 1;
    let mut no_domain = registration();
    no_domain[3] = 2;
    for bytes in [other_version, no_domain, vec![0xff; 100], b"GET / HTTP/1.1\r\n\r\n".to_vec()] {
        let mut stream = TcpStream::connect(world.address).unwrap();
        stream.write_all(&bytes).unwrap();
        closes(stream).await;
    }
    for len in 0..REGISTRATION_LEN {
        let mut stream = TcpStream::connect(world.address).unwrap();
        stream.write_all(&registration()[..len]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        closes(stream).await;
    }
    assert_eq!(world.told.registered(), 0);
    let (_fake, agent) = world.answering().await;
    agent.send(RegistrationDone).await.unwrap().unwrap();
    world.end();
}

#[actix::test]
async fn silence_is_closed_after_the_deadline_and_holds_nobody_up() {
    let world = World::new(None);
    let silent = TcpStream::connect(world.address).unwrap();
    let mut half = TcpStream::connect(world.address).unwrap();
    half.write_all(&registration()[..9]).unwrap();
    // Both are accepted before this one.
    let (_fake, agent) = world.answering().await;
    agent.send(RegistrationDone).await.unwrap().unwrap();
    tokio::time::pause();
    tokio::time::advance(REGISTRATION_DEADLINE + Duration::from_millis(1)).await;
    tokio::time::resume();
    closes(silent).await;
    closes(half).await;
    assert_eq!(world.told.registered(), 1);
    world.end();
}

#[test]
fn the_listings_of_a_user_leave_memory_to_those_of_others() {
    const LARGE: usize = 16 << 20;

    let shares = UserShares::new(Descriptors::unlimited());
    let agents: Vec<_> = (0..9).map(|_| shares.take(54_321).unwrap()).collect();
    let list = |agent: &crate::listener::Permit, len| {
        let mut room = agent.listing();
        room.take(len).ok().map(|()| room)
    };
    let listings: Vec<_> = agents.iter().filter_map(|agent| list(agent, LARGE)).collect();
    assert_eq!(listings.len(), 3);
    let other = shares.take(54_322).unwrap();
    assert!(list(&other, LARGE / 2).is_some());
    drop(listings);
    assert!(list(&agents[0], LARGE).is_some() && list(&other, LARGE).is_some());
}

#[test]
fn there_are_only_so_many_places() {
    let shares = UserShares::new(Descriptors::unlimited());
    let all = |uid| std::iter::from_fn(|| shares.take(uid).ok()).collect::<Vec<_>>();
    let mut greedy = all(54_321);
    assert!(greedy.len() > AGENTS_MAX / 2 && greedy.len() <= AGENTS_MAX * 3 / 4);
    assert!(all(54_322).len() > 500, "others have room");
    // That of somebody in a container, for example.
    let nobodys = all(lttngd_users::NOBODY);
    assert!(nobodys.len() > 500 && nobodys.len() < AGENTS_MAX * 3 / 4);
    let root = all(0);
    assert_eq!(root.len() + greedy.len() + nobodys.len(), AGENTS_MAX);
    assert!(shares.take(0).is_err());
    greedy.pop();
    let _last = shares.take(0).unwrap();
    assert!(shares.take(0).is_err());
}
