//! The fields of a TOML text with their lines, and tables assembled from some of them.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

/// Fields that determine which other fields their table has. They are checked first.
const DECIDING: [&str; 2] = ["kind", "architecture"];

/// A step on the path to a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    /// Index in a list of tables.
    Item(usize),
}

/// A field with its value and line. An empty table counts as a field too.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub way: Vec<Step>,
    pub value: Value,
    pub line: usize,
}

impl Field {
    /// Its name, such as `data.sources.share`, without list indices.
    pub fn name(&self) -> String {
        name_of(&self.way)
    }

    pub fn table(&self) -> &[Step] {
        self.way.split_last().map_or(&[], |(_, table)| table)
    }

    pub fn is_deciding(&self) -> bool {
        matches!(self.way.last(), Some(Step::Key(key)) if DECIDING.contains(&key.as_str()))
    }
}

pub(super) fn name_of(way: &[Step]) -> String {
    let keys = way.iter().filter_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None });
    keys.collect::<Vec<_>>().join(".")
}

pub(super) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}

/// The first line of the fields whose names satisfy `is_meant`.
pub(super) fn first_line(fields: &[Field], is_meant: impl Fn(&str) -> bool) -> Option<usize> {
    fields.iter().filter(|field| is_meant(&field.name())).map(|field| field.line).min()
}

/// Whether a field is in a table.
pub(super) fn is_in(name: &str, table: &str) -> bool {
    name.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'))
}

/// The fields of a table and of the tables in it.
pub(super) fn fields_of(text: &str, table: &DeTable<'_>) -> Vec<Field> {
    let mut fields = Vec::new();
    collect(text, table, &mut vec![], &mut fields);
    fields
}

fn collect(text: &str, table: &DeTable<'_>, way: &mut Vec<Step>, fields: &mut Vec<Field>) {
    for (key, value) in table {
        way.push(Step::Key(key.get_ref().to_string()));
        collect_value(text, value, line_of(text, key.span().start), way, fields);
        way.pop();
    }
}

fn collect_value(text: &str, value: &Spanned<DeValue<'_>>, line: usize, way: &mut Vec<Step>, fields: &mut Vec<Field>) {
    match value.get_ref() {
        DeValue::Table(table) if !table.is_empty() => collect(text, table, way, fields),
        DeValue::Array(items) if !items.is_empty() && items.iter().all(|item| item.get_ref().is_table()) => {
            for (i, item) in items.iter().enumerate() {
                way.push(Step::Item(i));
                collect_value(text, item, line_of(text, item.span().start), way, fields);
                way.pop();
            }
        }
        _ => {
            // This always succeeds, since the text has been parsed before.
            if let Ok(value) = Value::deserialize(toml::de::ValueDeserializer::from(value.clone())) {
                fields.push(Field { way: way.clone(), value, line });
            }
        }
    }
}

/// Assembles fields into nested tables.
pub(super) fn assembled(fields: &[&Field]) -> Value {
    assembled_below(fields, 0)
}

/// Assembles fields whose paths are equal up to `depth`.
fn assembled_below(fields: &[&Field], depth: usize) -> Value {
    if let [only] = fields
        && only.way.len() == depth
    {
        return only.value.clone();
    }
    let mut parts: BTreeMap<&Step, Vec<&Field>> = BTreeMap::new();
    for field in fields {
        if let Some(step) = field.way.get(depth) {
            parts.entry(step).or_default().push(field);
        }
    }
    if matches!(parts.keys().next(), Some(Step::Item(_))) {
        return Value::Array(parts.values().map(|part| assembled_below(part, depth + 1)).collect());
    }
    let entries = parts.into_iter().filter_map(|(step, part)| match step {
        Step::Key(key) => Some((key.clone(), assembled_below(&part, depth + 1))),
        Step::Item(_) => None,
    });
    Value::Table(entries.collect())
}
