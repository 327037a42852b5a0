#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn the_role_is_told_by_the_whole_command_line() {
    let library_of = |args: &[&str]| {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        library(&args).map(OsStr::to_owned)
    };
    assert_eq!(library_of(&["name", READER_OPTION, "/p.so"]), Some("/p.so".into()));
    for others in [
        &[][..],
        &["lttngd"],
        &["lttngd", READER_OPTION],
        &["lttngd", "-v", READER_OPTION, "/p.so"],
        &["lttngd", READER_OPTION, "/p.so", "more"],
        &["lttngd", "--clock-plugin-read", "/p.so"],
    ] {
        assert_eq!(library_of(others), None, "{others:?}");
    }
}

#[test]
fn what_is_no_plugin_says_why() {
    let missing = load(OsStr::new("/nowhere/plugin.so")).unwrap_err();
    assert!(missing.contains("/nowhere/plugin.so"), "{missing}");
    let other = load(OsStr::new("libc.so.6")).unwrap_err();
    assert!(other.contains("lttng_ust_clock_plugin_init"), "{other}");
}
