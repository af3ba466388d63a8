//! Yardsticks that are not ours: how often the disk flushes, and what Postgres' own `pgbench` gets out of it.

use crate::fault::Fault;
use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio::time::Instant;

/// One row a transaction, sent and prepared by the client, on the journal's table; each client its own entity.
const SINGLE: &str = "\\set n :n + 1\n\
    INSERT INTO event (shard, kind, id, seq, off, epoch, ver, cause, out_n, at, payload) \
    VALUES (:client_id, 9, 'p' || :run, :n, :n, 1, 1, 'm team/dx4bfdkh ' || :n || ' 0', 1, 1795898884476, \
            repeat('x', :bytes)::bytea);\n";
/// A thousand rows a transaction that the server makes itself: nothing travels.
const BATCHED: &str = "\\set n :n + 1000\n\
    INSERT INTO event (shard, kind, id, seq, off, epoch, ver, cause, out_n, at, payload) \
    SELECT :client_id, 9, 'p' || :run, :n::int8 + g, :n::int8 + g, 1, 1, 'm team/dx4bfdkh ' || (:n::int8 + g) || ' 0', 1, \
           1795898884476, repeat('x', :bytes)::bytea FROM generate_series(1, 1000) AS g;\n";

/// Flushes a second, each after 8 KiB written: as a commit does it.
pub fn flushes(dir: &Path, span: Duration) -> Result<f64, Fault> {
    let path = dir.join("flushes");
    let io = |source| Fault::Io { path: path.clone(), source };
    let mut file = File::create(&path).map_err(io)?;
    file.set_len(16 << 20).and_then(|()| file.sync_all()).map_err(io)?;
    let (block, begun, mut flushes) = ([0x5a_u8; 8192], Instant::now(), 0_u64);
    while begun.elapsed() < span {
        let at = SeekFrom::Start(flushes % 2_048 * 8_192);
        file.seek(at).and_then(|_| file.write_all(&block)).and_then(|()| file.sync_data()).map_err(io)?;
        flushes += 1;
    }
    let rate = flushes as f64 / begun.elapsed().as_secs_f64();
    drop(file);
    fs::remove_file(&path).map_err(io)?;
    Ok(rate)
}

/// Rows a second of `pgbench` with so many clients.
pub fn pgbench(url: &str, clients: u32, batched: bool, bytes: u64, span: Duration) -> Result<f64, Fault> {
    let (script, rows) = if batched { (BATCHED, 1_000.0) } else { (SINGLE, 1.0) };
    let path = std::env::temp_dir().join(format!("waystone-pgbench-{}.sql", std::process::id()));
    fs::write(&path, script).map_err(|source| Fault::Io { path: path.clone(), source })?;
    let run = format!("{}{clients}", u32::from(batched));
    // Offsets stand once in a shard, whichever run wrote them.
    let first = (u64::from(batched) * 100 + u64::from(clients)) * 1_000_000_000;
    let output = Command::new(program())
        .args([
            "-n",
            "-M",
            "prepared",
            "-D",
            &format!("n={first}"),
            "-D",
            &format!("run={run}"),
            "-D",
            &format!("bytes={bytes}"),
        ])
        .args(["-c", &clients.to_string(), "-j", &clients.min(2).to_string()])
        .args(["-T", &span.as_secs().max(1).to_string(), "-f"])
        .arg(&path)
        .arg(url)
        .output();
    let _ = fs::remove_file(&path);
    let output = output.map_err(|err| Fault::Store(format!("pgbench (Debian: postgresql): {err}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
    let said = || Fault::Store(format!("pgbench: {}", String::from_utf8_lossy(&output.stderr).trim()));
    tps.filter(|_| output.status.success()).map(|tps| tps * rows).ok_or_else(said)
}

/// In the path, or where Debian keeps the newest.
fn program() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").map(|dir| dir.flatten().map(|entry| entry.path()));
    let mut found: Vec<PathBuf> = versions.map(Iterator::collect).unwrap_or_default();
    found.sort();
    let debian = found.pop().map(|folder| folder.join("bin/pgbench")).filter(|program| program.is_file());
    debian.unwrap_or_else(|| "pgbench".into())
}
