//! Kinds of settings: how each is declared, read from the configuration, and written by the builders.
//!
//! Every kind has the methods `value_kind` and `default_value`, by which constants describe it. They belong to the
//! types, not to a trait, because a constant can't call methods of a trait. Kinds whose setters are generated also have
//! `write`.

mod numbers;
mod texts;

pub(super) use self::numbers::{Count, Lifetime, Objects, SameAs, Seconds};
pub(super) use self::texts::{Flag, List, Text, Texts, Word};
use super::reader::Reader;
use super::setting::{DefaultValue, Setting, ValueKind};

/// A setting together with its kind, and so with the type of its values: the declarations in
/// [`settings`](super::settings).
#[derive(Debug, Clone, Copy)]
pub(super) struct TypedSetting<K> {
    pub(super) setting: Setting,
    pub(super) kind: K,
}

/// A kind of setting.
pub(super) trait Kind {
    /// The type as which values are read.
    type Value;

    /// Reads the setting from a table. Returns `None` if it is left out, or unusable and reported.
    fn read(&self, setting: &Setting, table: &mut Reader<'_, '_>) -> Option<Self::Value>;
}

/// A kind of setting that has a value even if it is left out everywhere.
pub(super) trait HasDefault: Kind {
    /// Returns this value.
    fn default(&self) -> Self::Value;
}

impl<K: Kind> TypedSetting<K> {
    /// Reads the setting from a table. Returns `None` if it is left out, or unusable and reported.
    pub(super) fn read(&self, table: &mut Reader<'_, '_>) -> Option<K::Value> {
        self.kind.read(&self.setting, table)
    }
}

impl<K: HasDefault> TypedSetting<K> {
    /// Reads the setting from a table, or returns its default.
    pub(super) fn read_or_default(&self, table: &mut Reader<'_, '_>) -> K::Value {
        self.read(table).unwrap_or_else(|| self.default())
    }

    /// Returns the default.
    pub(super) fn default(&self) -> K::Value {
        self.kind.default()
    }
}

/// A setting with a function that reads it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Custom<T: 'static> {
    pub(super) accepts: ValueKind,
    pub(super) default: DefaultValue,
    pub(super) read: fn(&Setting, &mut Reader<'_, '_>) -> Option<T>,
}

impl<T> Custom<T> {
    pub(super) const fn value_kind(&self) -> ValueKind {
        self.accepts
    }

    pub(super) const fn default_value(&self) -> DefaultValue {
        self.default
    }
}

impl<T> Kind for Custom<T> {
    type Value = T;

    fn read(&self, setting: &Setting, table: &mut Reader<'_, '_>) -> Option<T> {
        (self.read)(setting, table)
    }
}

/// A table that takes other settings into account, so that it can't be read by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) accepts: ValueKind,
    pub(super) default: DefaultValue,
}

impl Table {
    pub(super) const fn value_kind(&self) -> ValueKind {
        self.accepts
    }

    pub(super) const fn default_value(&self) -> DefaultValue {
        self.default
    }
}
