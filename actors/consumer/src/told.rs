//! What sockets tell and ask the actor that owns them, as that takes it: at once.

use actix::{AsyncContext, Handler};

use crate::{
    Consumer, ConsumerError, ConsumerReport, MetadataSource, ReportConsumer,
    actor::RunningConsumer,
    hearing::Hearing,
    reports::{
        BeginMetadata, BeginSampling, Connected, EndMetadata, FindSource, HasEnded, MonitorUnread,
        Sampled, SocketEnded, Start, StreamsCounted,
    },
};

impl Handler<SocketEnded> for Consumer {
    type Result = ();

    fn handle(&mut self, ended: SocketEnded, _: &mut Self::Context) {
        if self.running(ended.start).is_some() {
            self.fail(ended.reason);
        }
    }
}

impl Handler<HasEnded> for Consumer {
    type Result = bool;

    fn handle(&mut self, HasEnded(session): HasEnded, _: &mut Self::Context) -> bool {
        self.has_ended(session)
    }
}

impl Handler<BeginSampling> for Consumer {
    type Result = Result<(), ConsumerError>;

    fn handle(&mut self, begin: BeginSampling, _: &mut Self::Context) -> Self::Result {
        if self.has_ended(begin.session) {
            return Err(ConsumerError::Ended);
        }
        let running = self.running(begin.start).ok_or(ConsumerError::Lost)?;
        running.samples.insert(begin.session, begin.channel, begin.sampled);
        Ok(())
    }
}

impl Handler<MonitorUnread> for Consumer {
    type Result = ();

    fn handle(&mut self, MonitorUnread { start, why }: MonitorUnread, context: &mut Self::Context) {
        let pause = self.running(start).and_then(|running| running.monitor_unread(why));
        if let Some(pause) = pause {
            context.run_later(pause, move |consumer, _| {
                if let Some(running) = consumer.running(start) {
                    running.read_monitor();
                }
            });
        }
    }
}

impl Handler<FindSource> for Consumer {
    type Result = Option<MetadataSource>;

    fn handle(&mut self, find: FindSource, _: &mut Self::Context) -> Self::Result {
        self.running(find.start)?.sources.get(find.key)
    }
}

impl Handler<ReportConsumer> for Consumer {
    type Result = ConsumerReport;

    fn handle(&mut self, _: ReportConsumer, _: &mut Self::Context) -> ConsumerReport {
        let running = self.life.running();
        let hearing = running.map(|running| &running.sockets.shared().hearing);
        ConsumerReport {
            kind: self.kind(),
            phase: self.life.phase(),
            pid: running.and_then(RunningConsumer::pid),
            is_silent: hearing.is_some_and(Hearing::is_silent),
            owes_for: hearing.map(Hearing::owes_for).unwrap_or_default(),
            waiting: self.waiting.get(),
            channels: running.map_or(0, |running| running.samples.channels()),
            sockets: running.map(RunningConsumer::owing).unwrap_or_default(),
        }
    }
}

macro_rules! note {
    ($($message:ident, |$running:ident, $m:ident| $note:expr;)*) => {$(
        impl Handler<$message> for Consumer {
            type Result = ();

            fn handle(&mut self, $m: $message, _: &mut Self::Context) {
                // One that is gone has nothing to be noted of.
                if let Some($running) = self.running($m.start) {
                    $note;
                }
            }
        }
    )*};
}

note! {
    Connected, |running, m| running.connected(m.session, m.end);
    StreamsCounted, |running, m| running.channels.count(m.streams);
    Sampled, |running, m| running.samples.tell(m.sample);
    BeginMetadata, |running, m| running.sources.insert(m.session, m.key, m.source);
    EndMetadata, |running, m| running.sources.remove(m.key);
}

impl Consumer {
    /// The consumer daemon that runs, if it is that one.
    fn running(&mut self, start: Start) -> Option<&mut RunningConsumer> {
        self.life.running_mut().filter(|running| running.start == start)
    }
}
