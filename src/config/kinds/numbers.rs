//! Kinds of settings that are numbers.

use std::time::Duration;

use serde_json::{Value, json};

use super::{HasDefault, Kind, TypedSetting};
use crate::config::reader::Reader;
use crate::config::setting::{Bounds, DefaultValue, Setting, Unit, ValueKind};
use crate::config::value_error::{ValueError, ValueType};
use crate::semantics::freshness::Revalidate;

/// A freshness lifetime: seconds within bounds, `false` or 0.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Lifetime {
    pub(in crate::config) min: u32,
    pub(in crate::config) max: u32,
    pub(in crate::config) default: u32,
}

impl Lifetime {
    pub(in crate::config) const fn value_kind(self) -> ValueKind {
        ValueKind::Lifetime(self.bounds())
    }

    pub(in crate::config) const fn default_value(self) -> DefaultValue {
        DefaultValue::Number(self.default)
    }

    pub(in crate::config) fn write(lifetime: impl Into<Revalidate>) -> Value {
        match lifetime.into() {
            Revalidate::After(time) => Seconds::write(time),
            Revalidate::Never => json!(false),
            Revalidate::NoStore => json!(0),
        }
    }

    const fn bounds(self) -> Bounds {
        Bounds { unit: Unit::Seconds, min: self.min, max: self.max }
    }
}

impl Kind for Lifetime {
    type Value = Revalidate;

    fn read(&self, setting: &Setting, table: &mut Reader<'_, '_>) -> Option<Revalidate> {
        table.value(setting, |value| match value {
            Value::Bool(false) => Ok(Revalidate::Never),
            zero if zero.as_u64() == Some(0) => Ok(Revalidate::NoStore),
            other => whole_number(other, self.bounds()).map(|n| Revalidate::After(Duration::from_secs(n.into()))),
        })
    }
}

impl HasDefault for Lifetime {
    fn default(&self) -> Revalidate {
        Revalidate::After(Duration::from_secs(self.default.into()))
    }
}

/// A number of seconds within bounds.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Seconds {
    pub(in crate::config) min: u32,
    pub(in crate::config) max: u32,
    pub(in crate::config) default: u32,
}

impl Seconds {
    pub(in crate::config) const fn value_kind(self) -> ValueKind {
        ValueKind::Number(self.bounds())
    }

    pub(in crate::config) const fn default_value(self) -> DefaultValue {
        DefaultValue::Number(self.default)
    }

    pub(in crate::config) fn write(time: Duration) -> Value {
        json!(time.as_secs())
    }

    const fn bounds(self) -> Bounds {
        Bounds { unit: Unit::Seconds, min: self.min, max: self.max }
    }
}

impl Kind for Seconds {
    type Value = Duration;

    fn read(&self, setting: &Setting, table: &mut Reader<'_, '_>) -> Option<Duration> {
        table.value(setting, |value| whole_number(value, self.bounds())).map(|n| Duration::from_secs(n.into()))
    }
}

impl HasDefault for Seconds {
    fn default(&self) -> Duration {
        Duration::from_secs(self.default.into())
    }
}

/// A whole number within bounds.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Count {
    pub(in crate::config) unit: Unit,
    pub(in crate::config) min: u32,
    pub(in crate::config) max: u32,
    pub(in crate::config) default: u32,
}

impl Count {
    pub(in crate::config) const fn value_kind(self) -> ValueKind {
        ValueKind::Number(self.bounds())
    }

    pub(in crate::config) const fn default_value(self) -> DefaultValue {
        DefaultValue::Number(self.default)
    }

    pub(in crate::config) fn write(count: u32) -> Value {
        json!(count)
    }

    const fn bounds(self) -> Bounds {
        Bounds { unit: self.unit, min: self.min, max: self.max }
    }
}

impl Kind for Count {
    type Value = u32;

    fn read(&self, setting: &Setting, table: &mut Reader<'_, '_>) -> Option<u32> {
        table.value(setting, |value| whole_number(value, self.bounds()))
    }
}

impl HasDefault for Count {
    fn default(&self) -> u32 {
        self.default
    }
}

/// How many Durable Objects share the work: at least 1.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Objects {
    pub(in crate::config) max: u16,
    pub(in crate::config) default: u16,
}

impl Objects {
    pub(in crate::config) const fn value_kind(self) -> ValueKind {
        ValueKind::Number(self.bounds())
    }

    pub(in crate::config) const fn default_value(self) -> DefaultValue {
        DefaultValue::Number(self.default as u32)
    }

    pub(in crate::config) fn write(objects: u16) -> Value {
        json!(objects)
    }

    const fn bounds(self) -> Bounds {
        Bounds { unit: Unit::Objects, min: 1, max: self.max as u32 }
    }
}

impl Kind for Objects {
    type Value = u16;

    fn read(&self, setting: &Setting, table: &mut Reader<'_, '_>) -> Option<u16> {
        // The maximum is a `u16`, so every number within bounds is one.
        table.value(setting, |value| whole_number(value, self.bounds())).and_then(|n| u16::try_from(n).ok())
    }
}

impl HasDefault for Objects {
    fn default(&self) -> u16 {
        self.default
    }
}

/// A setting of kind `K` whose default is the value of another setting.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct SameAs<K> {
    kind: K,
    value_kind: ValueKind,
    other: &'static str,
    at_most: Option<u32>,
}

impl<K: Copy> SameAs<K> {
    /// Declares a setting with the bounds of another one, and with its value as the default.
    pub(in crate::config) const fn setting(other: &TypedSetting<K>) -> Self {
        Self { kind: other.kind, value_kind: other.setting.kind, other: other.setting.name, at_most: None }
    }

    /// Limits the value that is taken from the other setting.
    pub(in crate::config) const fn at_most(self, max: u32) -> Self {
        Self { at_most: Some(max), ..self }
    }

    pub(in crate::config) const fn value_kind(&self) -> ValueKind {
        self.value_kind
    }

    pub(in crate::config) const fn default_value(&self) -> DefaultValue {
        DefaultValue::SameAs { setting: self.other, at_most: self.at_most }
    }
}

impl SameAs<Seconds> {
    pub(in crate::config) fn write(time: Duration) -> Value {
        Seconds::write(time)
    }
}

impl SameAs<Lifetime> {
    pub(in crate::config) fn write(lifetime: impl Into<Revalidate>) -> Value {
        Lifetime::write(lifetime)
    }

    /// Returns the default, given the value of the other setting.
    pub(in crate::config) fn default_for(&self, other: Revalidate) -> Revalidate {
        self.at_most.map_or(other, |max| other.at_most(Duration::from_secs(max.into())))
    }
}

impl<K: Kind> Kind for SameAs<K> {
    type Value = K::Value;

    fn read(&self, setting: &Setting, table: &mut Reader<'_, '_>) -> Option<K::Value> {
        self.kind.read(setting, table)
    }
}

fn whole_number(value: &Value, bounds: Bounds) -> Result<u32, ValueError> {
    let Value::Number(number) = value else {
        return Err(ValueError::not(ValueType::Number));
    };
    // Exact for every value within bounds. Other values only have to be found to be below or above.
    let approximate = number.as_f64().unwrap_or(f64::INFINITY);
    if approximate < f64::from(bounds.min) {
        return Err(ValueError::Below { min: bounds.min });
    }
    if approximate > f64::from(bounds.max) {
        return Err(ValueError::Above { max: bounds.max });
    }
    let whole = number.as_u64().and_then(|whole| u32::try_from(whole).ok());
    whole.ok_or(ValueError::not(ValueType::WholeNumber))
}
