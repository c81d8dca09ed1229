//! Python's pickles, read as data: calls and objects are recorded, never executed.
//!
//! The opcodes are those of Python's `pickletools`. Those that no protocol since 2 writes are left out.

use std::collections::HashMap;

use super::Problem;

/// Index of a value among all values of a pickle. With indices instead of references, no nesting and no loop in a file can exhaust the
/// stack.
pub type Id = usize;

/// A value of a pickle.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// Lists, tuples and sets.
    Sequence(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// `module.name`.
    Global(String),
    /// The result of calling `function` with `arguments`, and the state that would then be set on it.
    Call {
        function: Id,
        arguments: Id,
        state: Option<Id>,
    },
    /// A reference to something outside the pickle.
    Persistent(Id),
}

/// All values of a pickle.
#[derive(Debug, Default)]
pub struct Pickle {
    values: Vec<Value>,
    /// The top-level value.
    pub root: Id,
}

/// Limit on the values of a pickle. The largest published networks have some ten thousand.
const MOST_VALUES: usize = 5_000_000;

impl Pickle {
    /// The value with this index.
    pub fn get(&self, id: Id) -> &Value {
        self.values.get(id).unwrap_or(&Value::None)
    }

    /// All values, in no meaningful order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }

    /// The items of a sequence. Empty for anything else.
    pub fn items(&self, id: Id) -> &[Id] {
        if let Value::Sequence(items) = self.get(id) { items } else { &[] }
    }

    /// The value, if it is an integer.
    pub fn int(&self, id: Id) -> Option<i64> {
        if let Value::Int(value) = self.get(id) { Some(*value) } else { None }
    }

    /// The value, if it is a text.
    pub fn text(&self, id: Id) -> Option<&str> {
        if let Value::Text(text) = self.get(id) { Some(text) } else { None }
    }

    /// The name, if the value is a global.
    pub fn global(&self, id: Id) -> Option<&str> {
        if let Value::Global(name) = self.get(id) { Some(name) } else { None }
    }
}

