//! The program put together: what `demo` and `serve` run.

use crate::cli::Exit;
use crate::cli::demo::DemoArgs;
use crate::config::{Config, Terminal};

/// Plays the demo until it is stopped.
pub async fn demo(_args: DemoArgs, _terminal: Terminal) -> anyhow::Result<Exit> {
    anyhow::bail!("`waystone demo` is not built yet")
}

/// Serves until it is told to end.
pub async fn serve(_config: Config, _terminal: Terminal) -> anyhow::Result<Exit> {
    anyhow::bail!("`waystone serve` is not built yet; `waystone serve --check` is")
}
