//! The small disk fills up, empties again, and is gone in the end.

use std::fs;
use waystone_kit::fault::LoopDisk;

#[test]
fn a_full_disk_is_full_until_there_is_room() {
    let disk = LoopDisk::new(8).expect("a small disk");
    let folder = disk.path().to_owned();
    fs::write(folder.join("before"), "some").expect("there is room");
    let taken = disk.fill().expect("filled");
    assert!(taken > 4 * 1024 * 1024, "{taken} bytes fitted");
    let refused = fs::write(folder.join("after"), vec![0; 8192]).expect_err("there is no room");
    assert_eq!(refused.kind(), std::io::ErrorKind::StorageFull);
    disk.make_room().expect("emptied");
    fs::write(folder.join("after"), vec![0; 8192]).expect("there is room again");
    drop(disk);
    assert!(!folder.exists(), "{} was to be unmounted and removed", folder.display());
}
