//! The few rows and the plot that README shows, of the same run as the page.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::contender::Contender;
use crate::options::Options;
use crate::table::{Outcome, Table, cell};

/// What stands between these lines is made.
const BEGIN: &str = "<!-- made by `make bench`; do not edit -->";
const END: &str = "<!-- end of what is made -->";

/// The rows, and how somebody reads them who has not seen the page.
const SHOWN: [(&str, &str); 3] = [
    (
        "beside a silent client",
        "create, list and destroy a session while another client has connected and says nothing",
    ),
    (
        "32 clients: rate",
        "whole lives of sessions, 32 clients at once: create, channel, event rule, start, stop, destroy",
    ),
    (
        "`lttng stop`, 100 applications per-PID",
        "`lttng stop` with 100 applications that have buffers of their own",
    ),
];

/// The figure.
const PLOT: &str = "Session lives a second, by clients";

/// Writes them into `readme`, where the page is at `page`, both below the directory of `readme`. A run that left out one
/// of them changes nothing.
pub fn write(readme: &Path, page: &Path, table: &Table, options: &Options) {
    let text = fs::read_to_string(readme).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("README has a place for what is made");
    let (_, after) = rest.split_once(END).expect("that place has an end");
    match made(page, &table.outcomes(), options.contenders()[1]) {
        Some(made) => {
            fs::write(readme, format!("{before}{BEGIN}\n{made}{END}{after}")).unwrap();
        }
        None => eprintln!("README stays as it is: not all that it shows was measured"),
    }
}

fn made(page: &Path, outcomes: &[Outcome], ours: Contender) -> Option<String> {
    let mut made = "| | stock | lttngd |\n| --- | ---: | ---: |\n".to_owned();
    for (row, words) in SHOWN {
        let outcome = outcomes.iter().find(|it| it.name == row)?;
        let of = |wanted| {
            let median = outcome.medians.iter().find(|(it, _)| *it == wanted)?;
            Some(cell(Some(median.1)))
        };
        writeln!(made, "| {words} | {} | {} |", of(Contender::Stock)?, of(ours)?).ok()?;
    }
    let number = crate::plot::figures(outcomes).iter().position(|title| *title == PLOT)? + 1;
    let directory = page.with_extension("");
    writeln!(made, "\n![{PLOT}]({}/figure-{number}.svg)", directory.display()).ok()?;
    Some(made)
}
