//! A file of settings, and after a NUL the environment, a variable a line: faults are told, and what is taken can be read back.

use natter::settings::{Overrides, Settings};
use std::path::{Path, PathBuf};

pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (document, environment) = text.split_once('\0').unwrap_or((text, ""));
    let variables = environment.lines().filter_map(|line| line.split_once('='));
    let path = file();
    match load(&path, document, variables.map(|(name, value)| (name.to_owned(), value.to_owned()))) {
        Ok(settings) => {
            let shown = settings.to_toml();
            // A password is masked, and with it the address is no longer the same.
            if !shown.contains("***") {
                let again = load(&path, &shown, std::iter::empty()).unwrap_or_else(|faults| panic!("{shown}\n{faults:?}"));
                assert_eq!(again.to_toml(), shown);
            }
        }
        Err(faults) => assert!(!faults.is_empty()),
    }
    // Gone already is as good.
    let _ = std::fs::remove_file(&path);
}

type Faults = Vec<natter::settings::Fault>;

fn load(path: &Path, document: &str, environment: impl Iterator<Item = (String, String)>) -> Result<Settings, Faults> {
    std::fs::write(path, document).expect("a temporary file");
    Settings::load(&Overrides { config: Some(path.to_owned()), ..Overrides::default() }, environment)
}

/// A file of this process's own.
fn file() -> PathBuf {
    std::env::temp_dir().join(format!("natter-fuzz-{}.toml", std::process::id()))
}
