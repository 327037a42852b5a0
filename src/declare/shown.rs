//! How declared sessions are shown.

use std::fmt::Write;

use lttngd::{
    Versioned,
    declared::{Applied, DeclaredSession, Standing},
    model::Escaped,
};

/// What was done.
pub(super) fn applied(session: &str, applied: &Applied) -> String {
    let session = Escaped(session);
    if applied.commands.is_empty() {
        return format!("{session}: as declared\n");
    }
    lines(&session.to_string(), &applied.commands)
}

/// What would be done, and what cannot be.
pub(super) fn differs(session: &str, applied: &Applied) -> String {
    let session = Escaped(session);
    let commands = lines(&session.to_string(), &applied.commands);
    commands + &lines(&format!("{session}: not in place"), &applied.obstacles)
}

fn lines(begin: &str, all: &[String]) -> String {
    all.iter().map(|line| format!("{begin}: {}\n", Escaped(line))).collect()
}

/// A table of documents.
pub(super) fn listed(listed: &[DeclaredSession]) -> String {
    if listed.is_empty() {
        return "No session is declared.\n".to_owned();
    }
    let name = |it: &DeclaredSession| Escaped(&it.document.session).to_string();
    let width = listed.iter().map(|it| name(it).chars().count()).max().unwrap_or_default().max(7);
    let mut text = format!("{:width$}  {:11}  {:>6}  ENDS\n", "SESSION", "STATE", "USER");
    for it in listed {
        let ends = it.ends_in_s.map_or_else(|| "-".to_owned(), |left| format!("in {left} s"));
        // A text takes whatever is written into it.
        let _ =
            writeln!(text, "{:width$}  {:11}  {:>6}  {ends}", name(it), word(it.standing), it.uid);
    }
    text
}

/// The same as JSON.
pub(super) fn listed_json(listed: &[DeclaredSession]) -> std::io::Result<String> {
    Ok(serde_json::to_string(&Versioned::new(listed))? + "\n")
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::AsDeclared => "as declared",
        Standing::Differs => "differs",
        Standing::Missing => "missing",
        Standing::Unknown => "unknown",
    }
}
