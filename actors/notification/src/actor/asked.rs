//! What is asked about triggers: they come, go, are listed, and tell what went wrong.

use std::sync::Arc;

use actix::{AsyncContext, Context, Handler, Message};
use lttngd_app::{ClearNotifierErrors, CountNotifierErrors};
use lttngd_model::{
    ErrorCode,
    trigger::{ErrorCounter, ErrorQuery, ErrorQueryTarget, Trigger},
    ust::NotifierRule,
};
use lttngd_runtime::{Beside, fail_point, tell};

use super::Triggers;
use crate::{ListTriggers, QueryErrors, RegisterTrigger, UnregisterTrigger};

/// Nobody counts in an error counter any more.
#[derive(Message)]
#[rtype(result = "()")]
struct CounterCleared(u64);

impl Triggers {
    fn register(
        &mut self,
        request: RegisterTrigger,
        context: &mut Context<Self>,
    ) -> Result<(Trigger, bool), ErrorCode> {
        let RegisterTrigger { requester, trigger, anonymous } = request;
        let id = self.book.register(requester, trigger, anonymous)?;
        let rule = self.book.rule(id).map(Arc::clone);
        if let Some(rule) = &rule {
            self.notifiers = Arc::new(self.notifiers.with(Arc::clone(rule)));
        }
        let registered = self.book.get(id).ok_or(ErrorCode::Fatal)?;
        let trigger = Trigger::clone(&registered.trigger);
        if let Some((evaluation, owner)) = self.sessions.state_of(&trigger.condition) {
            self.occur(id, evaluation, Some(owner), context);
        }
        Ok((trigger, rule.is_some()))
    }

    fn unregister(
        &mut self,
        request: &UnregisterTrigger,
    ) -> Result<Option<Arc<NotifierRule>>, ErrorCode> {
        let rule = self.book.unregister(request.requester, &request.trigger)?;
        if let Some(rule) = &rule {
            self.notifiers = Arc::new(self.notifiers.without(rule.token));
        }
        Ok(rule)
    }

    /// What is counted of a part of a trigger that is known here; else the counter to ask applications for.
    fn errors(&self, request: &QueryErrors) -> Result<Result<Vec<ErrorCounter>, u64>, ErrorCode> {
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
                Some(rule) => Err(rule.error_counter_index),
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
        let has_rule = matches!(registered, Ok((_, true)));
        let synchronised = has_rule.then(|| self.synchronise(context));
        self.works.answer(async move {
            if let Some(synchronised) = synchronised {
                synchronised.await;
            }
            registered.map(|(trigger, _)| trigger)
        })
    }
}

impl Handler<UnregisterTrigger> for Triggers {
    type Result = Beside<Result<(), ErrorCode>>;

    fn handle(&mut self, request: UnregisterTrigger, context: &mut Self::Context) -> Self::Result {
        let rule = self.unregister(&request);
        let taken = rule.map(|rule| rule.map(|rule| (rule, self.synchronise(context))));
        let (me, apps) = (context.address(), self.config.notifiers.clone());
        self.works.answer(async move {
            if let Some((rule, synchronised)) = taken? {
                synchronised.await;
                let index = rule.error_counter_index;
                // It fails only when that actor failed.
                let _ = apps.clear_errors.send(ClearNotifierErrors { index }).await;
                tell(&me, CounterCleared(index));
            }
            Ok(())
        })
    }
}

impl Handler<CounterCleared> for Triggers {
    type Result = ();

    fn handle(&mut self, CounterCleared(index): CounterCleared, _: &mut Self::Context) {
        self.book.release(index);
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
        self.works.answer(async move {
            match errors? {
                Ok(counters) => Ok(counters),
                Err(index) => {
                    // It fails only when that actor failed.
                    let count = apps.count_errors.send(CountNotifierErrors { index });
                    let count = count.await.unwrap_or_default();
                    Ok(vec![ErrorCounter::discarded_tracer_messages(count)])
                }
            }
        })
    }
}
