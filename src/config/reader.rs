//! A table of the configuration while it is read: looks values up by name and collects what is wrong with them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::error::{Fault, Flaw, Problem, key, show};
use super::settings::{Number, SETTINGS, Scope};
use crate::semantics::freshness::Revalidate;
use crate::semantics::statuses::{self, Statuses};

/// Reads one table. Every method returns `None` for a value that is not there *or* not usable; in the second case it
/// leaves a problem, so that whatever the caller puts in its place is never seen.
pub(super) struct Reader<'v, 'p> {
    path: String,
    table: &'v Map<String, Value>,
    problems: &'p mut Vec<Problem>,
}

impl<'v, 'p> Reader<'v, 'p> {
    /// Starts on a table, and reports names in it that are not of this scope.
    pub(super) fn open(path: String, scope: Scope, value: &'v Value, problems: &'p mut Vec<Problem>) -> Option<Self> {
        let Value::Object(table) = value else {
            let accepts = format!("a table, as in [vars.{path}]");
            problems.push(Problem::new(path, Fault::Value { found: show(value), flaw: Flaw::Not("a table"), accepts }));
            return None;
        };
        for name in table.keys() {
            let known = SETTINGS.iter().find(|setting| setting.name == name);
            let fault = match known {
                Some(setting) if setting.scope.includes(scope) => continue,
                Some(setting) => Fault::Misplaced { belongs: setting.scope },
                None => Fault::unknown(name, scope),
            };
            problems.push(Problem::new(format!("{path}.{}", key(name)), fault));
        }
        Some(Self { path, table, problems })
    }

    /// Starts on a table within this one, at a path of its own.
    pub(super) fn child(&mut self, path: String, scope: Scope, value: &'v Value) -> Option<Reader<'v, '_>> {
        Reader::open(path, scope, value, self.problems)
    }

    /// Leaves a problem with a setting.
    pub(super) fn report(&mut self, path: String, fault: Fault) {
        self.problems.push(Problem::new(path, fault));
    }

