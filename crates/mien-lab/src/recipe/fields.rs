//! The fields of a TOML text with their lines, and tables assembled from some of them.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

use super::mistakes::Mistake;

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

/// The fields of a table and of the tables in it. One whose value can't be held is left out and added to `mistakes`.
pub(super) fn fields_of(text: &str, table: &DeTable<'_>, mistakes: &mut Vec<Mistake>) -> Vec<Field> {
    let mut found = Found { text, way: vec![], fields: vec![], mistakes };
    found.collect(table);
    found.fields
}

/// What was found in a table so far.
struct Found<'a> {
    text: &'a str,
    /// The path to the value that is looked at.
    way: Vec<Step>,
    fields: Vec<Field>,
    mistakes: &'a mut Vec<Mistake>,
}

impl Found<'_> {
    fn collect(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            self.way.push(Step::Key(key.get_ref().to_string()));
            self.collect_value(value, line_of(self.text, key.span().start));
            self.way.pop();
        }
    }

    fn collect_value(&mut self, value: &Spanned<DeValue<'_>>, line: usize) {
        match value.get_ref() {
            DeValue::Table(table) if !table.is_empty() => self.collect(table),
            DeValue::Array(items) if !items.is_empty() && items.iter().all(|item| item.get_ref().is_table()) => {
                for (i, item) in items.iter().enumerate() {
                    self.way.push(Step::Item(i));
                    self.collect_value(item, line_of(self.text, item.span().start));
                    self.way.pop();
                }
            }
            _ => match Value::deserialize(toml::de::ValueDeserializer::from(value.clone())) {
                Ok(value) => self.fields.push(Field { way: self.way.clone(), value, line }),
                // The text has been parsed before; what is left is a whole number beyond 64 bits.
                Err(_) => {
                    let problem = format!("`{}`: the number is too large", name_of(&self.way));
                    self.mistakes.push(Mistake { line: Some(line), problem });
                }
            },
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
