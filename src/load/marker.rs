//! How a message says which one it is: in its content, which every server hands on as it came.

use memchr::memmem::Finder;

/// The mark of one run's messages: what another run left behind is not taken for its own.
#[derive(Debug)]
pub(super) struct Marker {
    text: String,
    finder: Finder<'static>,
    /// Fills a content up to the length that is asked for.
    filling: String,
    bytes: usize,
}

impl Marker {
    /// A mark that no other run has, for contents of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let text = format!("natter-load/{:08x}/", fastrand::u32(..));
        Self { finder: Finder::new(text.as_bytes()).into_owned(), text, filling: "x".repeat(bytes), bytes }
    }

    /// The content of message `number`.
    pub(super) fn content(&self, number: u64) -> String {
        let mut content = format!("{}{number}/", self.text);
        content.push_str(&self.filling[..self.bytes.saturating_sub(content.len())]);
        content
    }

    /// Which message a frame is about, if it is one of this run's.
    pub(super) fn number(&self, frame: &[u8]) -> Option<u64> {
        let digits = &frame[self.finder.find(frame)? + self.text.len()..];
        let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
        std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Marker;

    #[test]
    fn a_message_is_found_in_its_frame_and_those_of_others_are_not() {
        let (ours, others) = (Marker::new(100), Marker::new(100));
        let content = ours.content(4_711);
        assert_eq!(content.len(), 100);
        let frame = format!(r#"{{"type":"MESSAGE","payload":{{"id":1,"content":"{content}","file_type":null}}}}"#);
        assert_eq!(ours.number(frame.as_bytes()), Some(4_711));
        assert_eq!(others.number(frame.as_bytes()), None);
        assert_eq!(ours.number(b"{\"type\":\"PONG\"}"), None);
    }
}
