//! The layers that a setting may come from, merged by figment; each value is asked for by its key, and each fault is kept.

use figment::{
    Figment,
    providers::{Format, Serialized, Toml},
    value::{Dict, Value},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
};

/// The reference: every key with its default.
const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The plain names that people expect in the environment.
const PLAIN_NAMES: [(&str, &str); 4] =
    [("HOST", "server.host"), ("PORT", "server.port"), ("DATABASE_URL", "database.url"), ("RUST_LOG", "logging.filter")];

/// What was given on the command line.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// A file with the keys that differ from the defaults.
    pub config: Option<PathBuf>,
    /// Keys with their values and the flag that set them.
    pub flags: Vec<(&'static str, String, &'static str)>,
}

/// A setting that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key, or the file that could not be read.
    pub key: String,
    /// Where the value came from.
    pub origin: String,
    /// What is wrong and what is allowed.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.key, self.origin, self.problem)
    }
}

/// The merged layers.
pub(super) struct Source {
    values: Figment,
    /// The keys of the reference, in its order.
    known: Vec<String>,
    /// Where each key that is no default came from.
    origins: BTreeMap<String, String>,
    faults: Vec<Fault>,
}

impl Source {
    pub(super) fn read(overrides: &Overrides, environment: impl Iterator<Item = (String, String)>) -> Self {
        let values = Figment::from(Toml::string(DEFAULTS));
        let known = keys_in_order(DEFAULTS);
        let mut source = Self { values, known, origins: BTreeMap::new(), faults: Vec::new() };
        if let Some(path) = &overrides.config {
            source.merge_file(path);
        }
        source.merge_environment(environment);
        for (key, value, flag) in &overrides.flags {
            source.set(key, value, flag);
        }
        source
    }

    fn merge_file(&mut self, path: &std::path::Path) {
        let origin = path.display().to_string();
        let layer = std::fs::read_to_string(path).map_err(|error| error.to_string()).and_then(|text| {
            Figment::from(Toml::string(&text)).extract::<Dict>().map_err(|error| without_excerpt(&error.to_string()))
        });
        let dict = match layer {
            Ok(dict) => dict,
            Err(problem) => return self.fault_at(&origin, "--config", problem),
        };
        for (key, value) in flatten(&dict) {
            if self.known.contains(&key) {
                self.origins.insert(key.clone(), origin.clone());
                self.values = std::mem::take(&mut self.values).merge(Serialized::global(&key, value));
            } else {
                let problem = self.unknown(&key);
                self.fault_at(&key, &origin, problem);
            }
        }
    }

    /// The plain names first, so that a name with a section wins over them.
    fn merge_environment(&mut self, environment: impl Iterator<Item = (String, String)>) {
        let (mut plain, mut sectioned) = (Vec::new(), Vec::new());
        for (name, value) in environment {
            if let Some((_, key)) = PLAIN_NAMES.iter().find(|(plain, _)| *plain == name) {
                plain.push(((*key).to_owned(), value, name));
            } else if let Some(path) = name.strip_prefix("NATTER_").filter(|path| path.contains("__")) {
                sectioned.push((path.replacen("__", ".", 1).to_ascii_lowercase(), value, name));
            } else if let Some(meant) = self.meant_by(&name) {
                self.fault_at(&name, "the environment", format!("there is no such variable; did you mean {meant}?"));
            }
        }
        for (key, value, name) in plain.into_iter().chain(sectioned) {
            if self.known.contains(&key) {
                self.set(&key, &value, &name);
            } else {
                let problem = self.unknown(&key);
                self.fault_at(&key, &name, problem);
            }
        }
    }

