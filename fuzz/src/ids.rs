//! A number where an id is expected: taken exactly where the standard library's reading of it is a whole number from 1 to 2^53-1.

use natter::protocol::{
    Command, Dialect, Limits,
    decode::{Asked, Frame, decode},
    fields::MAX_ID,
};
use serde_json::Number;

const LIMITS: Limits = Limits { content_chars: 1, frame_bytes: 65_536, messages_per_second: None };

pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    // Nothing but the number itself: another value would end the frame's own key.
    if serde_json::from_str::<Number>(text).is_err() || text.contains(char::is_whitespace) {
        return;
    }
    let frame = format!(r#"{{"type":"DELETE_MESSAGE","chat_id":1,"message_id":{text}}}"#);
    let taken = match decode(&frame, Dialect::NatterV1, &LIMITS) {
        Ok(Frame { asked: Asked::Command(Command::Delete(delete)), .. }) => Some(delete.message_id.0),
        Ok(other) => panic!("{other:?}"),
        Err(refused) => {
            assert_eq!(refused.refusal.field, Some("message_id"));
            None
        }
    };
    assert_eq!(taken, id(text), "{text}");
}

/// What JavaScript makes of it, where that is an id.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the range is checked first")]
fn id(text: &str) -> Option<i64> {
    let number: f64 = text.parse().ok()?;
    let is_id = number.fract() == 0.0 && (1.0..=MAX_ID as f64).contains(&number);
    is_id.then_some(number as i64)
}
