//! What is checked before a session does what a request asks, in the order of the stock daemon.
//!
//! That the session is there and that the requester may use it is checked by whoever found it. What the
//! request itself needs beyond its domain is checked when its turn has come ([`turn`]). Between these stands what
//! depends on the domain, in the order of [`Needs::checks`], when the request comes and again in its turn; peers
//! are asked then:
//!
//! | request | checks, and what they answer |
//! | --- | --- |
//! | one that needs no domain | none |
//! | a query about a domain | is the domain served (`KernNa`, `NeedRootSessiond`, `AgentTracingDisabled`), is the session there (`SessNotFound`) |
//! | a change of a domain | is it served, is the session whole (`SessNotFound`, [`FAILED`](crate::FAILED)), has it its consumer (`NoUstconsumerd`), do consumer daemons run (`UstConsumer64Fail`, `UstConsumer32Fail`), is the relay daemon connected |
//! | DISABLE_CHANNEL, DISABLE_EVENT | has the session the domain (`NoChannel`), then those of a change |

pub(crate) mod turn;

use std::rc::Rc;

use actix::{Handler, Message};
use lttngd_model::{Domain, ErrorCode, Tracer, ust::UstDomain};
use lttngd_runtime::Asker;

use crate::{
    Session,
    actor::Inner,
    reply::{Beginning, Perform, Preparation, Replying},
    state::lifecycle::Lifecycle,
};

/// What a session must have before it does what a request asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// The domain, for a query: it comes to be.
    Open(Domain),
    /// The domain with what it needs to record: see [`PrepareDomain`](crate::PrepareDomain).
    Ready(Domain),
    /// The same, if the domain is there already: whoever disables something is told first when it is not, and
    /// has none come to be.
    Present(Domain),
}

/// One check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum DomainCheck {
    /// The session has the domain.
    DomainIsThere,
    /// This daemon serves the domain.
    DomainIsServed,
    /// The session can be listed.
    CanBeListed,
    /// The session is whole, and has its consumer daemon.
    HasConsumer,
}

impl Needs {
    /// The domain.
    #[must_use]
    pub fn domain(self) -> Option<Domain> {
        match self {
            Self::Nothing => None,
            Self::Open(domain) | Self::Ready(domain) | Self::Present(domain) => Some(domain),
        }
    }

    /// The checks in their order.
    const fn checks(self) -> &'static [DomainCheck] {
        use DomainCheck as C;
        match self {
            Self::Nothing => &[],
            Self::Open(_) => &[C::DomainIsServed, C::CanBeListed],
            Self::Ready(_) => &[C::DomainIsServed, C::HasConsumer],
            Self::Present(_) => &[C::DomainIsThere, C::DomainIsServed, C::HasConsumer],
        }
    }

    /// Whether peers are asked before the request is done.
    fn has_to_record(self) -> bool {
        matches!(self, Self::Ready(_) | Self::Present(_))
    }

    /// Makes the checks for a session where `is_there` is whether it has the domain.
    fn admit(
        self,
        life: Lifecycle,
        is_there: bool,
        served: Result<(), ErrorCode>,
    ) -> Result<(), ErrorCode> {
        self.checks().iter().try_for_each(|check| match check {
            DomainCheck::DomainIsThere if is_there => Ok(()),
            DomainCheck::DomainIsThere => Err(ErrorCode::NoChannel),
            DomainCheck::DomainIsServed => served,
            DomainCheck::CanBeListed => life.admit_listing(),
            DomainCheck::HasConsumer => match self.domain().and_then(Domain::tracer) {
                Some(tracer) => life.admit_with_consumer_of(tracer),
                // The request itself says that there is no such domain.
                None => Ok(()),
            },
        })
    }
}

/// A request as it comes to a session: it is made ready for it and does it in one conversation.
#[derive(Clone, Debug)]
pub struct Asked<M> {
    /// What it is asked.
    pub request: M,
    /// What it must have before.
    pub needs: Needs,
    /// Whether this daemon serves the domain of the request, else what it answers.
    pub served: Result<(), ErrorCode>,
    /// Who waits for the reply.
    pub asker: Asker,
}

impl<M: Message> Message for Asked<M> {
    type Result = M::Result;
}

