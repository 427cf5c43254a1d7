//! Kinds of settings that are flags, words, texts and lists.

use serde_json::{Value, json};

use super::{HasDefault, Kind};
use crate::config::reader::Reader;
use crate::config::setting::{DefaultValue, ListForm, Setting, TextForm, ValueKind};
use crate::config::value_error::{ValueError, ValueType};

/// `true` or `false`.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Flag {
    pub(in crate::config) default: bool,
}

impl Flag {
    #[expect(clippy::unused_self, reason = "every kind has this method")]
    pub(in crate::config) const fn value_kind(self) -> ValueKind {
        ValueKind::Flag
    }

    pub(in crate::config) const fn default_value(self) -> DefaultValue {
        DefaultValue::Flag(self.default)
    }

    pub(in crate::config) fn write(flag: bool) -> Value {
        json!(flag)
    }
}

impl Kind for Flag {
    type Value = bool;

    fn read(&self, setting: &Setting, table: &mut Reader<'_, '_>) -> Option<bool> {
        table.value(setting, |value| value.as_bool().ok_or(ValueError::not(ValueType::Flag)))
    }
}

impl HasDefault for Flag {
    fn default(&self) -> bool {
        self.default
    }
}

/// One of a few words, each of which stands for a value of `T`.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Word<T: 'static> {
    pub(in crate::config) words: &'static [&'static str],
    pub(in crate::config) parse: fn(&str) -> Option<T>,
    /// The word for `T::default()`.
    pub(in crate::config) default: &'static str,
}

impl<T> Word<T> {
    pub(in crate::config) const fn value_kind(&self) -> ValueKind {
        ValueKind::Word(self.words)
    }

    pub(in crate::config) const fn default_value(&self) -> DefaultValue {
        DefaultValue::Text(self.default)
    }
}

impl<T: AsRef<str>> Word<T> {
    pub(in crate::config) fn write(value: T) -> Value {
        json!(value.as_ref())
    }
}

impl<T> Kind for Word<T> {
    type Value = T;

    fn read(&self, setting: &Setting, table: &mut Reader<'_, '_>) -> Option<T> {
        table.text(setting, |word| (self.parse)(word).ok_or(ValueError::UnknownWord))
    }
}

impl<T: Default> HasDefault for Word<T> {
    fn default(&self) -> T {
        T::default()
    }
}

/// A text.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Text<T: 'static> {
    pub(in crate::config) form: TextForm,
    pub(in crate::config) parse: fn(&str) -> Result<T, ValueError>,
    pub(in crate::config) default: Option<&'static str>,
}

impl<T> Text<T> {
    pub(in crate::config) const fn value_kind(&self) -> ValueKind {
        ValueKind::Text(self.form)
    }

    pub(in crate::config) const fn default_value(&self) -> DefaultValue {
        match self.default {
            Some(text) => DefaultValue::Text(text),
            None => DefaultValue::None,
        }
    }

    pub(in crate::config) fn write(text: &str) -> Value {
        json!(text)
    }
}

impl HasDefault for Text<String> {
    /// Returns the default, or no text if there is none.
    fn default(&self) -> String {
        self.default.unwrap_or_default().to_owned()
    }
}

impl<T> Kind for Text<T> {
    type Value = T;

    fn read(&self, setting: &Setting, table: &mut Reader<'_, '_>) -> Option<T> {
        table.text(setting, self.parse)
    }
}

/// A list of texts.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct List<T: 'static> {
    pub(in crate::config) form: ListForm,
    pub(in crate::config) parse: fn(&str) -> Result<T, ValueError>,
    pub(in crate::config) default: DefaultValue,
}

impl<T> List<T> {
    pub(in crate::config) const fn value_kind(&self) -> ValueKind {
        ValueKind::List(self.form)
    }

    pub(in crate::config) const fn default_value(&self) -> DefaultValue {
        self.default
    }

    pub(in crate::config) fn write(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Value {
        texts.into_iter().map(|text| text.as_ref().to_owned()).collect()
    }
}

impl<T> Kind for List<T> {
    type Value = Vec<T>;

    /// Reads the list. Every malformed item is reported and left out.
    fn read(&self, setting: &Setting, table: &mut Reader<'_, '_>) -> Option<Vec<T>> {
        table.list(setting, self.form.max_items, self.parse)
    }
}

/// A text, or a list of texts.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Texts<T: 'static> {
    pub(in crate::config) form: ListForm,
    pub(in crate::config) parse: fn(&str) -> Result<T, ValueError>,
}

impl<T> Texts<T> {
    pub(in crate::config) const fn value_kind(&self) -> ValueKind {
        ValueKind::Texts(self.form)
    }

    #[expect(clippy::unused_self, reason = "every kind has this method")]
    pub(in crate::config) const fn default_value(&self) -> DefaultValue {
        DefaultValue::None
    }
}

impl<T> Kind for Texts<T> {
    type Value = Vec<T>;

    /// Reads the texts. Every malformed one is reported and left out.
    fn read(&self, setting: &Setting, table: &mut Reader<'_, '_>) -> Option<Vec<T>> {
        match table.get(setting) {
            Some(Value::Array(_)) => table.list(setting, self.form.max_items, self.parse),
            _ => table.text(setting, self.parse).map(|text| vec![text]),
        }
    }
}
