//! A logging agent, as LTTng-UST's Java agent behaves: it counts how often it was told to enable what.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use lttngd_model::Domain;
use lttngd_wire::agent::{
    Command, HEADER_LEN, Header, Refusal, Registration, Reply, encode_loggers,
};

use crate::Gate;

/// A command that the agent got.
#[derive(Clone, Debug)]
pub struct AgentRequest {
    /// Which, counted from 0.
    pub index: usize,
    /// The command.
    pub command: Command,
}

/// What the agent does with a command.
#[derive(Clone, Debug)]
pub enum AgentAct {
    /// What agents do.
    Answer,
    /// The same, when the gate opens.
    Late(Gate),
    /// Refuses it, and has done nothing.
    Refuse(Refusal),
    /// Answers this, whatever it is.
    Bytes(Vec<u8>),
    /// Answers as [`AgentAct::Answer`], but that many bytes only, and then closes.
    Cut(usize),
}

type Act = Box<dyn FnMut(&AgentRequest) -> AgentAct + Send>;

/// How an agent behaves.
pub struct AgentScript {
    /// What it says of itself.
    pub registration: Registration,
    /// Its loggers.
    pub loggers: Vec<String>,
    /// What it does.
    pub act: Act,
}

impl AgentScript {
    /// An agent that does what `act` says.
    #[must_use]
    pub fn new(
        domain: Domain,
        act: impl FnMut(&AgentRequest) -> AgentAct + Send + 'static,
    ) -> Self {
        Self {
            registration: Registration { domain, pid: std::process::id() },
            loggers: Vec::new(),
            act: Box::new(act),
        }
    }

    /// An agent that does what agents do.
    #[must_use]
    pub fn answering(domain: Domain) -> Self {
        Self::new(domain, |_| AgentAct::Answer)
    }

    /// An agent that refuses each command of this number.
    #[must_use]
    pub fn refusing(domain: Domain, number: u32, refusal: Refusal) -> Self {
        Self::new(domain, move |request| match request.command.number() == number {
            true => AgentAct::Refuse(refusal),
            false => AgentAct::Answer,
        })
    }
}

#[derive(Debug, Default)]
struct Record {
    requests: Mutex<Vec<Command>>,
    /// What is enabled and how often: `name` of an event, `provider:name` of a context.
    enabled: Mutex<BTreeMap<String, usize>>,
    /// What the daemon did that an agent does not take.
    faults: Mutex<Vec<String>>,
}

/// A running agent.
pub struct FakeAgent {
    record: Arc<Record>,
    stream: TcpStream,
    thread: Option<JoinHandle<()>>,
}

impl FakeAgent {
    /// Connects and registers.
    ///
    /// # Errors
    /// When nobody listens, or closes during the registration.
    pub fn connect(address: SocketAddr, script: AgentScript) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&script.registration.encode())?;
        let record = Arc::new(Record::default());
        let end = stream.try_clone()?;
        let thread = {
            let record = Arc::clone(&record);
            std::thread::spawn(move || serve(end, script, &record))
        };
        Ok(Self { record, stream, thread: Some(thread) })
    }

    /// The commands so far.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        self.record.requests.lock().unwrap().clone()
    }

    /// The numbers of the commands so far.
    #[must_use]
    pub fn numbers(&self) -> Vec<u32> {
        self.record.requests.lock().unwrap().iter().map(Command::number).collect()
    }

    /// What is enabled now: names of events, `provider:name` of contexts, each as often as it was
    /// enabled.
    #[must_use]
    pub fn enabled(&self) -> Vec<String> {
        let enabled = self.record.enabled.lock().unwrap();
        enabled.iter().flat_map(|(name, count)| vec![name.clone(); *count]).collect()
    }

    /// What the daemon did wrong.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.record.faults.lock().unwrap().clone()
    }

    /// Says something although it was not asked.
    ///
    /// # Errors
    /// When the daemon has closed the connection.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.stream).write_all(bytes)
    }

    /// Whether the connection is closed.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Dies.
    pub fn die(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for FakeAgent {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.die();
        }
    }
}

/// Serves until either end closes.
fn serve(mut stream: TcpStream, mut script: AgentScript, record: &Record) {
    let mut index = 0;
    while serve_one(&mut stream, &mut script, record, index).is_some() {
        index += 1;
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// `None` at the end.
fn serve_one(
    stream: &mut TcpStream,
    script: &mut AgentScript,
    record: &Record,
    index: usize,
) -> Option<()> {
    let fault = |text: String| record.faults.lock().unwrap().push(text);
    let mut head = [0; HEADER_LEN];
    stream.read_exact(&mut head).ok()?;
    let header = Header::decode(&head).map_err(|error| fault(error.to_string())).ok()?;
    let mut payload = vec![0; usize::try_from(header.data_size).unwrap()];
    stream.read_exact(&mut payload).ok()?;
    let command = Command::decode(header.command, &payload);
    let command = command.map_err(|error| fault(error.to_string())).ok()?;
    let request = AgentRequest { index, command };
    record.requests.lock().unwrap().push(request.command.clone());
    let mut cut = usize::MAX;
    match (script.act)(&request) {
        AgentAct::Answer => {}
        AgentAct::Late(gate) => gate.pass(),
        AgentAct::Refuse(refusal) => return stream.write_all(&Reply(Err(refusal)).encode()).ok(),
        AgentAct::Bytes(bytes) => return stream.write_all(&bytes).ok(),
        AgentAct::Cut(len) => cut = len,
    }
    let reply = match &request.command {
        Command::RegistrationDone => Vec::new(),
        Command::List => encode_loggers(&script.loggers),
        counted => {
            let done = count(&mut record.enabled.lock().unwrap(), counted);
            if done.is_err() {
                fault(format!("{counted:?} takes back what was not enabled"));
            }
            Reply(done).encode().to_vec()
        }
    };
    stream.write_all(&reply[..cut.min(reply.len())]).ok()?;
    (cut == usize::MAX).then_some(())
}

fn count(enabled: &mut BTreeMap<String, usize>, command: &Command) -> Result<(), Refusal> {
    let (name, on) = match command {
        Command::EnableEvent(event) => (event.name.clone(), true),
        Command::DisableEvent { name } => (name.clone(), false),
        Command::EnableAppContext(context) => {
            (format!("{}:{}", context.provider, context.name), true)
        }
        Command::DisableAppContext(context) => {
            (format!("{}:{}", context.provider, context.name), false)
        }
        Command::List | Command::RegistrationDone => return Err(Refusal::Invalid),
    };
    let count = enabled.entry(name.clone()).or_default();
    *count = if on { *count + 1 } else { count.checked_sub(1).ok_or(Refusal::Invalid)? };
    if *count == 0 {
        enabled.remove(&name);
    }
    Ok(())
}
