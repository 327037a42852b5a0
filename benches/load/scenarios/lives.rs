//! Whole lives of sessions.

use std::path::PathBuf;

use super::Run;
use crate::clients::client;
use crate::measure::{LIMIT_S, MILLISECOND_US, SECOND_US, quantile};
use crate::table::{Row, Target, Value};

/// Lives a second with one client, and with several.
const RATES: (f64, f64) = (80.0, 150.0);

/// Milliseconds that half of the lives may take with the most clients.
const P50_MS: f64 = 200.0;

/// Whole session lives with one traced application.
pub fn lives(run: &Run, clients: u32) -> Vec<Row> {
    let stage = run.contender.stage();
    let application = stage.program();
    let seconds = run.options.seconds;
    // In memory: how long a disk's file system looks for a free inode depends on how many files were
    // removed there within the last minutes, by other scenarios.
    let directory = PathBuf::from(format!("/dev/shm/lttngd-lives-{}", std::process::id()));
    let arguments = format!("lives {clients} {seconds} {}", directory.display());
    let name = |what| format!("{clients} clients: {what}");
    let Some(mut times_us) = client(&stage.arena, seconds + LIMIT_S, &arguments) else {
        return vec![Row::new(name("rate"), Value::NoAnswer(seconds + LIMIT_S))];
    };
    times_us.sort_by(f64::total_cmp);
    stage.arena.shell_within(LIMIT_S, &format!("rm -r {}", directory.display()));
    // The last life of each client ends after the time: count by what all lives took together.
    let rate =
        f64::from(clients) * times_us.len() as f64 / (times_us.iter().sum::<f64>() / SECOND_US);
    application.finish();
    let time = |share| Value::Less(quantile(&times_us, share) / MILLISECOND_US, "ms");
    vec![
        Row::new(name("rate"), Value::More(rate, "/s"))
            .point("Session lives a second, by clients", "", clients)
            .target(Target::AtLeast(if clients == 1 { RATES.0 } else { RATES.1 })),
        Row {
            target: (clients == 32).then_some(Target::AtMost(P50_MS)),
            ..Row::new(name("p50"), time(0.5))
        },
        Row::new(name("p99"), time(0.99)),
    ]
}
