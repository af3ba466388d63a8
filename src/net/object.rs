//! A body that must be a JSON object.
//!
//! serde reads a structure from a list of its fields' values too, in the order of the source: a form that no document
//! names, and that would change its meaning with the code. Promise: what is not an object is refused, whatever is in it.

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// A `T` that was written as an object.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Two {
        a: u32,
        b: Option<u32>,
    }

    #[test]
    fn an_object_is_read_and_a_list_is_not() {
        let read = |text: &str| serde_json::from_str::<Object<Two>>(text).map(|Object(two)| two);
        assert_eq!(read(r#"{"b":2,"a":1}"#).expect("an object"), Two { a: 1, b: Some(2) });
        assert_eq!(read(r#"{"a":1}"#).expect("an object"), Two { a: 1, b: None });
        let list = "[1,2]";
        assert!(serde_json::from_str::<Two>(list).is_ok(), "what this file is for");
        assert!(read(list).expect_err("a list").to_string().contains("expected a JSON object"));
        for bad in ["7", "null", "\"a\"", r#"{"a":1,"a":2}"#, r#"{"a":1,"c":2}"#, "{}"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
