//! What a file is called: kept as it was given, as far as it harms nobody, and never used as a path.

use crate::protocol::attachment::MAX_NAME_CHARS;

/// The name without its folders, and without what is not seen: control characters, and those that turn the direction of writing, by
/// which `gpj.exe` can look like a picture. The end is kept where it is too long, for it says what the file is.
#[must_use]
pub fn cleaned(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen: Vec<char> = last.chars().filter(|letter| !letter.is_control() && !is_invisible(*letter)).collect();
    let seen = &seen[seen.len().saturating_sub(MAX_NAME_CHARS)..];
    let name = seen.iter().collect::<String>().trim().to_owned();
    if name.chars().all(|letter| letter == '.') { String::new() } else { name }
}

/// Marks of direction, zero-width characters, and separators of lines.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::cleaned;

    #[test]
    fn a_name_is_a_name_and_no_path() {
        for (given, kept) in [
            ("photo.jpg", "photo.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
            ("..", ""),
            ("", ""),
            ("a\0b\r\nc.txt", "abc.txt"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            (" \u{fffd} \u{1f600}.png ", "\u{fffd} \u{1f600}.png"),
        ] {
            assert_eq!(cleaned(given), kept, "{given:?}");
        }
        let long = cleaned(&format!("{}.pdf", "\u{e9}".repeat(4_096)));
        assert_eq!(long, format!("{}.pdf", "\u{e9}".repeat(251)));
    }
}
