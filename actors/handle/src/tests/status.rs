//! What goes on inside, as far as whoever asks may know it.

use lttngd_model::Credentials;
use lttngd_peer::{AppScript, ConsumerScript, eventually};

use super::world::{World, own};
use crate::{AppState, SessionState};

#[actix::test]
async fn everybody_is_told_of_his_own_sessions_and_shares_and_of_all_applications() {
    let world = World::new(ConsumerScript::default(), None).await;
    world.session("s").await;
    world.handle.start("s").await.unwrap();
    let fake = world.app(AppScript::default());
    eventually("its main begins", || fake.has_got(0x44)).await;
    let told = world.handle.status(true).await.unwrap();
    let session = told.sessions.first().unwrap();
    assert_eq!((session.name.as_str(), session.state), ("s", SessionState::Active));
    assert_eq!((session.uid, told.sessions.len()), (own().uid, 1));
    assert_eq!((session.kernel_channels, session.user_space_channels), (None, Some(1)));
    assert_eq!(session.commands, None);
    let app = told.applications.first().unwrap();
    assert_eq!((app.pid, app.state), (std::process::id(), AppState::Registered));
    let users = told.users.unwrap();
    let mine = users.iter().find(|user| user.uid == own().uid).unwrap();
    let holds = |what| mine.holds.iter().find(|it| it.what == what).map(|it| it.count);
    assert_eq!(holds("sessions"), Some(1));

    let stranger = Credentials { uid: own().uid + 1, gid: own().gid + 1 };
    let told = world.handle.acting_for(stranger).status(true).await.unwrap();
    assert_eq!((told.sessions.len(), told.applications.len()), (0, 1));
    assert!(told.users.unwrap().iter().all(|user| user.uid == stranger.uid));
    assert_eq!(world.handle.status(false).await.unwrap().users, None, "nobody asked");
    drop(fake);
    world.end().await;
}
