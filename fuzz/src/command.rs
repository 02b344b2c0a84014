//! A client's text frame, in both dialects. What is understood must say what `serde_json` reads there.

use natter::protocol::{
    Command, Dialect, Limits, RequestId,
    decode::{Asked, Frame, decode},
    fields::MAX_ID,
};
use serde_json::Value;

const LIMITS: Limits = Limits { content_chars: 200, frame_bytes: 65_536, messages_per_second: None };

pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for dialect in [Dialect::Classic, Dialect::NatterV1] {
        match decode(text, dialect, &LIMITS) {
            Ok(Frame { asked: Asked::Refresh(_), .. }) => {}
            Ok(Frame { request_id, asked: Asked::Command(command) }) => {
                let frame: Value = match serde_json::from_str(text) {
                    Ok(frame) => frame,
                    // What no command has a field for is passed over, however deep it is.
                    Err(error) if error.to_string().starts_with("recursion limit exceeded") => return,
                    Err(error) => panic!("what was understood is no JSON: {error}"),
                };
                assert_eq!(frame["type"], command.name());
                assert_eq!(request_id.as_ref().map(RequestId::as_str), frame["request_id"].as_str());
                says_what_stands_there(&command, &frame);
            }
            Err(refused) => assert!(refused.refusal.message.len() < 1_000, "a refusal repeats what it was sent"),
        }
    }
}

fn says_what_stands_there(command: &Command, frame: &Value) {
    match command {
        Command::Post(message) => {
            assert_eq!(frame["content"], message.content);
            assert!(message.content.chars().count() <= LIMITS.content_chars && !message.content.contains('\0'));
            is_id(&frame["sender_id"], message.sender_id.0);
        }
        Command::Edit(edit) => {
            assert_eq!(frame["content"], edit.content);
            is_id(&frame["message_id"], edit.message_id.0);
        }
        Command::Delete(delete) => is_id(&frame["message_id"], delete.message_id.0),
        Command::GetHistory(query) => assert!((1..=200).contains(&query.limit)),
        Command::Ping => {}
    }
}

#[expect(clippy::cast_precision_loss, reason = "a double holds every id exactly")]
fn is_id(value: &Value, id: i64) {
    assert!((1..=MAX_ID).contains(&id), "{id}");
    assert_eq!(value.as_f64(), Some(id as f64));
}
