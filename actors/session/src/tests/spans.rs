//! What is logged of a session says of which.

use lttngd_model::{BufferScheme, Credentials, ErrorCode};
use lttngd_peer::{AppScript, ConsumerScript, Logged};

use super::world::World;
use crate::{ConsumerLost, Destroy, Output, Save, Start};

#[actix::test]
async fn whatever_is_logged_says_of_which_session_it_is() {
    let logged = Logged::start();
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
    world.ask(ConsumerLost { kind, successor: None }).await;
    assert!(world.ask(Destroy).await.is_err());
    drop(app);
    world.end().await;
    let own = logged.of("lttngd_session");
    for said in ["the output directory cannot be made", "the session lost its consumer daemon"] {
        assert!(own.iter().any(|line| line.contains(said)), "{said}: {own:#?}");
    }
    for line in &own {
        assert!(line.contains("session{name=\"mine\\nERROR\"}"), "{line}");
    }
}

#[actix::test]
async fn commands_that_fail_again_and_again_do_not_fill_the_log() {
    const OFTEN: usize = 100;
    let logged = Logged::start();
    let nowhere = |config: &mut crate::SessionConfig| {
        config.output = Output::Local("/dev/null/traces".into());
    };
    let script = ConsumerScript::default();
    let world = World::configured(script, BufferScheme::PerUid, None, nowhere).await;
    for _ in 0..OFTEN {
        assert_eq!(world.ask(Start).await, Err(ErrorCode::CreateDirFail));
    }
    let requester = Credentials {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    let directory = Some("/dev/null/saved".into());
    let save = Save { requester, directory, overwrite: true };
    for _ in 0..OFTEN {
        assert_eq!(world.ask(save.clone()).await, Err(ErrorCode::SetUrl));
    }
    let own = logged.of("lttngd_session");
    for said in ["the output directory cannot be made", "sessions cannot be saved there"] {
        let count = own.iter().filter(|line| line.contains(said)).count();
        assert!((1..OFTEN / 2).contains(&count), "{said}, {count}: {own:#?}");
    }
    world.ask(Destroy).await.unwrap();
    world.end().await;
}