impl<M: Perform> Handler<Asked<M>> for Session {
    type Result = Replying<M::Reply>;

    fn handle(&mut self, asked: Asked<M>, context: &mut Self::Context) -> Self::Result {
        let Asked { request, needs, served, asker } = asked;
        if let Err(code) = self.inner.admit(needs, served) {
            return Replying::Now(Err(code));
        }
        let tracer = needs.domain().and_then(Domain::tracer);
        let is_there = tracer.is_some_and(|tracer| self.inner.has(tracer));
        let opens = is_there && tracer == Some(Tracer::Kernel);
        let records = is_there && needs.has_to_record();
        if !opens && !records {
            return request.perform(self, context, Beginning { before: None, asker });
        }
        let inner = Rc::clone(&self.inner);
        let before = async move {
            // What came before it may have changed what is there.
            inner.admit(needs, served)?;
            if opens {
                inner.open_kernel().await?;
            }
            if records { inner.ensure_consumers().await } else { Ok(()) }
        };
        let before: Option<Preparation> = Some(Box::pin(before));
        request.perform(self, context, Beginning { before, asker })
    }
}

impl Inner {
    /// Makes the checks, and the domain when it is to be there.
    fn admit(&self, needs: Needs, served: Result<(), ErrorCode>) -> Result<(), ErrorCode> {
        let Some(domain) = needs.domain() else { return Ok(()) };
        let is_there = domain.tracer().is_some_and(|tracer| self.has(tracer));
        needs.admit(self.life(), is_there, served)?;
        if let Some(tracer) = domain.tracer() {
            self.make_domain(tracer);
        }
        Ok(())
    }

    /// Whether the session has what a tracer records.
    fn has(&self, tracer: Tracer) -> bool {
        self.state().domains.of(tracer).is_some()
    }

    /// The domain of a tracer comes to be.
    fn make_domain(&self, tracer: Tracer) {
        match tracer {
            Tracer::Ust => self.make_ust(),
            Tracer::Kernel => self.make_kernel(),
        }
    }

    fn make_ust(&self) {
        let mut state = self.state_mut();
        if state.domains.ust.is_none() {
            *state.change_ust() = Some(UstDomain::new(self.config.page_size));
        }
    }
}

#[cfg(test)]
mod tests {
    use lttngd_model::{Bitness, ConsumerKind};

    use super::*;
    use crate::{FAILED, state::lifecycle::LostConsumers};

    #[test]
    fn what_is_wrong_is_told_in_the_order_of_the_stock_daemon() {
        let whole = Lifecycle::default();
        let bits64 = ConsumerKind::Ust(Bitness::Bits64);
        let lost = Lifecycle { lost: LostConsumers::default().with(bits64), ..whole };
        let failed = Lifecycle { failed: true, ..lost };
        let gone = Lifecycle { destroyed: true, ..failed };
        let absent = Err(ErrorCode::KernNa);
        let [nothing, open, changed, present] = [
            Needs::Nothing,
            Needs::Open(Domain::Ust),
            Needs::Ready(Domain::Ust),
            Needs::Present(Domain::Ust),
        ];
        for (needs, life, is_there, served, expected) in [
            (nothing, gone, false, absent, Ok(())),
            (open, gone, false, absent, absent),
            (open, gone, false, Ok(()), Err(ErrorCode::SessNotFound)),
            (open, failed, false, Ok(()), Ok(())),
            (changed, gone, false, absent, absent),
            (changed, gone, false, Ok(()), Err(ErrorCode::SessNotFound)),
            (changed, failed, false, Ok(()), Err(FAILED)),
            (changed, lost, false, Ok(()), Err(ErrorCode::NoUstconsumerd)),
            (changed, whole, false, Ok(()), Ok(())),
            (present, gone, false, absent, Err(ErrorCode::NoChannel)),
            (present, gone, true, absent, absent),
            (present, lost, true, Ok(()), Err(ErrorCode::NoUstconsumerd)),
            (present, whole, true, Ok(()), Ok(())),
        ] {
            let admitted = needs.admit(life, is_there, served);
            assert_eq!(admitted, expected, "{needs:?} {life:?} {is_there} {served:?}");
        }
    }
}
