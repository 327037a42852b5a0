//! What a [`Tracer`](crate::Tracer) writes.

/// Bytes of an event before its payload.
pub const EVENT_HEADER_LEN: usize = 24;

/// An event of a writer of tests. In a packet: its length, its writer, its number and its time, 24
/// bytes together, then bytes that follow from its number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event {
    /// Who wrote it.
    pub writer: u32,
    /// Which of that writer's events.
    pub number: u64,
    /// When its room was reserved.
    pub time: u64,
    /// Bytes of it, at least [`EVENT_HEADER_LEN`].
    pub len: usize,
}

impl Event {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len);
        bytes.extend((self.len as u32).to_ne_bytes());
        bytes.extend(self.writer.to_ne_bytes());
        bytes.extend(self.number.to_ne_bytes());
        bytes.extend(self.time.to_ne_bytes());
        bytes.resize(self.len, self.filling());
        bytes
    }

    fn filling(&self) -> u8 {
        (self.number as u8) ^ (self.writer as u8) | 1
    }
}

/// The events in the content of a packet behind its header. `None` when it is not what writers wrote.
pub fn events(mut content: &[u8]) -> Option<Vec<Event>> {
    let mut events = Vec::new();
    while !content.is_empty() {
        let len = u32::from_ne_bytes(*content.first_chunk()?) as usize;
        let bytes = content.get(..len).filter(|_| len >= EVENT_HEADER_LEN)?;
        let event = Event {
            writer: u32::from_ne_bytes(bytes[4..8].try_into().unwrap()),
            number: u64::from_ne_bytes(bytes[8..16].try_into().unwrap()),
            time: u64::from_ne_bytes(bytes[16..24].try_into().unwrap()),
            len,
        };
        if bytes[EVENT_HEADER_LEN..].iter().any(|byte| *byte != event.filling()) {
            return None;
        }
        events.push(event);
        content = &content[len..];
    }
    Some(events)
}
