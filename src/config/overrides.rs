//! The layer of the flags: text as it was typed, so that its faults are told with all the others.

use super::value::Value;

/// A flag that was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    pub(super) flag: &'static str,
    pub(super) key: &'static str,
    pub(super) value: Value,
}

/// What flags set; the last layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overrides {
    given: Vec<Given>,
}

impl Overrides {
    /// With a flag's text, if it was given.
    #[must_use]
    pub fn text(self, flag: &'static str, key: &'static str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.with(flag, key, Value::plain(text.to_owned())),
            None => self,
        }
    }

    /// With the texts of a flag that may be repeated, if it was given.
    #[must_use]
    pub fn list(self, flag: &'static str, key: &'static str, texts: &[String]) -> Self {
        if texts.is_empty() { self } else { self.with(flag, key, Value::plain_list(texts.to_vec())) }
    }

    /// With a switch, if it was given.
    #[must_use]
    pub fn switch(self, flag: &'static str, key: &'static str, given: bool) -> Self {
        self.text(flag, key, given.then_some("true"))
    }

    fn with(mut self, flag: &'static str, key: &'static str, value: Value) -> Self {
        self.given.push(Given { flag, key, value });
        self
    }

    pub(super) fn given(&self) -> &[Given] {
        &self.given
    }
}
