//! A status as OpenMetrics text, and where it is scraped.
//!
//! The text has what [`Handle::status`](lttngd_handle::Handle::status) tells root, in numbers. Whoever may connect reads
//! it, so who may is for those to say who choose the socket.

mod families;
mod http;
mod scrapes;
mod text;

pub use scrapes::{
    METRICS_CONNECTIONS_EACH_MAX, METRICS_CONNECTIONS_MAX, MetricsListener, RENEW_PERIOD,
    SCRAPE_DEADLINE, SCRAPE_MAX_LEN, listen_for_scrapes,
};
pub use text::metrics;
