//! A directory of traces in which there is no room for a while, or that its owner changes.
