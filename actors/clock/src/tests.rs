#![allow(clippy::unwrap_used)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use proptest::prelude::*;

use super::*;

fn clock() -> Clock {
    Clock {
        name: "coarse".to_owned(),
        uuid: Some("83c63deb-7aa4-48fb-abda-946f400d76e6".to_owned()),
        description: "Counts \"milliseconds\"".to_owned(),
        freq_hz: 1000,
        offset: -5,
    }
}

#[test]
fn the_offset_leads_from_the_monotonic_clock_to_the_calendar() {
    let clock = sample_clock();
    let now = nanoseconds(clock_gettime(ClockId::Monotonic)) + clock.offset;
    let real = nanoseconds(clock_gettime(ClockId::Realtime));
    assert!((now - real).abs() < 1_000_000_000, "{now} {real}");
    assert!(clock.uuid.is_none_or(|id| id.len() == 36));
}

#[test]
fn the_offset_is_in_units_of_the_clock() {
    for freq_hz in [1, 1000, 1_000_000_007, 4_000_000_000] {
        // A clock that stands still at 7.
        let now = units(clock_gettime(ClockId::Realtime), freq_hz) as i64;
        let offset = measure_offset(freq_hz, || 7);
        let second = freq_hz.cast_signed();
        assert!((now - 7 - 1..=now + second).contains(&offset), "{freq_hz}: {offset}");
    }
}

#[test]
fn the_shortest_measurement_counts() {
    // One of the ten takes 2 units, all others 1000; the clock goes on by 1,000,000 between them.
    let mut readings = (0..u64::try_from(SAMPLES).unwrap()).flat_map(|sample| {
        let begin = sample * 1_000_000;
        [begin, begin + if sample == 6 { 2 } else { 1000 }]
    });
    let offset = measure_offset(1, || readings.next().unwrap());
    let now = units(clock_gettime(ClockId::Realtime), 1) as i64;
    assert!((now - 6_000_001 - 1..=now - 6_000_001).contains(&offset), "{offset} {now}");
    assert_eq!(readings.next(), None);
}

#[test]
fn counters_at_the_end_of_their_range_are_measured() {
    let now = units(clock_gettime(ClockId::Realtime), 1) as i64;
    let mut readings = [u64::MAX, 1].into_iter().cycle();
    let offset = measure_offset(1, || readings.next().unwrap());
    assert!((now..now + 2).contains(&offset), "{offset} {now}");
}

#[test]
fn reports_are_read_as_they_were_written() {
    for report in [
        Report::Clock(clock()),
        Report::Clock(Clock { uuid: None, description: String::new(), ..clock() }),
        Report::Unused("it is not there".to_owned()),
        Report::Unusable("it stands still".to_owned()),
    ] {
        assert_eq!(Report::decode(&report.encode()), Some(report));
    }
}

#[test]
fn long_texts_do_not_make_long_reports() {
    let long = "\u{1f552}".repeat(REPORT_MAX_LEN);
    for report in [
        Report::Clock(Clock { description: long.clone(), ..clock() }),
        Report::Unused(long.clone()),
        Report::Unusable(long),
    ] {
        let bytes = report.encode();
        assert!(bytes.len() <= REPORT_MAX_LEN);
        assert!(!matches!(Report::decode(&bytes), None | Some(Report::Clock(_))));
    }
}

#[test]
fn a_clock_that_cannot_be_described_is_unusable() {
    for name in ["", "two words", "9lives", "a\"b", "h\u{fc}lse"] {
        let report = Report::Clock(Clock { name: name.to_owned(), ..clock() });
        let read = Report::decode(&report.encode());
        assert!(matches!(read, Some(Report::Unusable(_))), "{name}: {read:?}");
    }
    let report = Report::Clock(Clock { freq_hz: 0, ..clock() });
    assert!(matches!(Report::decode(&report.encode()), Some(Report::Unusable(_))));
}

