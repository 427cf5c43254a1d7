//! Reads rows.

use crate::sql::{Row, StoreError, Value};
use crate::time::Timestamp;

/// Reads the columns of a row in order. Errors name the table and the column.
pub(crate) struct Columns {
    table: &'static str,
    next: usize,
    values: std::vec::IntoIter<Value>,
}

impl Columns {
    pub(crate) fn of(table: &'static str, row: Row) -> Self {
        Self { table, next: 0, values: row.into_iter() }
    }

    pub(crate) fn read<T>(&mut self, convert: impl FnOnce(Value) -> Option<T>) -> Result<T, StoreError> {
        let column = self.next;
        self.next += 1;
        self.values.next().and_then(convert).ok_or(StoreError::Corrupt { table: self.table, column })
    }

    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        self.read(|value| if let Value::Text(text) = value { Some(text) } else { None })
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<String>, StoreError> {
        self.read(|value| match value {
            Value::Null => Some(None),
            Value::Text(text) => Some(Some(text)),
            Value::Integer(_) => None,
        })
    }

    pub(crate) fn number(&mut self) -> Result<u64, StoreError> {
        self.read(|value| if let Value::Integer(number) = value { u64::try_from(number).ok() } else { None })
    }

    pub(crate) fn optional_number(&mut self) -> Result<Option<u64>, StoreError> {
        self.read(|value| match value {
            Value::Null => Some(None),
            Value::Integer(number) => u64::try_from(number).ok().map(Some),
            Value::Text(_) => None,
        })
    }

    pub(crate) fn optional_time(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.optional_number()?.map(Timestamp::from_millis))
    }

    /// Reads the next column as text, if it is not NULL, and parses it.
    pub(crate) fn optional_parsed<T>(
        &mut self,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        self.read(|value| match value {
            Value::Null => Some(None),
            Value::Text(text) => parse(&text).map(Some),
            Value::Integer(_) => None,
        })
    }

    /// Reads the next column as text and parses it.
    pub(crate) fn parsed<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        self.read(|value| if let Value::Text(text) = value { parse(&text) } else { None })
    }
}
