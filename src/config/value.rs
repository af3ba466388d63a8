//! A setting as it was written, and how it is read as what its key needs.
//!
//! A file has types, so `"true"` in quotes is not a truth there; variables and flags are text only, so there it is.
//! Promise: each refusal says what was expected and gives an example of it.

use crate::content::names::did_you_mean;
use crate::content::values::Span;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What keeps a value from being read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) help: String,
}

fn problem<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Problem> {
    Err(Problem { message: message.into(), help: help.into() })
}

/// A value's form.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    Text(String),
    /// Its digits.
    Number(String),
    Truth(bool),
    List(Vec<Form>),
    /// Something that no key takes, and what it is.
    Other(&'static str),
}

impl Form {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Truth(_) => "true or false",
            Self::List(_) => "a list",
            Self::Other(kind) => kind,
        }
    }
}

/// A value as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    form: Form,
    /// From a source that has only text.
    plain: bool,
    /// The folder from which relative paths lead.
    base: PathBuf,
}

impl Value {
    /// From a file in folder `base`.
    pub(super) fn typed(form: Form, base: &Path) -> Self {
        Self { form, plain: false, base: base.to_owned() }
    }

    /// From a variable or a flag.
    pub(super) fn plain(text: String) -> Self {
        Self { form: Form::Text(text), plain: true, base: PathBuf::new() }
    }

    /// From a flag that may be repeated.
    pub(super) fn plain_list(texts: Vec<String>) -> Self {
        Self { form: Form::List(texts.into_iter().map(Form::Text).collect()), plain: true, base: PathBuf::new() }
    }

    pub(super) fn text(&self, help: &str) -> Result<String, Problem> {
        let Form::Text(text) = &self.form else { return self.wrong("a text", help) };
        match text.trim() {
            "" => problem("it is empty", help),
            trimmed => Ok(trimmed.to_owned()),
        }
    }

    pub(super) fn path(&self) -> Result<PathBuf, Problem> {
        Ok(self.base.join(self.text("write a path, such as \"waystone-data\"")?))
    }

    pub(super) fn truth(&self) -> Result<bool, Problem> {
        match &self.form {
            Form::Truth(truth) => Ok(*truth),
            Form::Text(text) if self.plain => match text.trim() {
                "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                _ => problem("this is neither true nor false", "write true or false"),
            },
            Form::Text(_) | Form::Number(_) | Form::List(_) | Form::Other(_) => {
                self.wrong("true or false", "write true or false, without quotes")
            }
        }
    }

    pub(super) fn count(&self, range: &RangeInclusive<usize>) -> Result<usize, Problem> {
        let help = format!("write a whole number from {} to {}", range.start(), range.end());
        let digits = match &self.form {
            Form::Number(digits) => digits,
            Form::Text(text) if self.plain => text.trim(),
            Form::Text(_) | Form::Truth(_) | Form::List(_) | Form::Other(_) => {
                return self.wrong("a whole number", &format!("{help}, without quotes"));
            }
        };
        match digits.replace('_', "").parse::<usize>() {
            Ok(count) if range.contains(&count) => Ok(count),
            Ok(count) => problem(format!("{count} is out of range"), help),
            Err(_) => problem(format!("\"{digits}\" is not a number that fits here"), help),
        }
    }

    pub(super) fn address(&self) -> Result<SocketAddr, Problem> {
        let help = "write an IP address and a port, such as \"127.0.0.1:7170\" or \"[::1]:7170\"";
        let text = self.text(help)?;
        text.parse().or_else(|_| problem(format!("\"{text}\" is not an address with a port"), help))
    }

    pub(super) fn span(&self, range: &RangeInclusive<Duration>) -> Result<Duration, Problem> {
        let help =
            format!("write a time with its unit, such as \"5s\"; from {:?} to {:?}", range.start(), range.end());
        let text = self.text(&help)?;
        match Span::parse(&text) {
            Some(Span(span)) if range.contains(&span) => Ok(span),
            Some(_) => problem(format!("{text} is out of range"), help),
            None => problem(format!("\"{text}\" is not a length of time"), help),
        }
    }

    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, Problem> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let all = format!("write one of {}", names.join(", "));
        let text = self.text(&all)?;
        match choices.iter().find(|(name, _)| *name == text) {
            Some((_, choice)) => Ok(*choice),
            None => {
                problem(format!("\"{text}\" is not one of the choices"), did_you_mean(&text, names).unwrap_or(all))
            }
        }
    }

    /// Each item of a list; a variable separates them by commas.
    pub(super) fn each<T>(&self, read: impl Fn(&Self) -> Result<T, Problem>) -> Result<Vec<T>, Problem> {
        let items: Vec<Form> = match &self.form {
            Form::List(items) => items.clone(),
            Form::Text(text) if self.plain => text.split(',').map(|item| Form::Text(item.to_owned())).collect(),
            Form::Text(_) | Form::Number(_) | Form::Truth(_) | Form::Other(_) => {
                return self.wrong("a list", "put it in brackets: [\"one\", \"two\"]");
            }
        };
        items.into_iter().map(|form| read(&Self { form, ..self.clone() })).collect()
    }

    /// The same, where one alone need not be in a list.
    pub(super) fn one_or_each<T>(&self, read: impl Fn(&Self) -> Result<T, Problem>) -> Result<Vec<T>, Problem> {
        match &self.form {
            Form::List(_) => self.each(read),
            Form::Text(_) if self.plain => self.each(read),
            Form::Text(_) | Form::Number(_) | Form::Truth(_) | Form::Other(_) => Ok(vec![read(self)?]),
        }
    }

    fn wrong<T>(&self, wanted: &str, help: &str) -> Result<T, Problem> {
        problem(format!("{wanted} belongs here, and this is {}", self.form.kind()), help)
    }
}
