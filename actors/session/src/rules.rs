//! The commands on channels, event rules and contexts.

use std::rc::Rc;

use lttngd_model::{
    BufferScheme, Domain, ErrorCode, EventListing, Tracer, kernel::KernelDomain as KernelRules,
    ust::UstDomain,
};

use crate::{
    AddContext, DisableChannel, DisableEvent, EnableChannel, EnableEvent, ListDomains, ListEvents,
    SetConsumerUri,
    actor::Inner,
    admission::turn::Turn,
    rule_share::{event_len, named_len},
};

impl Inner {
    /// Changes what is recorded in user space, and then what applications have of an active session.
    pub(crate) async fn change(
        self: &Rc<Self>,
        domain: Domain,
        missing: ErrorCode,
        change: impl FnOnce(&mut UstDomain) -> Result<(), ErrorCode>,
    ) -> Result<(), ErrorCode> {
        debug_assert_eq!(domain.tracer(), Some(Tracer::Ust));
        change(self.state_mut().change_ust().as_mut().ok_or(missing)?)?;
        if self.life().active {
            self.synchronise_while_asked().await;
        }
        Ok(())
    }

    /// Does what may add something to what is recorded, for which the session's owner has so much room. It is
    /// given back when nothing was added.
    async fn within_share(
        &self,
        len: u64,
        change: impl Future<Output = Result<(), ErrorCode>>,
    ) -> Result<(), ErrorCode> {
        let before = self.state().domains.count();
        self.rule_share.borrow_mut().take(self.config.owner.uid, len)?;
        let outcome = change.await;
        let is_added = self.state().domains.count() > before;
        if !is_added {
            self.rule_share.borrow_mut().give_back(len);
        }
        outcome
    }

    pub(crate) async fn enable_channel(
        self: Rc<Self>,
        request: EnableChannel,
    ) -> Result<(), ErrorCode> {
        let len = named_len(&request.channel.name);
        self.within_share(len, self.do_enable_channel(request)).await
    }

    async fn do_enable_channel(self: &Rc<Self>, request: EnableChannel) -> Result<(), ErrorCode> {
        let EnableChannel { domain, buffer_type, channel } = request;
        if domain == Domain::Kernel {
            let plan =
                |kernel: &mut KernelRules, facts| kernel.plan_enable_channel(&channel, facts);
            return self.change_kernel(ErrorCode::UnknownDomain, plan).await;
        }
        let facts = self.life().facts(self.config.kind);
        self.change(domain, ErrorCode::UnknownDomain, |ust| {
            ust.enable_channel(&channel, domain, buffer_type, facts)
        })
        .await
    }

    pub(crate) async fn disable_channel(
        self: Rc<Self>,
        request: DisableChannel,
    ) -> Result<(), ErrorCode> {
        let DisableChannel { domain, channel } = request;
        if domain == Domain::Kernel {
            let plan = |kernel: &mut KernelRules, _| kernel.plan_disable_channel(&channel);
            return self.change_kernel(ErrorCode::NoChannel, plan).await;
        }
        self.change(domain, ErrorCode::NoChannel, |ust| ust.disable_channel(&channel, domain)).await
    }

    pub(crate) async fn enable_event(
        self: Rc<Self>,
        request: EnableEvent,
    ) -> Result<(), ErrorCode> {
        let len = event_len(&request.event);
        self.within_share(len, self.do_enable_event(request)).await
    }

    async fn do_enable_event(self: &Rc<Self>, request: EnableEvent) -> Result<(), ErrorCode> {
        let EnableEvent { domain, buffer_type, channel, event } = request;
        if domain == Domain::Kernel {
            let plan =
                |kernel: &mut KernelRules, facts| kernel.plan_enable_event(&channel, &event, facts);
            return self.change_kernel(ErrorCode::UnknownDomain, plan).await;
        }
        let facts = self.life().facts(self.config.kind);
        if domain.is_agent() {
            let change =
                |ust: &mut UstDomain| ust.enable_agent_event(domain, &event, buffer_type, facts);
            return self.extend_agents(domain, change).await;
        }
        self.change(domain, ErrorCode::UnknownDomain, |ust| {
            ust.enable_event(&channel, &event, buffer_type, facts)
        })
        .await
    }

    pub(crate) async fn disable_event(
        self: Rc<Self>,
        request: DisableEvent,
    ) -> Result<(), ErrorCode> {
        let DisableEvent { domain, channel, event } = request;
        if domain == Domain::Kernel {
            let plan = |kernel: &mut KernelRules, _| kernel.plan_disable_event(&channel, &event);
            return self.change_kernel(ErrorCode::NoChannel, plan).await;
        }
        if domain.is_agent() {
            let change = |ust: &mut UstDomain| ust.disable_agent_event(domain, &event);
            return self.reduce_agents(domain, change).await;
        }
        self.change(domain, ErrorCode::NoChannel, |ust| ust.disable_event(&channel, &event)).await
    }

    pub(crate) async fn add_context(self: Rc<Self>, request: AddContext) -> Result<(), ErrorCode> {
        let len = named_len(&request.channel);
        self.within_share(len, self.do_add_context(request)).await
    }

    async fn do_add_context(self: &Rc<Self>, request: AddContext) -> Result<(), ErrorCode> {
        let AddContext { domain, channel, raw_type, context } = request;
        if domain == Domain::Kernel {
            let plan = |kernel: &mut KernelRules, facts| {
                kernel.plan_add_context(&channel, raw_type, context.as_ref(), facts)
            };
            return self.change_kernel(ErrorCode::UnknownDomain, plan).await;
        }
        let facts = self.life().facts(self.config.kind);
        let change = |ust: &mut UstDomain| {
            ust.add_context(domain, &channel, raw_type, context.as_ref(), facts)
        };
        if domain.is_agent() {
            self.extend_agents(domain, change).await
        } else {
            self.change(domain, ErrorCode::UnknownDomain, change).await
        }
    }

    pub(crate) fn list_events(&self, request: ListEvents) -> Result<Vec<EventListing>, ErrorCode> {
        let ListEvents { domain, channel } = request;
        if domain == Domain::Kernel {
            let state = self.state();
            let kernel = state.domains.kernel.as_ref().ok_or(ErrorCode::KernChanNotFound)?;
            return kernel.rules.list_events(&channel);
        }
        match &self.state().domains.ust {
            Some(ust) if domain.is_agent() => Ok(ust.list_agent_events(domain)),
            Some(ust) => ust.list_events(&channel),
            None => Err(ErrorCode::UstChanNotFound),
        }
    }

    pub(crate) fn list_domains(
        &self,
        _: ListDomains,
    ) -> Result<Vec<(Domain, BufferScheme)>, ErrorCode> {
        Ok(self.state().domains.all().flat_map(|(_, domain)| domain.list()).collect())
    }

    pub(crate) async fn set_consumer_uri(
        self: Rc<Self>,
        request: SetConsumerUri,
    ) -> Result<(), ErrorCode> {
        if request.uris.is_empty() {
            return Err(ErrorCode::Invalid);
        }
        // Once started, the trace has its place.
        self.admit_turn(Turn::SetConsumerUri)?;
        let output = self.state().output.with_uris(&request.uris)?;
        if self.state().output != output {
            self.disconnect_relayd().await;
        }
        self.state_mut().output = output;
        self.show_changed();
        Ok(())
    }
}
