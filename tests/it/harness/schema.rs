//! Holds frames against `/asyncapi.json`, which is what users make their types from.

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::LazyLock};

/// Every message of the document, by its name.
static MESSAGES: LazyLock<HashMap<String, Validator>> = LazyLock::new(|| {
    let mut document: Value = serde_json::from_str(include_str!("../../../docs/asyncapi.json")).expect("the document is JSON");
    refuse_unknown_keys(&mut document["components"]);
    let components = &document["components"];
    let messages = components["messages"].as_object().expect("messages");
    messages.iter().map(|(name, message)| (name.clone(), validator(&message["payload"], components))).collect()
});

/// Clients pass over keys that they don't know; a test does not, or the document would fall behind.
fn refuse_unknown_keys(schema: &mut Value) {
    match schema {
        Value::Object(keys) => {
            keys.values_mut().for_each(refuse_unknown_keys);
            if keys.get("properties").is_some_and(Value::is_object) && keys.contains_key("required") {
                keys.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(refuse_unknown_keys),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn validator(payload: &Value, components: &Value) -> Validator {
    let mut schema = payload.clone();
    schema["components"] = json!({ "schemas": components["schemas"] });
    let options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
    options.build(&schema).expect("a schema")
}

/// Who sends a frame, and in which words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Classic,
    NatterV1,
}

/// Fails where the document does not describe such a frame.
pub(crate) fn assert_described(from: From, frame: &Value) {
    let Some(validator) = MESSAGES.get(&from.name_of(frame["type"].as_str().expect("a type"))) else {
        panic!("/asyncapi.json has no such frame of {from:?}: {frame}")
    };
    let faults: Vec<_> = validator.iter_errors(frame).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "not as /asyncapi.json has it: {frame}\n{}", faults.join("\n"));
}

/// The names of all messages that are described.
pub(crate) fn described_messages() -> impl Iterator<Item = &'static String> {
    MESSAGES.keys()
}

impl From {
    /// What the document calls such a frame.
    pub(crate) fn name_of(self, frame_type: &str) -> String {
        match self {
            Self::Client => format!("client.{frame_type}"),
            // What both dialects say alike stands there once.
            Self::Classic if !matches!(frame_type, "ACK" | "ERROR") => format!("classic.{frame_type}"),
            Self::Classic | Self::NatterV1 => frame_type.to_owned(),
        }
    }
}
