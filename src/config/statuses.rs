//! The setting `statuses`.

use serde_json::Value;

use super::reader::Reader;
use super::setting::Setting;
use super::value_error::{ValueError, ValueType};
use crate::semantics::statuses::{ALLOWED, Statuses};

/// Reads a list of at least one status. Every status that is never stored is reported.
pub(super) fn read(setting: &Setting, table: &mut Reader<'_, '_>) -> Option<Statuses> {
    if table.get(setting).and_then(Value::as_array).is_some_and(Vec::is_empty) {
        return table.value(setting, |_| Err(ValueError::Empty));
    }
    let statuses = table.items(setting, ALLOWED.len(), |value| {
        let status = value.as_u64().ok_or(ValueError::not(ValueType::WholeNumber))?;
        let status = u16::try_from(status).ok().filter(|status| ALLOWED.contains(status));
        status.ok_or(ValueError::UnstorableStatus)
    });
    Statuses::new(statuses?).ok()
}