proptest! {
    #[test]
    fn no_bytes_confuse_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Some(report) = Report::decode(&bytes) {
            prop_assert_eq!(Report::decode(&report.encode()), Some(report));
        }
    }

    #[test]
    fn a_report_cut_short_is_not_another_clock(length in 0_usize..60) {
        let whole = Report::Clock(Clock { uuid: None, ..clock() }).encode();
        let cut = &whole[..length.min(whole.len() - 1)];
        // Only the last number can lose digits unseen; packets come whole.
        match Report::decode(cut) {
            Some(Report::Clock(read)) => prop_assert_eq!(Clock { offset: clock().offset, uuid: None, ..read }, Clock { uuid: None, ..clock() }),
            other => prop_assert_eq!(other, None),
        }
    }
}

/// A program in `directory` that is started to load a plugin and does `script` instead; it has the
/// socket as standard input. A shell writes it: a process that another test starts meanwhile would
/// inherit our descriptor, and a file open for writing cannot be executed.
fn program(directory: &Path, script: &str) -> PathBuf {
    let path = directory.join("program");
    let written = Command::new("sh")
        .args(["-c", r#"printf '#!/bin/sh\n%s\n' "$1" >"$0" && chmod 755 "$0""#])
        .arg(&path)
        .arg(script)
        .status();
    assert!(written.unwrap().success());
    path
}

fn with_program(script: &str) -> Result<TraceClock, ClockPluginError> {
    let directory = tempfile::tempdir().unwrap();
    TraceClock::with_plugin(&program(directory.path(), script), Path::new("plugin.so"))
}

/// Takes one request and answers `$1`, in the notation of printf.
const ANSWER: &str = "answer() { head -c 1 >/dev/null; printf \"$1\" >&0; }";
const COARSE: &str = "clock\\0coarse\\0text\\0001000\\0-5";

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = TraceClock::with_plugin(Path::new("/nowhere/lttngd"), Path::new("plugin.so"));
    let text = error.unwrap_err().to_string();
    assert!(text.contains("/nowhere/lttngd") && text.contains("plugin.so"), "{text}");
}

#[test]
fn a_plugin_that_ends_its_process_keeps_the_daemon_from_starting() {
    for script in ["exit 0", "head -c 1 >/dev/null; exit 1", "kill -KILL $$"] {
        let error = with_program(script).unwrap_err().to_string();
        assert!(error.contains("plugin.so ends the process"), "{script}: {error}");
    }
}

#[test]
fn other_answers_keep_the_daemon_from_starting() {
    let noise = with_program(&format!("{ANSWER}\nanswer noise")).unwrap_err().to_string();
    assert!(noise.contains("not its own"), "{noise}");
    let unusable = with_program(&format!("{ANSWER}\nanswer 'unusable\\0it stands still'"));
    let unusable = unusable.unwrap_err().to_string();
    assert!(unusable.contains("it stands still"), "{unusable}");
}

#[test]
fn without_an_override_the_clock_is_the_monotonic_one() {
    let clock = with_program(&format!("{ANSWER}\nanswer 'unused\\0it is empty'")).unwrap();
    assert!(matches!(clock, TraceClock::Monotonic));
}

#[tokio::test]
async fn the_last_measurement_outlives_the_process() {
    let answers = format!("{ANSWER}\nanswer '{COARSE}'\nanswer '{COARSE}7'");
    let plugin = with_program(&answers).unwrap();
    let coarse = |offset| Clock {
        name: "coarse".to_owned(),
        uuid: None,
        description: "text".to_owned(),
        freq_hz: 1000,
        offset,
    };
    for offset in [-57, -57, -57] {
        assert_eq!(plugin.sample().await, coarse(offset));
    }
}

#[tokio::test]
async fn an_answer_that_comes_late_is_not_taken_for_another() {
    // What sleeps outlives its shell: it is not to hold what the test's output goes to.
    let quietly = "</dev/null >/dev/null 2>&1";
    let answers = format!(
        "{ANSWER}\nanswer '{COARSE}'\nsleep 3 {quietly}\nanswer '{COARSE}7'\nexec sleep 60"
    );
    let plugin = with_program(&answers).unwrap();
    let begin = std::time::Instant::now();
    assert_eq!(plugin.sample().await.offset, -5);
    assert_eq!(plugin.sample().await.offset, -5);
    assert!(begin.elapsed().as_secs() < 30);
    let TraceClock::Plugin(plugin) = plugin else { panic!("{plugin:?}") };
    assert!(format!("{plugin:?}").contains("process: None"));
}
