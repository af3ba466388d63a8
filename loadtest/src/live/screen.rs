//! Frames on a terminal, in place: each is drawn over the last, cut to the width, with the cursor hidden meanwhile.
//!
//! No alternate screen and no raw mode: the last frame stays in the scrollback, Ctrl-C works, and all that must be put
//! back is the cursor. That happens when the screen is dropped, and in a hook when anything panics.

use super::frame::{Line, Tone};
use console::Term;
use std::io::{self, Write};
use std::panic;
use std::sync::Once;

/// Shows the cursor and ends colours.
const RESTORE: &str = "\u{1b}[?25h\u{1b}[0m";
const HIDE: &str = "\u{1b}[?25l";
/// Terminals that know it hold the picture until a frame is whole; others ignore it.
const BEGIN: &str = "\u{1b}[?2026h";
const END: &str = "\u{1b}[?2026l";

/// A terminal that is drawn on.
#[derive(Debug)]
pub struct Screen<W: Write = io::Stderr> {
    out: W,
    width: fn() -> usize,
    /// Lines of the last frame.
    lines: usize,
}

impl Screen {
    /// Standard error; a panic of any thread puts its cursor back first.
    pub fn open() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                let _ = write!(io::stderr(), "{RESTORE}");
                before(info);
            }));
        });
        Self::on(io::stderr(), || usize::from(Term::stderr().size().1))
    }
}

impl<W: Write> Screen<W> {
    fn on(mut out: W, width: fn() -> usize) -> Self {
        let _ = write!(out, "{HIDE}");
        Self { out, width, lines: 0 }
    }

    /// Draws a frame over the last one.
    pub fn draw(&mut self, frame: &[Line]) -> io::Result<()> {
        // The last column stays free: some terminals wrap when it is written.
        let width = (self.width)().saturating_sub(1).max(20);
        let mut text = String::from(BEGIN);
        if self.lines > 0 {
            text += &format!("\u{1b}[{}A", self.lines);
        }
        for line in frame {
            text += "\r\u{1b}[2K";
            let mut room = width;
            for (tone, words) in line {
                let shown: String = words.chars().take(room).collect();
                room -= shown.chars().count();
                text += &format!("{}{shown}\u{1b}[0m", code(*tone));
            }
            text.push('\n');
        }
        text += "\u{1b}[0J";
        text += END;
        self.lines = frame.len();
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        let _ = write!(self.out, "{RESTORE}");
        let _ = self.out.flush();
    }
}

/// Colours by their names, so that a terminal's own palette decides what can be read.
fn code(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Strong => "\u{1b}[1m",
        Tone::Quiet => "\u{1b}[2m",
        Tone::Good => "\u{1b}[32m",
        Tone::Bad => "\u{1b}[1;31m",
        Tone::Accent => "\u{1b}[36m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn cursor_comes_back_even_when_drawing_panics() {
        let sink = Sink::default();
        let inner = sink.clone();
        let panicked = panic::catch_unwind(move || {
            let _screen = Screen::on(inner, || 80);
            panic!("on purpose");
        });
        assert!(panicked.is_err() && sink.text().starts_with(HIDE) && sink.text().ends_with(RESTORE));
    }

    #[test]
    fn second_frame_goes_over_the_first_and_no_line_wraps() {
        let sink = Sink::default();
        let mut screen = Screen::on(sink.clone(), || 41);
        let frame = vec![vec![(Tone::Strong, "a".repeat(30)), (Tone::Bad, "b".repeat(30))], vec![]];
        screen.draw(&frame).unwrap();
        assert!(!sink.text().contains("[2A"));
        screen.draw(&frame).unwrap();
        let text = sink.text();
        assert!(text.contains("\u{1b}[2A"), "{text:?}");
        assert!(text.contains(&"b".repeat(10)) && !text.contains(&"b".repeat(11)), "{text:?}");
    }
}
