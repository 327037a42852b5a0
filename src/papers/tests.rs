#![allow(clippy::unwrap_used)]

use std::process::{Command as Process, Stdio};

use super::*;

fn text(paper: Paper) -> String {
    String::from_utf8(paper.text().unwrap()).unwrap()
}

/// The long options of a command that are shown.
fn shown(command: &Command) -> Vec<String> {
    let shown = command.get_arguments().filter(|it| !it.is_hide_set());
    let mut command = command.clone();
    let help = command.render_help().to_string();
    let long: Vec<_> = shown.filter_map(|it| Some(format!("--{}", it.get_long()?))).collect();
    assert!(long.iter().all(|it| help.contains(it)), "{help}");
    long
}

fn words(text: &str) -> Vec<&str> {
    text.split(|it: char| !it.is_alphanumeric() && it != '-').collect()
}

#[test]
fn each_option_is_in_the_manual() {
    let pages = [
        (Paper::Man { word: None }, options::command(), ".TH lttngd 8"),
        (Paper::Man { word: Some(Word::Status) }, look::command(), ".TH lttngd-status 1"),
    ];
    for (paper, command, title) in pages {
        let page = text(paper).replace("\\-", "-").replace("\\fB", " ").replace("\\fR", " ");
        assert!(page.contains(title), "{page}");
        let said = words(&page);
        let options = shown(&command);
        assert!(options.len() > 2);
        for option in options {
            assert!(said.contains(&option.as_str()), "{option} is not in\n{page}");
        }
        assert!(!said.contains(&"--readiness-fd"), "what is for the program alone");
    }
    for word in Word::value_variants().iter().filter(|word| **word != Word::Status) {
        let name = word.to_possible_value().unwrap().get_name().to_owned();
        let page = text(Paper::Man { word: Some(*word) }).replace("\\-", "-");
        assert!(page.contains(&format!(".TH lttngd-{name} 1")), "{page}");
        let command = declare::commands().find(|it| it.get_name() == name).unwrap();
        for option in shown(&command) {
            assert!(page.contains(&option), "{option} is not in\n{page}");
        }
    }
}

#[test]
fn the_formatter_of_manual_pages_has_nothing_to_complain_of() {
    let words = Word::value_variants().iter().copied().map(Some);
    for paper in words.chain([None]).map(|word| Paper::Man { word }) {
        let groff = Process::new("groff")
            .args(["-man", "-Tutf8", "-ww", "-z"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut groff) = groff else {
            eprintln!("the manual pages are not formatted: there is no groff");
            return;
        };
        groff.stdin.take().unwrap().write_all(text(paper).as_bytes()).unwrap();
        let output = groff.wait_with_output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && complaints.is_empty(), "{complaints}");
    }
}

#[test]
fn each_shell_completes_each_option() {
    for shell in Shell::value_variants() {
        let script = text(Paper::Completions { shell: *shell });
        for option in shown(&options::command()).iter().chain(&shown(&look::command())) {
            let name = option.trim_start_matches('-');
            assert!(script.contains(name), "{shell}: {option}");
        }
        for word in WORDS.iter().chain([&look::WORD]).chain(&declare::WORDS) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn what_bash_is_told_completes_a_command_line() {
    let script = text(Paper::Completions { shell: Shell::Bash });
    let completed = |line: &[&str]| {
        let words = line.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let (last, before) = (line[line.len() - 1], line[line.len() - 2]);
        let asked = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={}; _lttngd lttngd '{last}' '{before}'\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            line.len() - 1
        );
        let output = Process::new("bash").args(["--norc", "-c", &asked]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(completed(&["lttngd", "--keep"]), ["--keep-sockets", "--keep-sessions"]);
    assert_eq!(completed(&["lttngd", "sta"]), ["status"]);
    assert_eq!(completed(&["lttngd", "status", "--wa"]), ["--watch"]);
    assert_eq!(completed(&["lttngd", "apply", "--rep"]), ["--replace"]);
    assert!(completed(&["lttngd", "completions", "z"]).contains(&"zsh".to_owned()));
    assert!(completed(&["lttngd", "--readiness"]).is_empty(), "it is for the program alone");
}

#[test]
fn only_the_first_argument_is_the_word() {
    let args = |all: &[&str]| all.iter().map(OsString::from).collect::<Vec<_>>();
    assert!(is_meant(&args(&["lttngd", "man"])));
    assert!(is_meant(&args(&["lttngd", "completions", "bash"])));
    assert!(!is_meant(&args(&["lttngd", "status"])) && !is_meant(&args(&["lttngd", "-b", "man"])));
    assert!(Paper::try_parse_from(args(&["lttngd", "completions", "cmd"])).is_err());
    assert!(Paper::try_parse_from(args(&["lttngd", "completions"])).is_err());
}
