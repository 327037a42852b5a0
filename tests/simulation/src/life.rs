//! One life from a seed, and the smallest that goes wrong in the same way.

use std::{cell::RefCell, fmt, rc::Rc, sync::Once, time::Duration};

use actix::System;

use crate::{client, rest, story::Story, world::World};

/// Longest time, as it passes in a life, that all of it may take.
const LIFE_MAX: Duration = Duration::from_secs(40_000);

/// Which kinds of peers are at times late, refuse, say something wrong, fall silent and die.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Faults {
    /// Applications.
    pub apps: bool,
    /// Consumer daemons.
    pub consumers: bool,
    /// Relay daemons.
    pub relays: bool,
}

impl Faults {
    /// Of every kind.
    pub const ALL: Self = Self { apps: true, consumers: true, relays: true };
    /// None.
    pub const NONE: Self = Self { apps: false, consumers: false, relays: false };
}

/// What is lived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Life {
    /// What chooses everything.
    pub seed: u64,
    /// How many clients give commands.
    pub clients: usize,
    /// How many each gives.
    pub commands: usize,
    /// How many applications there are.
    pub apps: usize,
    /// Who does wrong.
    pub faults: Faults,
}

/// How a life ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// What happened, a line each.
    pub lines: Vec<String>,
    /// What was wrong; empty in a good life.
    pub wrong: Vec<String>,
}

impl Ending {
    /// The first that was wrong, as far as it is the same in other lives.
    fn kind(&self) -> Option<String> {
        const WORDS: usize = 4;
        let words = self.wrong.first()?.split_whitespace();
        let is_same = |word: &&str| !word.contains(|letter: char| letter.is_ascii_digit());
        Some(words.filter(is_same).take(WORDS).collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Display for Life {
    /// As [`Life::parse`] reads it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, clients, commands, apps, faults } = self;
        let kinds = [(faults.apps, 'a'), (faults.consumers, 'c'), (faults.relays, 'r')];
        let kinds: String = kinds.iter().filter(|(is_there, _)| *is_there).map(|it| it.1).collect();
        write!(out, "{seed}/{clients}/{commands}/{apps}/{kinds}")
    }
}

thread_local! {
    /// What panicked in this thread.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Has panics of all threads noted where they happen, besides being printed.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.with_borrow_mut(|panics| panics.push(panic.to_string()));
            before(panic);
        }));
    });
}

impl Life {
    /// The usual life of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self { seed, clients: 3, commands: 40, apps: 4, faults: Faults::ALL }
    }

    /// What was printed of a life; a number alone is the usual life of that seed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let mut life = Self::of(parts.next()?.parse().ok()?);
        let Some(clients) = parts.next() else { return Some(life) };
        life.clients = clients.parse().ok()?;
        life.commands = parts.next()?.parse().ok()?;
        life.apps = parts.next()?.parse().ok()?;
        let kinds = parts.next()?;
        let [apps, consumers, relays] = ['a', 'c', 'r'].map(|kind| kinds.contains(kind));
        life.faults = Faults { apps, consumers, relays };
        Some(life)
    }

    /// Lives it, in a thread of its own.
    #[must_use]
    pub fn live(self) -> Ending {
        note_panics();
        std::thread::Builder::new()
            .name(format!("life {self}"))
            .spawn(move || {
                let system = System::with_tokio_rt(|| {
                    tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .start_paused(true)
                        .build()
                        .unwrap()
                });
                let mut ending = system.block_on(self.pass());
                drop(system);
                lttngd_runtime::outside::simulate(None);
                let panics = PANICS.take().into_iter();
                ending.wrong.extend(panics.map(|panic| format!("panic: {panic}")));
                ending
            })
            .unwrap()
            .join()
            .unwrap_or_else(|_| Ending {
                lines: Vec::new(),
                wrong: vec!["the life itself panicked".to_owned()],
            })
    }

    async fn pass(self) -> Ending {
        let story = Rc::new(Story::begin());
        let passed = tokio::time::timeout(LIFE_MAX, async {
            let world = Rc::new(World::begin(self, Rc::clone(&story)));
            client::all(&world).await;
            rest::look(&world).await;
        });
        if passed.await.is_err() {
            story.wrong("life", "something is waited for without end");
        }
        let (lines, wrong) = story.end();
        Ending { lines, wrong }
    }

    /// Lives that are a little smaller.
    fn smaller(self) -> Vec<Self> {
        let without = |faults| Self { faults, ..self };
        let faults = self.faults;
        let lives = [
            without(Faults { apps: false, ..faults }),
            without(Faults { consumers: false, ..faults }),
            without(Faults { relays: false, ..faults }),
            Self { clients: (self.clients - 1).max(1), ..self },
            Self { apps: self.apps.saturating_sub(1), ..self },
            Self { commands: self.commands / 2, ..self },
            Self { commands: self.commands.saturating_sub(1), ..self },
        ];
        lives.into_iter().filter(|life| *life != self).collect()
    }
}

/// The smallest life in which something goes wrong as in this one does, or as good as, after some attempts.
#[must_use]
pub fn smallest(life: Life, ending: Ending) -> (Life, Ending) {
    const ATTEMPTS: usize = 40;
    let kind = ending.kind();
    let (mut found, mut attempts) = ((life, ending), 0);
    loop {
        let smaller = found.0.smaller().into_iter().find_map(|life| {
            attempts += 1;
            let ending = (attempts <= ATTEMPTS).then(|| life.live())?;
            (ending.kind() == kind).then_some((life, ending))
        });
        match smaller {
            Some(smaller) => found = smaller,
            None => return found,
        }
    }
}
