//! The fields of a client's frame: one flat JSON object, read once and borrowed, each field asked for by name and type.
//!
//! Reading by name rather than into one struct keeps every command's fields in the command's own file, and lets each fault
//! name its field and its limit.

use super::Refusal;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use std::{borrow::Cow, fmt};
use uuid::Uuid;

/// The largest id on the wire: what a JavaScript number holds exactly.
pub const MAX_ID: i64 = (1 << 53) - 1;

/// More items than the list of any command has; what comes after them is read and dropped.
const MAX_ITEMS: usize = 256;

const REPEATED_KEY: &str = "a key stands there twice";
const TOO_MANY_KEYS: &str = "there are more than 64 keys";

/// The fields of one frame, in the order in which they came.
#[derive(Debug)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

#[derive(Debug)]
enum Value<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    /// A list of at most [`MAX_ITEMS`], none of them a list.
    List(Vec<Value<'a>>),
    /// A boolean, a longer list, an object, or a number that is no 64-bit integer: no field of any command is one of these.
    Other,
}

impl<'a> Fields<'a> {
    /// More keys than any command has; a frame of a hundred thousand tiny keys is refused before it costs anything.
    const MAX_KEYS: usize = 64;

    /// The fields of `text`, which must be one JSON object without repeated keys.
    ///
    /// # Errors
    /// Where it is not: the fault and its place, without a word of the text, which is nobody's business.
    pub fn read(text: &'a str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| {
            let fault = match error.classify() {
                Category::Eof => "it ends too early",
                Category::Data if error.to_string().starts_with(REPEATED_KEY) => REPEATED_KEY,
                Category::Data if error.to_string().starts_with(TOO_MANY_KEYS) => TOO_MANY_KEYS,
                Category::Data => "this is another JSON value",
                Category::Syntax | Category::Io => "this is not JSON",
            };
            format!("{fault}, at line {} column {}", error.line(), error.column())
        })
    }

    fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value).filter(|value| !matches!(value, Value::Null))
    }

    /// An id, 1 to 2^53-1; absent and null are `None`.
    pub(crate) fn optional_id(&self, name: &'static str) -> Result<Option<i64>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Integer(id)) if (1..=MAX_ID).contains(id) => Ok(Some(*id)),
            Some(_) => Err(Refusal::field(name, format!("{name} must be an integer from 1 to {MAX_ID}"))),
        }
    }

    /// An id that must be there.
    pub(crate) fn id(&self, name: &'static str) -> Result<i64, Refusal> {
        self.optional_id(name)?.ok_or_else(|| Refusal::field(name, format!("{name} is required: an integer from 1 to {MAX_ID}")))
    }

    /// A text of at most `max_chars` Unicode scalar values, without U+0000, which PostgreSQL can't hold.
    pub(crate) fn optional_text(&self, name: &'static str, max_chars: usize) -> Result<Option<&str>, Refusal> {
        let text = match self.get(name) {
            None => return Ok(None),
            Some(Value::Text(text)) => text.as_ref(),
            Some(_) => return Err(Refusal::field(name, format!("{name} must be a string of at most {max_chars} characters"))),
        };
        if text.len() > max_chars && text.chars().nth(max_chars).is_some() {
            return Err(Refusal::field(name, format!("{name} is too long: at most {max_chars} characters")));
        }
        if text.contains('\0') {
            return Err(Refusal::field(name, format!("{name} must not contain the character U+0000")));
        }
        Ok(Some(text))
    }

    /// A text that must be there; it may be empty.
    pub(crate) fn text(&self, name: &'static str, max_chars: usize) -> Result<&str, Refusal> {
        self.optional_text(name, max_chars)?
            .ok_or_else(|| Refusal::field(name, format!("{name} is required: a string of at most {max_chars} characters")))
    }

    /// A UUID in its usual text form; absent and null are `None`.
    pub(crate) fn optional_uuid(&self, name: &'static str) -> Result<Option<Uuid>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Text(text)) => match Uuid::try_parse(text) {
                Ok(uuid) => Ok(Some(uuid)),
                Err(_) => Err(Refusal::field(name, format!("{name} must be a UUID"))),
            },
            Some(_) => Err(Refusal::field(name, format!("{name} must be a UUID, as a string"))),
        }
    }

    /// A list of at most `max` UUIDs, none of them twice; absent and null are an empty one.
    pub(crate) fn uuids(&self, name: &'static str, max: usize) -> Result<Vec<Uuid>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let mut uuids = Vec::new();
        if let Value::List(items) = value {
            uuids.extend(items.iter().map_while(Value::uuid));
            if uuids.len() == items.len() && uuids.len() <= max && is_without_repetition(&uuids) {
                return Ok(uuids);
            }
        }
        Err(Refusal::field(name, format!("{name} must be a list of at most {max} UUIDs, as strings, none of them twice")))
    }
}

impl Value<'_> {
    fn uuid(&self) -> Option<Uuid> {
        match self {
            Self::Text(text) => Uuid::try_parse(text).ok(),
            Self::Null | Self::Integer(_) | Self::List(_) | Self::Other => None,
        }
    }
}

fn is_without_repetition(uuids: &[Uuid]) -> bool {
    uuids.iter().enumerate().all(|(at, uuid)| !uuids[..at].contains(uuid))
}

/// An id as a path or a query parameter has it: decimal digits.
///
/// # Errors
/// Where it is not 1 to 2^53-1.
pub fn id_parameter(name: &'static str, text: &str) -> Result<i64, Refusal> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(id) if digits && (1..=MAX_ID).contains(&id) => Ok(id),
        _ => Err(Refusal::field(name, format!("{name} must be an integer from 1 to {MAX_ID}"))),
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Vec<(Cow<'de, str>, Value<'de>)> = Vec::with_capacity(8);
        while let Some(Key(key)) = map.next_key()? {
            if fields.len() == Fields::MAX_KEYS {
                return Err(A::Error::custom(TOO_MANY_KEYS));
            }
            if fields.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(REPEATED_KEY));
            }
            fields.push((key, map.next_value()?));
        }
        Ok(Fields(fields))
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Text(text) => Ok(Self(text)),
            Value::Null | Value::Integer(_) | Value::List(_) | Value::Other => Err(D::Error::custom("a key must be a string")),
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor { in_list: false })
    }
}

/// An item of a list. What is nested deeper is passed over, however deep it is.
struct Item;

impl<'de> DeserializeSeed<'de> for Item {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor { in_list: true })
    }
}

struct ValueVisitor {
    in_list: bool,
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(Value::Other, Value::Integer))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(integral(number).map_or(Value::Other, Value::Integer))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while !self.in_list && items.len() < MAX_ITEMS {
            let Some(item) = list.next_element_seed(Item)? else { return Ok(Value::List(items)) };
            items.push(item);
        }
        let mut is_longer = self.in_list;
        while list.next_element::<IgnoredAny>()?.is_some() {
            is_longer = true;
        }
        Ok(if is_longer { Value::Other } else { Value::List(items) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }
}

/// `123.0` and `1e3` are integers to JSON; only those that a double holds exactly are taken.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the range is checked first")]
fn integral(number: f64) -> Option<i64> {
    let exact = number.fract() == 0.0 && number.abs() <= MAX_ID as f64;
    exact.then_some(number as i64)
}
