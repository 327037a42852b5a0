//! The notify socket: the application asks for ids while it registers events and channels.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use actix::Addr;
use lttngd_buffers::{
    BufferSet, RegisterChannel, RegisterEnumeration, RegisterEvent,
    tsdl::HeaderType as TsdlHeader,
    ustregistry::{EventRegistration, RegistryError},
};
use lttngd_runtime::{AskError, Peer, ask};
use lttngd_wire::ust::notify::{
    Answer, EINVAL, Head, HeaderType, KIND_LEN, Kind, Request, RequestError, to_nestable,
};

use crate::error::Broken;

/// Longest wait for ids. The application itself gives up after 3 s, and would take an answer that
/// comes later for the answer to its next request.
const ANSWER_DEADLINE: Duration = Duration::from_millis(2500);

/// Which of an application's handles mean what. Filled before the application can name them.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    sessions: RefCell<HashMap<u32, Addr<BufferSet>>>,
    channels: RefCell<HashMap<u32, (u32, Addr<BufferSet>)>>,
}

impl Handles {
    pub(crate) fn insert_session(&self, handle: u32, buffers: Addr<BufferSet>) {
        self.sessions.borrow_mut().insert(handle, buffers);
    }

    /// `id` is the channel's in the trace.
    pub(crate) fn insert_channel(&self, handle: u32, id: u32, buffers: Addr<BufferSet>) {
        self.channels.borrow_mut().insert(handle, (id, buffers));
    }

    pub(crate) fn remove_session(&self, handle: u32) {
        self.sessions.borrow_mut().remove(&handle);
    }

    pub(crate) fn remove_channel(&self, handle: u32) {
        self.channels.borrow_mut().remove(&handle);
    }

    fn session(&self, handle: u32) -> Result<Addr<BufferSet>, Refusal> {
        self.sessions.borrow().get(&handle).cloned().ok_or_else(Refusal::unknown_handle)
    }

    fn channel(&self, handle: u32) -> Result<(u32, Addr<BufferSet>), Refusal> {
        self.channels.borrow().get(&handle).cloned().ok_or_else(Refusal::unknown_handle)
    }
}

/// Why a request is refused.
struct Refusal {
    errno: i32,
    reason: String,
    /// Whether the answer is too late to be sent.
    late: bool,
}

impl Refusal {
    fn unknown_handle() -> Self {
        Self {
            errno: EINVAL,
            reason: "it names no session or channel of ours".to_owned(),
            late: false,
        }
    }
}

impl From<RegistryError> for Refusal {
    fn from(error: RegistryError) -> Self {
        Self { errno: error.errno(), reason: error.to_string(), late: false }
    }
}

impl From<AskError> for Refusal {
    fn from(error: AskError) -> Self {
        let late = error == AskError::TimedOut;
        Self { errno: EINVAL, reason: error.to_string(), late }
    }
}

/// Answers requests until the socket ends; the error says why it does.
pub(crate) async fn serve(socket: &Peer, handles: &Handles, pid: u32) -> Broken {
    loop {
        if let Err(end) = serve_one(socket, handles, pid).await {
            return end;
        }
    }
}

async fn serve_one(socket: &Peer, handles: &Handles, pid: u32) -> Result<(), Broken> {
    let mut number = [0; KIND_LEN];
    socket.read_exact(&mut number).await?;
    let number = u32::from_ne_bytes(number);
    let kind = Kind::from_raw(number)
        .ok_or_else(|| Broken::Protocol(format!("notification {number} is unknown")))?;
    let mut fixed = vec![0; kind.fixed_len()];
    socket.read_exact(&mut fixed).await?;
    let head = Head::decode(kind, &fixed)?;
    let mut variable = vec![0; head.variable_len()?];
    socket.read_exact(&mut variable).await?;
    let answer = match head.decode_variable(&variable) {
        Ok(request) => answer(handles, request).await,
        Err(RequestError::Broken(error)) => return Err(error.into()),
        Err(RequestError::Refused(error)) => {
            Err(Refusal { errno: error.errno(), reason: error.to_string(), late: false })
        }
    };
    let answer = answer.or_else(|refusal| {
        if refusal.late {
            return Err(Broken::Protocol("an answer would come too late".to_owned()));
        }
        tracing::warn!(pid, ?kind, reason = %refusal.reason, "a registration is refused");
        Ok(Answer::refusal(kind, refusal.errno))
    })?;
    socket.write_all(&answer.encode()).await?;
    Ok(())
}

async fn answer(handles: &Handles, request: Request) -> Result<Answer, Refusal> {
    match request {
        Request::Event { channel_objd, name, loglevel, fields, model_emf_uri, .. } => {
            let (channel_id, buffers) = handles.channel(channel_objd)?;
            let event = EventRegistration { name, loglevel, fields, model_emf_uri };
            let event_id =
                ask(&buffers, RegisterEvent { channel_id, event }, ANSWER_DEADLINE).await??;
            Ok(Answer::Event { ret_code: 0, event_id })
        }
        Request::Channel { channel_objd, context, .. } => {
            let (channel_id, buffers) = handles.channel(channel_objd)?;
            let context = to_nestable(context).map_err(|error| Refusal {
                errno: error.errno(),
                reason: error.to_string(),
                late: false,
            })?;
            let header =
                ask(&buffers, RegisterChannel { channel_id, context }, ANSWER_DEADLINE).await??;
            let header_type = match header {
                TsdlHeader::Compact => HeaderType::Compact,
                TsdlHeader::Large => HeaderType::Large,
            };
            Ok(Answer::Channel { ret_code: 0, chan_id: channel_id, header_type })
        }
        Request::Enumeration { session_objd, name, entries } => {
            let buffers = handles.session(session_objd)?;
            let enum_id =
                ask(&buffers, RegisterEnumeration { name, entries }, ANSWER_DEADLINE).await??;
            Ok(Answer::Enumeration { ret_code: 0, enum_id })
        }
    }
}
