//! Whether JSON is what a schema says, as far as ours say something: types, members, items, values, references.

use serde_json::Value;

/// What of `value`, which is at `place`, is not what `schema` says; `root` is where its references lead.
pub fn complaints(root: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(reference) = schema["$ref"].as_str() {
        let meant = root.pointer(reference.trim_start_matches('#')).unwrap();
        found.extend(complaints(root, meant, value, place));
    }
    if let Some(options) = schema["anyOf"].as_array() {
        let fits = |it: &&Value| complaints(root, it, value, place).is_empty();
        if !options.iter().any(|it| fits(&it)) {
            found.push(format!("{place}: {value} is none of what it may be"));
        }
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        found.push(format!("{place}: {value} is none of {values:?}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|name| is_of_type(value, name)) {
        found.push(format!("{place}: {value} is of none of the types {types:?}"));
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < least
    {
        found.push(format!("{place}: {value} is less than {least}"));
    }
    found.extend(of_members(root, schema, value, place));
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(complaints(root, &schema["items"], item, &format!("{place}/{index}")));
    }
    found
}

/// Every member is to be described: what is added is written down.
fn of_members(root: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let (Some(described), Some(members)) = (schema["properties"].as_object(), value.as_object())
    else {
        return Vec::new();
    };
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let missing = required.filter(|name| !members.contains_key(*name));
    let mut found: Vec<_> = missing.map(|name| format!("{place}: there is no {name}")).collect();
    for (name, member) in members {
        let place = format!("{place}/{name}");
        match described.get(name) {
            Some(schema) => found.extend(complaints(root, schema, member, &place)),
            None => found.push(format!("{place} is not described")),
        }
    }
    found
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("the schema has a type {other}"),
    }
}

#[test]
fn what_is_wrong_is_found() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a", "b"],
        "properties": {
            "a": { "$ref": "#/$defs/count" },
            "b": { "type": "array", "items": { "enum": ["x", "y"] } },
            "c": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/count" }] },
        },
        "$defs": { "count": { "type": "integer", "minimum": 0 } },
    });
    let wrong = |value: Value| complaints(&schema, &schema, &value, "").len();
    assert_eq!(wrong(serde_json::json!({ "a": 1, "b": ["x"], "c": null })), 0);
    assert_eq!(wrong(serde_json::json!({ "a": -1, "b": ["z", "y"], "c": "1" })), 3);
    assert_eq!(wrong(serde_json::json!({ "a": 1.5, "d": 0 })), 3, "type, missing, not described");
    assert_eq!(wrong(serde_json::json!([])), 1);
}
