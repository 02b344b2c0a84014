//! The address of the database: never a panic, and never a word of its password where it is shown.

use natter::store::DatabaseUrl;

pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(url) = text.parse::<DatabaseUrl>() {
        assert_eq!(format!("{url:?}"), format!("DatabaseUrl({url})"));
    }
    // The same text as a password, in both places where one may stand.
    let secret: String = text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect();
    if secret.len() < 4 {
        return;
    }
    let as_user = format!("postgres://me:{secret}@db.example/app");
    let as_parameter = format!("postgres://db.example/app?user=me&password={secret}");
    for address in [as_user, as_parameter] {
        let shown = address.parse::<DatabaseUrl>().expect("a password is no fault").to_string();
        assert!(!shown.contains(&secret), "{shown}");
    }
}