    /// Returns where a setting stands, as one writes it in TOML below `vars`.
    pub(super) fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// Returns a value as it stands.
    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        self.table.get(name)
    }

    /// Reads a page's lifetime: seconds within bounds, `false` or 0.
    pub(super) fn lifetime(&mut self, name: &str, bounds: &Number) -> Option<Revalidate> {
        self.read(name, |value| match value {
            Value::Bool(false) => Ok(Revalidate::Never),
            zero if zero.as_u64() == Some(0) => Ok(Revalidate::NoStore),
            other => whole(other, bounds).map(|n| Revalidate::After(Duration::from_secs(n.into()))),
        })
    }

    /// Reads a whole number within bounds.
    pub(super) fn number(&mut self, name: &str, bounds: &Number) -> Option<u32> {
        self.read(name, |value| whole(value, bounds))
    }

    /// Reads a number of seconds within bounds.
    pub(super) fn seconds(&mut self, name: &str, bounds: &Number) -> Option<Duration> {
        self.number(name, bounds).map(|n| Duration::from_secs(n.into()))
    }

    /// Reads a number of seconds that has a default.
    pub(super) fn seconds_or_default(&mut self, name: &str, bounds: &Number) -> Duration {
        self.seconds(name, bounds).unwrap_or(bounds.default_seconds())
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        self.read(name, |value| value.as_bool().ok_or(Flaw::Not("true or false")))
    }

    /// Reads a text of a certain form.
    pub(super) fn text<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, Flaw>) -> Option<T> {
        self.read(name, |value| parse(value.as_str().ok_or(Flaw::Not("text"))?))
    }

    /// Reads a list as [`Self::list`] does, but tells one that is empty from none.
    pub(super) fn optional_list<T>(
        &mut self,
        name: &str,
        max: usize,
        parse: impl Fn(&str) -> Result<T, Flaw>,
    ) -> Option<Vec<T>> {
        self.get(name)?;
        Some(self.list(name, max, parse))
    }

    /// Reads a list of texts of a certain form; each that is malformed is a problem of its own.
    pub(super) fn list<T>(&mut self, name: &str, max: usize, parse: impl Fn(&str) -> Result<T, Flaw>) -> Vec<T> {
        self.values(name, max, |value| value.as_str().ok_or(Flaw::Not("text")).and_then(&parse))
    }

    /// Reads the statuses that are stored: at least one; each that never is stored is a problem of its own.
    pub(super) fn statuses(&mut self, name: &str) -> Option<Statuses> {
        if self.get(name).and_then(Value::as_array).is_some_and(Vec::is_empty) {
            return self.read(name, |_| Err(Flaw::Empty));
        }
        let found = self.values(name, statuses::ALLOWED.len(), |value| {
            let status = value.as_u64().ok_or(Flaw::Not("a whole number"))?;
            u16::try_from(status).ok().filter(|status| statuses::ALLOWED.contains(status)).ok_or(Flaw::NeverStored)
        });
        Statuses::new(found).ok().filter(|_| self.get(name).is_some())
    }

    fn values<T>(&mut self, name: &str, max: usize, parse: impl Fn(&Value) -> Result<T, Flaw>) -> Vec<T> {
        let values = self.read(name, |value| {
            let values = value.as_array().ok_or(Flaw::Not("a list"))?;
            if values.len() > max { Err(Flaw::TooMany(values.len())) } else { Ok(values) }
        });
        let mut items = Vec::new();
        for (at, value) in values.into_iter().flatten().enumerate() {
            match parse(value) {
                Ok(item) => items.push(item),
                Err(flaw) => self.refuse(format!("{}.{name}[{at}]", self.path), name, value, flaw),
            }
        }
        items
    }

    /// Reads a table of at most `max` entries, which may be empty.
    pub(super) fn entries(&mut self, name: &str, max: usize) -> Option<&'v Map<String, Value>> {
        self.read(name, |value| {
            let entries = value.as_object().ok_or(Flaw::Not("a table"))?;
            if entries.len() > max { Err(Flaw::TooMany(entries.len())) } else { Ok(entries) }
        })
    }

    /// Reads a table of lists by name: each name and each text of a certain form, at most `max` names and texts of each.
    pub(super) fn lists<T>(
        &mut self,
        name: &str,
        max: usize,
        parse_name: fn(&str) -> Result<String, Flaw>,
        parse: fn(&str) -> Result<T, Flaw>,
    ) -> BTreeMap<String, Vec<T>> {
        let named = self.entries(name, max);
        let mut read = BTreeMap::new();
        for (own, value) in named.into_iter().flatten() {
            let path = format!("{}.{}", self.path_of(name), key(own));
            let listed = parse_name(own).and_then(|own| {
                let values = value.as_array().ok_or(Flaw::Not("a list"))?;
                let bounded = match values.len() {
                    0 => Err(Flaw::Empty),
                    entries if entries > max => Err(Flaw::TooMany(entries)),
                    _ => Ok(values),
                };
                let text = |value: &Value| value.as_str().ok_or(Flaw::Not("text")).and_then(parse);
                Ok((own, bounded?.iter().map(text).collect::<Result<Vec<T>, Flaw>>()?))
            });
            match listed {
                Ok((own, values)) => drop(read.insert(own, values)),
                Err(flaw) => self.refuse(path, name, value, flaw),
            }
        }
        read
    }

    /// Reads a table that must be there, with at least one entry.
    pub(super) fn table(&mut self, name: &str, max: usize) -> Option<&'v Map<String, Value>> {
        if self.get(name).is_none() {
            self.report(self.path_of(name), Fault::Missing { accepts: accepts(name) });
        }
        self.read(name, |value| match value.as_object().ok_or(Flaw::Not("a table"))? {
            table if table.is_empty() => Err(Flaw::Empty),
            table if table.len() > max => Err(Flaw::TooMany(table.len())),
            table => Ok(table),
        })
    }

    fn read<T>(&mut self, name: &str, parse: impl FnOnce(&'v Value) -> Result<T, Flaw>) -> Option<T> {
        let value = self.get(name)?;
        parse(value).map_err(|flaw| self.refuse(self.path_of(name), name, value, flaw)).ok()
    }

    /// Leaves a problem with a value.
    pub(super) fn refuse(&mut self, path: String, name: &str, value: &Value, flaw: Flaw) {
        self.report(path, Fault::Value { found: show(value), flaw, accepts: accepts(name) });
    }
}

/// Says what may be written for a setting.
pub(super) fn accepts(name: &str) -> String {
    SETTINGS.iter().find(|setting| setting.name == name).map(super::Setting::accepts).unwrap_or_default()
}

fn whole(value: &Value, bounds: &Number) -> Result<u32, Flaw> {
    let Value::Number(number) = value else {
        return Err(Flaw::Not("a number"));
    };
    // Exact for every value within bounds; others only need to be told apart.
    let approximate = number.as_f64().unwrap_or(f64::INFINITY);
    if approximate < f64::from(bounds.min) {
        return Err(Flaw::Below(bounds.min));
    }
    if approximate > f64::from(bounds.max) {
        return Err(Flaw::Above(bounds.max));
    }
    number.as_u64().and_then(|whole| u32::try_from(whole).ok()).ok_or(Flaw::Fraction)
}
