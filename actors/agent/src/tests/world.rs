//! A listener and somebody who is told of agents.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Addr, Context, Handler};
use lttngd_model::{
    AppContext, Bytecode, Domain, Filter, LogLevelRule, SessionId,
    ust::{AgentDomain, AgentEvent, AgentRule},
};
use lttngd_peer::{AgentScript, FakeAgent, eventually};
use lttngd_runtime::Outlet;
use tokio::task::JoinHandle;

use crate::{
    Agent, AgentError, AgentId, AgentInfo, AgentRegistered, AgentSettings, AgentUnregistered,
    Forget, Synchronise, listen,
};

/// The session of most of these tests.
pub(super) const SESSION: SessionId = SessionId(5);

/// What was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    registered: Arc<Mutex<Vec<AgentRegistered>>>,
    unregistered: Arc<Mutex<Vec<AgentId>>>,
}

impl Actor for Told {
    type Context = Context<Self>;
}

impl Handler<AgentRegistered> for Told {
    type Result = ();

    fn handle(&mut self, registered: AgentRegistered, _: &mut Self::Context) {
        self.registered.lock().unwrap().push(registered);
    }
}

impl Handler<AgentUnregistered> for Told {
    type Result = ();

    fn handle(&mut self, gone: AgentUnregistered, _: &mut Self::Context) {
        self.unregistered.lock().unwrap().push(gone.id);
    }
}

impl Told {
    pub(super) fn registered(&self) -> usize {
        self.registered.lock().unwrap().len()
    }

    pub(super) fn unregistered(&self) -> Vec<AgentId> {
        self.unregistered.lock().unwrap().clone()
    }
}

pub(super) struct World {
    pub(super) address: SocketAddr,
    pub(super) told: Told,
    listener: JoinHandle<std::io::Result<()>>,
}

impl World {
    /// A world whose agents have that much time to answer.
    pub(super) fn new(deadline: Option<Duration>) -> Self {
        let told = Told::default();
        let teller = told.clone().start();
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let settings = AgentSettings {
            descriptors: lttngd_runtime::Descriptors::unlimited(),
            deadline,
            registered: Outlet::to(teller.clone().recipient()),
            unregistered: Outlet::to(teller.recipient()),
        };
        let listener = tokio::task::spawn_local(listen(socket, settings));
        Self { address, told, listener }
    }

    /// An agent that registers, and what is known of it.
    pub(super) async fn agent(&self, script: AgentScript) -> (FakeAgent, Addr<Agent>, AgentInfo) {
        let before = self.told.registered();
        let fake = FakeAgent::connect(self.address, script).unwrap();
        eventually("the agent registers", || self.told.registered() > before).await;
        let AgentRegistered { info, agent } = self.told.registered.lock().unwrap()[before].clone();
        (fake, agent, info)
    }

    /// An agent that does what agents do.
    pub(super) async fn answering(&self) -> (FakeAgent, Addr<Agent>) {
        let (fake, agent, _) = self.agent(AgentScript::answering(Domain::Jul)).await;
        (fake, agent)
    }

    pub(super) fn end(self) {
        self.listener.abort();
    }
}

pub(super) fn rule(name: &str) -> AgentRule {
    let bytecode = Bytecode { reloc_table_offset: 0, seqnum: 0, data: name.as_bytes().to_vec() };
    AgentRule {
        name: name.to_owned(),
        loglevel: LogLevelRule::All,
        loglevel_value: -1,
        filter: Some(Filter { expression: format!("logger_name == \"{name}\""), bytecode }),
    }
}

pub(super) fn context(name: &str) -> AppContext {
    AppContext { provider: "p".to_owned(), name: name.to_owned() }
}

/// A session that wants these rules and contexts, and has disabled rules of the names in brackets.
pub(super) fn wish(names: &[&str], contexts: &[&str]) -> Arc<AgentDomain> {
    let event = |name: &&str| {
        let disabled = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        AgentEvent { rule: Arc::new(rule(disabled.unwrap_or(name))), enabled: disabled.is_none() }
    };
    Arc::new(AgentDomain {
        events: names.iter().map(event).collect(),
        contexts: contexts.iter().map(|name| context(name)).collect(),
    })
}

/// Brings an agent to what a session wants.
pub(super) async fn synchronise(
    agent: &Addr<Agent>,
    session: SessionId,
    want: Arc<AgentDomain>,
) -> Result<(), AgentError> {
    agent.send(Synchronise { session, want }).await.unwrap_or(Err(AgentError::Gone))
}

/// Takes a session out of an agent.
pub(super) async fn forget(agent: &Addr<Agent>, session: SessionId) -> Result<(), AgentError> {
    agent.send(Forget { session }).await.unwrap_or(Err(AgentError::Gone))
}
