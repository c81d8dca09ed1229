//! The differences between two recipes of any kind.

/// Descriptive fields, which don't affect the result of a training.
const TOLD: [&str; 2] = ["description", "published"];

/// A field in which two recipes differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Which field.
    pub field: String,
    /// Its value in each of the two, if it has one there.
    pub values: [Option<toml::Value>; 2],
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told =
            |value: &Option<toml::Value>| value.as_ref().map_or_else(|| "absent".to_owned(), toml::Value::to_string);
        write!(f, "`{}` is {} there and {} here", self.field, told(&self.values[0]), told(&self.values[1]))
    }
}

/// The fields in which two recipes differ. Those that don't affect the result of a training are left out.
pub fn differences(mut one: toml::Table, mut other: toml::Table) -> Vec<Difference> {
    for table in [&mut one, &mut other] {
        TOLD.iter().for_each(|told| drop(table.remove(*told)));
    }
    let mut found = Vec::new();
    compare("", &one, &other, &mut found);
    found
}

fn compare(prefix: &str, one: &toml::Table, other: &toml::Table, found: &mut Vec<Difference>) {
    let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let field = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match (one.get(key), other.get(key)) {
            (Some(toml::Value::Table(one)), Some(toml::Value::Table(other))) => compare(&field, one, other, found),
            (one, other) if one != other => found.push(Difference { field, values: [one.cloned(), other.cloned()] }),
            _ => {}
        }
    }
}
