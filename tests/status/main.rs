//! `lttngd status` and what it asks, and metrics: what goes on inside is told at once, whoever does not answer.
#![allow(clippy::unwrap_used)]

mod hostile;
mod metrics;
mod openmetrics;
mod schema;
mod shown;

use std::time::Instant;

use lttngd_world::{Arena, Stage, Which};
use serde_json::Value;

const SCHEMA: &str = include_str!("../../docs/status.schema.json");

/// What a `lttngd status` with these arguments writes.
fn look(arena: &Arena, arguments: &[&str]) -> String {
    let mut command = arena.command(Which::Ours.program());
    let output = command.arg("status").args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Looks whether it is what the schema says.
fn check(written: &str) -> Value {
    let (schema, value): (Value, Value) =
        (serde_json::from_str(SCHEMA).unwrap(), serde_json::from_str(written).unwrap());
    let complaints = schema::complaints(&schema, &schema, &value, "");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    value
}

/// What is told now, which is what the schema says and comes at once.
fn status(stage: &Stage) -> Value {
    let begun = Instant::now();
    let written = look(&stage.arena, &["--json", "--users"]);
    stage.is_unconcerned(begun.elapsed());
    check(&written)["content"].take()
}

/// The one of these that has this name.
fn named<'a>(all: &'a Value, name: &str) -> &'a Value {
    let found = all.as_array().unwrap().iter().find(|it| it["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {all}"))
}

#[test]
fn what_is_written_down_is_what_the_schema_says() {
    let replies = include_str!("../../actors/handle/src/tests/recorded/replies.jsonl");
    let of_status = replies.lines().filter_map(|line| {
        let mut reply: Value = serde_json::from_str(line).unwrap();
        let content = reply["content"]["Ok"]["GetStatus"].take();
        content.is_object().then_some(content)
    });
    let checked = of_status.map(|content| {
        check(&serde_json::json!({ "version": 1, "content": content }).to_string());
    });
    assert!(checked.count() > 0);
}
