//! A table of the configuration while it is read. It looks up values by setting and collects what is wrong with them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::{Problem, ProblemKind};
use super::message::{key, show};
use super::setting::{Setting, SettingLevel};
use super::value_error::{ValueError, ValueType};

/// Reads one table. Methods that return an option return `None` for a value that is missing *or* unusable. In the
/// second case they report a problem, and the configuration that the caller goes on to build is discarded.
pub(super) struct Reader<'v, 'p> {
    path: String,
    table: &'v Map<String, Value>,
    /// All settings that there are.
    settings: &'static [&'static Setting],
    problems: &'p mut Vec<Problem>,
}

impl<'v, 'p> Reader<'v, 'p> {
    /// Starts to read a table, and reports names in it that no setting accepted at this level has.
    pub(super) fn open(
        path: String,
        level: SettingLevel,
        value: &'v Value,
        settings: &'static [&'static Setting],
        problems: &'p mut Vec<Problem>,
    ) -> Option<Self> {
        let Value::Object(table) = value else {
            let accepts = format!("a table, as in [vars.{path}]");
            let error = ValueError::not(ValueType::Table);
            problems.push(Problem::new(path, ProblemKind::InvalidValue { found: show(value), error, accepts }));
            return None;
        };
        for name in table.keys() {
            let kind = match settings.iter().find(|setting| setting.name == name) {
                Some(setting) if setting.is_accepted_in(level) => continue,
                Some(setting) => ProblemKind::WrongTable { levels: setting.levels },
                None => {
                    let known = settings.iter().filter(|setting| setting.is_accepted_in(level));
                    ProblemKind::unknown_setting(name, known.map(|setting| setting.name).collect())
                }
            };
            problems.push(Problem::new(format!("{path}.{}", key(name)), kind));
        }
        Some(Self { path, table, settings, problems })
    }

    /// Starts to read a table within this one. It has a path of its own.
    pub(super) fn child(&mut self, path: String, level: SettingLevel, value: &'v Value) -> Option<Reader<'v, '_>> {
        Reader::open(path, level, value, self.settings, self.problems)
    }

    /// Reports a problem.
    pub(super) fn report(&mut self, path: String, kind: ProblemKind) {
        self.problems.push(Problem::new(path, kind));
    }

    /// Reports that a value is not accepted.
    pub(super) fn report_value(&mut self, path: String, setting: &Setting, value: &Value, error: ValueError) {
        self.report(path, ProblemKind::InvalidValue { found: show(value), error, accepts: setting.accepts() });
    }

    /// Returns the path of a setting below `vars`, as written in TOML.
    pub(super) fn path_of(&self, setting: &Setting) -> String {
        format!("{}.{}", self.path, setting.name)
    }

    /// Returns a value as it is written.
    pub(super) fn get(&self, setting: &Setting) -> Option<&'v Value> {
        self.table.get(setting.name)
    }

    /// Reads a value.
    pub(super) fn value<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&'v Value) -> Result<T, ValueError>,
    ) -> Option<T> {
        let value = self.get(setting)?;
        parse(value).map_err(|error| self.report_value(self.path_of(setting), setting, value, error)).ok()
    }

    /// Reads a text.
    pub(super) fn text<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, ValueError>,
    ) -> Option<T> {
        self.value(setting, |value| text(value).and_then(parse))
    }

    /// Reads a list of texts. Every malformed text is reported, and left out.
    pub(super) fn list<T>(
        &mut self,
        setting: &Setting,
        max: usize,
        parse: fn(&str) -> Result<T, ValueError>,
    ) -> Option<Vec<T>> {
        self.items(setting, max, |value| text(value).and_then(parse))
    }

    /// Reads a list. Every malformed item is reported, and left out.
    pub(super) fn items<T>(
        &mut self,
        setting: &Setting,
        max: usize,
        parse: impl Fn(&Value) -> Result<T, ValueError>,
    ) -> Option<Vec<T>> {
        let values = self.value(setting, |value| list_of(value, max))?;
        let mut items = Vec::with_capacity(values.len());
        for (at, value) in values.iter().enumerate() {
            match parse(value) {
                Ok(item) => items.push(item),
                Err(error) => self.report_value(format!("{}[{at}]", self.path_of(setting)), setting, value, error),
            }
        }
        Some(items)
    }

    /// Reads a table of at most `max` entries, which may be empty.
    pub(super) fn entries(&mut self, setting: &Setting, max: usize) -> Option<&'v Map<String, Value>> {
        self.value(setting, |value| {
            let entries = value.as_object().ok_or(ValueError::not(ValueType::Table))?;
            if entries.len() > max { Err(ValueError::TooManyEntries { entries: entries.len() }) } else { Ok(entries) }
        })
    }

    /// Reads a table of lists of texts, by name: at most `max` names, and 1 to `max` texts of each.
    pub(super) fn lists(
        &mut self,
        setting: &Setting,
        max: usize,
        parse_name: fn(&str) -> Result<String, ValueError>,
        parse: fn(&str) -> Result<String, ValueError>,
    ) -> Option<BTreeMap<String, Vec<String>>> {
        let entries = self.entries(setting, max)?;
        let mut lists = BTreeMap::new();
        for (name, value) in entries {
            let entry = parse_name(name).and_then(|name| match list_of(value, max)? {
                [] => Err(ValueError::Empty),
                texts => Ok((name, texts.iter().map(|value| text(value).and_then(parse)).collect::<Result<_, _>>()?)),
            });
            match entry {
                Ok((name, texts)) => drop(lists.insert(name, texts)),
                Err(error) => {
                    self.report_value(format!("{}.{}", self.path_of(setting), key(name)), setting, value, error);
                }
            }
        }
        Some(lists)
    }

    /// Reads a table that is required, with 1 to `max` entries.
    pub(super) fn required_entries(&mut self, setting: &Setting, max: usize) -> Option<&'v Map<String, Value>> {
        self.require(setting);
        let entries = self.entries(setting, max)?;
        if entries.is_empty() { self.value(setting, |_| Err(ValueError::Empty)) } else { Some(entries) }
    }

    /// Reads a list that is required, with 1 to `max` items of any type.
    pub(super) fn required_items(&mut self, setting: &Setting, max: usize) -> Option<&'v [Value]> {
        self.require(setting);
        self.value(setting, |value| match list_of(value, max)? {
            [] => Err(ValueError::Empty),
            items => Ok(items),
        })
    }

    /// Reports a required setting that is left out.
    pub(super) fn require(&mut self, setting: &Setting) {
        if self.get(setting).is_none() {
            self.report(self.path_of(setting), ProblemKind::MissingSetting { accepts: setting.accepts() });
        }
    }
}

fn text(value: &Value) -> Result<&str, ValueError> {
    value.as_str().ok_or(ValueError::not(ValueType::Text))
}

fn list_of(value: &Value, max: usize) -> Result<&[Value], ValueError> {
    let values = value.as_array().ok_or(ValueError::not(ValueType::List))?;
    if values.len() > max { Err(ValueError::TooManyEntries { entries: values.len() }) } else { Ok(values) }
}
