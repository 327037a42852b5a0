//! The kernel's domain of a session: making it, and having the tracer do what its rules decide.

use std::rc::Rc;

use actix::Actor;
use lttngd_buffers::SetOutput;
use lttngd_kernel::{
    Apply, KernelSession, KernelSessionConfig, KernelSessionFailed, Open, SetRecording,
};
use lttngd_model::{
    ErrorCode, Tracer,
    kernel::{KernelDomain as Rules, KernelFacts, Plan},
};

use crate::{
    Output, actor::Inner, complain::complain, domains::KernelDomain, state::losses::Losses,
};

impl Inner {
    /// The domain comes to be, where this daemon serves it.
    pub(crate) fn make_kernel(&self) {
        let (tracer, consumer) = (&self.config.tracer, self.state().consumers.kernel.clone());
        let (Some(tracer), Some(consumer)) = (tracer, consumer) else { return };
        if self.state().domains.kernel.is_some() {
            return;
        }
        let session = KernelSession::new(KernelSessionConfig {
            session: self.config.id,
            name: self.config.name.clone(),
            auto_named: self.config.auto_named,
            created_at: self.config.created_at,
            live_timer_interval_us: self.config.live_timer_interval_us(),
            page_size: self.config.page_size,
            tracer: tracer.clone(),
            consumer,
            keys: self.config.keys.clone(),
            consumer_deadline: self.config.consumer_deadline,
            sampled: self.outlet(),
            failed: self.outlet(),
        });
        self.state_mut().domains.kernel = Some(KernelDomain {
            rules: Rules::default(),
            actor: session.start(),
            can_be_monitored: false,
            past_losses: Losses::default(),
        });
    }

    /// The session comes to be in the tracer, if it is not there. Without that there is no such domain.
    pub(crate) async fn open_kernel(&self) -> Result<(), ErrorCode> {
        let actor = self.state().domains.kernel.as_ref().map(|kernel| kernel.actor.clone());
        let Some(actor) = actor else { return Ok(()) };
        let opened = actor.send(Open).await.unwrap_or(Err(ErrorCode::KernSessFail));
        let kernel = &mut self.state_mut().domains.kernel;
        match (opened, kernel.as_mut().filter(|kernel| kernel.actor == actor)) {
            (Ok(device), Some(known)) => {
                known.can_be_monitored = device.can_be_monitored();
                Ok(())
            }
            (Ok(_), None) => Ok(()),
            (Err(code), known) => {
                if known.is_some_and(|known| known.rules.channels.is_empty()) {
                    *kernel = None;
                }
                Err(code)
            }
        }
    }

    /// Has the tracer do what a command asks for, and keeps what it did.
    pub(crate) async fn change_kernel(
        &self,
        missing: ErrorCode,
        plan: impl FnOnce(&mut Rules, KernelFacts) -> Result<Plan, ErrorCode>,
    ) -> Result<(), ErrorCode> {
        let (plan, actor) = {
            let state = &mut *self.state_mut();
            let has_snapshot_output = !state.snapshots.outputs().is_empty();
            let kernel = state.domains.kernel.as_mut().ok_or(missing)?;
            let facts = KernelFacts {
                kind: self.config.kind,
                was_started: state.life.was_started,
                has_snapshot_output,
                can_be_monitored: kernel.can_be_monitored,
            };
            (plan(&mut kernel.rules, facts)?, kernel.actor.clone())
        };
        let done = match plan.steps.is_empty() {
            true => Vec::new(),
            false => {
                let apply = Apply { plan: plan.clone() };
                actor.send(apply).await.unwrap_or(Err(crate::FAILED))?
            }
        };
        let mut state = self.state_mut();
        state.domains.kernel.as_mut().ok_or(missing)?.rules.settle(&plan, &done)
    }

    /// Brings the kernel to what the session wants, if something is recorded there.
    pub(crate) async fn synchronise_kernel(&self) -> Result<(), ErrorCode> {
        let (actor, active) = {
            let state = self.state();
            let Some(kernel) = &state.domains.kernel else { return Ok(()) };
            // Without a channel there is nothing to start, nor to be described.
            if kernel.rules.channels.is_empty() {
                return Ok(());
            }
            (kernel.actor.clone(), state.records())
        };
        let output = self.set_output(Tracer::Kernel);
        let recorded = actor.send(SetRecording { active, output }).await;
        recorded.unwrap_or(Err(ErrorCode::KernNa)).inspect_err(|error| {
            complain!(self, "the kernel does not follow the session", %error);
        })
    }

    /// Where buffers of a tracer that are made now are written.
    pub(crate) fn set_output(&self, tracer: Tracer) -> SetOutput {
        let state = self.state();
        let Some(chunk) = &state.chunk else { return SetOutput::None };
        if let Some(domain) = chunk.directories.get(&tracer) {
            return SetOutput::Directory { chunk: chunk.id, domain: domain.clone() };
        }
        match (state.relayd(), &state.output) {
            (Some(relayd), Output::Network(network)) => SetOutput::Relayd {
                chunk: chunk.id,
                net_index: relayd.net_index,
                prefix: self.directory_at(relayd, network, "", tracer),
            },
            _ => SetOutput::None,
        }
    }

    /// What was recorded is in the trace as far as the consumer daemon had it. Whoever needs the kernel's session
    /// is told that it is closed, so that stop and destroy say that not all is in the trace; it is listed with
    /// what it had lost until then.
    pub(crate) async fn kernel_failed(self: Rc<Self>, failed: KernelSessionFailed) {
        tracing::error!("what the session records of the kernel failed here; destroy it");
        match failed.let_go().await {
            Ok(lost) => {
                if let Some(kernel) = &mut self.state_mut().domains.kernel {
                    kernel.past_losses.extend(lost);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the consumer daemon does not tell what channels that failed lost, or keeps them");
            }
        }
    }
}
