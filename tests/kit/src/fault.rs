//! A disk of a few megabytes, to be filled.

use crate::watcher::Watcher;
use crate::{Result, Trouble, folder};
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system of its own (ext4 in a file), so that a test can run a disk full without harm to others.
///
/// It needs Linux, root, `mkfs.ext4` and a loop device. Without them it fails and says so: a test that skipped itself
/// would say that a full disk is survived, which nobody has seen.
#[derive(Debug)]
pub struct LoopDisk {
    disk: PathBuf,
    _watcher: Watcher,
}

impl LoopDisk {
    /// A fresh one of so many megabytes.
    pub fn new(megabytes: u64) -> Result<Self> {
        let folder = folder::fresh("disk")?;
        let watcher = Watcher::over(&folder)?;
        if fs::metadata(&folder).map_err(Trouble::of(folder.display()))?.uid() != 0 {
            return Err(Trouble::new("a small disk to fill can be mounted by root only: run this test as root"));
        }
        let (image, disk) = (folder.join("image"), folder.join("disk"));
        let file = File::create_new(&image).and_then(|file| file.set_len(megabytes * 1024 * 1024));
        file.and_then(|()| fs::create_dir(&disk)).map_err(Trouble::of(folder.display()))?;
        // Nothing set aside for root, and no journal, which would take half of so small a disk.
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0", "-O", "^has_journal"]).arg(&image), "e2fsprogs")?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&disk), "mount")?;
        Ok(Self { disk, _watcher: watcher })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.disk
    }

    /// Fills it to the last byte; how many bytes that took.
    pub fn fill(&self) -> Result<u64> {
        let trouble = |err| Trouble::of(self.ballast().display())(err);
        let mut file = File::options().create(true).append(true).open(self.ballast()).map_err(trouble)?;
        let mut taken = 0;
        // Coarse first, then what is left of the last block.
        for piece in [64 * 1024, 512, 1] {
            let bytes = vec![0x5a_u8; piece];
            loop {
                match file.write(&bytes) {
                    Ok(written) => taken += u64::try_from(written).unwrap_or(u64::MAX),
                    Err(err) if err.kind() == ErrorKind::StorageFull => break,
                    Err(err) => return Err(trouble(err)),
                }
            }
            // What is only in memory has its place set aside; now it takes it.
            file.sync_data().map_err(trouble)?;
        }
        Ok(taken)
    }

    /// Gives all of it back that [`Self::fill`] took.
    pub fn make_room(&self) -> Result<()> {
        fs::remove_file(self.ballast()).map_err(|err| Trouble::of(self.ballast().display())(err))
    }

    fn ballast(&self) -> PathBuf {
        self.disk.join("ballast")
    }
}

/// Runs a command of a Debian package.
fn run(command: &mut Command, package: &str) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.output().map_err(Trouble::of(format!("{name} (Debian: apt-get install {package})")))?;
    if done.status.success() {
        return Ok(());
    }
    Err(Trouble::new(format!("{name} failed: {}", String::from_utf8_lossy(&done.stderr).trim())))
}
