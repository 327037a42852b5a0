//! What is logged of a session says of which.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use lttngd_model::{BufferScheme, ErrorCode};
use lttngd_peer::{AppScript, ConsumerScript};
use tracing::Level;

use super::world::World;
use crate::{ConsumerLost, Destroy, Output, Start};

/// Where the lines of a test go.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Those that this crate has logged.
    fn own(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().filter(|line| line.contains("lttngd_session")).map(str::to_owned).collect()
    }
}

#[actix::test]
async fn whatever_is_logged_says_of_which_session_it_is() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    let nowhere = |config: &mut crate::SessionConfig| {
        config.name = "mine\nERROR".to_owned();
        config.output = Output::Local("/dev/null/traces".into());
    };
    let script = ConsumerScript::default();
    let world = World::configured(script, BufferScheme::PerUid, None, nowhere).await;
    // A command, in its turn.
    assert_eq!(world.ask(Start).await, Err(ErrorCode::CreateDirFail));
    assert_eq!(world.ask(Destroy).await.map(drop), Ok(()));
    world.end().await;
    // What is told it, beside its commands.
    let script = ConsumerScript::default();
    let world = World::configured(script, BufferScheme::PerUid, None, |config| {
        config.name = "mine\nERROR".to_owned();
    })
    .await;
    let app = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    let kind = lttngd_model::ConsumerKind::Ust(lttngd_model::Bitness::Bits64);
    world.ask(ConsumerLost { kind }).await;
    assert!(world.ask(Destroy).await.is_err());
    drop(app);
    world.end().await;
    let own = lines.own();
    for said in ["the output directory cannot be made", "the session lost its consumer daemon"] {
        assert!(own.iter().any(|line| line.contains(said)), "{said}: {own:#?}");
    }
    for line in &own {
        assert!(line.contains("session{name=\"mine\\nERROR\"}"), "{line}");
    }
}