/// Reads one pickle from the start of `bytes`. Returns it, and the bytes that follow it.
///
/// # Errors
/// When it is cut off, has too many values, or holds unknown opcodes or an invalid sequence of them.
pub fn read(bytes: &[u8]) -> Result<(Pickle, &[u8]), Problem> {
    let mut machine =
        Machine { bytes, position: 0, values: Vec::new(), stack: vec![], marks: vec![], memo: HashMap::new() };
    loop {
        if machine.values.len() > MOST_VALUES {
            return Err(machine.problem("it has too many values"));
        }
        if let Some(root) = machine.step()? {
            let Machine { values, position, .. } = machine;
            return Ok((Pickle { values, root }, &bytes[position..]));
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack at the marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn problem(&self, what: &'static str) -> Problem {
        Problem::Pickle { position: self.position, what }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Problem> {
        let end = self.position.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.problem("it is cut off"))?;
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    /// Reads a little-endian number of `size` bytes, at most eight.
    fn number(&mut self, size: usize) -> Result<u64, Problem> {
        Ok(self.take(size)?.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn length(&mut self, size: usize) -> Result<usize, Problem> {
        let length = self.number(size)?;
        usize::try_from(length).map_err(|_error| self.problem("a length is too large"))
    }

    fn line(&mut self) -> Result<&'a [u8], Problem> {
        let end = self.bytes[self.position..].iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| self.problem("it is cut off"))?;
        let line = self.take(end)?;
        self.take(1)?;
        Ok(line)
    }

    fn add(&mut self, value: Value) -> Id {
        self.values.push(value);
        self.values.len() - 1
    }

    fn push(&mut self, value: Value) {
        let id = self.add(value);
        self.stack.push(id);
    }

    fn pop(&mut self) -> Result<Id, Problem> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.problem("a value is missing"));
        }
        self.stack.pop().ok_or_else(|| self.problem("a value is missing"))
    }

    fn top(&self) -> Result<Id, Problem> {
        self.stack.last().copied().ok_or_else(|| self.problem("a value is missing"))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, Problem> {
        let mark = self.marks.pop().ok_or_else(|| self.problem("a mark is missing"))?;
        if mark > self.stack.len() {
            return Err(self.problem("a value is missing"));
        }
        Ok(self.stack.split_off(mark))
    }

    fn push_text(&mut self, size_of_length: usize) -> Result<(), Problem> {
        let length = self.length(size_of_length)?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.push(Value::Text(text));
        Ok(())
    }

    fn push_bytes(&mut self, size_of_length: usize) -> Result<(), Problem> {
        let length = self.length(size_of_length)?;
        let bytes = self.take(length)?.to_vec();
        self.push(Value::Bytes(bytes));
        Ok(())
    }

    fn push_tuple(&mut self, count: usize) -> Result<(), Problem> {
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Value::Sequence(items));
        Ok(())
    }

    /// Pushes an integer of any length. Those beyond 64 bits, which weights don't use, lose their upper part.
    fn push_long(&mut self, size_of_length: usize) -> Result<(), Problem> {
        let length = self.length(size_of_length)?;
        let bytes = self.take(length)?;
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut padded = [if negative { 0xff } else { 0 }; 8];
        padded.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.push(Value::Int(i64::from_le_bytes(padded)));
        Ok(())
    }

    /// Appends to the sequence on top of the stack. Objects that are filled this way are left alone: what matters is in their state.
    fn extend(&mut self, items: Vec<Id>) -> Result<(), Problem> {
        let id = self.top()?;
        if let Some(Value::Sequence(sequence)) = self.values.get_mut(id) {
            sequence.extend(items);
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), Problem> {
        let id = self.top()?;
        if let Some(Value::Dict(entries)) = self.values.get_mut(id) {
            entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        }
        Ok(())
    }

    fn call(&mut self) -> Result<(), Problem> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let is_dict = matches!(&self.values[function], Value::Global(name) if name == "collections.OrderedDict");
        let value = if is_dict {
            Value::Dict(self.take_pairs(arguments))
        } else {
            Value::Call { function, arguments, state: None }
        };
        self.push(value);
        Ok(())
    }

    /// Takes the pairs from which Python 2 makes an ordered dictionary; Python 3 makes an empty one and fills it. The pairs are moved
    /// out of their list, so that many dictionaries made of one list don't take more memory than the file.
    fn take_pairs(&mut self, arguments: Id) -> Vec<(Id, Id)> {
        let Some(list) = self.items(arguments).first().copied() else { return Vec::new() };
        let Some(Value::Sequence(pairs)) = self.values.get_mut(list) else { return Vec::new() };
        let pairs = std::mem::take(pairs);
        let pair = |id: Id| if let [key, value] = self.items(id) { Some((*key, *value)) } else { None };
        pairs.into_iter().filter_map(pair).collect()
    }

    fn items(&self, id: Id) -> &[Id] {
        if let Some(Value::Sequence(items)) = self.values.get(id) { items } else { &[] }
    }

    fn remember(&mut self, key: u64) -> Result<(), Problem> {
        let id = self.top()?;
        let key = u32::try_from(key).map_err(|_error| self.problem("a memo's number is too large"))?;
        self.memo.insert(key, id);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<(), Problem> {
        let id = u32::try_from(key).ok().and_then(|key| self.memo.get(&key).copied());
        let id = id.ok_or_else(|| self.problem("a memo is missing"))?;
        self.stack.push(id);
        Ok(())
    }

    /// Interprets one opcode. Returns the top-level value at the end of the pickle.
    fn step(&mut self) -> Result<Option<Id>, Problem> {
        match self.take(1)?[0] {
            b'.' => return self.pop().map(Some),
            // Protocol, frame.
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' => {
                let value = self.number(4)? as u32 as i32;
                self.push(Value::Int(i64::from(value)));
            }
            b'K' => {
                let value = self.number(1)? as i64;
                self.push(Value::Int(value));
            }
            b'M' => {
                let value = self.number(2)? as i64;
                self.push(Value::Int(value));
            }
            0x8a => self.push_long(1)?,
            0x8b => self.push_long(4)?,
            b'G' => {
                // The only big-endian number.
                let value = f64::from_bits(self.number(8)?.swap_bytes());
                self.push(Value::Float(value));
            }
            b'X' | b'T' => self.push_text(4)?,
            b'U' | 0x8c => self.push_text(1)?,
            0x8d => self.push_text(8)?,
            b'C' => self.push_bytes(1)?,
            b'B' => self.push_bytes(4)?,
            0x8e => self.push_bytes(8)?,
            // Empty list, tuple and set.
            b']' | b')' | 0x8f => self.push(Value::Sequence(vec![])),
            b'}' => self.push(Value::Dict(vec![])),
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend(items)?;
            }
            // List, tuple and frozen set of the items above the mark.
            b'l' | b't' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Value::Sequence(items));
            }
            0x85 => self.push_tuple(1)?,
            0x86 => self.push_tuple(2)?,
            0x87 => self.push_tuple(3)?,
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dict(vec![]));
                self.set_items(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                let name = format!("{}.{}", String::from_utf8_lossy(module), String::from_utf8_lossy(name));
                self.push(Value::Global(name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |id: Id| if let Value::Text(text) = &self.values[id] { text.as_str() } else { "" };
                let name = format!("{}.{}", text(module), text(name));
                self.push(Value::Global(name));
            }
            b'R' | 0x81 => self.call()?,
            0x92 => {
                // Keyword arguments aren't needed.
                self.pop()?;
                self.call()?;
            }
            b'b' => {
                let new = self.pop()?;
                let id = self.top()?;
                if let Some(Value::Call { state, .. }) = self.values.get_mut(id) {
                    *state = Some(new);
                }
            }
            b'Q' => {
                let name = self.pop()?;
                self.push(Value::Persistent(name));
            }
            b'q' => {
                let key = self.number(1)?;
                self.remember(key)?;
            }
            b'r' => {
                let key = self.number(4)?;
                self.remember(key)?;
            }
            0x94 => self.remember(self.memo.len() as u64)?,
            b'h' => {
                let key = self.number(1)?;
                self.recall(key)?;
            }
            b'j' => {
                let key = self.number(4)?;
                self.recall(key)?;
            }
            _ => return Err(self.problem("an opcode is unknown")),
        }
        Ok(None)
    }
}
