//! The prepared statements of a database, and what those that read have answered. An answer counts until a table that
//! its statement names is written: the checks often read what an object has just read.

use std::collections::BTreeMap;

use ::rusqlite::Statement;

use crate::sql::{Row, Value};

/// The most answers that are remembered for one statement.
const ANSWERS: usize = 12;

/// The number of runs after which a statement is no longer remembered if fewer than a fourth were repetitions.
const TRIAL: u32 = 200;

/// The number of addresses of texts that are told apart.
const ADDRESSES: usize = 512;

/// The prepared statements, and when each table was last written.
#[derive(Default)]
pub(super) struct Statements {
    known: Vec<(String, Prepared)>,
    by_text: BTreeMap<String, usize>,
    /// The statement that was last asked for with a text at this address, which is most often the same one again.
    by_address: Vec<usize>,
    tables: Tables,
    views: Vec<String>,
}

/// The tables, each with the number of its last write.
#[derive(Default)]
pub(super) struct Tables {
    names: Vec<String>,
    written: Vec<u64>,
    writes: u64,
}

/// A prepared statement.
pub(super) struct Prepared {
    pub(super) statement: Statement<'static>,
    pub(super) effect: Effect,
    answers: Vec<Answer>,
    runs: u32,
    repetitions: u32,
}

/// What a statement does to the tables, which are named by their position.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    Reads(Vec<usize>),
    Writes(usize),
    /// Anything: it changes the schema, reads a view, or is not understood.
    Unknown,
}

struct Answer {
    parameters: Vec<Value>,
    rows: Vec<Row>,
    /// The number of writes when it was read.
    read_at: u64,
}

impl Statements {
    /// Creates the statements of a database with these tables and views, after so many changes.
    pub(super) fn of(names: Vec<String>, views: Vec<String>, changes: u64) -> Self {
        let tables = Tables { written: vec![changes; names.len()], names, writes: changes };
        Self { known: Vec::new(), by_text: BTreeMap::new(), by_address: vec![0; ADDRESSES], tables, views }
    }

    /// Returns the names of the tables.
    pub(super) fn table_names(&self) -> &[String] {
        &self.tables.names
    }

    /// Returns a statement, and the tables. `prepare` is called for a new one.
    pub(super) fn get<E>(
        &mut self,
        sql: &str,
        prepare: impl FnOnce() -> Result<Statement<'static>, E>,
    ) -> Result<(&mut Prepared, &mut Tables), E> {
        let slot = sql.as_ptr().addr() / 8 % ADDRESSES;
        let mut at = self.by_address.get(slot).copied().unwrap_or_default();
        if self.known.get(at).is_none_or(|(text, _)| text != sql) {
            at = self.find(sql, prepare)?;
            self.by_address.resize(ADDRESSES, 0);
            self.by_address[slot] = at;
        }
        Ok((&mut self.known[at].1, &mut self.tables))
    }

    fn find<E>(&mut self, sql: &str, prepare: impl FnOnce() -> Result<Statement<'static>, E>) -> Result<usize, E> {
        if let Some(at) = self.by_text.get(sql) {
            return Ok(*at);
        }
        let effect = self.effect_of(sql);
        let prepared = Prepared { statement: prepare()?, effect, answers: Vec::new(), runs: 0, repetitions: 0 };
        let at = self.known.len();
        self.known.push((sql.to_owned(), prepared));
        self.by_text.insert(sql.to_owned(), at);
        Ok(at)
    }

    /// Forgets every answer.
    pub(super) fn forget(&mut self) {
        self.tables.writes += 1;
        self.tables.written.fill(self.tables.writes);
    }

    /// Counts the statements that have changed something, or may have.
    pub(super) fn changes(&self) -> u64 {
        self.tables.writes
    }

    fn effect_of(&self, sql: &str) -> Effect {
        let words: Vec<&str> = sql.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).collect();
        let table = |word: &&str| self.tables.names.iter().position(|name| name == word);
        if words.iter().any(|word| self.views.iter().any(|view| view == word)) {
            return Effect::Unknown;
        }
        match words[0] {
            "SELECT" => {
                let mut tables: Vec<usize> = words.iter().filter_map(table).collect();
                tables.dedup();
                if tables.is_empty() { Effect::Unknown } else { Effect::Reads(tables) }
            }
            // There are no triggers and no cascades, so only the first table that is named is written.
            "INSERT" | "UPDATE" | "DELETE" => words.iter().find_map(table).map_or(Effect::Unknown, Effect::Writes),
            _ => Effect::Unknown,
        }
    }
}

impl Tables {
    /// Records that a table has changed.
    pub(super) fn wrote(&mut self, table: usize) {
        self.writes += 1;
        self.written[table] = self.writes;
    }
}

impl Prepared {
    /// Returns what the statement has answered, if the tables that it reads are the same.
    pub(super) fn answered(&mut self, tables: &Tables, parameters: &[Value]) -> Option<Vec<Row>> {
        let Effect::Reads(read) = &self.effect else { return None };
        self.runs += 1;
        let written = read.iter().map(|table| tables.written[*table]).max().unwrap_or_default();
        let is_current = |answer: &&Answer| answer.read_at >= written && answer.parameters == parameters;
        let rows = self.answers.iter().find(is_current).map(|answer| answer.rows.clone());
        self.repetitions += u32::from(rows.is_some());
        rows
    }

    /// Remembers an answer.
    pub(super) fn remember(&mut self, tables: &Tables, parameters: &[Value], rows: &[Row]) {
        if self.runs > TRIAL && self.repetitions < self.runs / 4 {
            return self.answers.clear();
        }
        let answer = Answer { parameters: parameters.to_vec(), rows: rows.to_vec(), read_at: tables.writes };
        if let Some(known) = self.answers.iter_mut().find(|known| known.parameters == parameters) {
            *known = answer;
        } else if self.answers.len() < ANSWERS {
            self.answers.push(answer);
        } else if let Some(oldest) = self.answers.iter_mut().min_by_key(|known| known.read_at) {
            *oldest = answer;
        }
    }
}
