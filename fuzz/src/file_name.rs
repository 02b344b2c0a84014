//! What a file is called by whoever uploads it: in whatever they write, nothing is left that is a path or is not seen.

use natter::{protocol::attachment::MAX_NAME_CHARS, uploads::cleaned};

pub fn run(input: &[u8]) {
    let name = cleaned(&String::from_utf8_lossy(input));
    assert!(name.chars().count() <= MAX_NAME_CHARS);
    assert!(!name.contains(['/', '\\', '\u{202e}', '\u{200b}', '\u{feff}']));
    assert!(!name.chars().any(char::is_control));
    assert!(name.is_empty() || name.chars().any(|letter| letter != '.'));
    assert_eq!(name, name.trim());
    assert_eq!(cleaned(&name), name, "cleaned again, it is the same");
}
