//! What the terminal can show, by the conventions that people set for all programs: `NO_COLOR`, `TERM`, `CI`.

/// When to color, as `--color` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal that shows color, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminal {
    /// Whether to color standard output.
    pub color: bool,
    /// Whether to color standard error.
    pub color_err: bool,
    /// Whether a person watches: only then are progress shown and a browser opened.
    pub interactive: bool,
    /// Whether standard error is a terminal, so that logs are for people.
    pub terminal_err: bool,
}

impl Terminal {
    /// From `--color`, the environment, and whether standard output and error are terminals.
    pub fn detect(
        choice: ColorChoice,
        env: &mut dyn Iterator<Item = (String, String)>,
        (out, err): (bool, bool),
    ) -> Self {
        let (mut no_color, mut dumb, mut ci) = (false, false, false);
        for (name, value) in env {
            match name.as_str() {
                // no-color.org: present and not empty, whatever it says.
                "NO_COLOR" => no_color = !value.is_empty(),
                "TERM" => dumb = value == "dumb",
                "CI" => ci = !matches!(value.as_str(), "" | "0" | "false"),
                _ => {}
            }
        }
        let color = |terminal: bool| match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !no_color && !dumb,
        };
        Self { color: color(out), color_err: color(err), interactive: out && err && !ci, terminal_err: err }
    }
}
