//! Markup that is well-formed by construction: every element closes, every text and attribute is escaped.
//!
//! The page is read as HTML by browsers and as XML by the tests, so empty elements close themselves and no character
//! comes in that XML does not know. A template engine would bring a macro crate for what is a page of code here.

use std::fmt::{self, Display, Write as _};

/// An element under construction.
#[derive(Debug, Clone)]
pub struct El {
    name: &'static str,
    attributes: String,
    inner: String,
}

/// A new element.
pub fn el(name: &'static str) -> El {
    El { name, attributes: String::new(), inner: String::new() }
}

/// Elements that have no content and no end tag in HTML.
const EMPTY: [&str; 3] = ["meta", "br", "wbr"];

impl El {
    /// Adds an attribute.
    pub fn attr(mut self, name: &str, value: impl Display) -> Self {
        // Writing to a String cannot fail, here and below.
        let _ = write!(self.attributes, " {name}=\"{}\"", Escaped(&value.to_string()));
        self
    }

    /// Adds an attribute whose value is a number of pixels, to a tenth.
    pub fn px(self, name: &str, value: f64) -> Self {
        self.attr(name, Px(value))
    }

    /// Sets the class.
    pub fn class(self, name: &str) -> Self {
        self.attr("class", name)
    }

    /// Adds text.
    pub fn text(mut self, text: impl Display) -> Self {
        let _ = write!(self.inner, "{}", Escaped(&text.to_string()));
        self
    }

    /// Adds an element.
    pub fn child(mut self, child: impl Into<Option<Self>>) -> Self {
        if let Some(child) = child.into() {
            let _ = write!(self.inner, "{child}");
        }
        self
    }

    /// Adds elements.
    pub fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        for child in children {
            let _ = write!(self.inner, "{child}");
        }
        self
    }

    /// Adds text of ours that must not be escaped: a style sheet.
    pub fn verbatim(mut self, text: &'static str) -> Self {
        self.inner.push_str(text);
        self
    }
}

impl Display for El {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, attributes, inner } = self;
        if EMPTY.contains(name) {
            return write!(f, "<{name}{attributes} />");
        }
        write!(f, "<{name}{attributes}>{inner}</{name}>")
    }
}

/// A length to a tenth of a pixel, without needless digits: pictures are mostly such numbers.
#[derive(Debug, Clone, Copy)]
pub struct Px(pub f64);

impl Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenth = (self.0 * 10.0).round() / 10.0;
        if tenth.fract() == 0.0 { write!(f, "{tenth:.0}") } else { write!(f, "{tenth:.1}") }
    }
}

struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => f.write_char(c)?,
                // XML knows no control characters, and these two are no characters at all.
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_place() {
        let made = el("p").attr("title", "a\"b'<").text("<script>&\u{1}").child(el("br")).to_string();
        assert_eq!(made, "<p title=\"a&quot;b&#39;&lt;\">&lt;script&gt;&amp;\u{fffd}<br /></p>");
    }

    #[test]
    fn lengths_are_short() {
        assert_eq!([Px(3.0), Px(3.04), Px(3.06), Px(-0.01)].map(|px| px.to_string()), ["3", "3", "3.1", "-0"]);
    }
}