    /// The variable that a name with one underscore too few stands for. An application may have names of its own that begin so.
    fn meant_by(&self, name: &str) -> Option<String> {
        let rest = name.strip_prefix("NATTER_")?;
        if let Some((plain, _)) = PLAIN_NAMES.iter().find(|(plain, _)| *plain == rest && !plain.contains("URL")) {
            return Some((*plain).to_owned());
        }
        let key = self.known.iter().find(|known| known.replacen('.', "_", 1).eq_ignore_ascii_case(rest))?;
        Some(format!("NATTER_{}", key.replacen('.', "__", 1).to_ascii_uppercase()))
    }

    /// Sets a key from text, which is taken as it stands where the default is a string, and as TOML otherwise.
    fn set(&mut self, key: &str, text: &str, origin: &str) {
        let as_toml = || Figment::from(Toml::string(&format!("value = {text}"))).find_value("value").ok();
        let value = match self.values.find_value(key) {
            Ok(Value::String(..)) | Err(_) => None,
            Ok(_) if text.contains('\n') => None,
            Ok(_) => as_toml(),
        };
        let value = value.unwrap_or_else(|| Value::from(text));
        self.origins.insert(key.to_owned(), origin.to_owned());
        self.values = std::mem::take(&mut self.values).merge(Serialized::global(key, value));
    }

    fn unknown(&self, key: &str) -> String {
        let name = key.rsplit('.').next().unwrap_or(key);
        match self.known.iter().find(|known| known.rsplit('.').next() == Some(name)) {
            Some(known) => format!("there is no such key; did you mean {known}?"),
            None => self.there_are(key),
        }
    }

    /// What a key that is none could have been.
    fn there_are(&self, key: &str) -> String {
        let section = key.split_once('.').map_or(key, |(section, _)| section);
        let of_section: Vec<&str> =
            self.known.iter().filter_map(|known| known.strip_prefix(section)?.strip_prefix('.')).collect();
        if of_section.is_empty() {
            let sections: BTreeSet<&str> = self.known.iter().filter_map(|known| Some(known.split_once('.')?.0)).collect();
            return format!("there is no such key; the sections are {}", sections.into_iter().collect::<Vec<_>>().join(", "));
        }
        format!("there is no such key; {section} has {}", of_section.join(", "))
    }

    fn fault_at(&mut self, key: &str, origin: &str, problem: String) {
        self.faults.push(Fault { key: key.to_owned(), origin: origin.to_owned(), problem });
    }

    /// Keeps a fault of `key`, whose value may be used by nobody.
    pub(super) fn fault(&mut self, key: &str, problem: impl Into<String>) {
        let origin = origin(&self.origins, key).to_owned();
        self.fault_at(key, &origin, problem.into());
    }

    fn value(&self, key: &str) -> Option<Value> {
        self.values.find_value(key).ok()
    }

    /// A whole number within `range`; where it is not, the fault is kept and the range's start returned.
    pub(super) fn integer<T>(&mut self, key: &str, range: RangeInclusive<T>) -> T
    where
        T: Copy + fmt::Display + PartialOrd + TryFrom<i128>,
    {
        let number = self.value(key).and_then(|value| value.to_i128()).and_then(|number| T::try_from(number).ok());
        number.filter(|number| range.contains(number)).unwrap_or_else(|| {
            self.fault(key, format!("must be a whole number from {} to {}", range.start(), range.end()));
            *range.start()
        })
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, key: &str) -> bool {
        if let Some(Value::Bool(_, value)) = self.value(key) {
            return value;
        }
        self.fault(key, "must be true or false");
        false
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str) -> String {
        if let Some(Value::String(_, text)) = self.value(key) {
            return text;
        }
        self.fault(key, "must be a string");
        String::new()
    }

