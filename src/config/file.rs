//! The layer of the file: TOML to settings with line and column, and everything in it that is no setting.
//!
//! Promise: the reader goes on after a syntax error, so that one more look at the file is enough; a line that
//! cannot be read is not reported a second time for what was guessed of it.

use super::fault::{Fault, Source};
use super::keys::{KEYS, names_in, sections};
use super::secret_help;
use super::value::{Form, Value};
use crate::content::names::{did_you_mean, listed};
use std::collections::BTreeSet;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The largest file read; a full configuration has a few kilobytes.
const BYTES_MAX: u64 = 1024 * 1024;

/// A setting found in the file.
pub(super) struct Written {
    pub(super) key: &'static str,
    pub(super) value: Value,
    pub(super) source: Source,
}

/// Reads a file's settings and faults.
pub(super) fn read(path: &Path) -> (Vec<Written>, Vec<Fault>) {
    let whole = Source::File { path: path.to_owned(), at: None };
    let mut text = String::new();
    let opened = std::fs::File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text));
    match opened {
        Err(error) => {
            let help = "name another file with --config, or leave it out to run with the defaults";
            (Vec::new(), vec![Fault::new(whole, format!("cannot be read: {error}"), help)])
        }
        Ok(bytes) if bytes as u64 > BYTES_MAX => {
            let help = "is this the right file?";
            (Vec::new(), vec![Fault::new(whole, format!("has more than {BYTES_MAX} bytes"), help)])
        }
        Ok(_) => {
            let mut reader = Reader { path, text: &text, written: Vec::new(), faults: Vec::new() };
            reader.all();
            (reader.written, reader.faults)
        }
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    written: Vec<Written>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn all(&mut self) {
        let text = self.text;
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut unreadable = BTreeSet::new();
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            // The parser tells of a broken line what it lacks in turn; the first thing is the one to mend.
            if unreadable.insert(self.place(&span).0) {
                self.fault(&span, format!("this is not TOML: {}", error.message()), "see toml.io for the form");
            }
        }
        let known_before = self.faults.len();
        for (name, value) in root.get_ref() {
            self.section(name, value);
        }
        let readable = |source: &Source| !matches!(source, Source::File { at: Some((line, _)), .. } if unreadable.contains(line));
        self.written.retain(|written| readable(&written.source));
        let guessed = self.faults.split_off(known_before);
        self.faults.extend(guessed.into_iter().filter(|fault| readable(&fault.source)));
    }

    fn section(&mut self, name: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let section = name.get_ref().as_ref();
        let Some(known) = sections().into_iter().find(|known| *known == section) else {
            let help = KEYS
                .iter()
                .find(|key| key.name.split('.').nth(1) == Some(section))
                .map(|key| format!("it belongs into its section: {}", key.name))
                .or_else(|| did_you_mean(section, sections()))
                .unwrap_or_else(|| format!("there are the sections {}", listed(sections())));
            let kind = if value.get_ref().is_table() { "section" } else { "key" };
            return self.fault(&name.span(), format!("there is no {kind} \"{section}\""), help);
        };
        let Some(table) = value.get_ref().as_table() else {
            let help = format!("write it as a section: [{known}], and its keys below");
            return self.fault(&name.span(), format!("\"{known}\" is a section, not a key"), help);
        };
        for (name, value) in table {
            self.key(known, name, value);
        }
    }

    fn key(&mut self, section: &str, name: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let full = format!("{section}.{}", name.get_ref());
        let Some(key) = KEYS.iter().find(|key| key.name == full) else {
            let elsewhere = KEYS.iter().find(|key| key.name.split('.').nth(1) == Some(name.get_ref().as_ref()));
            let help = secret_help(&full)
                .or_else(|| elsewhere.map(|key| format!("it belongs into another section: {}", key.name)))
                .or_else(|| did_you_mean(name.get_ref(), names_in(section)))
                .unwrap_or_else(|| format!("known in [{section}]: {}", listed(names_in(section))));
            return self.fault(&name.span(), format!("there is no key \"{full}\""), help);
        };
        let base = self.path.parent().unwrap_or(Path::new(""));
        let source = self.source(&value.span());
        self.written.push(Written { key: key.name, value: Value::typed(form(value.get_ref()), base), source });
    }

    fn fault(&mut self, span: &Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.faults.push(Fault::new(self.source(span), message, help));
    }

    fn source(&self, span: &Range<usize>) -> Source {
        Source::File { path: self.path.to_owned(), at: Some(self.place(span)) }
    }

    /// Line and column, from 1, of the first byte of a span.
    fn place(&self, span: &Range<usize>) -> (u32, u32) {
        let before = self.text.get(..span.start.min(self.text.len())).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}

fn form(value: &DeValue<'_>) -> Form {
    match value {
        DeValue::String(text) => Form::Text(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Form::Number(number.as_str().to_owned()),
        DeValue::Integer(_) => Form::Other("a number that is not decimal"),
        DeValue::Float(number) => Form::Number(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Form::Truth(*truth),
        DeValue::Array(items) => Form::List(items.iter().map(|item| form(item.get_ref())).collect()),
        DeValue::Table(_) => Form::Other("a section"),
        DeValue::Datetime(_) => Form::Other("a date"),
    }
}
