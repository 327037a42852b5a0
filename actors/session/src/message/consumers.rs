//! The consumer daemons that sessions ask.

use actix::{Addr, MessageResponse};
use lttngd_consumer::Consumer;
use lttngd_model::{Bitness, ConsumerKind};

/// The consumer daemons.
#[derive(Clone, Debug, MessageResponse)]
pub struct Consumers {
    /// Of 64-bit applications.
    pub bits64: Addr<Consumer>,
    /// Of 32-bit applications, if there is one for them alone.
    pub bits32: Option<Addr<Consumer>>,
    /// Whether that of 64-bit applications has those of 32 bits as well, where there is none for them alone.
    pub serves_both: bool,
    /// Of the kernel, if one is configured.
    pub kernel: Option<Addr<Consumer>>,
}

impl Consumers {
    /// The one of this kind.
    #[must_use]
    pub fn of(&self, kind: ConsumerKind) -> Option<&Addr<Consumer>> {
        match kind {
            ConsumerKind::Ust(Bitness::Bits64) => Some(&self.bits64),
            ConsumerKind::Ust(Bitness::Bits32) => self.bits32.as_ref(),
            ConsumerKind::Kernel => self.kernel.as_ref(),
        }
    }

    /// Which one has the buffers of applications of this word size; `None` when none does.
    #[must_use]
    pub fn kind_for(&self, bitness: Bitness) -> Option<ConsumerKind> {
        match bitness {
            Bitness::Bits32 if self.bits32.is_none() => {
                self.serves_both.then_some(ConsumerKind::Ust(Bitness::Bits64))
            }
            bitness => Some(ConsumerKind::Ust(bitness)),
        }
    }

    /// The word sizes of the applications that are served.
    pub fn bitnesses(&self) -> impl Iterator<Item = Bitness> {
        let all = [Bitness::Bits64, Bitness::Bits32];
        all.into_iter().filter(|bitness| self.kind_for(*bitness).is_some())
    }

    /// Another one takes the place of the one of this kind.
    pub fn replace(&mut self, kind: ConsumerKind, successor: Addr<Consumer>) {
        match kind {
            ConsumerKind::Ust(Bitness::Bits64) => self.bits64 = successor,
            ConsumerKind::Ust(Bitness::Bits32) => self.bits32 = Some(successor),
            ConsumerKind::Kernel => self.kernel = Some(successor),
        }
    }

    /// All that are configured, the one of 64-bit applications first.
    pub fn all(&self) -> impl Iterator<Item = (ConsumerKind, &Addr<Consumer>)> {
        let kinds = [
            ConsumerKind::Ust(Bitness::Bits64),
            ConsumerKind::Ust(Bitness::Bits32),
            ConsumerKind::Kernel,
        ];
        kinds.into_iter().filter_map(|kind| Some((kind, self.of(kind)?)))
    }
}