    /// A text that may be left empty.
    pub(super) fn optional_text(&mut self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    /// A text that stands in the setting itself or, so that it need not stand in the environment, in the file that `…_file` names.
    /// The line's end at the end of the file does not count.
    pub(super) fn text_or_file(&mut self, key: &str) -> Option<String> {
        let file_key = format!("{key}_file");
        match (self.optional_text(key), self.optional_text(&file_key)) {
            (text, None) => text,
            (Some(_), Some(_)) => {
                self.fault(&file_key, format!("must not be set beside {key}"));
                None
            }
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) => {
                    let text = text.trim_end_matches(['\r', '\n']);
                    if text.is_empty() {
                        self.fault(&file_key, format!("must not be an empty file: the text of {key} stands in it"));
                    }
                    Some(text.to_owned()).filter(|text| !text.is_empty())
                }
                Err(error) => {
                    self.fault(&file_key, format!("must be a file with the text of {key}: {error}"));
                    None
                }
            },
        }
    }

    /// A list of texts, none of them empty.
    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        let text = |value: Value| value.into_string().filter(|text| !text.is_empty());
        let texts = match self.value(key) {
            Some(Value::Array(_, values)) => values.into_iter().map(text).collect(),
            _ => None,
        };
        texts.unwrap_or_else(|| {
            self.fault(key, "must be a list of strings: [\"one\", \"another\"]");
            Vec::new()
        })
    }

    /// A text that is parsed; what is allowed is said by the parser's error.
    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, key: &str) -> Option<T> {
        match self.text(key).parse() {
            Ok(value) => Some(value),
            Err(allowed) => {
                self.fault(key, format!("must be {allowed}"));
                None
            }
        }
    }

    /// Each key with its value as TOML.
    pub(super) fn effective(&self) -> Vec<(String, String)> {
        let shown = |value: Value| match value {
            Value::String(_, text) => quoted(&text),
            Value::Bool(_, value) => value.to_string(),
            Value::Array(_, values) => {
                format!("[{}]", values.iter().filter_map(Value::as_str).map(quoted).collect::<Vec<_>>().join(", "))
            }
            other => other.to_i128().map_or_else(String::new, |number| number.to_string()),
        };
        self.known.iter().filter_map(|key| Some((key.clone(), shown(self.value(key)?)))).collect()
    }

    /// Where each key that is no default came from, or every fault at once.
    pub(super) fn finish(self) -> Result<BTreeMap<String, String>, Vec<Fault>> {
        if self.faults.is_empty() { Ok(self.origins) } else { Err(self.faults) }
    }
}

/// Where the value of a key came from.
pub(super) fn origin<'a>(origins: &'a BTreeMap<String, String>, key: &str) -> &'a str {
    origins.get(key).map_or("default", String::as_str)
}

/// A text as TOML. JSON's escapes are TOML's too, but U+007F needs one.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// The keys of a document of sections, in its order, which a parsed table does not keep.
fn keys_in_order(document: &str) -> Vec<String> {
    let mut section = "";
    let mut keys = Vec::new();
    for line in document.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((name, _)) = line.split_once(" = ") {
            keys.push(format!("{section}.{name}"));
        }
    }
    keys
}

/// A parser's error without the lines that it quotes, which may hold a password: where it is, and what it is.
fn without_excerpt(error: &str) -> String {
    let error = error.trim_end().trim_end_matches("in TOML source string");
    let told: Vec<&str> = error.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains('|')).collect();
    told.join(": ")
}

fn flatten(dict: &Dict) -> Vec<(String, Value)> {
    let mut keys = Vec::new();
    for (name, value) in dict {
        match value {
            Value::Dict(_, section) => {
                keys.extend(flatten(section).into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            other => keys.push((name.clone(), other.clone())),
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_has_every_key_with_a_comment_before_it() {
        let document = Figment::from(Toml::string(DEFAULTS)).extract::<Dict>().expect("the reference is TOML");
        let mut parsed: Vec<String> = flatten(&document).into_iter().map(|(key, _)| key).collect();
        let mut in_order = keys_in_order(DEFAULTS);
        parsed.sort();
        in_order.sort();
        assert_eq!(parsed, in_order);
        let lines: Vec<&str> = DEFAULTS.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[1].contains(" = ") && !pair[1].starts_with('#')) {
            assert!(pair[0].starts_with("# "), "no comment before {}", pair[1]);
        }
    }
}
