//! The page that tells the outcome.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::options::Options;
use crate::plot;
use crate::table::Table;

/// Writes the page, and its plots to the directory beside it that has its name.
pub fn write(path: &Path, table: &Table, options: &Options) {
    let outcomes = table.outcomes();
    let directory = path.with_extension("");
    fs::create_dir_all(&directory).unwrap();
    let name = directory.file_name().unwrap().to_string_lossy().into_owned();
    let mut page = head(options);
    plot::overview(&directory.join("overview.svg"), &outcomes, options.contenders()[1]);
    writeln!(page, "![Times better than stock]({name}/overview.svg)\n\n{table}").unwrap();
    for (number, title) in plot::figures(&outcomes).into_iter().enumerate() {
        let file = format!("figure-{}.svg", number + 1);
        plot::figure(&directory.join(&file), title, &outcomes);
        writeln!(page, "![{title}]({name}/{file})\n").unwrap();
    }
    fs::write(path, page.trim_end().to_owned() + "\n").unwrap();
}

fn head(options: &Options) -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = first_line("uname", "-r");
    let stock = first_line("lttng-sessiond", "--version");
    format!(
        "# Performance\n\n\
         Made by `make bench`; do not edit. Medians of up to {rounds} rounds, in each of which all are\n\
         measured in turn, each in a world of its own: {processors} processors, Linux {kernel}.\n\n\
         - stock: `lttng-sessiond` {stock} with its consumer daemon\n\
         - ours: `lttngd` {ours} with the consumer daemon that it starts by itself\n\
         {before}\n\
         Times are those that a client sees, from the start of `lttng` to its end where that is named.\n\
         The programs that emit, the clients, the relay daemons and the daemons under test share the\n\
         processors. A target is what ours is to reach; nothing fails when it does not. Each scenario is\n\
         a file below `benches/load/scenarios`. With `--before PROGRAM` an earlier build of `lttngd` is measured\n\
         in the same rounds.\n\n",
        before = match options.before {
            Some(_) =>
                "- before: an earlier build of ours, by `--before`; \"ours to it\" is what has come of it\n",
            None => "",
        },
        rounds = options.rounds,
        ours = env!("CARGO_PKG_VERSION"),
    )
}

/// What a program says of itself; nothing when it is not there.
fn first_line(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}
