//! Manual pages: what clap knows of the options, and what it does not.

use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;

/// What is said of the daemon after its options.
const OF_DAEMON: &str = r#".SH WORDS
Some first arguments ask for something else than a daemon:
.TP
\fBlttngd status\fR
shows what goes on inside the daemon that runs, see \fBlttngd\-status\fR(1).
.TP
\fBlttngd apply\fR, \fBlttngd diff\fR, \fBlttngd get\fR, \fBlttngd delete\fR, \fBlttngd export\fR, \fBlttngd schema\fR
bring sessions to what documents say, see \fBlttngd\-apply\fR(1).
.TP
\fBlttngd man\fR [\fIWORD\fR]
writes this page, or that of one of the words above.
.TP
\fBlttngd completions\fR \fISHELL\fR
writes what completes command lines in a shell: \fBbash\fR, \fBzsh\fR, \fBfish\fR and others.
.SH CONFIGURATION
A key with the name of a long option, in the section \fB[sessiond]\fR of a configuration file, does what the option
does; a switch takes \fByes\fR or \fBno\fR. Environment variables are read first, then \fI/etc/lttng/lttng.conf\fR,
\fI$LTTNG_HOME/.lttng/lttng.conf\fR, the file of \fB\-\-config\fR and the command line; each overrides what was before.
.SH SERVICE
Where \fBNOTIFY_SOCKET\fR is set and the daemon stays in the foreground, the service manager is told when it serves, how
many sessions and applications there are, that it ends, and, where \fBWATCHDOG_USEC\fR asks for it, that all its threads
do something; see \fBsd_notify\fR(3). With \fB\-\-keep\-sockets\fR the service manager keeps its listening sockets and
hands them to the next daemon; see \fBsd_listen_fds\fR(3). Clients, applications and agents that connect in between wait
instead of being refused.
.SH SIGNALS
.TP
\fBSIGTERM\fR, \fBSIGINT\fR
End the daemon: sessions are stopped and destroyed with their traces whole, which takes up to 10 seconds, or 20 with the
kernel's modules.
.SH "EXIT STATUS"
.TP
\fB0\fR
It ended as it was asked to; in the foreground of \fB\-\-background\fR and \fB\-\-daemonize\fR: the daemon is ready.
.TP
\fB1\fR
It did not start, or failed. The log says why.
.SH ENVIRONMENT
.TP
\fBLTTNG_HOME\fR
The directory in which the user's \fI.lttng\fR is, else \fBHOME\fR.
.TP
\fBLTTNG_APP_SOCKET_TIMEOUT\fR
How many seconds an application or agent may be silent before nobody waits for it; 0 or \-1 for ever. Default: 5.
.TP
\fBLTTNG_NETWORK_SOCKET_TIMEOUT\fR
How many milliseconds a relay daemon may be silent. Default: 30\|000 while it is connected.
.TP
\fBLTTNG_CONSUMERD32_BIN\fR, \fBLTTNG_CONSUMERD32_LIBDIR\fR, \fBLTTNG_CONSUMERD64_BIN\fR, \fBLTTNG_CONSUMERD64_LIBDIR\fR
As \fB\-\-consumerd32\-path\fR, \fB\-\-consumerd32\-libdir\fR, \fB\-\-consumerd64\-path\fR, \fB\-\-consumerd64\-libdir\fR.
.TP
\fBLTTNG_UST_CLOCK_PLUGIN\fR
The plugin for the clock with which events are stamped; applications must have the same one.
.TP
\fBNOTIFY_SOCKET\fR, \fBWATCHDOG_USEC\fR, \fBWATCHDOG_PID\fR, \fBLISTEN_PID\fR, \fBLISTEN_FDS\fR, \fBLISTEN_FDNAMES\fR
From the service manager, see above.
.SH FILES
.TP
\fI/var/run/lttng\fR, \fI$LTTNG_HOME/.lttng\fR
The run directory of root's daemon and of a user's: sockets, process id, port of agents.
.TP
\fI/etc/lttng/sessions/auto\fR, \fI$LTTNG_HOME/.lttng/sessions/auto\fR
Saved sessions, which are loaded at start unless \fB\-\-load\fR names others.
.TP
\fI$LTTNG_HOME/lttng\-traces\fR
Where traces go, unless \fBlttng create\fR says otherwise.
.SH "SEE ALSO"
\fBlttngd\-status\fR(1), \fBlttng\fR(1), \fBlttng\-relayd\fR(8), \fBlttng\-ust\fR(3), \fBbabeltrace2\fR(1)
"#;

