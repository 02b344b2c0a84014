//! The parameters of a connection: who comes, and from where on. Each is one line of the input.

use natter::protocol::{
    fields::{MAX_ID, id_parameter},
    resume::Cursor,
};

pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.split('\n');
    let (user, since, log) = (lines.next().unwrap_or_default(), lines.next(), lines.next());
    if let Ok(id) = id_parameter("userId", user) {
        assert!((1..=MAX_ID).contains(&id));
        assert_eq!(user.trim_start_matches('0'), id.to_string());
    }
    match Cursor::from_parameters(since, log) {
        Ok(None) => assert_eq!((since, log), (None, None)),
        Ok(Some(cursor)) => {
            let seq = cursor.since.0;
            assert!((0..=MAX_ID).contains(&seq));
            assert_eq!(since.and_then(|since| since.parse().ok()), Some(seq));
        }
        Err(refusal) => assert!(matches!(refusal.field, Some("since" | "log"))),
    }
}
