//! What is asked about triggers: they come, go, are listed, and tell what went wrong.

use std::sync::Arc;

use actix::{AsyncContext, Context, Handler, Message};
use lttngd_app::{ClearNotifierErrors, CountNotifierErrors};
use lttngd_kernel::{AddNotifier, CountErrors, RemoveNotifier};
use lttngd_model::{
    ErrorCode,
    trigger::{ErrorCounter, ErrorQuery, ErrorQueryTarget, Trigger},
};
use lttngd_runtime::{Beside, Outlet, fail_point, tell};

use super::Triggers;
use crate::{
    ListTriggers, QueryErrors, RegisterTrigger, UnregisterTrigger, book::TriggerId, rule::Rule,
};

/// Nobody counts in the error counter of a rule any more.
#[derive(Message)]
#[rtype(result = "()")]
struct CounterCleared(Rule);

/// A tracer refused the rule of a trigger, which is not there any more when this was handled.
#[derive(Message)]
#[rtype(result = "()")]
struct RuleRefused(TriggerId);

impl Triggers {
    fn register(
        &mut self,
        request: RegisterTrigger,
        context: &mut Context<Self>,
    ) -> Result<(TriggerId, Trigger), ErrorCode> {
        let RegisterTrigger { requester, trigger, anonymous } = request;
        let id = self.book.register(requester, trigger, anonymous)?;
        let registered = self.book.get(id).ok_or(ErrorCode::Fatal)?;
        let trigger = Trigger::clone(&registered.trigger);
        self.watch_use();
        if let Some((evaluation, owner)) = self.sessions.state_of(&trigger.condition) {
            self.occur(id, evaluation, Some(owner), context);
        }
        Ok((id, trigger))
    }

    /// Has tracers take the rule of a trigger, if it has one. Over when they have it, or refused it.
    fn apply(
        &mut self,
        id: TriggerId,
        context: &Context<Self>,
    ) -> impl Future<Output = Result<(), ErrorCode>> + use<> {
        let rule = self.book.rule(id).cloned();
        let (mut of_users, mut of_kernel) = (None, None);
        match rule {
            Some(Rule::User(rule)) => {
                self.notifiers = Arc::new(self.notifiers.with(rule));
                of_users = Some(self.synchronise(context));
            }
            Some(Rule::Kernel(notifier)) => {
                let notified = Outlet::to(context.address().recipient());
                let kernel = self.config.kernel.as_ref();
                let add = AddNotifier { notifier, notified };
                of_kernel = kernel.map(|kernel| kernel.notifiers.send(add));
            }
            None => {}
        }
        async move {
            if let Some(synchronised) = of_users {
                synchronised.await;
            }
            match of_kernel {
                // It fails only when that actor failed.
                Some(added) => added.await.unwrap_or(Err(ErrorCode::KernNa)),
                None => Ok(()),
            }
        }
    }

    /// Takes the rule of a trigger that is gone from tracers. Over when nobody counts in its counter.
    fn take_back(
        &mut self,
        rule: &Rule,
        context: &Context<Self>,
    ) -> impl Future<Output = ()> + use<> {
        let index = rule.error_counter_index();
        let (mut of_users, mut of_kernel) = (None, None);
        match rule {
            Rule::User(rule) => {
                self.notifiers = Arc::new(self.notifiers.without(rule.token));
                of_users = Some((self.synchronise(context), self.config.notifiers.clone()));
            }
            Rule::Kernel(notifier) => {
                let remove = RemoveNotifier { token: notifier.token, error_counter_index: index };
                let kernel = self.config.kernel.as_ref();
                of_kernel = kernel.map(|kernel| kernel.notifiers.send(remove));
            }
        }
        async move {
            // These fail only when the actors failed.
            if let Some((synchronised, apps)) = of_users {
                synchronised.await;
                let _ = apps.clear_errors.send(ClearNotifierErrors { index }).await;
            }
            if let Some(removed) = of_kernel {
                let _ = removed.await;
            }
        }
    }

