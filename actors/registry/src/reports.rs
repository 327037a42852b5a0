//! How all peers do, as whoever owns them knows it. No peer is asked: what does not answer delays nobody.

use std::time::Duration;

use actix::{ArbiterHandle, Handler, Message, ResponseFuture};
use futures::future::{join, join_all};
use lttngd_agent::{AgentInfo, ListAgents};
use lttngd_app::{AppReport, ReportApps};
use lttngd_consumer::{ConsumerReport, ReportConsumer};
use lttngd_model::Domain;
use lttngd_relayd::{RelayReport, ReportRelays};
use lttngd_runas::RunasReport;
use lttngd_runtime::ask;
use lttngd_users::{Holding, held_here};
use tokio::sync::oneshot;

use crate::Registry;

/// Longest wait for an actor or a thread. Each answers at once, unless its thread is busy.
const REPORT_DEADLINE: Duration = Duration::from_millis(500);

/// The domains of agents.
const AGENTS: [Domain; 3] = [Domain::Jul, Domain::Log4j, Domain::Python];

/// Asks how all peers do, and what users hold by the ledgers of these threads. What is not known in time is left out.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Reports")]
pub struct Report {
    /// The threads.
    pub arbiters: Vec<ArbiterHandle>,
}

/// How all peers do.
#[derive(Clone, Debug, Default)]
pub struct Reports {
    /// The applications that are registered.
    pub apps: Vec<AppReport>,
    /// The logging agents that are.
    pub agents: Vec<AgentInfo>,
    /// The consumer daemons.
    pub consumers: Vec<ConsumerReport>,
    /// The connections to relay daemons.
    pub relays: Vec<RelayReport>,
    /// The worker that acts for users.
    pub runas: RunasReport,
    /// What users hold of what there is only so much of.
    pub held: Vec<Holding>,
}

impl Handler<Report> for Registry {
    type Result = ResponseFuture<Reports>;

    fn handle(&mut self, report: Report, _: &mut Self::Context) -> Self::Result {
        let (apps, agents) = (self.config.apps.clone(), self.config.agents.clone());
        let runas = self.config.runas.clone();
        let (relayds, consumers) = (self.config.relayds.clone(), self.config.consumers.clone());
        Box::pin(async move {
            let apps = async { ask(&apps, ReportApps, REPORT_DEADLINE).await.unwrap_or_default() };
            let agents = AGENTS.map(|domain| ask(&agents, ListAgents { domain }, REPORT_DEADLINE));
            let consumers = consumers.all().map(|(_, it)| ask(it, ReportConsumer, REPORT_DEADLINE));
            let relays =
                async { ask(&relayds, ReportRelays, REPORT_DEADLINE).await.unwrap_or_default() };
            let held = join_all(report.arbiters.iter().map(held_at));
            let peers = join(join(apps, join_all(agents)), join(join_all(consumers), relays));
            let (((apps, agents), (consumers, relays)), held) = join(peers, held).await;
            Reports {
                apps,
                agents: agents.into_iter().flatten().flatten().map(|(info, _)| info).collect(),
                consumers: consumers.into_iter().flatten().collect(),
                relays,
                runas: runas.report(),
                held: held.into_iter().flatten().collect(),
            }
        })
    }
}

/// What users hold by the ledgers of a thread.
async fn held_at(arbiter: &ArbiterHandle) -> Vec<Holding> {
    let (reply, held) = oneshot::channel();
    // Who asked may be gone.
    arbiter.spawn_fn(move || drop(reply.send(held_here())));
    // One that has ended says nothing.
    let held = tokio::time::timeout(REPORT_DEADLINE, held).await;
    held.ok().and_then(Result::ok).unwrap_or_default()
}
