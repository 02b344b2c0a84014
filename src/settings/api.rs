//! `[api]`: the keys of the application's own backend.

use super::source::Source;

/// The shortest key: 128 bits, written as hexadecimal digits.
const SHORTEST: usize = 32;

/// The keys of the application's own backend.
#[derive(Clone, PartialEq, Eq)]
pub struct Api {
    /// Each may manage members and read every conversation.
    pub keys: Vec<String>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Api({} keys)", self.keys.len())
    }
}

impl Api {
    pub(super) fn read(source: &mut Source) -> Self {
        let keys = source.list("api.keys");
        if keys.iter().any(|key| key.len() < SHORTEST || !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            source.fault("api.keys", format!("each must have {SHORTEST} or more visible ASCII characters: openssl rand -hex 32"));
        }
        Self { keys }
    }
}
