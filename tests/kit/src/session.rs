//! A database session that stays: for locks, open transactions and connections that others would need.

use crate::{Result, Trouble};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What the session says after each statement, and no statement does.
const MARK: &str = "-- said and done --";

/// An open session of `psql`; it ends when this is dropped, and what it held is free again.
#[derive(Debug)]
pub struct Session {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Session {
    /// From a `psql` that has all its arguments.
    pub(crate) fn open(mut psql: Command) -> Result<Self> {
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = psql.spawn().map_err(Trouble::of("psql"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Trouble::new("psql was to have pipes"));
        };
        let mut session = Self { child, input: Some(input), output: BufReader::new(output) };
        session.run("SELECT 1;")?;
        Ok(session)
    }

    /// Runs statements (each with its semicolon) to their end; what they say, a line a row.
    pub fn run(&mut self, statements: &str) -> Result<String> {
        let Some(input) = &mut self.input else { return Err(Trouble::new("the session has ended")) };
        writeln!(input, "{statements}\n\\echo {MARK}").map_err(Trouble::of("psql"))?;
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).map_err(Trouble::of("psql"))? == 0 {
                let mut reason = String::new();
                if let Some(errors) = &mut self.child.stderr {
                    errors.read_to_string(&mut reason).map_err(Trouble::of("psql"))?;
                }
                return Err(Trouble::new(format!("psql ended at: {statements}\n{}", reason.trim_end())));
            }
            if line.trim_end() == MARK {
                return Ok(said.trim_end().to_owned());
            }
            said.push_str(&line);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.input.take());
        // It ends at the end of its input; a statement that hangs must not hold the test up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
