//! The watcher: a small shell that outlives its starter by a moment and cleans up after it.
//!
//! Statics are not dropped, and nothing is dropped after `kill -9`. But the system closes all pipes of a process that
//! ends, so the watcher reads a pipe that only its starter holds, and begins when there is nothing more to read.
//! Promise: when it has ended, no process works in the folder any more, and the folder is gone.

use crate::{Result, Trouble};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// `$1` is the folder. The first part waits, the rest ends what works in the folder, politely first: a Postgres that
/// is told to quit gives its shared memory back. What does not listen within five seconds is killed, and at once where
/// there is no Postgres: a Redis has nothing to give back.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
cat >/dev/null
workers() {
    for process in /proc/[0-9]*; do
        case "$(readlink "$process/cwd" 2>/dev/null)" in
            "$1" | "$1"/*) echo "${process#/proc/}" ;;
        esac
    done
}
file=$1/data/postmaster.pid
[ -r "$file" ] && main=$(sed -n 1p "$file") && memory=$(sed -n 7p "$file" | awk '{print $2}')
for pid in $(workers "$1"); do kill -CONT "$pid"; done 2>/dev/null
for pid in $(workers "$1"); do
    [ "$pid" = "${main:-}" ] && kill -QUIT "$pid"
done 2>/dev/null
[ -d /proc/1 ] || { [ -n "${main:-}" ] && kill -QUIT "$main"; } 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -n "${main:-}" ] && [ -n "$(workers "$1")" ] || break
    sleep 0.5
done
while left=$(workers "$1"); [ -n "$left" ]; do
    for pid in $left; do kill -KILL "$pid"; done 2>/dev/null
    sleep 0.1
done
[ -n "${memory:-}" ] && ipcrm -m "$memory" 2>/dev/null
[ -d "$1/disk" ] && umount -l "$1/disk" 2>/dev/null
rm -rf "$1"
"#;

/// Cleans a folder up when it is dropped, or when the process that holds it has ended.
#[derive(Debug)]
pub(crate) struct Watcher(Child);

impl Watcher {
    /// Begins to watch over a folder of ours.
    pub(crate) fn over(folder: &Path) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "watcher"]).arg(folder).current_dir("/");
        // Not of the terminal's group, which an interrupt would end; and holding no pipe that someone reads to its end.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self).map_err(Trouble::of("/bin/sh, which is to clean up after the tests"))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // An error would mean that somebody else has waited for our child.
        let _ = self.0.wait();
    }
}
