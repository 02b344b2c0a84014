//! What a file is, by its content: what its sender calls it counts for nothing.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read, Seek},
};

/// Bytes by which a type is told.
const HEAD: u64 = 8 * 1024;

/// What is text, and nothing that a browser would take for more.
pub(super) const PLAIN_TEXT: &str = "text/plain";

/// The media type of a file, if it is one that is known.
pub(super) fn of(file: &mut File) -> io::Result<Option<Cow<'static, str>>> {
    let mut head = Vec::new();
    file.rewind()?;
    file.by_ref().take(HEAD).read_to_end(&mut head)?;
    file.rewind()?;
    let known = infer::get(&head).map(|kind| Cow::Borrowed(kind.mime_type()));
    if known.is_some() || is_markup(&head) {
        return Ok(known);
    }
    let text = is_text(file)?.then_some(Cow::Borrowed(PLAIN_TEXT));
    file.rewind()?;
    Ok(text)
}

/// Whether a media type is an image that is drawn anew before it is kept: all that a browser may show on the server's own origin.
#[must_use]
pub fn is_safe_image(media_type: &str) -> bool {
    super::image::Format::of(media_type).is_some()
}

/// HTML, SVG and XML are text, and a script in them would run where they are shown.
fn is_markup(head: &[u8]) -> bool {
    let text = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head);
    text.trim_ascii_start().first() == Some(&b'<')
}

/// Whether it is UTF-8 without control characters but line ends, tabs and form feeds.
fn is_text(file: &mut File) -> io::Result<bool> {
    let (mut buffer, mut kept) = (vec![0; 64 * 1024], 0);
    loop {
        let count = file.read(&mut buffer[kept..])?;
        if count == 0 {
            return Ok(kept == 0);
        }
        let filled = &buffer[..kept + count];
        let valid = match std::str::from_utf8(filled) {
            Ok(_) => filled.len(),
            // A character that is cut off goes on in the next piece.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Ok(false),
        };
        if filled[..valid].iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()) {
            return Ok(false);
        }
        let end = filled.len();
        buffer.copy_within(valid..end, 0);
        kept = end - valid;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn found(content: &[u8]) -> Option<Cow<'static, str>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        of(&mut file).unwrap()
    }

    #[test]
    fn a_type_is_told_by_the_content() {
        assert_eq!(found(b"\x89PNG\r\n\x1a\n").as_deref(), Some("image/png"));
        assert_eq!(found(b"%PDF-1.7\n").as_deref(), Some("application/pdf"));
        assert_eq!(found("gr\u{fc}\u{df}e,\tzwei\r\nZeilen".as_bytes()).as_deref(), Some("text/plain"));
        assert_eq!(found(&[b"x".repeat(64 * 1024 - 1), "\u{20ac}".into()].concat()).as_deref(), Some("text/plain"));
        assert_eq!(found(&[b"x".repeat(64 * 1024), vec![0xe2, 0x82]].concat()), None);
        assert_eq!(found(b"zero\0byte"), None);
        assert_eq!(found(b"\xff\xfe\xfd"), None);
    }

    #[test]
    fn markup_is_no_text() {
        for markup in ["<svg xmlns='http://www.w3.org/2000/svg'>", "\u{feff} \n<p>", "<!-- -->", "<script>alert(1)</script>"] {
            assert_ne!(found(markup.as_bytes()).as_deref(), Some("text/plain"), "{markup}");
        }
    }
}
