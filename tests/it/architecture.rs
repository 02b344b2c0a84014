//! The house's own rules: which module may use which.

use std::path::{Path, PathBuf};

/// The modules in the order of dependency, with those each may use beside itself.
const MAY_USE: [(&str, &[&str]); 18] = [
    ("clock", &["protocol"]),
    ("logging", &[]),
    ("protocol", &[]),
    ("metrics", &["protocol"]),
    ("limits", &["protocol"]),
    ("access", &["protocol"]),
    ("identity", &["clock", "protocol"]),
    ("store", &["clock", "protocol", "metrics", "limits", "access"]),
    ("uploads", &["clock", "protocol", "metrics", "store"]),
    ("demo", &["clock", "protocol", "store"]),
    ("load", &["clock", "identity", "protocol"]),
    ("chat", &["clock", "protocol", "metrics", "access", "store"]),
    ("delivery", &["clock", "protocol", "metrics"]),
    ("session", &["protocol", "metrics", "limits", "delivery"]),
    ("server", &["protocol", "metrics", "chat", "delivery", "session"]),
    ("http", &["clock", "identity", "protocol", "metrics", "limits", "access", "store", "uploads", "chat", "server", "session"]),
    ("settings", &["identity", "protocol", "limits", "access", "store", "uploads"]),
    (
        "app",
        &[
            "clock", "identity", "protocol", "limits", "access", "store", "uploads", "chat", "delivery", "session", "server",
            "http", "settings",
        ],
    ),
];

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Each file under `src`, with the name of its module and its text.
fn modules() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let module = |path: PathBuf| {
        let first = path.strip_prefix(&root).expect("under src").components().next().expect("a name");
        let name = first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        let text = std::fs::read_to_string(&path).expect("text");
        (name, path, text)
    };
    source_files(&root).into_iter().map(module).filter(|(name, ..)| name != "main" && name != "lib").collect()
}

/// The modules that a text names by `crate::`, grouped imports included.
fn used(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => used.extend(top_level_names(group)),
            None => used.push(name_at_start(rest)),
        }
    }
    used
}

fn name_at_start(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}

fn top_level_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut expects_name) = (0, Vec::new(), true);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expects_name = true,
            letter if expects_name && letter.is_ascii_alphabetic() => {
                names.push(name_at_start(&group[at..]));
                expects_name = false;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn a_module_uses_only_those_below_it() {
    for (name, path, text) in modules() {
        let (_, allowed) = MAY_USE.iter().find(|(module, _)| *module == name).unwrap_or_else(|| panic!("{name} has no place"));
        for used in used(&text) {
            assert!(used == name || allowed.contains(&used.as_str()), "{} uses {used}", path.display());
        }
    }
}

#[test]
fn only_the_store_names_the_database_and_only_shells_name_actix() {
    for (name, path, text) in modules() {
        let names = |word: &str| text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(word));
        assert!(name == "store" || !names("sea_orm"), "{} names sea_orm", path.display());
        let pure = ["clock", "identity", "logging", "protocol", "metrics", "limits", "access", "store", "chat", "settings"]
            .contains(&name.as_str());
        assert!(!pure || !names("actix"), "{} names actix", path.display());
    }
}

#[test]
fn a_file_says_in_one_line_what_it_is() {
    for (_, path, text) in modules() {
        assert!(text.starts_with("//! "), "{} has no first line", path.display());
    }
}

#[test]
fn grouped_imports_are_read_right() {
    let text = "use crate::{\n chat::{Chat, Outcome},\n store::Writer,\n};\nuse crate::clock::Clock;";
    assert_eq!(used(text), ["chat", "store", "clock"]);
}
