//! Which peers are there, and whom each of them concerns.
//!
//! Whoever works with peers follows them: it is given those that are there and fit, told of those that come,
//! and told when one of them goes. Others are not told of anything, however many peers come and go.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

/// The peers that are there, by number, and who follows them. No input or output.
///
/// `Key` names a follower, `Follower` is where it is told.
pub struct Directory<Id, Peer, Key, Follower> {
    peers: BTreeMap<Id, Entry<Peer, Key>>,
    followers: BTreeMap<Key, Follower>,
    /// Which of those that come each is told of. Those that rest are not here: whoever comes is compared
    /// with none of them.
    awaiting: BTreeMap<Key, Fits<Peer>>,
}

struct Entry<Peer, Key> {
    peer: Peer,
    /// Those that were given it, or told that it came.
    concerns: BTreeSet<Key>,
}

/// Whether a peer fits a follower.
pub type Fits<Peer> = Box<dyn Fn(&Peer) -> bool + Send>;

impl<Id, Peer, Key, Follower> Default for Directory<Id, Peer, Key, Follower> {
    fn default() -> Self {
        Self { peers: BTreeMap::new(), followers: BTreeMap::new(), awaiting: BTreeMap::new() }
    }
}

impl<Id, Peer, Key, Follower> Directory<Id, Peer, Key, Follower>
where
    Id: Copy + Ord,
    Peer: Clone,
    Key: Copy + Ord,
    Follower: Clone,
{
    /// A peer comes: who is to be told.
    pub fn come(&mut self, id: Id, peer: Peer) -> Vec<Follower> {
        let fitting = self.awaiting.iter().filter(|(_, fits)| fits(&peer));
        let concerns = fitting.map(|(key, _)| *key).collect();
        let told = self.told(&concerns);
        self.peers.insert(id, Entry { peer, concerns });
        told
    }

    /// A peer goes: itself, unless it was not there, and who is to be told.
    pub fn go(&mut self, id: Id) -> Option<(Peer, Vec<Follower>)> {
        let Entry { peer, concerns } = self.peers.remove(&id)?;
        Some((peer, self.told(&concerns)))
    }

    fn told(&self, concerns: &BTreeSet<Key>) -> Vec<Follower> {
        concerns.iter().filter_map(|key| self.followers.get(key).cloned()).collect()
    }

    /// `key` follows the peers that fit from now on: those that are there. A second time it says which
    /// fit by now, and is given those again.
    pub fn follow(&mut self, key: Key, follower: Follower, fits: Fits<Peer>) -> Vec<(Id, Peer)> {
        let mut given = Vec::new();
        for (id, Entry { peer, concerns }) in &mut self.peers {
            if fits(peer) {
                concerns.insert(key);
                given.push((*id, peer.clone()));
            }
        }
        self.followers.insert(key, follower);
        self.awaiting.insert(key, fits);
        given
    }

    /// `key` is not told any more who comes, but still who goes of those that concern it.
    pub fn rest(&mut self, key: Key) {
        self.awaiting.remove(&key);
    }

    /// `key` is told of nothing any more.
    pub fn leave(&mut self, key: Key) {
        self.awaiting.remove(&key);
        if self.followers.remove(&key).is_some() {
            for entry in self.peers.values_mut() {
                entry.concerns.remove(&key);
            }
        }
    }

    /// The peers that are there.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values().map(|entry| &entry.peer)
    }
}

/// Keeps somebody waiting until it and all its copies are dropped.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Dropping it is all that it is for.
    _sender: Arc<oneshot::Sender<Infallible>>,
}

impl Hold {
    /// The first one, and what is over when none is left.
    #[must_use]
    pub fn new() -> (Self, Released) {
        let (sender, released) = oneshot::channel();
        (Self { _sender: Arc::new(sender) }, Released(released))
    }
}

/// Over when every [`Hold`] of it is dropped.
#[derive(Debug)]
pub struct Released(oneshot::Receiver<Infallible>);

impl Future for Released {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context).map(drop)
    }
}

/// What a follower knows of peers: those that it was given and told of, without those that it was told are
/// gone. What it is told while it waits for an answer may be newer than the answer.
pub struct Known<Id, Peer> {
    peers: BTreeMap<Id, Peer>,
    /// Answers that are waited for.
    asked: usize,
    /// Those that went meanwhile.
    gone: Vec<Id>,
}

impl<Id, Peer> Default for Known<Id, Peer> {
    fn default() -> Self {
        Self { peers: BTreeMap::new(), asked: 0, gone: Vec::new() }
    }
}

impl<Id: Copy + Ord, Peer> Known<Id, Peer> {
    /// It asks to follow.
    pub fn ask(&mut self) {
        self.asked += 1;
    }

    /// It is answered; with nothing when who was asked is gone.
    pub fn learn(&mut self, given: Vec<(Id, Peer)>) {
        self.peers.extend(given.into_iter().filter(|(id, _)| !self.gone.contains(id)));
        self.asked = self.asked.saturating_sub(1);
        if self.asked == 0 {
            self.gone.clear();
        }
    }

    /// It is told that a peer came.
    pub fn come(&mut self, id: Id, peer: Peer) {
        self.peers.insert(id, peer);
    }

    /// It is told that a peer is gone.
    pub fn go(&mut self, id: Id) -> Option<Peer> {
        if self.asked > 0 {
            self.gone.push(id);
        }
        self.peers.remove(&id)
    }

    /// One of them.
    pub fn get(&self, id: Id) -> Option<&Peer> {
        self.peers.get(&id)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values()
    }
}
