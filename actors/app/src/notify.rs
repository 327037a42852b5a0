//! The notify socket: the application asks for ids while it registers events and channels.

use std::{cell::RefCell, collections::BTreeMap, pin::pin, sync::Arc, task::Poll, time::Duration};

use actix::Addr;
use lttngd_buffers::{BufferSet, RegisterChannel, RegisterEnumeration, RegisterEvent};
use lttngd_metadata::{
    tsdl::HeaderType as TsdlHeader,
    ustregistry::{Enumeration, EventRegistration, KnownIds, RegistryError},
};
use lttngd_model::Field;
use lttngd_runtime::outside::blocking;
use lttngd_runtime::{
    AskError, Peer, REQUEST_COST, STEP_LEN, ask, complaint, fail_point, read_growing, skip, turn,
};
use lttngd_wire::ust::{
    Abi,
    notify::{
        Answer, EINVAL, Head, HeaderType, KIND_LEN, Kind, Request, RequestError, to_nestable,
    },
};

use crate::{error::Broken, permits::Permit};

/// Longest wait for ids. The application itself gives up after 3 s, and would take an answer that
/// comes later for the answer to its next request.
const ANSWER_DEADLINE: Duration = Duration::from_millis(2500);
/// Longest time from the first byte of a request to its last. LTTng-UST gives up by itself when 3 s
/// pass without progress.
pub(crate) const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// Which of an application's handles mean what. Filled before the application can name them.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    sessions: RefCell<BTreeMap<u32, Arc<Addr<BufferSet>>>>,
    channels: RefCell<BTreeMap<u32, Target>>,
}

impl Handles {
    pub(crate) fn insert_session(&self, handle: u32, buffers: Arc<Addr<BufferSet>>) {
        self.sessions.borrow_mut().insert(handle, buffers);
    }

    /// With the channel's id in the trace, and the ids that its buffers have given.
    pub(crate) fn insert_channel(
        &self,
        handle: u32,
        (channel_id, known): (u32, Arc<KnownIds>),
        buffers: Arc<Addr<BufferSet>>,
    ) {
        self.channels.borrow_mut().insert(handle, Target { channel_id, known, buffers });
    }

    pub(crate) fn remove_session(&self, handle: u32) {
        self.sessions.borrow_mut().remove(&handle);
    }

    pub(crate) fn remove_channel(&self, handle: u32) {
        self.channels.borrow_mut().remove(&handle);
    }

    /// What a request is about. Known before the rest of it is read.
    fn target(&self, head: &Head) -> Result<Target, Refusal> {
        let target = match head {
            Head::Event { channel_objd, .. } | Head::Channel { channel_objd, .. } => {
                self.channels.borrow().get(channel_objd).cloned()
            }
            Head::Enumeration { session_objd, .. } => {
                let buffers = self.sessions.borrow().get(session_objd).cloned();
                buffers.map(|buffers| Target { channel_id: 0, known: Arc::default(), buffers })
            }
        };
        target.ok_or_else(Refusal::unknown_handle)
    }
}

