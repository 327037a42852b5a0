//! The way of one session of an application to what is wished of it.

use std::{collections::VecDeque, sync::Arc};

use actix::Addr;
use lttngd_buffers::{BufferSet, PreparedChannel};
use lttngd_metadata::ustregistry::KnownIds;
use lttngd_model::{SessionId, ust::EventRule};
use lttngd_wire::ust::command::{Command, ROOT_HANDLE, UstError};

use crate::{
    error::Broken,
    job::AppAgenda,
    link::{Link, ON_THEIR_WAY_MAX, Streams},
    notify::Handles,
    plan::{AppChannel, AppEvent, AppSession, Step, Target, Walk},
    purpose::Wish,
    socket::{Answer, AskedValue},
};

/// What switches an object on or off.
fn switch(on: bool) -> Command {
    if on { Command::Enable } else { Command::Disable }
}

/// A session on its way to the newest wish.
pub(crate) struct Way<'a> {
    link: Link<'a>,
    agenda: &'a AppAgenda,
    handles: &'a Handles,
    id: SessionId,
    has: AppSession,
    walk: Walk,
    /// Events and channels that were switched on or off, and whose answers are waited for later: the next
    /// step does not need them.
    switched: VecDeque<(Target, bool, AskedValue<'a>)>,
    /// The channel that was made last, by the session's number of it, while its streams are not known to be
    /// there.
    streams: Option<(u32, Streams<'a>)>,
}

impl<'a> Way<'a> {
    /// That of a session which has so much of it.
    pub(crate) fn new(
        link: Link<'a>,
        agenda: &'a AppAgenda,
        handles: &'a Handles,
        (id, has): (SessionId, AppSession),
    ) -> Self {
        let (walk, switched) = (Walk::default(), VecDeque::new());
        Self { link, agenda, handles, id, has, walk, switched, streams: None }
    }

    /// Goes it to its end: what the application has then.
    pub(crate) async fn go(mut self) -> Result<AppSession, Broken> {
        loop {
            // Looked up before every step: what changed meanwhile counts at once.
            let Some(want) = self.agenda.newest(self.id.into()).and_then(Wish::of_session) else {
                self.add_streams(None).await?;
                self.settle(0).await?;
                self.release().await?;
                if self.agenda.ended(self.id.into()) {
                    return Ok(AppSession::default());
                }
                // It is wanted again since.
                self.walk = Walk::default();
                continue;
            };
            let (channels, buffers) = (Arc::clone(&want.channels), Arc::clone(&want.buffers));
            let step = self.walk.next_step(&mut self.has, want.active, &channels);
            if self.streams.is_some() {
                drop(want);
                self.add_streams(step).await?;
                continue;
            }
            let Some(step) = step else { break };
            let target = step.target();
            if step.is_switch() {
                // One thing is switched once before its answer is known.
                let again = self.switched.iter().any(|(known, ..)| *known == target);
                let left = if again { 0 } else { ON_THEIR_WAY_MAX - 1 };
                if self.switched.len() > left {
                    drop(want);
                    self.settle(left).await?;
                    continue;
                }
            }
            if let Some((handle, enabled)) = self.has.switch(step) {
                drop(want);
                let asked = self.link.begin(handle, &switch(enabled));
                self.switched.push_back((target, enabled, asked));
                continue;
            }
            let mut object = None;
            if let Step::CreateChannel { channel } = step {
                let Some(prepared) = want.objects.channel(channel) else {
                    // There are no buffers of it for anybody.
                    self.walk.failed(target);
                    continue;
                };
                object = Some((prepared.clone(), Arc::clone(&want.known)));
            }
            // An application that falls silent is not to keep the descriptors of a session that ends.
            drop(want);
            if let Err(refusal) = self.step(step, buffers, object).await? {
                self.refused(target, refusal);
            }
        }
        self.settle(0).await?;
        Ok(self.has)
    }

    /// Waits until at most `left` answers are waited for, of what was switched.
    async fn settle(&mut self, left: usize) -> Result<(), Broken> {
        while self.switched.len() > left
            && let Some((target, enabled, asked)) = self.switched.pop_front()
        {
            if let Err(refusal) = asked.answer().await? {
                self.refused(target, refusal);
                self.has.not_switched(target, enabled);
            }
        }
        Ok(())
    }

    fn refused(&mut self, target: Target, refusal: UstError) {
        if let Some(left_out) = self.link.0.complaint("part of a wish") {
            tracing::error_span!("session", id = %self.id).in_scope(|| {
                tracing::warn!(?target, %refusal, left_out, "the application does not do a part of what the session wants");
            });
        }
        self.walk.failed(target);
    }

    /// Takes a step; `object` is that of the channel to be made, with the ids that are known of it.
    async fn step(
        &mut self,
        step: Step<'_>,
        buffers: Arc<Addr<BufferSet>>,
        object: Option<(PreparedChannel, Arc<KnownIds>)>,
    ) -> Answer<()> {
        // What a step names is there; if it were not, the step would have failed.
        const MISSING: Answer<()> = Ok(Err(UstError::NoEntry));
        let link = self.link;
        let session = self.has.handle.unwrap_or(ROOT_HANDLE);
        Ok(match step {
            Step::CreateSession => {
                let made = link.command(ROOT_HANDLE, &Command::Session).await?;
                made.map(|handle| {
                    self.handles.insert_session(handle, buffers);
                    self.has.handle = Some(handle);
                })
            }
            Step::CreateChannel { channel } => {
                let Some((PreparedChannel { id, object, .. }, known)) = object else {
                    return MISSING;
                };
                let made = link.create_channel(session, &object).await?;
                made.map(|handle| {
                    self.handles.insert_channel(handle, (id, known), buffers);
                    self.has.insert(AppChannel::new(channel, handle));
                    self.streams = Some((channel, link.create_streams(handle, object)));
                })
            }
            Step::AddContext { channel, context } => {
                let Some(channel) = self.has.channel_mut(channel) else { return MISSING };
                let added = link.add_context(channel.handle, context).await?;
                added.map(|()| channel.contexts += 1)
            }
            Step::CreateEvent { channel, event, rule } => {
                let Some(there) = self.has.channel(channel) else { return MISSING };
                let asked = link.begin_event(there.handle, rule);
                return self.add_event((channel, event), rule, asked).await;
            }
            // What is there was switched, without a wait.
            Step::SetEvent { .. } | Step::SetChannel { .. } => return MISSING,
            Step::SetSession { active } => {
                // When it is quiescent no probe that began before is still recording.
                let set = link.begin(session, &switch(active));
                let quiescent = link.begin(ROOT_HANDLE, &Command::WaitQuiescent);
                let (set, quiescent) = (set.answer().await?, quiescent.answer().await?);
                set.and_then(|_| {
                    self.has.active = active;
                    quiescent.map(drop)
                })
            }
        })
    }

    /// Waits for the streams of a channel that was just made, if there is one. Its first event is asked for
    /// together with them, if that is the next step.
    async fn add_streams(&mut self, next: Option<Step<'_>>) -> Result<(), Broken> {
        let Some((channel, mut streams)) = self.streams.take() else { return Ok(()) };
        let handle = streams.channel();
        streams.all_begun().await?;
        let event = match next {
            Some(Step::CreateEvent { channel: of, event, rule }) if of == channel => {
                Some((event, rule, self.link.begin_event(handle, rule)))
            }
            _ => None,
        };
        let Err(refusal) = streams.made().await? else {
            let Some((event, rule, asked)) = event else { return Ok(()) };
            if let Err(refusal) = self.add_event((channel, event), rule, asked).await? {
                self.refused(Target::NewEvent(channel, event), refusal);
            }
            return Ok(());
        };
        // A channel that lacks a stream is of no use.
        self.refused(Target::Channel(channel), refusal);
        self.has.remove(channel);
        self.handles.remove_channel(handle);
        let mut handles = Vec::new();
        if let Some((.., asked)) = event {
            handles.extend(asked.answer().await?);
        }
        handles.push(handle);
        self.link.release(&handles).await
    }

    /// Completes an event rule, by the session's number of the channel and its own place there, that was asked
    /// for.
    async fn add_event(
        &mut self,
        (channel, event): (u32, usize),
        rule: &EventRule,
        asked: AskedValue<'a>,
    ) -> Answer<()> {
        let made = self.link.complete_event(asked, rule).await?;
        Ok(made.map(|handle| {
            let Some(channel) = self.has.channel_mut(channel) else { return };
            let len = channel.events.len().max(event + 1);
            channel.events.resize_with(len, || None);
            channel.events[event] = Some(AppEvent { handle, enabled: false });
        }))
    }

    /// Takes the session out of the application: children first.
    async fn release(&mut self) -> Result<(), Broken> {
        let has = std::mem::take(&mut self.has);
        let Some(session) = has.handle else { return Ok(()) };
        let mut handles = Vec::new();
        for channel in has.channels() {
            handles.extend(channel.events.iter().flatten().map(|event| event.handle));
            handles.push(channel.handle);
            // Before it is released: the application may then give the handle to another channel.
            self.handles.remove_channel(channel.handle);
        }
        handles.push(session);
        self.handles.remove_session(session);
        self.link.release(&handles).await?;
        if let Err(refusal) = self.link.command(ROOT_HANDLE, &Command::WaitQuiescent).await? {
            tracing::debug!(%refusal, "no quiescence after a session's end");
        }
        Ok(())
    }
}
