//! What goes on inside a daemon, for whoever looks at it from outside.
//!
//! [`listen`] serves a socket, [`ask`] is the other end of it, and [`table`] shows what came. What there is to be
//! told is [`Handle::status`](lttngd_handle::Handle::status).
//!
//! A client writes one line, a [`Versioned`](lttngd_handle::Versioned) [`GetStatus`](lttngd_handle::GetStatus) in
//! JSON, and is written one line, a `Versioned` result of it; then the connection ends. Who it is comes from the
//! socket.
//!
//! [`metrics`] is the same as OpenMetrics text, and [`listen_for_scrapes`] serves it to whoever asks with `GET /metrics`
//! of HTTP/1.1; all who come within [`RENEW_PERIOD`] are answered the same.
//!
//! Limits: [`CONNECTIONS_MAX`] clients at a time, [`CONNECTIONS_EACH_MAX`] of a user but root; a request of
//! [`REQUEST_MAX_LEN`] bytes within [`REQUEST_DEADLINE`], its reply taken within [`REPLY_DEADLINE`]; a user but root
//! is answered once in [`ANSWER_PERIOD`]. [`METRICS_CONNECTIONS_MAX`] who scrape at a time,
//! [`METRICS_CONNECTIONS_EACH_MAX`] of a user but root; a request of [`SCRAPE_MAX_LEN`] bytes and its answer within
//! [`SCRAPE_DEADLINE`] each.

mod ask;
mod listener;
mod metrics;
mod pace;
mod places;
mod table;

pub use ask::{AskError, REPLY_MAX_LEN, ask};
pub use listener::{
    CONNECTIONS_EACH_MAX, CONNECTIONS_MAX, REPLY_DEADLINE, REQUEST_DEADLINE, REQUEST_MAX_LEN,
    listen,
};
pub use metrics::{
    METRICS_CONNECTIONS_EACH_MAX, METRICS_CONNECTIONS_MAX, MetricsListener, RENEW_PERIOD,
    SCRAPE_DEADLINE, SCRAPE_MAX_LEN, listen_for_scrapes, metrics,
};
pub use pace::ANSWER_PERIOD;
pub use places::{PlaceCount, Places};
pub use table::table;
