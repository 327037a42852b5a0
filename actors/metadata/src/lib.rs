//! What is said of a user-space trace beside its packets: the ids of its channels, events and enumerations
//! ([`ustregistry`]), and the text that describes them to the readers of the trace ([`tsdl`]). Values and
//! text alone, without input or output.

pub mod tsdl;
pub mod ustregistry;