/// Who gives the id that a request asks for.
#[derive(Clone, Debug)]
struct Target {
    /// The channel's id in the trace; of no meaning for an enumeration, which has none.
    channel_id: u32,
    /// Ids that need not be asked for.
    known: Arc<KnownIds>,
    buffers: Arc<Addr<BufferSet>>,
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

/// Answers requests until the socket ends; the error says why it does. `permit` is that of the connection.
pub(crate) async fn serve(socket: &Peer, abi: Abi, handles: &Handles, permit: &Permit) -> Broken {
    loop {
        if let Err(end) = serve_one(socket, abi, handles, permit).await {
            return end;
        }
        // One that asks without end does not keep others from being heard.
        tokio::task::consume_budget().await;
    }
}

async fn serve_one(
    socket: &Peer,
    abi: Abi,
    handles: &Handles,
    permit: &Permit,
) -> Result<(), Broken> {
    let mut number = [0; KIND_LEN];
    socket.read_exact(&mut number[..1]).await?;
    let mut read = pin!(async {
        socket.read_exact(&mut number[1..]).await?;
        read((socket, abi), u32::from_ne_bytes(number), handles, permit).await
    });
    // Most have come whole, and need no clock.
    let read = match futures::poll!(read.as_mut()) {
        Poll::Ready(read) => read,
        Poll::Pending => tokio::time::timeout(REQUEST_DEADLINE, read).await.map_err(|_| {
            let seconds = REQUEST_DEADLINE.as_secs();
            Broken::Protocol(format!("a request was begun and not ended within {seconds} s"))
        })?,
    };
    let (kind, request) = read?;
    fail_point::reached("App notification");
    let answer = match request {
        Ok((target, request)) => answer(target, request).await,
        Err(refusal) => Err(refusal),
    };
    let answer = answer.or_else(|refusal| {
        if refusal.late {
            return Err(Broken::Protocol("an answer would come too late".to_owned()));
        }
        if let Some(left_out) = complaint("announcement", permit.uid()) {
            let reason = refusal.reason;
            tracing::warn!(?kind, %reason, left_out, "a registration is refused");
        }
        Ok(Answer::refusal(kind, refusal.errno))
    })?;
    socket.write_all(&answer.encode(abi)).await?;
    Ok(())
}

/// What is asked, and whom it is to be asked; or why it is refused, when it was read to its end.
type Asked = Result<(Target, Announced), Refusal>;

/// What a request announces, made of it where it is decoded: that may take as long as decoding does.
enum Announced {
    Event(EventRegistration),
    Channel { context: Vec<Field> },
    Enumeration(Enumeration),
}

impl Announced {
    fn of(request: Request) -> Self {
        match request {
            Request::Event { name, loglevel, fields, model_emf_uri, .. } => {
                Self::Event(EventRegistration { name, loglevel, fields, model_emf_uri })
            }
            Request::Channel { context, .. } => Self::Channel { context },
            Request::Enumeration { name, entries, .. } => {
                Self::Enumeration(Enumeration::new(name, entries))
            }
        }
    }
}

/// Reads what follows the number of a request.
async fn read(
    (socket, abi): (&Peer, Abi),
    number: u32,
    handles: &Handles,
    permit: &Permit,
) -> Result<(Kind, Asked), Broken> {
    let kind = Kind::from_raw(number)
        .ok_or_else(|| Broken::Protocol(format!("notification {number} is unknown")))?;
    let mut fixed = vec![0; kind.fixed_len(abi)];
    socket.read_exact(&mut fixed).await?;
    let head = Head::decode(kind, &fixed, abi)?;
    let len = head.variable_len()?;
    turn(permit.uid(), REQUEST_COST).await;
    let fill = async |bytes: &mut [u8]| {
        turn(permit.uid(), bytes.len()).await;
        socket.read_exact(bytes).await
    };
    let target = match handles.target(&head) {
        Ok(target) => target,
        Err(refusal) => {
            skip(len, fill).await?;
            return Ok((kind, Err(refusal)));
        }
    };
    let decoded = if len <= STEP_LEN {
        head.decode_variable(&read_growing(len, fill).await?, abi).map(Announced::of)
    } else {
        let _held = permit.large().begin().await;
        let bytes = read_growing(len, fill).await?;
        // Decoding takes milliseconds, in which nobody else would be served.
        blocking(move || head.decode_variable(&bytes, abi).map(Announced::of))
            .await
            .map_err(|error| Broken::Protocol(error.to_string()))?
    };
    match decoded {
        Ok(request) => Ok((kind, Ok((target, request)))),
        Err(RequestError::Broken(error)) => Err(error.into()),
        Err(RequestError::Refused(error)) => {
            let (errno, reason) = (error.errno(), error.to_string());
            Ok((kind, Err(Refusal { errno, reason, late: false })))
        }
    }
}

async fn answer(target: Target, announced: Announced) -> Result<Answer, Refusal> {
    let Target { channel_id, known, buffers } = target;
    match announced {
        Announced::Event(event) => {
            let event_id = match known.event(channel_id, &event) {
                Some(event_id) => event_id,
                None => {
                    ask(&buffers, RegisterEvent { channel_id, event }, ANSWER_DEADLINE).await??
                }
            };
            Ok(Answer::Event { ret_code: 0, event_id })
        }
        Announced::Channel { context } => {
            let context = to_nestable(context).map_err(|error| Refusal {
                errno: error.errno(),
                reason: error.to_string(),
                late: false,
            })?;
            let header = match known.header(channel_id, &context) {
                Some(header) => header,
                None => {
                    let register = RegisterChannel { channel_id, context };
                    ask(&buffers, register, ANSWER_DEADLINE).await??
                }
            };
            let header_type = match header {
                TsdlHeader::Compact => HeaderType::Compact,
                TsdlHeader::Large => HeaderType::Large,
            };
            Ok(Answer::Channel { ret_code: 0, chan_id: channel_id, header_type })
        }
        Announced::Enumeration(enumeration) => {
            let register = RegisterEnumeration { enumeration };
            let enum_id = ask(&buffers, register, ANSWER_DEADLINE).await??;
            Ok(Answer::Enumeration { ret_code: 0, enum_id })
        }
    }
}
