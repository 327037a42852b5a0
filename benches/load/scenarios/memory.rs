//! Memory of the session daemon.

use super::Run;
use crate::clients::client;
use crate::measure::{LIMIT_S, SECOND_US};
use crate::table::{Row, Value};

/// Sessions before the first measurement: allocators keep what they once had.
const WARM_UP: u32 = 50;

/// Seconds for each thousand lives.
const LIMIT_PER_THOUSAND_S: u32 = 120;

/// Resident memory at rest, and what sessions leave behind.
pub fn memory(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let application = stage.program();
    let lives = run.options.lives;
    let idle_kib = stage.daemon.resident_kib();
    let limit_s = LIMIT_S + lives.div_ceil(1000) * LIMIT_PER_THOUSAND_S;
    let name = format!("{lives} sessions created, set up, destroyed");
    let idle = Row::new("at rest", Value::Less(idle_kib as f64 / 1024.0, "MiB"));
    client(&stage.arena, limit_s, &format!("grow {WARM_UP}")).expect("the first sessions");
    let before_kib = stage.daemon.resident_kib();
    let Some(times_us) = client(&stage.arena, limit_s, &format!("grow {lives}")) else {
        return vec![idle, Row::new(name, Value::NoAnswer(limit_s))];
    };
    let grown_kib = stage.daemon.resident_kib() as f64 - before_kib as f64;
    application.finish();
    vec![
        idle,
        Row::new(format!("{name}: time"), Value::Less(times_us[0] / SECOND_US, "s")),
        Row::new(format!("{name}: memory growth"), Value::Less(grown_kib, "KiB")),
    ]
}