/// The same of `lttngd status`.
const OF_STATUS: &str = r#".SH "EXIT STATUS"
.TP
\fB0\fR
It was shown.
.TP
\fB1\fR
No daemon can be asked, or it refused.
.SH FILES
.TP
\fI/var/run/lttng/lttngd\-status\fR, \fI$LTTNG_HOME/.lttng/lttngd\-status\fR
The sockets at which it is asked. Who may use a daemon's client socket may use this one, and sees his own sessions.
.SH "SEE ALSO"
\fBlttngd\fR(8), \fBlttng\-list\fR(1)
"#;

/// The same of the words about declared sessions.
const OF_DECLARED: &str = r#".SH DOCUMENTS
A document says what one session is to be, in YAML or JSON; \fBlttngd schema\fR describes it, and \fBlttngd export\fR
writes that of a session that is there. A file of \fBlttng\-save\fR(1) is taken too. What is the same is not touched;
what is in no list of the document is stopped. What cannot be changed while the session stays is said.
.SH "EXIT STATUS"
.TP
\fB0\fR
It was done; of \fBlttngd diff\fR: nothing would be done.
.TP
\fB1\fR
It was not done, and it is said why; of \fBlttngd diff\fR: something would be done.
.TP
\fB2\fR
The command line is wrong; of \fBlttngd diff\fR also: it cannot be told.
.SH FILES
.TP
\fI/var/run/lttng/lttngd\-declare\fR, \fI$LTTNG_HOME/.lttng/lttngd\-declare\fR
The sockets at which sessions are declared. Who may use a daemon's client socket may use this one.
.SH "SEE ALSO"
\fBlttngd\fR(8), \fBlttng\-save\fR(1), \fBlttng\-create\fR(1)
"#;

/// The names of their pages.
const PAGES: [&str; 6] = [
    "lttngd-apply",
    "lttngd-diff",
    "lttngd-get",
    "lttngd-delete",
    "lttngd-export",
    "lttngd-schema",
];

/// Writes the page of a word about declared sessions.
pub(super) fn of_declared(command: Command, out: &mut dyn Write) -> io::Result<()> {
    let word = command.get_name().to_owned();
    let page = PAGES.into_iter().find(|page| page.strip_prefix("lttngd-") == Some(word.as_str()));
    let page = page.ok_or(io::ErrorKind::InvalidInput)?;
    write(command.name(page).bin_name(format!("lttngd {word}")), "1", OF_DECLARED, out)
}

/// Writes the page of the daemon.
pub(super) fn of_daemon(command: Command, out: &mut dyn Write) -> io::Result<()> {
    write(command, "8", OF_DAEMON, out)
}

/// Writes the page of `lttngd status`.
pub(super) fn of_status(command: Command, out: &mut dyn Write) -> io::Result<()> {
    write(command.name("lttngd-status").bin_name("lttngd status"), "1", OF_STATUS, out)
}

fn write(command: Command, section: &str, more: &str, out: &mut dyn Write) -> io::Result<()> {
    let source = concat!("lttngd ", env!("CARGO_PKG_VERSION"));
    let page = Man::new(command).section(section).source(source).manual("LTTng Manual");
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    out.write_all(more.as_bytes())
}