    /// What is counted of a part of a trigger that is known here; else the rule whose tracers are to be asked.
    fn errors(&self, request: &QueryErrors) -> Result<Result<Vec<ErrorCounter>, Rule>, ErrorCode> {
        let ErrorQuery { trigger, target } = &request.query;
        if let ErrorQueryTarget::Action(path) = target
            && trigger.action.at(path).is_none()
        {
            return Err(ErrorCode::InvalidProtocol);
        }
        let id = self.book.find_for(request.requester, trigger)?;
        Ok(match target {
            ErrorQueryTarget::Trigger => Ok(Vec::new()),
            ErrorQueryTarget::Condition => match self.book.rule(id) {
                Some(rule) => Err(rule.clone()),
                None => Ok(Vec::new()),
            },
            ErrorQueryTarget::Action(path) => {
                let failures = self.book.failures(id, path);
                Ok(failures.map(ErrorCounter::execution_failures).into_iter().collect())
            }
        })
    }
}

impl Handler<RegisterTrigger> for Triggers {
    type Result = Beside<Result<Trigger, ErrorCode>>;

    fn handle(&mut self, request: RegisterTrigger, context: &mut Self::Context) -> Self::Result {
        fail_point::reached("Triggers register");
        let registered = self.register(request, context);
        let applied = registered.map(|(id, trigger)| (id, trigger, self.apply(id, context)));
        let me = context.address();
        self.works.answer(async move {
            let (id, trigger, applied) = applied?;
            if let Err(code) = applied.await {
                // It fails only when the actor does, and whoever asked is answered all the same.
                let _ = me.send(RuleRefused(id)).await;
                return Err(code);
            }
            Ok(trigger)
        })
    }
}

impl Handler<RuleRefused> for Triggers {
    type Result = ();

    fn handle(&mut self, RuleRefused(id): RuleRefused, _: &mut Self::Context) {
        if let Some(rule) = self.book.remove(id) {
            self.book.release(&rule);
        }
    }
}

impl Handler<UnregisterTrigger> for Triggers {
    type Result = Beside<Result<(), ErrorCode>>;

    fn handle(&mut self, request: UnregisterTrigger, context: &mut Self::Context) -> Self::Result {
        let UnregisterTrigger { requester, trigger } = request;
        let taken = self.book.unregister(requester, &trigger);
        self.watch_use();
        let taken = taken.map(|rule| {
            rule.map(|rule| {
                let taken_back = self.take_back(&rule, context);
                (rule, taken_back)
            })
        });
        let me = context.address();
        self.works.answer(async move {
            if let Some((rule, taken_back)) = taken? {
                taken_back.await;
                tell(&me, CounterCleared(rule));
            }
            Ok(())
        })
    }
}

impl Handler<CounterCleared> for Triggers {
    type Result = ();

    fn handle(&mut self, CounterCleared(rule): CounterCleared, _: &mut Self::Context) {
        self.book.release(&rule);
    }
}

impl Handler<ListTriggers> for Triggers {
    type Result = Result<Vec<Trigger>, ErrorCode>;

    fn handle(&mut self, request: ListTriggers, _: &mut Self::Context) -> Self::Result {
        Ok(self.book.list(request.requester))
    }
}

impl Handler<QueryErrors> for Triggers {
    type Result = Beside<Result<Vec<ErrorCounter>, ErrorCode>>;

    fn handle(&mut self, request: QueryErrors, _: &mut Self::Context) -> Self::Result {
        let (errors, apps) = (self.errors(&request), self.config.notifiers.clone());
        let kernel = self.config.kernel.clone();
        self.works.answer(async move {
            let rule = match errors? {
                Ok(counters) => return Ok(counters),
                Err(rule) => rule,
            };
            let index = rule.error_counter_index();
            // These fail only when the actors failed.
            let count = match (rule, kernel) {
                (Rule::Kernel(_), Some(kernel)) => {
                    let count = kernel.notifiers.send(CountErrors { index });
                    count.await.unwrap_or(Err(ErrorCode::Unk))?
                }
                _ => {
                    let count = apps.count_errors.send(CountNotifierErrors { index });
                    count.await.unwrap_or_default()
                }
            };
            Ok(vec![ErrorCounter::discarded_tracer_messages(count)])
        })
    }
}
