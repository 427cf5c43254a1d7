//! A Durable Object's SQLite.

use std::rc::Rc;

use wasm_bindgen::prelude::*;
use worker::{SqlStorageValue, State};

use crate::edge::platform::js;
use crate::sql::{Row, Sql, StoreError, Value};

#[wasm_bindgen]
extern "C" {
    /// A Durable Object's storage. Binds the one method that the platform crate does not bind.
    #[derive(Clone, Debug)]
    pub(in crate::edge) type TransactionalStorage;

    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &TransactionalStorage,
        body: &mut dyn FnMut() -> Result<JsValue, JsValue>,
    ) -> Result<JsValue, JsValue>;
}

/// The SQLite database of one object.
#[derive(Clone, Debug)]
pub(in crate::edge) struct ObjectSql {
    sql: worker::SqlStorage,
    storage: TransactionalStorage,
}

impl ObjectSql {
    /// Takes an object's database from its state. Returns the state as well.
    pub(in crate::edge) fn of(state: State) -> (Rc<State>, Result<Self, StoreError>) {
        let raw = state._inner();
        let storage = raw.storage();
        let state = Rc::new(State::from(raw));
        let sql = storage
            .map(|storage| Self { sql: state.storage().sql(), storage: storage.unchecked_into() })
            .map_err(|error| StoreError::Sql(js::describe(&error)));
        (state, sql)
    }
}

/// The beginning of what the platform says for a class that no migration lists in `new_sqlite_classes`.
const NO_SQLITE: &str = "SQL is not enabled for this Durable Object class";

fn refusal(message: String) -> StoreError {
    if message.contains(NO_SQLITE) { StoreError::NoSqlite } else { StoreError::Sql(message) }
}

impl Sql for ObjectSql {
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let bound: Vec<SqlStorageValue> = parameters
            .iter()
            .map(|value| match value {
                Value::Null => SqlStorageValue::Null,
                Value::Integer(number) => SqlStorageValue::Integer(*number),
                Value::Text(text) => SqlStorageValue::String(text.clone()),
            })
            .collect();
        let refused = |error: worker::Error| refusal(error.to_string());
        let cursor = self.sql.exec(sql, bound).map_err(refused)?;
        // The cursor is read to its end at once, because it must not be open across an await.
        cursor
            .raw()
            .map(|row| {
                row.map_err(refused)?
                    .into_iter()
                    .map(|value| match value {
                        SqlStorageValue::Null => Ok(Value::Null),
                        SqlStorageValue::Integer(number) => Ok(Value::Integer(number)),
                        SqlStorageValue::String(text) => Ok(Value::Text(text)),
                        other => Err(StoreError::Sql(format!("unexpected type in {other:?}"))),
                    })
                    .collect()
            })
            .collect()
    }

    fn transaction<T>(&self, body: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut body = Some(body);
        let mut result = None;
        let mut run = || {
            // The platform calls the function once. An exception rolls the transaction back.
            result = body.take().map(|body| body());
            match &result {
                Some(Ok(_)) => Ok(JsValue::UNDEFINED),
                _ => Err(JsValue::from_str("rolled back")),
            }
        };
        let committed = self.storage.transaction_sync(&mut run);
        match (result, committed) {
            (Some(Ok(value)), Ok(_)) => Ok(value),
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(StoreError::Sql(js::describe(&error))),
            (None, Ok(_)) => Err(StoreError::Sql("the transaction did not run".to_owned())),
        }
    }
}
