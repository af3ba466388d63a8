//! The console's files, in the binary.
//!
//! A plain table: adding a file to `src/net/console/` is adding a line here.

/// One file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asset {
    /// Its path under `/console/`.
    pub(super) path: &'static str,
    /// Its media type.
    pub(super) mime: &'static str,
    /// Its content.
    pub(super) bytes: &'static [u8],
}

/// Every file.
pub(super) const ASSETS: &[Asset] =
    &[Asset { path: "index.html", mime: "text/html; charset=utf-8", bytes: include_bytes!("console/index.html") }];

/// The file of a path; the empty path is the page itself.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    let path = if path.is_empty() { "index.html" } else { path };
    ASSETS.iter().find(|asset| asset.path == path)
}

/// A strong ETag: FNV-1a over the bytes tells our own files apart, and they are all that is compared.
pub(super) fn etag(bytes: &[u8]) -> String {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("\"{hash:016x}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_there_and_nothing_outside() {
        assert_eq!(find("").map(|asset| asset.path), Some("index.html"));
        for path in ["../Cargo.toml", "/etc/passwd", "index.htm", "INDEX.HTML"] {
            assert!(find(path).is_none(), "{path}");
        }
        assert_ne!(etag(b"a"), etag(b"b"));
    }
}
